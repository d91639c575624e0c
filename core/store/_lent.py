"""Tensors that a folder has in common with a neighbour: stored once, with the neighbour, and pinned to its bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

FOLDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
LEAST = 4096  # bytes; for less it is not worth depending on another folder


@dataclass(frozen=True, slots=True)
class Lent:
    """What a part of a folder is besides the file there."""

    by: str  # the folder beside this one
    sha256: str  # of that folder's file of the same part
    tensors: tuple[str, ...]  # those that lie there
    left: tuple[int, str] | None  # bytes and sha256 of the file here; None: all of it lies there

    def to_json(self) -> dict[str, Any]:
        return {"by": self.by, "sha256": self.sha256, "tensors": list(self.tensors), "left": self.left}


def of_json(record: Mapping[str, Any]) -> Lent:
    left, by = record["left"], str(record["by"])
    if not FOLDER.fullmatch(by):
        raise ValueError(by)
    names = tuple(str(name) for name in record["tensors"])
    return Lent(by, str(record["sha256"]), names, None if left is None else (int(left[0]), str(left[1])))


def in_common(given: Mapping[str, np.ndarray], there: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """The names under which both have the same bytes; none where that saves next to nothing."""
    names = tuple(sorted(name for name in given if name in there and _same(given[name], there[name])))
    return names if sum(there[name].nbytes for name in names) >= LEAST else ()


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    one = np.asarray(one)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
