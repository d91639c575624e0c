"""Does the nearest stored item have the same label, and does doubt know when it has not?

Similarity is the cosine, the query itself is never its own neighbour, and of equally near items the first counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics.arrays import float64, ranked, same_length
from core.metrics.figure import Figure, Undefined, or_reason
from core.metrics.ranks import auroc, spearman
from core.metrics.retention import PERCENTS, keep_counts

_BLOCK = 1 << 22  # similarities held at a time
_EQUAL = 1e-12  # cosines closer than this are ties: two equal rows may differ in the last bit


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """One query each: the place of its neighbour, -1 where there is none, and whether the labels agree."""

    neighbour: np.ndarray  # (items,) int64
    correct: np.ndarray  # (items,) 1, 0, or NaN where there is no neighbour

    @property
    def left_out(self) -> int:
        return int((self.neighbour < 0).sum())


def nearest(features: Any, groups: Sequence[Any] | None = None) -> np.ndarray:
    """(items,) the place of each item's nearest other item; with ``groups`` of another group. -1: there is none."""
    features = _unit(features)
    return _neighbours(features, _numbered(groups, len(features)), np.zeros(len(features), np.int64), 1)[0]


def hits(features: Any, labels: Any, groups: Sequence[Any] | None = None) -> Hits:
    """Nearest neighbours and whether they carry the query's label."""
    labels, neighbour = np.asarray(labels), nearest(features, groups)
    same_length(labels, neighbour)
    return Hits(neighbour, _agreement(labels, neighbour))


@or_reason
def recall_at_1(found: Hits) -> float:
    """R@1 over the queries that have a neighbour; ``Hits.left_out`` counts the others."""
    known = found.correct[~np.isnan(found.correct)]
    if not len(known):
        raise Undefined("no item has a neighbour to compare with")
    return float(known.mean())


def r_auroc(doubt: Any, found: Hits) -> Figure:
    """Chance that a query with a right neighbour is less doubtful than one with a wrong one."""
    known = ~np.isnan(found.correct)
    return auroc(-float64(doubt)[known], found.correct[known])


def human_agreement(doubt: Any, human_entropy: Any) -> Figure:
    """Rank correlation with the entropy of people's labels, over the items that people labelled (not NaN)."""
    human = float64(human_entropy)
    return spearman(float64(doubt)[~np.isnan(human)], human[~np.isnan(human)])


@or_reason
def cropped_has_bigger(doubt: Any, doubt_of_crop: Any) -> float:
    """Share of items whose crop is more doubtful than the whole; equal counts as a failure."""
    whole, crop = ranked(doubt, "doubts"), ranked(doubt_of_crop, "doubts")
    same_length(whole, crop)
    return float((whole < crop).mean())


def crop_size_agreement(doubt_of_crop: Any, kept_side: Any) -> Figure:
    """Rank correlation of confidence with the share of the side that a crop kept."""
    return spearman(-float64(doubt_of_crop), kept_side)


@dataclass(frozen=True, slots=True, eq=False)
class SafeRetrieval:
    """R@1 against the share kept; NaN where no query has a neighbour."""

    kept: np.ndarray  # (points,)
    everything: np.ndarray
    safe_database: np.ndarray  # all queries against the least doubtful part of the database
    safe_queries: np.ndarray  # the least doubtful queries against all of it
    both: np.ndarray


def safe_retrieval(
    features: Any,
    labels: Any,
    doubt: Any,
    *,
    groups: Sequence[Any] | None = None,
    percents: Sequence[int] = PERCENTS,
    per_class: bool = True,
) -> SafeRetrieval:
    """R@1 when doubtful items are kept out of the database, out of the queries, or out of both.

    The database keeps the least doubtful share of every class (``per_class``), so that no class vanishes; queries
    are chosen over all, since nobody knows a query's class.
    """
    features, labels, doubt = _unit(features), np.asarray(labels), ranked(doubt, "doubts")
    same_length(features, labels)
    same_length(labels, doubt)
    steps = sorted(set(percents))  # every database holds the smaller ones
    classes = labels if per_class else None
    entered = sum((~least_doubtful(doubt, percent, classes) for percent in steps), np.zeros(len(doubt), np.int64))
    queries = np.stack([least_doubtful(doubt, percent, None) for percent in percents])
    places = _neighbours(features, _numbered(groups, len(doubt)), entered, len(steps) + 1)
    chosen = [len(steps), *(steps.index(percent) for percent in percents)]
    right = np.stack([_agreement(labels, places[index]) for index in chosen])
    full, safe = np.broadcast_to(right[0], right[1:].shape), right[1:]
    means = [_known_means(rows, used) for rows in (full, safe) for used in (np.ones_like(queries), queries)]
    return SafeRetrieval(np.array(percents) / 100, means[0], means[2], means[1], means[3])


