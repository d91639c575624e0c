"""How much the members of an ensemble, or the draws of a posterior, differ: in answers, loss and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.contracts import Predictive
from core.metrics.arrays import float64
from core.metrics.figure import Figure, Undefined, or_reason
from core.metrics.scoring import FLOOR

FEWEST_BATCHES = 50  # fewer mini-batches make a variance that is mostly noise

Gradient = Callable[[int, int], Any]  # (batch, draw) -> the flattened gradient, (parameters,)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A measure of each ordered pair of members, 0 on the diagonal, and its mean over the pairs."""

    matrix: np.ndarray  # (members, members)
    mean: Figure


def disagreement(members: Predictive) -> Pairs:
    """Share of items on which two members answer differently; of yes-or-noes where items have several labels."""
    probs = float64(members.probs)
    said = probs.argmax(axis=-1)[..., None] if members.task == "multiclass" else probs > 0.5
    said = said.reshape(len(probs), -1)
    return _pairs(len(said), said.shape[1], lambda first, second: (said[first] != said[second]).mean())


def divergence(members: Predictive) -> Pairs:
    """Kullback-Leibler divergence KL(row || column) in nats, mean over items; over labels too where there are several.

    Probabilities below 1e-12 count as 1e-12, so that two certain members who differ stay finite.
    """
    probs = float64(members.probs)
    if members.task == "multilabel":
        probs = np.stack([probs, 1.0 - probs], axis=-1).reshape(len(probs), -1, 2)
    logs = np.log(np.maximum(probs, FLOOR))
    return _pairs(
        len(probs),
        probs.shape[1],
        lambda first, second: (probs[first] * (logs[first] - logs[second])).sum(axis=-1).mean(),
    )


def _pairs(members: int, items: int, measure: Callable[[int, int], Any]) -> Pairs:
    matrix = np.zeros((members, members))
    if members < 2:
        return Pairs(matrix, Figure(None, "one member alone cannot differ from another"))
    if not items:
        return Pairs(matrix, Figure(None, "there are no items"))
    for first in range(members):
        for second in range(members):
            if first != second:
                matrix[first, second] = measure(first, second)
    return Pairs(matrix, Figure(float(matrix.sum() / (members * (members - 1)))))


@dataclass(frozen=True, slots=True, eq=False)
class LossLine:
    """The loss on the straight line from one member (0) to another (1)."""

    place: np.ndarray
    loss: np.ndarray
    barrier: Figure  # how far the loss rises above the chord between the two ends


def loss_along_line(first: Any, second: Any, loss: Callable[[Any], float], points: int = 11) -> LossLine:
    """``loss`` of the weights (1 - a) first + a second, both flat vectors; members of one basin have no barrier."""
    if points < 3:
        raise ValueError("a line needs a point between its ends")
    place = np.arange(points) / (points - 1)
    values = np.array([float(loss((1.0 - a) * first + a * second)) for a in place.tolist()])
    rise = float((values - ((1 - place) * values[0] + place * values[-1])).max())
    barrier = Figure(rise) if np.isfinite(rise) else Figure(None, "the loss is not a number on part of the line")
    return LossLine(place, values, barrier)


@dataclass(frozen=True, slots=True)
class GradientVariance:
    """Unbiased variance of each parameter's gradient, averaged over the parameters."""

    total: Figure
    per_layer: tuple[tuple[str, float], ...]
    form: Literal["over batches", "over draws"]
    batches: int
    draws: int  # a batch
    parameters: int


def variance_over_batches(
    gradient: Gradient, batches: int = FEWEST_BATCHES, layers: Sequence[tuple[str, int]] = ()
) -> GradientVariance:
    """Over mini-batches with one fresh draw each, as training meets it; the ratio between methods uses this form.

    ``layers`` are names and lengths of the pieces of the flattened gradient, in order.
    """
    if batches < FEWEST_BATCHES:
        raise ValueError(f"a gradient variance needs {FEWEST_BATCHES} mini-batches or more, not {batches}")
    return _reported([_variance(gradient(k, k) for k in range(batches))], layers, "over batches", batches, 1)


def variance_over_draws(
    gradient: Gradient, batches: int, draws: int, layers: Sequence[tuple[str, int]] = ()
) -> GradientVariance:
    """Over draws of the noise on one mini-batch, then the mean over mini-batches; 0 for a deterministic network."""
    if batches < 1 or draws < 2:
        raise ValueError("a variance over draws needs a mini-batch and two draws or more")
    found = [_variance(gradient(k, s) for s in range(draws)) for k in range(batches)]
    return _reported(found, layers, "over draws", batches, draws)


@or_reason
def variance_ratio(of: GradientVariance, to: GradientVariance) -> float:
    """How many times noisier the gradients of one method are than those of another, measured in the same form."""
    if of.form != to.form:
        raise ValueError("a variance over batches and one over draws cannot be compared")
    if of.total.value is None or to.total.value is None:
        raise Undefined(of.total.reason or to.total.reason)
    if to.total.value == 0:
        raise Undefined("the gradients compared with do not vary at all")
    return of.total.value / to.total.value


def _variance(gradients: Any) -> np.ndarray:
    """(parameters,) by Welford's update: one gradient in memory at a time."""
    count, mean, m2 = 0, np.zeros(1), np.zeros(1)
    for gradient in gradients:
        value = float64(gradient)
        count += 1
        if count == 1:
            mean, m2 = np.zeros_like(value), np.zeros_like(value)
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is told from the result
            step = value - mean
            mean += step / count
            m2 += step * (value - mean)
    return m2 / (count - 1)


def _reported(
    found: list[np.ndarray],
    layers: Sequence[tuple[str, int]],
    form: Literal["over batches", "over draws"],
    batches: int,
    draws: int,
) -> GradientVariance:
    variance = sum(found[1:], found[0]) / len(found)
    if layers and sum(length for _, length in layers) != len(variance):
        raise ValueError("the layers' lengths do not add up to the gradient's")
    ends = np.cumsum([length for _, length in layers]).tolist()
    pieces = ((name, variance[end - length : end]) for (name, length), end in zip(layers, ends, strict=True))
    total = float(variance.mean()) if len(variance) else float("nan")
    figure = Figure(total) if np.isfinite(total) else Figure(None, "a gradient is empty or not finite")
    per_layer = tuple((name, float(piece.mean())) for name, piece in pieces if len(piece))
    return GradientVariance(figure, per_layer, form, batches, draws, len(variance))
