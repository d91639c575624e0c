"""Retrieval among the items of an Atlas: the nearest with their own doubt, what was held back and why, and refusals.

A query is a vector with doubts of its own: a stored item brings both, a file gets them from the model. The Retrieve
page and the command walk the same way: open_atlas, shelf_of, a Query, ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Media
from core.errors import StoreError, UserFacingError
from core.metrics.figure import Figure
from core.metrics.retrieval import Hits, SafeRetrieval, hits, r_auroc, recall_at_1, safe_retrieval
from core.metrics.selective import risk_in_words
from core.pipeline.inspect import Asks, How
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
    learned: np.ndarray | None = None  # (items,) bool: those that the model was trained on; None: not known
    shas: np.ndarray | None = None  # (items,) of their bytes; None: not stored

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    vector: np.ndarray
    doubts: Mapping[str, float]
    own: tuple[int, ...] = ()  # places on the shelf where this very item is
    label: str | None = None  # its true one, where it is stored
    predicted: str | None = None
    confidence: float | None = None  # the probability of that


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
    if atlas.features is None or not len(atlas.features):
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
        None if atlas.learned is None else atlas.learned[rows],
        None if atlas.shas is None else np.array(atlas.shas)[rows],
    )


def stored(shelf: Shelf, place: int) -> Query:
    """A stored item as a query."""
    doubts = {name: float(values[place]) for name, values in shelf.doubts.items()}
    own = (place,) if shelf.shas is None else _of_bytes(shelf, str(shelf.shas[place]))
    return Query(shelf.features[place], doubts, own, shelf.labels[place])


def of_file(atlas: Atlas, shelf: Shelf, asks: Asks, media: Media, device: str = "auto") -> Query:
    """A file as a query: its features, and what the model says of it when asked as the stored items were."""
    answer = asks.ask(How(atlas.draws, atlas.seed, device).request(atlas.model, media, keep=False))
    if answer.mark != atlas.mark:
        raise StoreError(f"The model {atlas.model!r} was trained again meanwhile; index it again.", code="changed")
    vector = atlas.alongside(answer.features[0])
    if vector is None:
        raise UserFacingError(
            "The features that came with these items were cut down and cannot be compared with a fresh file. Ask with "
            "a stored item, or index the data as a collection on the Map page.",
            code="features",
        )
    doubts = {name: float(values[0]) for name, values in answer.doubts.items() if name in shelf.doubts}
    own = _of_bytes(shelf, media.sha256) or twins(shelf, vector)
    best = int(answer.mean[0].argmax())
    label = shelf.labels[own[0]] if own else None
    return Query(vector, doubts, own, label, answer.classes[best], float(answer.mean[0, best]))


def twins(shelf: Shelf, vector: np.ndarray) -> tuple[int, ...]:
    """The stored item that a file is itself, told by its features, up to the precision in which they are stored."""
    if len(vector) != shelf.features.shape[1]:
        return ()
    found = nearest(vector, shelf.features, 1)
    return (int(found.places[0]),) if len(found.places) and found.cosines[0] > _TWIN else ()


def _of_bytes(shelf: Shelf, sha256: str) -> tuple[int, ...]:
    return () if shelf.shas is None else tuple(np.flatnonzero(shelf.shas == sha256).tolist())


def ask(shelf: Shelf, query: Query, wish: Wish) -> Outcome:
    """The nearest items that may be found."""
    doubt = _doubt(shelf, wish.measure)
    if len(query.vector) != shelf.features.shape[1]:
        raise UserFacingError(
            "This file and these items were described by different features and cannot be compared; ask with a stored "
            "item, or index a collection with this model.",
            code="features",
        )
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
        return f"No query can be answered at a risk of {risk_in_words(safety.risk)}: {safety.reason}."
    if own is None or not np.isfinite(own):
        return f"The {measure} doubt of this query is not known, so nothing can be promised of its answer."
    if own > safety.threshold:
        return (
            f"The {measure} doubt of this query is {own:.3g}, and a risk of {risk_in_words(safety.risk)} allows "
            f"at most {safety.threshold:.3g}."
        )
    return ""


def _own(shelf: Shelf, query: Query, same_recording: bool) -> np.ndarray:
    own = np.zeros(len(shelf), bool)
    own[list(query.own)] = True
    return own if same_recording else own | np.isin(shelf.groups, shelf.groups[own])


def _doubt(shelf: Shelf, measure: str) -> np.ndarray:
    if measure not in shelf.doubts:
        raise UserFacingError(
            f"These items have no doubt called {measure[:40]}; known: {', '.join(shelf.doubts)}.", code="no-measure"
        )
    return shelf.doubts[measure]


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


def trial_of(shelf: Shelf, measure: str, *, seed: int = 0) -> Trial:
    """What the thresholds of safe retrieval are chosen from; items that the model was trained on are no queries."""
    doubt = _doubt(shelf, measure)
    there, codes = _labelled(shelf)
    if len(there) < _LEAST:
        raise UserFacingError(
            "Safe retrieval is calibrated on labels, and fewer than four of these items have one.", code="no-labels"
        )
    doubt = doubt[there]
    no_query = ~np.isfinite(doubt) if shelf.learned is None else ~np.isfinite(doubt) | shelf.learned[there]
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
