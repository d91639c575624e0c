"""The task loss of single items, for methods that weigh, compare or square them."""

from __future__ import annotations

from torch import Tensor, nn

from core.contracts import Task


def item_losses(logits: Tensor, labels: Tensor, task: Task) -> Tensor:
    """(items,): their mean is the task loss. With several labels an item, each is a mean over the classes."""
    if task == "multilabel":
        each = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
        return each.mean(dim=-1)
    return nn.functional.cross_entropy(logits, labels, reduction="none")


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """(items, classes) float64 of labels of any shape that a Batch may have."""
    return labels.double() if labels.is_floating_point() else nn.functional.one_hot(labels, classes).double()
