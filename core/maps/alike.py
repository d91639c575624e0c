"""Items that are nearly the same to a model: pairs above a cosine, joined into groups. Memory stays flat.

Two items are in one group where a chain of pairs leads from one to the other. Up to EXACT items every pair is looked
at; beyond, the nearest ones of each item are found approximately, so that a pair may be missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.maps.draw import MapOptions, directions, neighbour_graph

EXACT = 30_000
_BLOCK = 1 << 22  # cosines held at a time
_NEAREST = 10  # of an item, beyond EXACT
_ROUNDING = 1e-6  # of a cosine in float32


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Of every item its group and the other one it is most like; -1 where none is as like as was asked for."""

    group: np.ndarray  # (items,) int64, numbered in the order of their first item
    partner: np.ndarray  # (items,) int64
    cosine: np.ndarray  # (items,) with the partner, NaN without


def alike(features: Any, least: float) -> Alike:
    """``least``: the cosine from which two items count as nearly the same."""
    rows = directions(np.asarray(features))
    partner, cosine = np.full(len(rows), -1, np.int64), np.full(len(rows), -np.inf)
    root = np.arange(len(rows))
    for first, second, found in _blocks(rows, least - _ROUNDING):
        for one, other in ((first, second), (second, first)):
            order = np.lexsort((other, -found))  # of equally like ones the first counts
            ids, at = np.unique(one[order], return_index=True)
            best, whose = found[order][at], other[order][at]
            better = best > cosine[ids]
            cosine[ids[better]], partner[ids[better]] = best[better], whose[better]
        root = _joined(root, first, second)
    there = partner >= 0
    cosine = np.where(there, np.minimum(cosine, 1.0), np.nan)
    return Alike(_numbered(root, there), partner, cosine)


def _blocks(rows: np.ndarray, least: float) -> Any:
    """Pairs (first < second) above the cosine, some at a time."""
    if len(rows) > EXACT:
        near, far = neighbour_graph(rows, MapOptions(neighbours=_NEAREST + 1))
        first, second = np.repeat(np.arange(len(rows)), near.shape[1]), near.astype(np.int64).ravel()
        found = 1.0 - far.ravel().astype(np.float64)
        keep = (first != second) & (second >= 0) & (found >= least)
        yield np.minimum(first, second)[keep], np.maximum(first, second)[keep], found[keep]
        return
    step = max(1, _BLOCK // max(1, len(rows)))
    for start in range(0, len(rows), step):
        stop = min(start + step, len(rows))
        cosines = rows[start:stop] @ rows[start:].T
        at, other = np.nonzero(cosines >= least)
        keep = other > at  # each pair once, no item with itself
        at, other = at[keep], other[keep]
        yield at + start, other + start, cosines[at, other].astype(np.float64)


def _joined(root: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The groups so far, and those that further pairs join."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(first):
        return root
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
