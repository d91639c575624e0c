"""The items that two atlases share: the same items seen by two models, or in two collections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.pipeline.atlas import Atlas


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Row ``first[i]`` of the one is row ``second[i]`` of the other."""

    first: np.ndarray  # int64, ascending
    second: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def among(self, first: np.ndarray, second: np.ndarray) -> Pairs:
        """Those of which both rows are among some."""
        kept = np.isin(self.first, first) & np.isin(self.second, second)
        return Pairs(self.first[kept], self.second[kept])

    def over(self, rows: np.ndarray) -> np.ndarray:
        """Rows of the first as rows of the second; those that are not shared are left out."""
        return self.second[np.isin(self.first, rows)]

    def back(self, rows: np.ndarray) -> np.ndarray:
        """Rows of the second as rows of the first, ascending."""
        return self.first[np.isin(self.second, rows)]


def paired(first: Atlas, second: Atlas) -> Pairs:
    """Same id, and the same bytes where both know them; without bytes an id means something in one data set only."""
    known = first.shas is not None and second.shas is not None
    if not known and (first.source, first.name, first.version) != (second.source, second.name, second.version):
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    place = {id_: row for row, id_ in enumerate(second.ids)}
    rows = np.array([place.get(id_, -1) for id_ in first.ids], np.int64)
    there = rows >= 0
    if first.shas is not None and second.shas is not None:
        there[there] = [first.shas[row] == second.shas[rows[row]] for row in np.flatnonzero(there).tolist()]
    return Pairs(np.flatnonzero(there), rows[there])
