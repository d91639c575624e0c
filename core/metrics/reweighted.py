"""Retention and its areas over many resamples without sorting again: a resample only says how often an item counts.

The items are put in order once. In a resample an item weighs the number of times that it was drawn, so what is kept
is a running sum. Values equal those of ``retention`` and ``selective`` on the drawn items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.metrics.arrays import ranked, same_length
from core.metrics.retention import keep_counts


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """Items from the least to the most doubtful."""

    order: np.ndarray  # (items,) places
    errors: np.ndarray  # (items,) in that order, from 0 to 1
    ends: np.ndarray  # (distinct doubts,) the last place of each


@dataclass(frozen=True, slots=True)
class Areas:
    """What one order leaves to go wrong; ``coverage`` is NaN where no threshold keeps the risk."""

    aurc: float
    augrc: float
    coverage: float


def ordered(doubt: Any, right: Any) -> Ordered:
    doubt, right = ranked(doubt, "doubts"), ranked(right, "answers")
    same_length(doubt, right)
    order = np.argsort(doubt, kind="stable")
    inorder = doubt[order]
    ends = np.flatnonzero(np.append(inorder[1:] != inorder[:-1], True))
    return Ordered(order, 1.0 - right[order], ends)


def weights(
    items: int, generator: np.random.Generator, resamples: int, groups: Sequence[Any] | np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """(items,) how often each was drawn, for one resample after another; recordings come and go together.

    The same generator draws the same items as ``bootstrap.resampled``.
    """
    numbers = {group: place for place, group in enumerate(dict.fromkeys(groups))} if groups is not None else {}
    member = np.array([numbers[group] for group in groups], np.int64) if groups is not None else np.arange(items)
    if len(member) != items:
        raise ValueError(f"{len(member)} groups do not belong to {items} items")
    clusters = len(numbers) if groups is not None else items
    for _ in range(resamples):
        yield np.bincount(generator.integers(clusters, size=clusters), minlength=clusters)[member]


def values(one: Ordered, weight: np.ndarray, percents: Sequence[int]) -> np.ndarray:
    """The retention curve of a resample where ceil(share n) of its n items are kept."""
    drawn, wrong = _running(one, weight)
    counts = keep_counts(int(drawn[-1]), percents)
    return 1.0 - np.interp(counts, drawn, wrong) / counts


def areas(one: Ordered, weight: np.ndarray, risk: float) -> Areas:
    """AURC, AUGRC and the coverage at a risk of a resample."""
    drawn, wrong = _running(one, weight)
    n = int(drawn[-1])
    steps = np.arange(1, n + 1)
    aurc = float((np.interp(steps, drawn, wrong) / steps).mean())
    augrc = float(np.trapezoid(wrong / n, drawn / n))
    some = drawn[1:] > 0
    risks = wrong[1:][some] / drawn[1:][some]
    allowed = drawn[1:][some][risks <= risk + 1e-12]
    return Areas(aurc, augrc, float(allowed[-1] / n) if len(allowed) else float("nan"))


def _running(one: Ordered, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Items drawn, and errors among them, up to each distinct doubt; equally doubtful ones share their errors."""
    inorder = weight[one.order]
    drawn = np.append(0, np.cumsum(inorder)[one.ends])
    if not drawn[-1]:
        raise ValueError("a resample holds at least one item")
    return drawn, np.append(0.0, np.cumsum(inorder * one.errors)[one.ends])
