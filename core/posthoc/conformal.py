"""Prediction sets that hold the true class with a stated chance: split conformal prediction.

Equation:  C(x) = {c : s(x, c) <= q},   q = the k-th smallest score of the calibration items, k = ceil((n + 1) coverage)

Scores: LAC  s = 1 - p_c (smallest sets; may be empty),   APS  s = the mass of all classes at least as probable as c
(adapts to hard items), minus u p_c where uniform numbers u are passed. Papers: Sadinle et al. 2019, arXiv 1609.00451;
Romano et al. 2020, arXiv 2006.02544. The promise is an average over calibration sets and new items of the same
kind: P(true class in C) >= coverage; what one calibration set really gives follows a Beta law, which is stated.
With classes apart, and always where items have several labels, each class has its own threshold and promise.
The threshold is a single number a class, so a checkpoint can carry it without its calibration items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.contracts import Moments, Predictive, Task
from core.errors import UserFacingError
from core.metrics.arrays import labelled, mean_probs
from core.metrics.figure import Figure

Score = Literal["lac", "aps"]


@dataclass(frozen=True, slots=True)
class Conformal:
    """Thresholds fitted on calibration items; infinity where a class had too few, so that it is always in the set."""

    coverage: float  # asked for
    score: Score
    task: Task
    per_class: bool
    thresholds: tuple[float, ...]  # one, or one a class
    counts: tuple[int, ...]  # calibration items behind each threshold

    def beta(self, threshold: int = 0) -> tuple[int, int] | None:
        """Parameters of the Beta law of the true coverage over calibration sets; None behind an infinite threshold."""
        n = self.counts[threshold]
        k = _place(n, self.coverage)
        return None if k > n else (k, n + 1 - k)

    def expected(self, level: float = 0.9, threshold: int = 0) -> tuple[float, float] | None:
        """Where the true coverage lies for the central ``level`` of calibration sets, ties apart."""
        from scipy.stats import beta

        law = self.beta(threshold)
        if law is None:
            return None
        return float(beta.ppf((1 - level) / 2, *law)), float(beta.ppf((1 + level) / 2, *law))


def fit(
    answer: Predictive | Moments,
    labels: Any,
    *,
    coverage: float = 0.9,
    score: Score = "aps",
    per_class: bool = False,
    uniforms: np.ndarray | None = None,
) -> Conformal:
    """Thresholds from held-out items that neither training nor temperature has seen."""
    if not 0 < coverage < 1:
        raise UserFacingError(f"A coverage of {coverage:g} was asked for; it must lie between 0 and 1.")
    probs, truth = labelled(mean_probs(answer), labels)
    several = truth.ndim == 2
    if several != (answer.task == "multilabel"):
        raise ValueError("labels and task do not fit: class numbers for a softmax, zeros and ones for several labels")
    if several:
        scores, positive, score = 1.0 - probs, truth.astype(bool), "lac"
    else:
        scores, positive = _scores(probs, score, uniforms), np.eye(probs.shape[1], dtype=bool)[truth]
    apart = per_class or several
    pools = [scores[positive[:, c], c] for c in range(probs.shape[1])] if apart else [scores[positive]]
    if not apart:
        _refuse_too_few(len(pools[0]), coverage)
    thresholds = tuple(_threshold(pool, coverage) for pool in pools)
    return Conformal(coverage, score, answer.task, apart, thresholds, tuple(len(pool) for pool in pools))


def predict_sets(
    conformal: Conformal,
    answer: Predictive | Moments,
    *,
    uniforms: np.ndarray | None = None,
    at_least_one: bool = False,
) -> np.ndarray:
    """(items, classes) booleans. ``at_least_one`` adds the most probable class to empty sets, which loses nothing."""
    probs = mean_probs(answer)
    if answer.task != conformal.task or (conformal.per_class and len(conformal.thresholds) != probs.shape[1]):
        raise ValueError("these thresholds belong to another task or to other classes")
    scores = 1.0 - probs if conformal.task == "multilabel" else _scores(probs, conformal.score, uniforms)
    sets = scores <= np.array(conformal.thresholds)
    if at_least_one:
        empty = ~sets.any(axis=1)
        sets[empty, probs[empty].argmax(axis=1)] = True
    return sets


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """What the sets did on items with known labels."""

    overall: Figure  # share of true labels that are in their item's set
    per_class: tuple[Figure, ...]
    sizes: np.ndarray  # (classes + 1,) how many sets have 0, 1, 2 ... classes


def covered(sets: np.ndarray, labels: Any) -> Coverage:
    """Empirical coverage, also by class, and the histogram of set sizes."""
    truth = np.asarray(labels)
    positive = np.eye(sets.shape[1], dtype=bool)[truth] if truth.ndim == 1 else truth.astype(bool)
    sizes = np.bincount(sets.sum(axis=1), minlength=sets.shape[1] + 1)
    per_class = tuple(_share(sets[positive[:, c], c]) for c in range(sets.shape[1]))
    return Coverage(_share(sets[positive]), per_class, sizes)


def _share(inside: np.ndarray) -> Figure:
    return Figure(float(inside.mean())) if len(inside) else Figure(None, "no item has this label")


def _scores(probs: np.ndarray, score: Score, uniforms: np.ndarray | None) -> np.ndarray:
    """(items, classes) nonconformity of every class; equally probable classes score alike."""
    if score == "lac":
        return 1.0 - probs
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked = np.take_along_axis(probs, order, axis=1)
    mass = np.cumsum(ranked, axis=1)
    for place in range(probs.shape[1] - 2, -1, -1):  # a tie takes the mass of its whole group
        tied = ranked[:, place] == ranked[:, place + 1]
        mass[tied, place] = mass[tied, place + 1]
    scores = np.empty_like(mass)
    np.put_along_axis(scores, order, mass, axis=1)
    return scores if uniforms is None else scores - np.asarray(uniforms, np.float64)[:, None] * probs


def _place(n: int, coverage: float) -> int:
    return math.ceil(round((n + 1) * coverage, 9))  # rounded: a product of floats may lie a hair above


def _threshold(scores: np.ndarray, coverage: float) -> float:
    k = _place(len(scores), coverage)
    return math.inf if k > len(scores) else float(np.partition(scores, k - 1)[k - 1])


def _refuse_too_few(n: int, coverage: float) -> None:
    needed = math.ceil(round(coverage / (1 - coverage), 9))
    if n < needed:
        raise UserFacingError(
            f"A coverage of {coverage:.0%} was asked for with {n} calibration items; it needs {needed} or more.",
            code="too_few_to_calibrate",
        )
