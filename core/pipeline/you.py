"""Twelve held-out items that a person and a model label: both retention curves, and what a difference is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.metrics.small import share_interval, sign_test
from core.pipeline.atlas import Atlas

ITEMS = 12
SURE = ("guessing", "fairly sure", "certain")  # the least sure first


@dataclass(frozen=True, slots=True)
class Step:
    """What is kept down to one level of doubt; who is as doubtful is kept too."""

    kept: int
    value: float  # share of it that is right
    low: float  # 95 % of all such dozens, at least, have the true share between these
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two."""

    answers: tuple[int, ...]  # places in the classes
    right: np.ndarray  # (items,) bool
    doubt: np.ndarray  # (items,)
    steps: tuple[Step, ...]  # all items first, then fewer

    @property
    def count(self) -> int:
        return int(self.right.sum())


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    you: Side
    model: Side
    only_you: int  # items that only you got right
    only_model: int
    p: float  # the chance that two equals differ as much


def drawn(atlas: Atlas, seed: int, items: int = ITEMS) -> tuple[str, ...]:
    """The same ids for everybody with this seed, whichever model of these data they look at.

    Each id has its own place in a random order, so that a model which kept other items too changes nothing about the
    rest. No two are of one recording or scene.
    """
    if atlas.task != "multiclass":
        raise UserFacingError(
            f"An item of {atlas.title} can be of several classes at once, and here each has one; choose a model that "
            "answers with one class.",
            code="task",
        )
    total = atlas.doubts.get("total", np.full(len(atlas), np.nan))
    fit = (atlas.labels >= 0) & (atlas.predicted >= 0) & np.isfinite(total)
    fit &= True if atlas.learned is None else ~atlas.learned
    rows = sorted(np.flatnonzero(fit).tolist(), key=lambda row: fingerprint("you", atlas.version, seed, atlas.ids[row]))
    found: dict[int, str] = {}
    for row in rows:
        found.setdefault(int(atlas.groups[row]), atlas.ids[row])
    if len(found) < items:
        raise UserFacingError(
            f"Only {len(found)} held-out items of {atlas.title} can be asked about, and {items} are needed; choose a "
            "model of other data.",
            code="too-few",
        )
    return tuple(found.values())[:items]


def match(atlas: Atlas, ids: Sequence[str], answers: Sequence[int], sure: Sequence[int]) -> Match:
    """``answers`` are places in the classes, ``sure`` places in SURE."""
    rows = rows_of(atlas, ids)
    truth = atlas.labels[rows]
    you = _side(answers, truth, -np.asarray(sure, np.float64))
    model = _side(atlas.predicted[rows].tolist(), truth, atlas.doubts["total"][rows])
    only_you, only_model = int((you.right & ~model.right).sum()), int((model.right & ~you.right).sum())
    return Match(you, model, only_you, only_model, sign_test(only_you, only_model))


def rows_of(atlas: Atlas, ids: Sequence[str]) -> np.ndarray:
    place = {id_: row for row, id_ in enumerate(atlas.ids)}
    if missing := [id_ for id_ in ids if id_ not in place]:
        raise UserFacingError(
            f"{len(missing)} of these items are not among those that {atlas.model} was asked about; choose another "
            "model of these data.",
            code="no-item",
        )
    return np.array([place[id_] for id_ in ids], np.int64)


def _side(answers: Sequence[int], truth: np.ndarray, doubt: np.ndarray) -> Side:
    right = np.asarray(answers, np.int64) == truth
    return Side(tuple(int(one) for one in answers), right, doubt, steps(doubt, right))


def steps(doubt: np.ndarray, right: np.ndarray) -> tuple[Step, ...]:
    """Only where some level of doubt ends is there a set of answers that could be kept: no order among equals."""
    found = []
    for level in sorted(set(doubt.tolist()), reverse=True):
        kept = doubt <= level
        count, good = int(kept.sum()), int(right[kept].sum())
        found.append(Step(count, good / count, *share_interval(good, count)))
    return tuple(found)
