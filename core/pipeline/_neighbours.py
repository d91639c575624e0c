"""What lies nearest to a file in a model's features: held-out items that came with it, or a collection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.checkpoints.directions import Directions
from core.checkpoints.heldout import Heldout
from core.errors import StoreError
from core.retrieval import nearest
from core.store import Backbone, Collection, Where


@dataclass(frozen=True, slots=True)
class Neighbour:
    id: str
    label: str | None  # its true label; several are joined by commas
    cosine: float
    total: float | None  # its own doubt, in nats


def of_heldout(
    features: np.ndarray, held: Heldout | None, directions: Directions | None, classes: tuple[str, ...], count: int
) -> tuple[Neighbour, ...] | None:
    """None where too little was stored to compare.

    Wide features were stored along the directions of the density; cosines are then taken there, about its centre.
    """
    if held is None or held.features is None or held.basis == "own":
        return None
    query = features.astype(np.float64)
    if held.basis == "density":
        if directions is None:
            return None
        query = directions.along(query)
    near = _near(query, held.features, count)
    totals = held.answers.doubts.get("total")
    found = []
    for place, cosine in near:
        row = int(held.feature_rows[place])
        total = None if totals is None else float(totals[row])
        found.append(Neighbour(held.answers.ids[row], _label(np.asarray(held.labels[row]), classes), cosine, total))
    return tuple(found)


def of_collection(
    features: np.ndarray, name: str, mark: str, read: Backbone | None, collection: Collection, count: int
) -> tuple[Neighbour, ...]:
    """Among the vectors of this model's network, ``read``; doubts are those that it had when it was indexed."""
    own = [row for row in collection.models() if (row.name, row.mark) == (name, mark)]
    backbone = own[0].vectors if own else read
    if backbone is None or backbone not in collection.backbones:
        raise StoreError(
            f"The collection {collection.name!r} has no vectors of {name}; index it with that model.",
            code="no-vectors",
        )
    vectors = collection.vectors(backbone)
    near = _near(features, vectors.matrix, count)
    ids = [vectors.ids[place] for place, _ in near]
    table = collection.items(("id", "label"), Where(ids=ids))
    labels = dict(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))
    totals = {row.id: row.total for row in collection.uncertainties(own[0].key)} if own else {}
    return tuple(
        Neighbour(id_, labels.get(id_), cosine, totals.get(id_)) for id_, (_, cosine) in zip(ids, near, strict=True)
    )


def _near(query: np.ndarray, matrix: np.ndarray, count: int) -> list[tuple[int, float]]:
    found = nearest(query, matrix, count)
    return list(zip(found.places.tolist(), found.cosines.tolist(), strict=True))


def _label(label: np.ndarray, classes: tuple[str, ...]) -> str | None:
    if label.ndim:
        return ", ".join(name for name, there in zip(classes, label.tolist(), strict=True) if there) or None
    return classes[int(label)] if 0 <= int(label) < len(classes) else None
