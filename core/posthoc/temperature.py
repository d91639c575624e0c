"""Temperature scaling: one number that makes probabilities as sure as they are right, fitted by NLL on held-out items.

Equation:  p'_t = softmax(z_t / T) for every draw t,   T = argmin NLL(mean_t p'_t);   sigmoid(z_t / T) for labels

Paper: Guo et al. 2017, arXiv 1706.04599. With Monte Carlo draws T acts inside each draw and the mean comes after, so
draws stay draws: T > 1 pulls every draw towards uniform, which raises the aleatoric part and, since draws then differ
less, lowers the epistemic part. The order of the classes is kept in each draw and therefore for a point
estimate, but not always in a mean over draws; the order of *items* by max-softmax is kept with two classes only.
Logits are only needed up to a constant a row, so the logarithm of the probabilities serves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.contracts import Predictive, Task
from core.errors import UserFacingError
from core.metrics.arrays import float64
from core.metrics.scoring import nll

if TYPE_CHECKING:
    from torch import Tensor

COLDEST, HOTTEST = 0.02, 50.0  # where the search ends
_TINY = 1e-30  # probabilities of float32 that were rounded to 0


@dataclass(frozen=True, slots=True)
class Temperature:
    value: float
    nll_before: float
    nll_after: float  # never above nll_before on the items it was fitted on
    items: int
    at_edge: bool = False  # the search ended at its border: the items are too few or all right


def fit(answer: Predictive, labels: Any) -> Temperature:
    """The temperature with the lowest NLL of the mean probability on these items, which must not be training items."""
    from scipy.optimize import minimize_scalar

    truth = float64(labels)
    if not truth.size:
        raise UserFacingError("Temperature scaling got no items; it needs held-out items with labels.")
    logits = _logits(float64(answer.probs), answer.task)

    def loss(log_temperature: float) -> float:
        value = nll(_probs(logits / np.exp(log_temperature), answer.task).mean(axis=0), truth).value
        if value is None:
            raise UserFacingError("Temperature scaling got probabilities that are not numbers.")
        return value

    grid = np.linspace(np.log(COLDEST), np.log(HOTTEST), 33)  # the NLL of a mean may have several valleys
    lowest = int(np.argmin([loss(place) for place in grid]))
    low, high = grid[max(lowest - 1, 0)], grid[min(lowest + 1, len(grid) - 1)]
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    before = loss(0.0)
    if found.fun >= before:
        return Temperature(1.0, before, before, len(truth))
    at_edge = lowest in (0, len(grid) - 1)
    return Temperature(float(np.exp(found.x)), before, float(found.fun), len(truth), at_edge)


def apply(temperature: Temperature, answer: Predictive) -> Predictive:
    """The same answer, each draw at this temperature; dtype and device stay."""
    import torch

    probs = answer.probs
    scaled = _probs(_logits(float64(probs), answer.task) / temperature.value, answer.task)
    tensor: Tensor = torch.from_numpy(scaled).to(device=probs.device, dtype=probs.dtype)
    return replace(answer, probs=tensor)


def _logits(probs: np.ndarray, task: Task) -> np.ndarray:
    logs = np.log(np.maximum(probs, _TINY))
    return logs if task == "multiclass" else logs - np.log(np.maximum(1.0 - probs, _TINY))


def _probs(logits: np.ndarray, task: Task) -> np.ndarray:
    from scipy.special import expit, softmax

    return softmax(logits, axis=-1) if task == "multiclass" else expit(logits)
