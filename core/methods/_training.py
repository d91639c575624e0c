"""What the gradient methods share while they fit: their noise, their copies, and batch statistics that move."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from core.contracts import Network, Scope
from core.fingerprint import seed_of
from core.layers import NoiseContext
from core.layers.masks import MaskedDropout
from core.methods._contract import FitContext

AnyModule = TypeVar("AnyModule", bound=nn.Module)
Rates = tuple[tuple[str, float], ...]  # a dropout site's name and its rate while it is awake


def part_of(network: Network, scope: Scope) -> nn.Module:
    """What a method of this scope works on: the head, or the network, which is a torch module too."""
    return network.head if scope == "head" else cast(nn.Module, network)


def trainable_copy(module: AnyModule) -> AnyModule:
    """A copy of its own whose parameters all train, in eval: what the methods keep between two updates."""
    return copy.deepcopy(module).eval().requires_grad_(True)


def frozen_copy(module: AnyModule) -> AnyModule:
    """A copy of its own that nothing trains, for members to share."""
    return copy.deepcopy(module).eval().requires_grad_(False)


def step_noise(context: FitContext, steps: int, keys: Tensor, *, draw: int = 0) -> NoiseContext:
    """The noise of one update: other masks for every step and item, the same again when a run is resumed."""
    return NoiseContext(seed_of("update", context.seed, steps), torch.full_like(keys, draw), keys)


def logits_of(scope: Scope, model: nn.Module, inputs: Tensor) -> Tensor:
    """Of features for a head, of inputs for a network."""
    if scope == "head":
        return model(inputs)
    network = cast(Network, model)
    return network.head(network.embed(inputs))


def rest(model: nn.Module, names: Collection[str] | None = None) -> Rates:
    """Switch dropout sites off (all, or those named), and say what their rates were."""
    found = [site for site in sites_of(model) if names is None or site.name in names]
    rates = tuple((site.name, site.p) for site in found)
    for site in found:
        site.p = 0.0
    return rates


def sites_of(model: nn.Module) -> tuple[MaskedDropout, ...]:
    """The dropout sites that drop anything."""
    return tuple(part for part in model.modules() if isinstance(part, MaskedDropout) and part.p > 0)


@contextmanager
def awake(model: nn.Module, rates: Rates) -> Iterator[None]:
    """Inside, sites that rest drop as they did; for updates only."""
    known = dict(rates)
    found = [part for part in model.modules() if isinstance(part, MaskedDropout) and part.name in known]
    for site in found:
        site.p = known[site.name]
    try:
        yield
    finally:
        for site in found:
            site.p = 0.0


@contextmanager
def batch_statistics(module: nn.Module, moving: bool) -> Iterator[None]:
    """Inside, batch normalisations use and follow the batch. Nothing else ever leaves eval.

    Outside, and always where ``moving`` is False, they use the statistics they hold: a State is ready to answer
    between any two updates.
    """
    found = [part for part in module.modules() if isinstance(part, _BatchNorm)] if moving else []
    for part in found:
        part.train()
    try:
        yield
    finally:
        for part in found:
            part.eval()
