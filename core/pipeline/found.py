"""Retrieval among the items of an Atlas: the nearest with their own doubt, what was held back and why, and refusals.

A query is a vector with doubts of its own: a stored item brings both, a file gets them from the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import UserFacingError
from core.metrics.figure import Figure
from core.metrics.retrieval import Hits, SafeRetrieval, hits, r_auroc, recall_at_1, safe_retrieval
from core.retrieval import Safety, Trial, nearest, safe_rows, tried

if TYPE_CHECKING:
    from core.pipeline.atlas import Atlas

MOST_ASKED = 5_000  # items that are asked of all others for the curves
PERCENTS = tuple(range(100, 4, -5))
_LEAST = 4
_NEAR = 5  # times as many neighbours are looked at for the least unsafe alternatives
_TWIN = 1.0 - 2e-6  # cosine


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """The items of an atlas that have features, in one row each."""

    rows: np.ndarray  # their places in the atlas
    features: np.ndarray  # (items, dim) float32
    labels: tuple[str | None, ...]
    groups: np.ndarray
    doubts: Mapping[str, np.ndarray]  # infinite where an item has none: never among the least doubtful

    def __len__(self) -> int:
        return len(self.rows)

    def place_of(self, row: int) -> int | None:
        """Where an item of the atlas stands here."""
        at = np.flatnonzero(self.rows == row)
        return int(at[0]) if len(at) else None


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    vector: np.ndarray
    doubts: Mapping[str, float]
    place: int | None = None  # on the shelf, where it is a stored item
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """How a query is answered. ``most`` is the doubt up to which an item may be found."""

    k: int = 10
    measure: str = "total"
    most: float | None = None
    same_recording: bool = False
    safety: Safety | None = None  # answer only within these thresholds


@dataclass(frozen=True, slots=True)
class Result:
    place: int  # on the shelf
    row: int  # in the atlas
    label: str | None
    cosine: float
    doubt: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    results: tuple[Result, ...]  # empty where the query is refused
    own: int  # items left out because they are the query or of its recording
    held_back: int  # items left out for their doubt
    refused: str = ""
    alternatives: tuple[Result, ...] = ()  # of a refused query: of the ``k * 5`` nearest the least doubtful


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """How far retrieval among these items can be trusted."""

    recall: Figure  # R@1
    knows: Figure  # R-AUROC: does doubt know which queries go wrong
    curves: SafeRetrieval | None
    asked: int
    alone: int  # queries without another recording to compare with


def shelf_of(atlas: Atlas) -> Shelf:
    if atlas.features is None or len(atlas.features) < _LEAST:
        raise UserFacingError(
            f"{atlas.title} came without features of {atlas.model}, so nothing can be looked up in it. Choose other "
            "data or another model in the side bar, or index a collection on the Map page.",
            code="no-vectors",
        )
    rows = np.asarray(atlas.feature_rows, np.int64)
    doubts = {
        name: np.where(np.isfinite(values[rows]), values[rows], np.inf)
        for name, values in atlas.doubts.items()
        if np.isfinite(values[rows]).any()
    }
    return Shelf(
        rows,
        atlas.features,
        tuple(atlas.label_names[row] for row in rows.tolist()),
        np.asarray(atlas.groups)[rows],
        doubts,
    )


def stored(shelf: Shelf, place: int) -> Query:
    """A stored item as a query."""
    doubts = {name: float(values[place]) for name, values in shelf.doubts.items()}
    return Query(shelf.features[place], doubts, place, shelf.labels[place])


def twin_of(shelf: Shelf, vector: np.ndarray) -> int | None:
    """The stored item that a file is itself, told by its features, up to the precision in which they are stored."""
    if len(vector) != shelf.features.shape[1]:
        return None
    found = nearest(vector, shelf.features, 1)
    return int(found.places[0]) if len(found.places) and found.cosines[0] > _TWIN else None


def ask(shelf: Shelf, query: Query, wish: Wish) -> Outcome:
    """The nearest items that may be found."""
    if wish.measure not in shelf.doubts:
        raise UserFacingError(
            f"These items have no doubt called {wish.measure[:40]}; choose another measure.", code="no-measure"
        )
    if len(query.vector) != shelf.features.shape[1]:
        raise UserFacingError(
            "This file and these items were described by different features and cannot be compared; ask with a stored "
            "item, or index a collection with this model.",
            code="features",
        )
    doubt = shelf.doubts[wish.measure]
    own = _own(shelf, query, wish.same_recording)
    allowed = ~own if wish.most is None else ~own & (doubt <= wish.most)
    refused = ""
    if wish.safety is not None:
        allowed &= _safe(shelf, doubt, wish.safety)
        refused = why_refused(wish.safety, query.doubts.get(wish.measure), wish.measure)
    found = nearest(query.vector, shelf.features, wish.k * _NEAR if refused else wish.k, allowed)
    results = tuple(
        _result(shelf, doubt, at, cosine)
        for at, cosine in zip(found.places.tolist(), found.cosines.tolist(), strict=True)
    )
    held_back = int((~own & ~allowed).sum())
    if refused:
        least = sorted(results, key=lambda one: np.inf if one.doubt is None else one.doubt)
        return Outcome((), int(own.sum()), held_back, refused, tuple(least[: wish.k]))
    return Outcome(results, int(own.sum()), held_back)


def why_refused(safety: Safety, own: float | None, measure: str) -> str:
    """Empty where the query may be answered."""
    if safety.threshold is None:
        return f"No query can be answered at a risk of {100 * safety.risk:g} %: {safety.reason}."
    if own is None or not np.isfinite(own):
        return f"The {measure} doubt of this query is not known, so nothing can be promised of its answer."
    if own > safety.threshold:
        return (
            f"The {measure} doubt of this query is {own:.3g}, and a risk of {100 * safety.risk:g} % allows at most "
            f"{safety.threshold:.3g}."
        )
    return ""


def _own(shelf: Shelf, query: Query, same_recording: bool) -> np.ndarray:
    own = np.zeros(len(shelf), bool)
    if query.place is not None:
        own = np.arange(len(shelf)) == query.place
        if not same_recording:
            own |= shelf.groups == shelf.groups[query.place]
    return own


def _safe(shelf: Shelf, doubt: np.ndarray, safety: Safety) -> np.ndarray:
    """Items with a label, the least doubtful of every class; without thresholds all of them."""
    there, codes = _labelled(shelf)
    safe = np.zeros(len(shelf), bool)
    safe[there] = safe_rows(codes, doubt[there], safety.database_percent)
    return safe


def _result(shelf: Shelf, doubt: np.ndarray, at: int, cosine: float) -> Result:
    own = float(doubt[at])
    return Result(at, int(shelf.rows[at]), shelf.labels[at], cosine, own if np.isfinite(own) else None)


def _labelled(shelf: Shelf) -> tuple[np.ndarray, np.ndarray]:
    """Places with a label, and the number of each's label."""
    there = np.array([at for at, label in enumerate(shelf.labels) if label is not None], np.int64)
    numbers = {label: number for number, label in enumerate(dict.fromkeys(shelf.labels[at] for at in there.tolist()))}
    return there, np.array([numbers[shelf.labels[at]] for at in there.tolist()], np.int64)


