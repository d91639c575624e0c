"""A fixed network below a head that trains: no weight and no running statistic of it changes by one bit."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from torch import nn

from core.methods._contract import modules_of

C = TypeVar("C")


def with_still_statistics(config: C) -> C:
    """The method's settings with batch normalisations that do not follow the data."""
    return replace(config, statistics=False) if getattr(config, "statistics", False) else config  # type: ignore[type-var]


def freeze_below(state: object) -> None:
    """What trained outside the heads of a State's networks trains no more."""
    for module in modules_of(state):
        head = getattr(module, "head", None)
        if isinstance(head, nn.Module):
            kept = {id(parameter) for parameter in head.parameters()}
            for parameter in module.parameters():
                if id(parameter) not in kept:
                    parameter.requires_grad_(False)
