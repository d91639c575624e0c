"""A file asked of a collection: what is nearest to it, how sure each of these is, and whether to answer at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.checkpoints.answering import answers
from core.contracts import Media
from core.errors import StoreError, UserFacingError
from core.layers import key_of
from core.pipeline.scored import Asking, asking_of
from core.retrieval import Found, Safety, calibrate, nearest, safe_rows
from core.settings import Settings
from core.store import Collection, ModelRow, UncertaintyRow
from core.training.examples import Examples, InMemory

MEASURES = ("total", "aleatoric", "epistemic", "novelty", "score")
UNLIKELY = float("inf")  # the doubt of an item that has none: never among the least doubtful


@dataclass(frozen=True, slots=True)
class Limits:
    """What is let through. ``most`` is of an item's own doubt; ``risk`` asks for safe retrieval."""

    k: int = 10
    measure: str = "total"
    most: float | None = None
    risk: float | None = None
    confidence: float = 0.9
    same_recording: bool = False  # let a query find its own recording


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    label: str | None
    cosine: float
    doubts: UncertaintyRow | None  # its own


@dataclass(frozen=True, slots=True, eq=False)
class Retrieved:
    query: UncertaintyRow  # what the model says of it; its id is the sha256 of its bytes
    model: ModelRow
    results: tuple[Result, ...]  # empty where the query is refused
    excluded: int  # items that are the query's own, or of its recording
    too_doubtful: int  # items beyond ``most``, or outside the safe database
    safety: Safety | None = None
    refused: str = ""  # why
    alternatives: tuple[Result, ...] = ()  # of a refused query, the least doubtful first


@dataclass(frozen=True, slots=True, eq=False)
class _Shelf:
    """The collection as arrays, one row an item with a vector."""

    ids: tuple[str, ...]
    matrix: np.ndarray
    shas: tuple[str, ...]
    labels: tuple[str | None, ...]
    groups: tuple[str, ...]
    doubts: Mapping[str, UncertaintyRow]

    def of(self, measure: str) -> np.ndarray:
        values = [getattr(self.doubts[id_], measure) if id_ in self.doubts else None for id_ in self.ids]
        return np.array([UNLIKELY if value is None else value for value in values], np.float64)


def model_of(collection: Collection, settings: Settings, device: str) -> tuple[ModelRow, Asking]:
    """The model that the collection was last indexed with, as it was then."""
    rows = collection.models()
    if not rows:
        raise StoreError(
            f"Collection {collection.name!r} was indexed without a model; index it again with a --model.",
            code="no-vectors",
        )
    asking = asking_of(rows[0].name, settings, device, rows[0].draws, rows[0].seed)
    if asking.key != rows[0].key:
        raise StoreError(
            f"The model {rows[0].name!r} was trained again since {collection.name!r} was indexed; index it again.",
            code="changed",
        )
    return rows[0], asking


def retrieve(collection: Collection, row: ModelRow, asking: Asking, media: Media, limits: Limits) -> Retrieved:
    """The nearest items. A query that is in the collection finds neither itself nor its recording."""
    if limits.measure not in MEASURES:
        raise UserFacingError(
            f"There is no doubt called {limits.measure[:40]!r}; known: {', '.join(MEASURES)}.", code="no-measure"
        )
    if media.kind != asking.model.card.kind:
        raise UserFacingError(
            f"Collection {collection.name!r} holds the kind {asking.model.card.kind}, and this file is of the kind "
            f"{media.kind}.",
            code="wrong-kind",
        )
    vector, said = _asked(asking, media)
    shelf = _shelf(collection, row)
    doubt = shelf.of(limits.measure)
    own = getattr(said, limits.measure)
    if own is None or not np.isfinite(doubt).any():
        raise UserFacingError(f"{row.name} tells no {limits.measure} doubt; choose another measure.", code="no-measure")
    mine = _own(shelf, media.sha256, limits.same_recording)
    allowed = ~mine if limits.most is None else ~mine & (doubt <= limits.most)
    safety, refused = None, ""
    if limits.risk is not None:
        safety, safe = _safety(shelf, doubt, limits, asking.learned)
        allowed &= safe
        refused = _why(safety, own, limits.measure)
    results = _results(shelf, nearest(vector, shelf.matrix, limits.k, allowed))
    beyond = int((~mine & ~allowed).sum())
    if refused:
        least = sorted(results, key=lambda one: getattr(one.doubts, limits.measure) if one.doubts else UNLIKELY)
        return Retrieved(said, row, (), int(mine.sum()), beyond, safety, refused, tuple(least))
    return Retrieved(said, row, results, int(mine.sum()), beyond, safety)