def mixed_hits(inside: tuple[Any, Any], outside: tuple[Any, Any], groups: Sequence[Any] | None = None) -> Hits:
    """Neighbours in the union of two sets of (features, labels) whose labels never mean the same class."""
    labels, others = np.asarray(inside[1], np.int64), np.asarray(outside[1], np.int64)
    shift = max(labels.max(initial=-1), others.max(initial=-1)) + 1
    features = np.concatenate([float64(inside[0]), float64(outside[0])])
    return hits(features, np.concatenate([labels, others + shift]), groups)


def _unit(features: Any) -> np.ndarray:
    features = float64(features)
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError("features must be finite and (items, dim)")
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(length > 0, length, 1.0)  # a vector of zeros is equally far from everything


def _numbered(groups: Sequence[Any] | None, items: int) -> np.ndarray:
    """A number a group; every item is a group of its own when there are none, which masks the diagonal."""
    if groups is None:
        return np.arange(items)
    if len(groups) != items:
        raise ValueError(f"{len(groups)} groups do not belong to {items} items")
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[group] for group in groups], np.int64)


def _neighbours(features: np.ndarray, group: np.ndarray, entered: np.ndarray, pools: int) -> np.ndarray:
    """(pools, items) nearest neighbours in growing databases; ``entered`` is the first one that holds an item.

    Each similarity is computed and looked at once: a neighbour in a larger database is the better of the one in the
    smaller and the best of what was added.
    """
    order = np.argsort(entered, kind="stable")
    database, ends = features[order], np.searchsorted(entered[order], np.arange(pools), side="right")
    places = np.full((pools, len(features)), -1, np.int64)
    step = max(1, _BLOCK // max(1, len(features)))
    for start in range(0, len(features), step):
        rows = slice(start, start + step)
        cosine = features[rows] @ database.T
        cosine[group[rows, None] == group[order]] = -np.inf
        best, place = np.full(len(cosine), -np.inf), places[0, rows].copy()
        for pool, (low, high) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            if low < high:
                best, place = _better(best, place, cosine[:, low:high], order[low:high])
            places[pool, rows] = place
    return places


def _better(
    best: np.ndarray, place: np.ndarray, cosine: np.ndarray, items: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The best so far against the best of some further items, whose places rise; the first counts among equals."""
    value = cosine.max(axis=1)
    first = items[(cosine >= value[:, None] - _EQUAL).argmax(axis=1)]
    wins = value > best + _EQUAL
    ties = ~wins & (value >= best - _EQUAL) & np.isfinite(value)
    return np.maximum(best, value), np.where(wins, first, np.where(ties, np.minimum(first, place), place))


def _agreement(labels: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
    return np.where(neighbour < 0, np.nan, labels == labels[neighbour])


def least_doubtful(doubt: np.ndarray, percent: int, classes: np.ndarray | None) -> np.ndarray:
    """A mask of the ceil(share n) least doubtful items, over all or of every class; ties go to the first."""
    chosen = np.zeros(len(doubt), bool)
    for label in [None] if classes is None else np.unique(classes):
        members = np.arange(len(doubt)) if classes is None else np.flatnonzero(classes == label)
        order = np.argsort(doubt[members], kind="stable")
        chosen[members[order[: keep_counts(len(members), [percent])[0]]]] = True
    return chosen


def _known_means(right: np.ndarray, used: np.ndarray) -> np.ndarray:
    counted = used & ~np.isnan(right)
    total = np.where(counted, right, 0.0).sum(axis=1)
    count = counted.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
