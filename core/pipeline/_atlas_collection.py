"""The Atlas of a collection: its items and what was stored of one model's answers to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.checkpoints.card import Card
from core.checkpoints.folders import find, mark_of, read_card
from core.checkpoints.seen import seen_by
from core.contracts import THING
from core.errors import StoreError
from core.fingerprint import fingerprint, key_of
from core.maps.saved import SavedMap, saved_maps
from core.maps.saved import of_collection as maps_in
from core.metrics.labels import Leading
from core.pipeline import _label_history
from core.pipeline._atlas import Atlas, columns_of, numbered, percentiles_of, points_of, record_of
from core.settings import Settings
from core.store import Collection, ModelRow, UncertaintyRow, open_collection

_MEASURES = ("total", "aleatoric", "epistemic", "novelty", "score")
_COLUMNS = ("id", "sha256", "label", "group", "split", "fold", "extra")


def of_collection(name: str, model: str, settings: Settings, draws: int | None, seed: int | None) -> Atlas:
    collection, card = open_collection(settings.collections, name), read_card(model, settings)
    version, contents, about = collection.version, collection.contents, collection.about
    row = _asked(collection, card, mark_of(find(model, settings)), draws, seed)
    records = collection.items(_COLUMNS).to_pylist()
    ids = tuple(record["id"] for record in records)
    said = {one.id: one for one in collection.uncertainties(row.key)}
    rows = [said.get(id_) for id_ in ids]
    extras = [_label_history.readable(json.loads(record["extra"])) for record in records]
    names = tuple(_name(record["label"], extra) for record, extra in zip(records, extras, strict=True))
    doubts = _doubts(rows)
    matrix, feature_rows = _features(collection, row, ids)
    maps = _maps(settings, name, row)
    shas = tuple(record["sha256"] for record in records)
    predicted, confidence, probs = _answers(rows, card.classes)
    return Atlas(
        name=name,
        source="collection",
        title=about.title or name,
        kind=about.kind,
        task=card.task,
        model=card.name,
        mark=row.mark,
        draws=row.draws,
        seed=row.seed,
        scope=card.scope,
        classes=card.classes,
        ids=ids,
        labels=_labels(names, card),
        label_names=names,
        groups=numbered([record["group"] or record["id"] for record in records]),
        predicted=predicted,
        confidence=confidence,
        probs=probs,
        doubts=doubts,
        percentiles=percentiles_of(card.posthoc, doubts),
        score_name=None,
        features=matrix,
        feature_rows=feature_rows,
        directions=None,
        comparable=matrix is not None,
        points=points_of(ids, maps[0]) if maps else None,
        drawn=maps[0] if maps else None,
        maps=maps,
        columns=columns_of(
            [record_of(record["split"], record["fold"], extra) for record, extra in zip(records, extras, strict=True)]
        ),
        shas=shas,
        learned=_learned(shas, model, settings),
        problems=tuple((problem.id, problem.reason) for problem in collection.problems()),
        posthoc=card.posthoc,
        version=str(version),
        fingerprint=fingerprint("atlas", name, contents, row.key, [one.key for one in maps]),
        first=_first(rows, card.classes) if probs is None else None,
    )


def _asked(collection: Collection, card: Card, mark: str, draws: int | None, seed: int | None) -> ModelRow:
    """How the model was asked: as wanted, or else the latest way."""
    kind = collection.about.kind
    if kind != card.kind:
        held, taken = (f"{THING[one]}s" for one in (kind, card.kind))
        raise StoreError(
            f"The collection {collection.name!r} holds {held}, and {card.name} takes {taken}; choose a model for "
            f"{held}, or other data.",
            code="other-kind",
        )
    rows = [row for row in collection.models() if row.name == card.name]
    own = [row for row in rows if row.mark == mark]
    if not own:
        whose = "an earlier training of this model" if rows else "other models only"
        raise StoreError(
            f"The collection {collection.name!r} has answers of {whose}; index it with {card.name} to see it through "
            "this model.",
            code="not-indexed",
        )
    wished = [row for row in own if draws in (None, row.draws) and seed in (None, row.seed)]
    return (wished or own)[0]


def _name(label: str | None, extra: Sequence[tuple[str, str]]) -> str | None:
    return label if label is not None else (dict(extra).get("labels") or None)


def plain(word: str) -> str:
    """A label as it is compared: sea_waves, Sea waves and SEA-WAVES are one."""
    return " ".join(word.replace("_", " ").replace("-", " ").casefold().split())


def _labels(names: Sequence[str | None], card: Card) -> np.ndarray:
    place = {plain(word): at for at, word in enumerate(card.classes)}
    if card.task == "multiclass":
        return np.array([-1 if name is None else place.get(plain(name), -1) for name in names], np.int64)
    found = np.zeros((len(names), len(card.classes)), np.int64)
    for row, name in enumerate(names):
        for word in (name or "").split("|"):
            if plain(word) in place:
                found[row, place[plain(word)]] = 1
    return found


def _doubts(rows: Sequence[UncertaintyRow | None]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name in _MEASURES:
        values = [None if row is None else getattr(row, name) for row in rows]
        if any(value is not None for value in values):
            found[name] = np.array([np.nan if value is None else value for value in values], np.float64)
    sure = [np.nan if row is None or row.confidence is None else row.confidence for row in rows]
    found["max_softmax"] = 1.0 - np.array(sure, np.float64)
    return found


def _answers(
    rows: Sequence[UncertaintyRow | None], classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    place = {name: at for at, name in enumerate(classes)}
    predicted = np.array([-1 if row is None or row.label is None else place.get(row.label, -1) for row in rows])
    confidence = np.array([np.nan if row is None or row.confidence is None else row.confidence for row in rows])
    if not rows or any(row is None or len(row.top) < len(classes) for row in rows):
        return predicted.astype(np.int64), confidence.astype(np.float64), None
    probs = np.zeros((len(rows), len(classes)))
    for at, row in enumerate(rows):
        for name, p in row.top if row is not None else ():
            probs[at, place[name]] = p
    return predicted.astype(np.int64), confidence.astype(np.float64), probs


def _first(rows: Sequence[UncertaintyRow | None], classes: tuple[str, ...]) -> Leading | None:
    """The few classes of each item that are stored."""
    most = max((len(row.top) for row in rows if row is not None), default=0)
    if not most:
        return None
    place = {name: at for at, name in enumerate(classes)}
    places, probs = np.full((len(rows), most), -1, np.int64), np.zeros((len(rows), most))
    for at, row in enumerate(rows):
        for number, (name, p) in enumerate(row.top if row is not None else ()):
            places[at, number], probs[at, number] = place[name], p
    return Leading(places, probs, len(classes))


def _features(collection: Collection, row: ModelRow, ids: Sequence[str]) -> tuple[np.ndarray | None, np.ndarray]:
    if row.vectors not in collection.backbones:
        return None, np.zeros(0, np.int64)
    vectors = collection.vectors(row.vectors)
    place: Mapping[str, int] = {id_: at for at, id_ in enumerate(ids)}
    if any(id_ not in place for id_ in vectors.ids):  # written to between the two reads
        keep = [at for at, id_ in enumerate(vectors.ids) if id_ in place]
        return vectors.matrix[keep], np.array([place[vectors.ids[at]] for at in keep], np.int64)
    return vectors.matrix, np.array([place[id_] for id_ in vectors.ids], np.int64)


def _maps(settings: Settings, name: str, row: ModelRow) -> tuple[SavedMap, ...]:
    """Those of the vectors that this model reads, the latest first."""
    return tuple(one for one in saved_maps(maps_in(name, settings)) if one.backbone == row.vectors)


def _learned(shas: Sequence[str], model: str, settings: Settings) -> np.ndarray | None:
    keys: Any = seen_by(model, settings)
    return None if keys is None else np.isin(np.array([key_of(sha) for sha in shas], np.int64), keys)
