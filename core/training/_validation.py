"""How good a fit is while it runs, on items it never trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from core.contracts import Moments
from core.metrics import ranks, scoring

if TYPE_CHECKING:
    from core.training.loop import Fit

_DRAWS = 8  # at most; a curve is for seeing where a fit goes
_CHUNK = 128
_ORDER = "rank correlation"  # of doubts with losses


def measure(wanted: Fit, state: Any, fabric: Any) -> dict[str, float]:
    """Mean loss in nats, and accuracy or mean average precision; nothing without validation items."""
    examples = wanted.validation
    if examples is None or not len(examples):
        return {}
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
    return {name: value for name, value in found.items() if value is not None}


def cost(measured: dict[str, float]) -> float | None:
    """What early stopping makes small: the loss, or, where a method predicts it, how badly it orders the losses."""
    return -measured[_ORDER] if _ORDER in measured else measured.get("loss")
