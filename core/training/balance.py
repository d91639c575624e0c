"""Rare and frequent classes: how often items are drawn, and how much each counts."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.methods._contract import FitContext
from core.training.schedule import Schedule


def balancing(labels: Tensor) -> Tensor:
    """How often each item is drawn: as often as its (rarest) class is rare."""
    if labels.ndim == 1:
        return (1.0 / torch.bincount(labels).clamp(min=1))[labels]
    rare = 1.0 / labels.sum(dim=0).clamp(min=1)
    return (labels * rare).amax(dim=1).clamp(min=float(rare.min()))


def class_weights(labels: Tensor, classes: int) -> tuple[float, ...]:
    """A weight a class, inverse to its share; their mean over the items is 1."""
    counts = torch.bincount(labels, minlength=classes) if labels.ndim == 1 else labels.sum(dim=0)
    weights = torch.where(counts > 0, len(labels) / (counts.clamp(min=1) * (counts > 0).sum()), 0.0)
    return tuple(weights.tolist())


def weighed(context: FitContext, labels: Tensor, schedule: Schedule) -> FitContext:
    """The context with class weights where the schedule asks for them."""
    if not schedule.class_weights:
        return context
    return replace(context, class_weights=class_weights(labels, context.classes))
