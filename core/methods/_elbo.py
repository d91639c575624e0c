"""The loss of variational methods: the evidence lower bound of a mini-batch, in the units of the task's loss."""

from __future__ import annotations

from torch import Tensor, nn

from core.layers._posterior import Reduction
from core.layers.surgery import total_kl
from core.methods._contract import FitContext, task_loss


def kl_weight(context: FitContext, factor: float, warmup: int, steps: int) -> float:
    """What one nat of KL costs beside a loss that is a mean over items.

    The bound sums the likelihood over n_train items, hence 1 / n_train. With several labels an item the loss is also a
    mean over the classes, so their number divides too: otherwise the prior would count that many times over.
    ``warmup`` steps lead from nearly none to all of it.
    """
    averaged = context.n_train * (context.classes if context.task == "multilabel" else 1)
    return factor * min(1.0, (steps + 1) / warmup if warmup else 1.0) / averaged


def negative_elbo(
    model: nn.Module, logits: Tensor, labels: Tensor, context: FitContext, weight: float, reduction: Reduction
) -> tuple[Tensor, dict[str, float]]:
    """The loss to minimise, and its parts. Random weights that do not train add nothing that could be made smaller."""
    task = task_loss(logits, labels, context.task, context.class_weights)
    kl = total_kl(model, reduction, training=True)
    loss = task + weight * kl
    return loss, {"loss": float(loss.detach()), "task": float(task.detach()), "kl": float(kl.detach())}