def _asked(asking: Asking, media: Media) -> tuple[np.ndarray, UncertaintyRow]:
    from core.pipeline.scored import rows_of

    inputs = asking.model.network.prepare(media).tensor[None]
    keys = torch.tensor([key_of(media.sha256)])
    examples = Examples(InMemory(inputs), torch.zeros(1, dtype=torch.int64), keys, (media.sha256,))
    found = answers(asking.model, examples, draws=asking.draws, seed=asking.seed)
    assert found.features is not None
    return found.features[0], rows_of(found, (media.sha256,), asking)[0]


def _shelf(collection: Collection, row: ModelRow) -> _Shelf:
    vectors = collection.vectors(row.vectors)
    table = collection.items(("id", "sha256", "label", "group"))
    known = {record["id"]: record for record in table.to_pylist()}
    records = [known.get(id_, {"sha256": "", "label": None, "group": None}) for id_ in vectors.ids]
    return _Shelf(
        vectors.ids,
        vectors.matrix,
        tuple(record["sha256"] for record in records),
        tuple(record["label"] for record in records),
        tuple(record["group"] or id_ for record, id_ in zip(records, vectors.ids, strict=True)),
        {one.id: one for one in collection.uncertainties(row.key)},
    )


def _own(shelf: _Shelf, sha256: str, same_recording: bool) -> np.ndarray:
    same = np.array([sha == sha256 for sha in shelf.shas], bool)
    if same_recording or not same.any():
        return same
    recordings = {shelf.groups[at] for at in np.flatnonzero(same).tolist()}
    return same | np.array([group in recordings for group in shelf.groups], bool)


def _safety(shelf: _Shelf, doubt: np.ndarray, limits: Limits, learned: np.ndarray | None) -> tuple[Safety, np.ndarray]:
    """Calibrated on the items with a label and a doubt; only these are the safe database."""
    assert limits.risk is not None
    usable = np.array([label is not None for label in shelf.labels], bool) & np.isfinite(doubt)
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise UserFacingError(
            "Safe retrieval is calibrated on labels, and no item of this collection has one.", code="no-labels"
        )
    labels = np.array([shelf.labels[at] for at in rows.tolist()])
    groups = [shelf.groups[at] for at in rows.tolist()]
    seen = _learned(shelf, rows, learned)
    found = calibrate(
        shelf.matrix[rows], labels, doubt[rows], groups, risk=limits.risk, confidence=limits.confidence, seen=seen
    )
    safe = np.zeros(len(doubt), bool)
    safe[rows] = safe_rows(labels, doubt[rows], found.database_percent)
    return found, safe


def _learned(shelf: _Shelf, rows: np.ndarray, learned: np.ndarray | None) -> np.ndarray | None:
    """Which items the model was trained on, by their content; None where its folder does not say."""
    if learned is None:
        return None
    keys = np.array([key_of(shelf.shas[at]) for at in rows.tolist()], np.int64)
    return np.isin(keys, learned)


def _why(safety: Safety, own: float, measure: str) -> str:
    if safety.threshold is None:
        return f"No query can be answered at a risk of {safety.risk:g}: {safety.reason}."
    if own > safety.threshold:
        return (
            f"The {measure} doubt of this query is {own:.3g}, and a risk of {safety.risk:g} allows at most "
            f"{safety.threshold:.3g}."
        )
    return ""


def _results(shelf: _Shelf, found: Found) -> tuple[Result, ...]:
    pairs: Sequence[tuple[int, float]] = list(zip(found.places.tolist(), found.cosines.tolist(), strict=True))
    return tuple(
        Result(shelf.ids[at], shelf.labels[at], cosine, shelf.doubts.get(shelf.ids[at])) for at, cosine in pairs
    )
