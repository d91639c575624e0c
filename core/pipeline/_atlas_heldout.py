"""The Atlas of what came with a model: items that it never trained on."""

from __future__ import annotations

import numpy as np

from core.checkpoints.card import Card
from core.checkpoints.directions import directions_of
from core.checkpoints.folders import find, mark_of, read_card
from core.checkpoints.heldout import PART, Heldout, load_heldout
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.maps.saved import of_vectors, saved_maps
from core.pipeline._atlas import HELDOUT, Atlas, columns_of, percentiles_of, points_of, record_of
from core.pipeline._atlas_source import data_of
from core.pipeline.map import heldout_vectors
from core.settings import Settings
from core.store import artifacts


def of_heldout(model: str, settings: Settings) -> Atlas:
    card, held = read_card(model, settings), load_heldout(model, settings)
    given, folder = held.answers, find(model, settings)
    stored = artifacts.load(folder).files[PART][1]
    doubts = {name: values for name, values in given.doubts.items() if given.draws > 1 or name != "epistemic"}
    vectors = heldout_vectors(held)
    maps = () if vectors is None else saved_maps(*of_vectors(vectors, settings))
    maps = tuple(sorted(maps, key=lambda one: (one.options.seed, one.created)))
    directions = directions_of(model, settings) if held.basis == "density" else None
    return Atlas(
        name=card.data.key,
        source=HELDOUT,
        title=card.data.title,
        kind=card.kind,
        task=card.task,
        model=card.name,
        mark=mark_of(folder),
        draws=given.draws,
        seed=card.seed,
        scope=card.scope,
        classes=card.classes,
        ids=given.ids,
        labels=held.labels,
        label_names=_names(held.labels, card.classes),
        groups=np.arange(len(given)) if held.groups is None else held.groups,
        predicted=given.probs.argmax(axis=1),
        confidence=given.probs.max(axis=1),
        probs=given.probs,
        doubts=doubts,
        percentiles=percentiles_of(card.posthoc, doubts),
        score_name=given.score_name,
        features=held.features,
        feature_rows=held.feature_rows,
        directions=directions,
        comparable=_comparable(held) and (held.basis != "density" or directions is not None),
        points=points_of(given.ids, maps[0]) if maps else None,
        drawn=maps[0] if maps else None,
        maps=maps,
        columns=_columns(given.ids, card, settings),
        shas=None,
        learned=np.zeros(len(given), bool),
        problems=(),
        posthoc=card.posthoc,
        version=card.data.fingerprint,
        fingerprint=fingerprint("atlas", HELDOUT, card.name, stored, [one.key for one in maps]),
    )


def _comparable(held: Heldout) -> bool:
    return held.features is not None and held.basis != "own"


def _names(labels: np.ndarray, classes: tuple[str, ...]) -> tuple[str | None, ...]:
    if labels.ndim == 1:
        return tuple(classes[label] if 0 <= label < len(classes) else None for label in labels.tolist())
    rows = ("|".join(name for name, there in zip(classes, row, strict=True) if there) for row in labels.tolist())
    return tuple(names or None for names in rows)


def _columns(ids: tuple[str, ...], card: Card, settings: Settings) -> dict[str, tuple[str | None, ...]]:
    """What the data set says of its items beside their labels, where it is here."""
    try:
        data = data_of(card.data.key, settings)
    except UserFacingError:
        return {}
    by_id = {item.id: item for item in data.items}
    items = [by_id.get(id_) for id_ in ids]
    return columns_of([{} if item is None else record_of(item.split, item.fold, item.extra) for item in items])
