"""The task loss of single items, for methods that weigh, compare or square them."""

from __future__ import annotations

from torch import Tensor, nn

from core.contracts import Task
from core.methods._contract import whole


def item_losses(logits: Tensor, labels: Tensor, task: Task, weights: tuple[float, ...] = ()) -> Tensor:
    """(items,): their mean is the task loss. With several labels an item, each is a mean over the classes."""
    logits = whole(logits)
    if weights:
        return _weighted(logits, labels, task, logits.new_tensor(weights))
    if task == "multilabel":
        each = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
        return each.mean(dim=-1)
    return nn.functional.cross_entropy(logits, labels, reduction="none")


def _weighted(logits: Tensor, labels: Tensor, task: Task, weights: Tensor) -> Tensor:
    if task == "multilabel":
        each = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
        return (each * weights).mean(dim=-1)
    return -(one_hot(labels, len(weights)).to(logits) * weights * logits.log_softmax(dim=-1)).sum(dim=-1)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(items, classes) float64 of labels of any shape that a Batch may have."""
    return labels.double() if labels.is_floating_point() else nn.functional.one_hot(labels, classes).double()
