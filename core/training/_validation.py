"""How good a fit is while it runs, on items it never trains on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.contracts import Moments
from core.metrics import ranks, scoring

if TYPE_CHECKING:
    from core.training.loop import Fit

_DRAWS = 8  # at most; a curve is for seeing where a fit goes
_CHUNK = 128
_ORDER = "rank correlation"  # of doubts with losses
_MOST_CLASSES = 300  # with a table of what was taken for what


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures by name, and what was taken for what: rows are true classes, columns answers.

    With several labels an item, a row a class: how often it was found, missed, and seen where it was not.
    """

    figures: dict[str, float] = field(default_factory=dict)
    table: list[list[int]] | None = None


def measure(wanted: Fit, state: Any, fabric: Any) -> Measured:
    """Mean loss in nats, and accuracy or mean average precision; nothing without validation items."""
    examples = wanted.validation
    if examples is None or not len(examples):
        return Measured()
    method, draws = wanted.method, min(_DRAWS, wanted.method.own_draws(wanted.config))
    means, doubts = [], []
    for rows in torch.arange(len(examples)).split(_CHUNK):
        inputs = examples.inputs.take(rows, 0).to(fabric.device)
        keys = examples.keys[rows].to(fabric.device)
        answer = method.moments or method.predict
        with torch.no_grad(), fabric.autocast():
            found = answer(state, inputs, keys, draws=draws, seed=0)
        means.append(found.mean.cpu() if isinstance(found, Moments) else found.probs.mean(dim=0).double().cpu())
        if found.score is not None:
            doubts.append(found.score.double().cpu())
    probs, labels = torch.cat(means).numpy(), examples.labels.numpy()
    if wanted.context.task == "multilabel":
        found = {"mAP": scoring.mean_average_precision(probs, labels).value}
    else:
        found = {"accuracy": scoring.accuracy(probs, labels).value}
    found["loss"] = scoring.nll(probs, labels).value
    if method.fills == "score" and doubts:
        found[_ORDER] = ranks.spearman(torch.cat(doubts).numpy(), scoring.log_losses(probs, labels)).value
    return Measured({name: value for name, value in found.items() if value is not None}, _table(probs, labels))


def _table(probs: np.ndarray, labels: np.ndarray) -> list[list[int]] | None:
    classes = probs.shape[1]
    if classes > _MOST_CLASSES:
        return None
    if labels.ndim == 1:
        found = np.zeros((classes, classes), np.int64)
        np.add.at(found, (labels, probs.argmax(axis=1)), 1)
        return found.tolist()
    said, true = probs >= 0.5, labels > 0
    return np.stack([(said & true).sum(0), (~said & true).sum(0), (said & ~true).sum(0)], axis=1).tolist()


def cost(measured: dict[str, float]) -> float | None:
    """What early stopping makes small: the loss, or, where a method predicts it, how badly it orders the losses."""
    return -measured[_ORDER] if _ORDER in measured else measured.get("loss")
