"""How much doubt an answer holds, and which part of it more data could remove.

Equation:  total = f(mean_t p_t),   aleatoric = mean_t f(p_t),   epistemic = total - aleatoric >= 0

for draws p_t and a concave f: the entropy in nats (then epistemic is the mutual information of the answer and the
weights), the variance p(1 - p) of each class, or the entropy of each class against the rest ("labelwise"). Several
labels an item are Bernoulli variables of their own, so their entropy is taken class by class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core.contracts import Moments, Predictive, Task, Uncertainty
from core.errors import UserFacingError
from core.metrics.arrays import float64, mean_probs
from core.metrics.figure import Figure
from core.metrics.ranks import spearman

UncertaintyKind = Literal["entropy", "variance", "labelwise"]
Reduction = Literal["none", "sum", "mean", "max"]

_BLOCK = 1 << 22  # float64 numbers of draws held at a time


def shannon(probs: np.ndarray) -> np.ndarray:
    """Entropy over the last axis in nats, 0 log 0 = 0.

    >>> float(shannon(np.array([0.5, 0.5, 0.0])).round(6))
    0.693147
    """
    from scipy.special import entr

    return entr(probs).sum(axis=-1)


def bernoulli(probs: np.ndarray) -> np.ndarray:
    """Entropy of each yes-or-no in nats."""
    from scipy.special import entr

    return entr(probs) + entr(1.0 - probs)


def decompose(
    answer: Predictive | Moments, *, kind: UncertaintyKind = "entropy", reduction: Reduction | None = None
) -> Uncertainty:
    """Total, aleatoric and epistemic doubt of each item.

    ``reduction`` turns one value a class into one an item; by default the mean over several labels and the sum over
    the classes of a softmax. "sum" and "mean" rank items alike; "max" takes all parts from the class with the largest
    total, so that they still add up. The errors are jackknife standard errors over the draws: how far the figures
    would move with other draws of the same posterior, not whether the posterior is right.
    """
    spread = _concave(kind, answer.task)
    joint = kind == "entropy" and answer.task == "multiclass"
    if joint and reduction is not None:
        raise ValueError("the entropy of a softmax is one number an item; take kind='labelwise' to see its classes")
    chosen: Reduction = "sum" if joint else reduction or ("mean" if answer.task == "multilabel" else "sum")
    if isinstance(answer, Moments):
        total, aleatoric = _of_moments(answer, kind, spread)
        total, aleatoric = _reduce(total, aleatoric, chosen)
        return Uncertainty(total, aleatoric, total - aleatoric, kind)
    draws, items, classes = answer.probs.shape
    if not draws:
        raise ValueError("a Predictive needs at least one draw")
    step = max(1, _BLOCK // (draws * max(1, classes)))
    blocks = [_block(float64(answer.probs[:, at : at + step]), spread, chosen) for at in range(0, max(1, items), step)]
    parts = [np.concatenate(pieces) for pieces in zip(*blocks, strict=True)]
    errors = parts[3:] if draws > 1 else (None, None, None)
    return Uncertainty(parts[0], parts[1], parts[2], kind, *errors)


def max_softmax(answer: Predictive | Moments) -> np.ndarray:
    """(items,) doubt of the plainest kind: 1 - the largest probability; for labels the mean of min(p, 1 - p)."""
    probs = mean_probs(answer)
    if answer.task == "multilabel":
        return np.minimum(probs, 1.0 - probs).mean(axis=1)
    return 1.0 - probs.max(axis=1)


def entropy(answer: Predictive | Moments, reduction: Reduction = "mean") -> np.ndarray:
    """(items,) entropy of the mean probability; ``reduction`` is for several labels only."""
    probs = mean_probs(answer)
    if answer.task == "multiclass":
        return shannon(probs)
    each = bernoulli(probs)
    return _reduce(each, each, reduction)[0]


def spearman_of_parts(parts: Uncertainty) -> Figure:
    """Rank correlation of aleatoric and epistemic; above 0.9 the two columns tell nearly the same story."""
    return spearman(parts.aleatoric.ravel(), parts.epistemic.ravel())


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """The decomposition after the first 1, 2, 3, 5 ... draws, for the question whether there are enough."""

    draws: tuple[int, ...]
    parts: tuple[Uncertainty, ...]


def running(
    answer: Predictive,
    *,
    at: Sequence[int] = (),
    kind: UncertaintyKind = "entropy",
    reduction: Reduction | None = None,
) -> Running:
    """``decompose`` over the first n draws for each n of ``at``; by default about 1.5 times more each step."""
    n = len(answer.probs)
    counts = tuple(at) or tuple(sorted({min(n, round(1.5**power)) for power in range(64)}))
    if not all(1 <= count <= n for count in counts):
        raise ValueError(f"counts of draws must lie between 1 and {n}")
    firsts = (replace(answer, probs=answer.probs[:count]) for count in counts)
    return Running(counts, tuple(decompose(first, kind=kind, reduction=reduction) for first in firsts))


def _concave(kind: UncertaintyKind, task: Task) -> Callable[[np.ndarray], np.ndarray]:
    """f of the equation, (..., classes) -> (..., classes), or (..., 1) where classes are judged together."""
    if kind == "variance":
        return lambda probs: probs * (1.0 - probs)
    if kind == "labelwise" or task == "multilabel":
        return bernoulli
    return lambda probs: shannon(probs)[..., None]


def _reduce(total: np.ndarray, aleatoric: np.ndarray, reduction: Reduction) -> tuple[np.ndarray, np.ndarray]:
    if reduction == "none":
        return total, aleatoric
    if reduction == "sum":
        return total.sum(axis=-1), aleatoric.sum(axis=-1)
    if reduction == "mean":
        return total.mean(axis=-1), aleatoric.mean(axis=-1)
    worst = total.argmax(axis=-1)[..., None]
    return np.take_along_axis(total, worst, -1)[..., 0], np.take_along_axis(aleatoric, worst, -1)[..., 0]


def _block(
    probs: np.ndarray, spread: Callable[[np.ndarray], np.ndarray], reduction: Reduction
) -> tuple[np.ndarray, ...]:
    """Three parts and their three errors for some items, from all their draws."""
    draws, mean = len(probs), probs.mean(axis=0)
    each = spread(probs)
    total, aleatoric = _reduce(spread(mean), each.mean(axis=0), reduction)
    parts = (total, aleatoric, total - aleatoric)
    if draws == 1:
        return parts
    without = np.clip((draws * mean - probs) / (draws - 1), 0.0, 1.0)  # the mean of all draws but one
    totals, aleatorics = _reduce(spread(without), (draws * each.mean(axis=0) - each) / (draws - 1), reduction)
    return (*parts, *(_jackknife(left) for left in (totals, aleatorics, totals - aleatorics)))


def _jackknife(left_out: np.ndarray) -> np.ndarray:
    """Standard error of a figure from its values with one draw left out at a time."""
    return np.sqrt((len(left_out) - 1) * left_out.var(axis=0))


def _of_moments(
    answer: Moments, kind: UncertaintyKind, spread: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    mean = float64(answer.mean)
    total = spread(mean)
    if kind == "variance":
        return total, total - float64(answer.m2) / answer.n
    if kind == "labelwise" and answer.task == "multiclass":
        raise UserFacingError(
            "Doubt class by class needs every draw, and only their summary was kept. "
            "Predict again with the draws kept, or choose entropy or variance.",
            code="draws_not_kept",
        )
    return total, float64(answer.mean_entropy).reshape(total.shape)