def trial_of(shelf: Shelf, measure: str, *, learned: np.ndarray | None = None, seed: int = 0) -> Trial:
    """What the thresholds of safe retrieval are chosen from. ``learned``: items that the model was trained on."""
    there, codes = _labelled(shelf)
    if len(there) < _LEAST:
        raise UserFacingError(
            "Safe retrieval is calibrated on labels, and fewer than four of these items have one.", code="no-labels"
        )
    doubt = shelf.doubts[measure][there]
    no_query = ~np.isfinite(doubt) if learned is None else ~np.isfinite(doubt) | learned[there]
    groups = [str(group) for group in shelf.groups[there].tolist()]
    return tried(shelf.features[there], codes, doubt, groups, seen=no_query, seed=seed)


def quality_of(shelf: Shelf, measure: str, *, same_recording: bool = False) -> Quality:
    """R@1 of everything and of what is kept; of many items an even spread is compared."""
    there, codes = _labelled(shelf)
    there_known = there[np.isfinite(shelf.doubts[measure][there])] if measure in shelf.doubts else there[:0]
    if len(there_known) < _LEAST:
        reason = Figure(None, "fewer than four of these items have a label and this doubt")
        return Quality(reason, reason, None, len(there_known), 0)
    if len(there_known) > MOST_ASKED:
        there_known = there_known[np.linspace(0, len(there_known) - 1, MOST_ASKED).round().astype(np.int64)]
    codes = codes[np.searchsorted(there, there_known)]
    features, doubt = shelf.features[there_known], shelf.doubts[measure][there_known]
    groups = None if same_recording else shelf.groups[there_known].tolist()
    found: Hits = hits(features, codes, groups)
    curves = safe_retrieval(features, codes, doubt, groups=groups, percents=PERCENTS)
    return Quality(recall_at_1(found), r_auroc(doubt, found), curves, len(there_known), found.left_out)
