"""Items that are nearly the same to a model: pairs above a cosine, joined into groups. Memory stays flat.

Two items are in one group where a chain of pairs leads from one to the other. Every pair counts, but few are looked at
whole: items that are far apart along a few directions are far apart, so what lies near there is all that can be alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.contracts import Progress, no_progress
from core.maps.draw import directions

_BLOCK = 1 << 22  # pairs held at a time
_WHOLE = 1 << 14  # pairs of which whole directions are held at a time
_ALONG = 64  # directions
_DENSE = 0.02  # of the pairs of a block: from there on a product of all is quicker than a look at each
_SAMPLE = 4_096  # items that say which
_ROUNDING = 1e-6  # of a cosine in float32
_SLACK = 1e-5  # of a squared distance in float32

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # first, second, cosine


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Of every item its group and the other one it is most like; -1 where none is as like as was asked for."""

    group: np.ndarray  # (items,) int64, numbered in the order of their first item
    partner: np.ndarray  # (items,) int64
    cosine: np.ndarray  # (items,) with the partner, NaN without


def alike(features: Any, least: float, progress: Progress = no_progress) -> Alike:
    """``least``: the cosine from which two items count as nearly the same."""
    rows = directions(np.asarray(features))
    partner, cosine = np.full(len(rows), -1, np.int64), np.full(len(rows), -np.inf)
    root = np.arange(len(rows))
    for first, second, found in _gathered(_pairs(rows, least - _ROUNDING, progress)):
        for one, other in ((first, second), (second, first)):
            order = np.lexsort((other, -found))  # of equally like ones the first counts
            ids, at = np.unique(one[order], return_index=True)
            best, whose = found[order][at], other[order][at]
            better = (best > cosine[ids]) | ((best == cosine[ids]) & (whose < partner[ids]))
            cosine[ids[better]], partner[ids[better]] = best[better], whose[better]
        root = _joined(root, first, second)
    there = partner >= 0
    cosine = np.where(there, np.minimum(cosine, 1.0), np.nan)
    return Alike(_numbered(root, there), partner, cosine)


def _pairs(rows: np.ndarray, least: float, progress: Progress) -> Iterator[Pairs]:
    """Those above the cosine, each once, some at a time."""
    short = _shortened(rows)
    order = np.argsort(short[:, 0], kind="stable") if len(rows) else np.zeros(0, np.int64)
    short, far = short[order], 2.0 - 2.0 * least + _SLACK  # of two directions, their squared distance
    last = np.searchsorted(short[:, 0], short[:, 0] + np.sqrt(far), side="right")
    square = np.einsum("ij,ij->i", short, short)
    step = max(1, min(1024, int(_BLOCK**0.5)))
    wide = max(1, _BLOCK // step)
    for start in range(0, len(rows), step):
        stop = min(start + step, len(rows))
        for left in range(start, int(last[stop - 1]), wide):
            right = min(left + wide, int(last[stop - 1]))
            apart = short[start:stop] @ (-2.0 * short[left:right].T)
            apart += square[start:stop, None]
            apart += square[left:right]
            found = np.flatnonzero(apart <= far)
            if len(found) > _DENSE * apart.size:
                np.matmul(rows[order[start:stop]], rows[order[left:right]].T, out=apart)
                found = np.flatnonzero(apart >= least - _ROUNDING)
            at, other = np.divmod(found, right - left)
            at, other = at + start, other + left
            keep = other > at
            yield from _looked_at(rows, order[at[keep]], order[other[keep]], least)
        progress(stop, len(rows), "compare")


def _shortened(rows: np.ndarray) -> np.ndarray:
    """Along the directions in which items differ most, and how long the rest is: no two lie farther apart there than
    they do."""
    if rows.shape[1] <= _ALONG or not len(rows):
        return rows
    some = rows[:: -(-len(rows) // _SAMPLE)]
    some = some - some.mean(axis=0)
    _, axes = np.linalg.eigh(some.T @ some)
    along = rows @ np.ascontiguousarray(axes[:, : -_ALONG - 1 : -1])
    rest = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", along, along)
    return np.column_stack([along, np.sqrt(np.maximum(rest, 0.0))])


def _looked_at(rows: np.ndarray, one: np.ndarray, other: np.ndarray, least: float) -> Iterator[Pairs]:
    """Of pairs that may be alike those that are."""
    for start in range(0, len(one), _WHOLE):
        first, second = one[start : start + _WHOLE], other[start : start + _WHOLE]
        found = np.einsum("ij,ij->i", rows[first], rows[second]).astype(np.float64)
        keep = found >= least
        first, second = first[keep], second[keep]
        yield np.minimum(first, second), np.maximum(first, second), found[keep]


def _gathered(pairs: Iterator[Pairs]) -> Iterator[Pairs]:
    """Many at a time: to join groups costs as much for one pair as for thousands."""
    held: list[Pairs] = []
    for found in pairs:
        if held and sum(len(one[0]) for one in (*held, found)) > _BLOCK:
            yield _together(held)
            held = []
        if len(found[0]):
            held.append(found)
    if held:
        yield _together(held)


def _together(held: list[Pairs]) -> Pairs:
    first, second, cosine = (np.concatenate(parts) for parts in zip(*held, strict=True))
    return first, second, cosine


def _joined(root: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The groups so far, and those that further pairs join."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    every = np.arange(len(root))
    start, end = np.concatenate([every, first]), np.concatenate([root, second])
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(len(root), len(root)))
    numbers = connected_components(graph.tocsr(), directed=False)[1]
    _, at, back = np.unique(numbers, return_index=True, return_inverse=True)
    return at[back]  # its first item stands for a group


def _numbered(root: np.ndarray, there: np.ndarray) -> np.ndarray:
    group = np.full(len(root), -1, np.int64)
    group[there] = np.unique(root[there], return_inverse=True)[1]
    return group
