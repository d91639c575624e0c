"""Items and what one model says of them, as plain arrays: what Map, Retention and Retrieve draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core.checkpoints import calibrated
from core.checkpoints.card import Json
from core.checkpoints.directions import Directions
from core.contracts import Kind, Scope, Task
from core.maps.saved import SavedMap
from core.maps.trust import Trust
from core.metrics.labels import Leading
from core.verdict import Code, Facts, verdict

HELDOUT = "heldout"


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """One row an item. Doubts are in the units of the model; NaN where it said nothing."""

    name: str  # of the data set or the collection
    source: Literal["heldout", "collection"]
    title: str
    kind: Kind
    task: Task
    model: str
    mark: str
    draws: int  # as they were when these answers were given
    seed: int
    scope: Scope
    classes: tuple[str, ...]  # the model's
    ids: tuple[str, ...]
    labels: np.ndarray  # (items,) place in classes, -1: none or not one of the model's; multilabel (items, classes)
    label_names: tuple[str | None, ...]  # the items' own words; several are joined by "|"
    groups: np.ndarray  # (items,) int64: source recordings
    predicted: np.ndarray  # (items,) place of the most probable class, -1: the model said nothing
    confidence: np.ndarray  # (items,) its probability
    probs: np.ndarray | None  # (items, classes) where all are stored
    doubts: Mapping[str, np.ndarray]  # measure -> (items,) float64; those that this model has
    percentiles: Mapping[str, np.ndarray]  # measure -> (items,) 0..100 among the model's calibration items
    score_name: str | None  # what "score" is called
    features: np.ndarray | None  # (rows, numbers): what neighbours and maps are made of
    feature_rows: np.ndarray  # their places among the items
    directions: Directions | None  # along which features were stored; None: as they are
    comparable: bool  # may a fresh file's features be put beside them?
    points: np.ndarray | None  # (items, 2) of a saved map, NaN where not drawn
    drawn: SavedMap | None  # that map
    maps: tuple[SavedMap, ...]  # all saved maps of these features, the default one first
    columns: Mapping[str, tuple[str | None, ...]]  # split, fold and further ones
    shas: tuple[str, ...] | None  # of the items' bytes; None: not stored
    learned: np.ndarray | None  # (items,) bool: did the model learn from it? None: not known
    problems: tuple[tuple[str, str], ...]  # id and reason of what was refused
    posthoc: Json  # of the model's card
    version: str  # of the data
    fingerprint: str
    first: Leading | None = None  # the most probable classes, where not all are stored

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def trust(self) -> Trust | None:
        return None if self.drawn is None else self.drawn.trust

    @property
    def map_notes(self) -> tuple[str, ...]:
        return () if self.drawn is None else self.drawn.notes

    @property
    def leading(self) -> Leading | None:
        """The most probable classes of each item, as many as are stored."""
        return self.first if self.probs is None else Leading.of(self.probs)

    @property
    def right(self) -> np.ndarray:
        """(items,) 1 or 0, NaN where there is no label of the model's. Of several labels: all of them right."""
        if self.labels.ndim == 2:
            if self.probs is None:
                return np.full(len(self), np.nan)
            return ((self.probs >= 0.5) == (self.labels > 0)).all(axis=1).astype(np.float64)
        known = (self.labels >= 0) & (self.predicted >= 0)
        return np.where(known, (self.labels == self.predicted).astype(np.float64), np.nan)

    @property
    def fair(self) -> np.ndarray:
        """``right``, and NaN for items that the model learned from: its answers to those prove nothing."""
        return self.right if self.learned is None else np.where(self.learned, np.nan, self.right)

    def place(self, id_: str) -> int | None:
        return self.ids.index(id_) if id_ in self.ids else None

    def alongside(self, features: np.ndarray) -> np.ndarray | None:
        """A fresh file's features (dim,) as these are stored; None where they cannot be compared."""
        if not self.comparable or self.features is None:
            return None
        fresh = np.asarray(features, np.float64)
        fresh = fresh if self.directions is None else self.directions.along(fresh)
        return fresh if fresh.shape[-1] == self.features.shape[1] else None

    def code(self, row: int) -> Code:
        """The word of an item's verdict, by the rules for files."""
        places = {name: float(values[row]) for name, values in self.percentiles.items() if np.isfinite(values[row])}
        total, aleatoric = (self._doubt(name, row) for name in ("total", "aleatoric"))
        chosen = int(self.predicted[row])
        facts = Facts(
            kind=self.kind,
            task=self.task,
            scope=self.scope,
            labels=(self.classes[chosen],) if chosen >= 0 else ("nothing",),
            top=float(self.confidence[row]),
            draws=self.draws,
            aleatoric_share=min(1.0, aleatoric / total) if total > 0 else 0.0,
            total=places.get("total"),
            aleatoric=places.get("aleatoric"),
            epistemic=places.get("epistemic"),
            novelty=places.get("novelty"),
            score=places.get("score"),
        )
        return verdict(facts).code

    def on(self, drawn: SavedMap) -> Atlas:
        """On another of its maps."""
        return replace(self, drawn=drawn, points=points_of(self.ids, drawn))

    def _doubt(self, name: str, row: int) -> float:
        return float(self.doubts[name][row]) if name in self.doubts else 0.0


def points_of(ids: tuple[str, ...], drawn: SavedMap) -> np.ndarray:
    place = {id_: row for row, id_ in enumerate(drawn.ids)}
    rows = np.array([place.get(id_, -1) for id_ in ids], np.int64)
    return np.where(rows[:, None] >= 0, drawn.points[rows], np.float32(np.nan))


def percentiles_of(posthoc: Json, doubts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = {}
    for name, values in doubts.items():
        places = calibrated.percentile(posthoc, name, values)
        if places is not None:
            found[name] = places
    return found


def numbered(groups: list[str]) -> np.ndarray:
    """Groups as numbers, in the order of their first item."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[name] for name in groups], np.int64)


def record_of(split: str | None, fold: int | None, extra: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What is known of an item beside its label."""
    fixed = {"split": split, "fold": None if fold is None else str(fold)}
    return {name: text for name, text in fixed.items() if text is not None} | dict(extra)


def columns_of(records: Sequence[Mapping[str, str]]) -> dict[str, tuple[str | None, ...]]:
    names = dict.fromkeys(name for record in records for name in record)
    return {name: tuple(record.get(name) for record in records) for name in names}
