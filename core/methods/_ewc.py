"""Elastic weight consolidation: stay near what was learned before, where that matters.

Equation:
    F_j = (1/N) sum_n E_y [ (d log p(y | x_n, a) / d a_j)^2 ]
    penalty(t) = sum_j F_j (t_j - a_j)^2,        a loss takes (lambda / 2) * penalty

a    the parameters after the first data set, N its items; t the parameters now
F    diagonal of the Fisher information. The gradient is squared for every item and then averaged; the square of a
     batch's mean gradient is another quantity, about B times smaller

The expectation over y is the exact sum over the classes ("exact"), one label drawn from p for an item ("sampled"), or
not taken at all: the data's own label ("empirical", another quantity again). p(y) of several labels an item is the
product over the classes. Where the later loss is a mean over N' items, lambda = N / N' is Bayes' own.
Kirkpatrick et al. 2017, https://arxiv.org/abs/1612.00796
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad, vmap

from core.contracts import Task
from core.methods._contract import Batch, probabilities
from core.methods._losses import one_hot

Rule = Literal["exact", "sampled", "empirical"]
Logs = Callable[[Tensor, Tensor], Tensor]  # (logits, target) -> what is differentiated
_MOST = 1 << 25  # numbers in the gradients that are held at a time


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """Where the parameters were, and how much it matters that they stay."""

    names: tuple[str, ...]
    centre: tuple[Tensor, ...]
    fisher: tuple[Tensor, ...]


def anchor_of(module: nn.Module, batches: Iterable[Batch], task: Task, rule: Rule, generator: Generator) -> Anchor:
    """The Fisher information of the parameters that train, over all items, at their present values."""
    tuned = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    sums = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in tuned.items()}
    size = max(1, _MOST // max(1, sum(p.numel() for p in tuned.values())))
    logs = _log if task == "multiclass" else _linear if rule == "exact" else _bernoulli
    count = 0
    for batch in batches:
        count += len(batch.inputs)
        for part in _parts(batch, size):
            for targets, weights in _targets(module, part, task, rule, generator):
                for name, square in _squares(module, tuned, part.inputs, targets, weights, logs).items():
                    sums[name] += square
    if not count:
        raise ValueError("the Fisher information of no items is not defined")
    fisher = tuple((sums[name] / count).to(p.dtype) for name, p in tuned.items())
    return Anchor(tuple(tuned), tuple(p.clone() for p in tuned.values()), fisher)


def penalty(anchor: Anchor, module: nn.Module) -> Tensor:
    """sum_j F_j (t_j - a_j)^2, without lambda and without the half."""
    now = dict(module.named_parameters())
    pairs = zip(anchor.names, anchor.centre, anchor.fisher, strict=True)
    return torch.stack([(fisher * (now[name] - centre).square()).sum() for name, centre, fisher in pairs]).sum()


def _targets(
    module: nn.Module, part: Batch, task: Task, rule: Rule, generator: Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """(targets (items, classes), weights (items,)) whose weighted squared gradients add up to the expectation."""
    with torch.no_grad():
        probs = probabilities(module(part.inputs), task)
    items, classes = probs.shape
    whole = torch.ones(items, device=probs.device)
    if rule == "exact":
        chances = probs * (1 - probs) if task == "multilabel" else probs
        for number in range(classes):
            target = torch.zeros_like(probs)
            target[:, number] = 1.0
            yield target, chances[:, number]
    elif rule == "empirical":
        yield one_hot(part.labels, classes).to(probs), whole
    elif task == "multilabel":
        yield torch.bernoulli(probs.to(generator.device), generator=generator).to(probs), whole
    else:
        drawn = torch.multinomial(probs.to(generator.device), 1, generator=generator)[:, 0]
        yield one_hot(drawn, classes).to(probs), whole


def _squares(
    module: nn.Module, tuned: dict[str, Tensor], inputs: Tensor, targets: Tensor, weights: Tensor, logs: Logs
) -> dict[str, Tensor]:
    """Of every parameter: the weighted sum over items of its squared gradient."""

    def value(tensors: dict[str, Tensor], x: Tensor, target: Tensor) -> Tensor:
        return logs(functional_call(module, tensors, (x[None],))[0], target)

    one = grad(value)
    if any(isinstance(part, nn.RNNBase) for part in module.modules()):  # torch cannot vectorise these
        each = [one(tuned, x, target) for x, target in zip(inputs, targets, strict=True)]
        found = {name: torch.stack([gradients[name] for gradients in each]) for name in tuned}
    else:
        found = vmap(one, in_dims=(None, 0, 0))(tuned, inputs, targets)
    return {name: torch.tensordot(weights.double(), g.double().square(), dims=1) for name, g in found.items()}


def _log(logits: Tensor, target: Tensor) -> Tensor:
    return (target * logits.log_softmax(dim=-1)).sum()


def _linear(logits: Tensor, target: Tensor) -> Tensor:
    """The logit itself: its squared gradient times p (1 - p) is a class's share of the expectation."""
    return (target * logits).sum()


def _bernoulli(logits: Tensor, target: Tensor) -> Tensor:
    return -nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="sum")


def _parts(batch: Batch, size: int) -> Iterator[Batch]:
    for start in range(0, len(batch.inputs), size):
        some = slice(start, start + size)
        yield Batch(batch.inputs[some], batch.labels[some], batch.keys[some])
