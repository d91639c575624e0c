"""A plain loop around a method: what the training loop of the project does, without its comfort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from core.contracts import Network
from core.methods._contract import Batch, FitContext, Method, frozen, parameters_of


class Stepper:
    """``step`` of a plain optimiser. It keeps the losses, and does nothing for methods that never call it."""

    def __init__(self, state: Any, rate: float = 0.01) -> None:
        found = parameters_of(state)
        self.optimiser = torch.optim.Adam(found, lr=rate) if found else None
        self.losses: list[float] = []
        self.parts: list[dict[str, float]] = []

    def __call__(self, loss: Tensor, parts: Mapping[str, float]) -> None:
        assert self.optimiser is not None, "a method that steps has parameters that train"
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.losses.append(float(loss.detach()))
        self.parts.append(dict(parts))


def fit(
    method: Method[Any, Any],
    config: Any,
    network: Network,
    context: FitContext,
    data: tuple[Tensor, Tensor, Tensor],
    *,
    epochs: int = 1,
    size: int = 16,
    rate: float = 0.01,
    seed: int = 0,
) -> tuple[Any, Stepper]:
    """A frozen State fitted on (inputs, labels, keys), and the losses on the way."""
    generator = torch.Generator().manual_seed(seed)
    state = method.init(config, network, context, generator)
    step = Stepper(state, rate)
    for _ in range(1 if method.single_pass else epochs):
        order = torch.randperm(len(data[0]), generator=generator)
        for picked in order.split(size):
            batch = Batch(*(part[picked] for part in data))
            state = method.update(state, batch, generator, step)
    return frozen(method.finish(state)), step
