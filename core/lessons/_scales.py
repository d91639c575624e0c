"""Random scales in the plane: members of one trained network, networks from scratch, and the way between two."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from core.backbones._network import StagedNetwork
from core.contracts import Network
from core.fingerprint import torch_generator
from core.layers.bayesnorm import BayesNorm
from core.lessons._plane_fits import fitted
from core.methods import abnn, deterministic, ensemble, flipout
from core.methods._contract import Batch, FitContext
from core.methods._fresh import redraw
from core.methods._training import batch_statistics
from core.training._plane_moons import Points
from core.training.loop import fabric_of
from core.training.plane import NoMedia, examples_of
from core.training.schedule import Schedule

WIDTH = 32
_LATER = 20  # steps of fine-tuning
_SOME = 32  # points in a small batch
_REPEATS = 32  # gradients whose spread is looked at
_RHO = -3.0  # of Flipout, where its authors begin


class Normed(StagedNetwork):
    """Linear, normalise, ReLU, three times; then two classes."""

    def __init__(self) -> None:
        super().__init__("plane", "image", WIDTH, NoMedia())
        blocks = []
        for number, before in enumerate((2, WIDTH, WIDTH), start=1):
            linear = nn.utils.skip_init(nn.Linear, before, WIDTH)
            blocks.append((f"block{number}", nn.Sequential(linear, nn.BatchNorm1d(WIDTH), nn.ReLU())))
        self.own(tuple(blocks), nn.utils.skip_init(nn.Linear, WIDTH, 2))


def trained(points: Points, seed: int, steps: int) -> deterministic.State:
    config = deterministic.Config(scope="network")
    return fitted(deterministic.METHOD, config, _fresh(seed), points, seed, steps, fabric_of(Schedule())).state


def from_scratch(points: Points, members: int, seed: int, steps: int) -> ensemble.State:
    config = ensemble.Config(scope="network", members=members)
    return fitted(ensemble.METHOD, config, _fresh(seed), points, seed, steps, fabric_of(Schedule())).state


def shaken(network: Network, points: Points, config: abnn.Config, seed: int) -> abnn.State:
    """Members, each fine-tuned with its own classes boosted while its scales are shaken."""
    return fitted(abnn.METHOD, config, network, points, seed, _LATER, fabric_of(Schedule())).state


def untuned(network: Network, points: Points, config: abnn.Config, seed: int) -> abnn.State:
    """The noise alone: nothing is fine-tuned."""
    return abnn.init(config, network, FitContext("multiclass", 2, len(points), seed), torch_generator("unused"))


def quiet(state: abnn.State) -> abnn.State:
    """The same members without their noise."""
    members = copy.deepcopy(state.members)
    for part in (part for member in members for part in member.modules()):
        if isinstance(part, BayesNorm):
            part.alpha = 0.0
    return replace(state, members=members)


def way(pair: Sequence[nn.Module], points: Points, shares: np.ndarray, anew: bool) -> np.ndarray:
    """(shares,) the loss on the points with all weights on the straight line between two networks, without noise.

    ``anew``: running statistics are taken again at every place, since a mixture of two networks' is neither's.
    """
    walker = copy.deepcopy(pair[0])
    ends = [dict(network.named_parameters()) for network in pair]
    batch, losses = _batch(points), []
    for share in shares.tolist():
        with torch.no_grad(), batch_statistics(walker, anew):
            for name, part in walker.named_parameters():
                part.copy_(torch.lerp(ends[0][name], ends[1][name], share))
            losses.append(float(nn.functional.cross_entropy(walker(batch.inputs), batch.labels)))
    return np.array(losses)


def gradient_noise(
    network: Network, points: Points, alphas: Sequence[float], seed: int
) -> tuple[float, float, np.ndarray]:
    """Standard deviation of the gradient of the scales and shifts: from one small batch to the next without noise,
    of Flipout's weights over all points, and (alphas,) of shaken scales over all points."""
    context = FitContext("multiclass", 2, len(points), seed)
    whole, unused = _batch(points), torch_generator("unused")
    plain = deterministic.init(deterministic.Config("network", False, False), network, context, unused)
    order = torch_generator("batches", seed)
    some = [torch.randperm(len(points), generator=order)[:_SOME] for _ in range(_REPEATS)]
    parts = [Batch(whole.inputs[rows], whole.labels[rows], whole.keys[rows]) for rows in some]
    batches = _spread(plain, plain.model, deterministic.update, parts)
    config = flipout.Config(scope="network", rho=_RHO, rho_spread=0.0, kl_factor=0.0, statistics=False, dropout=False)
    random = flipout.init(config, network, context, torch_generator("flipout", seed))
    weights = _spread(random, random.model, flipout.update, [whole] * _REPEATS)
    scales = []
    for alpha in alphas:
        state = abnn.init(abnn.Config(members=1, alpha=alpha, boost=1.0), network, context, unused)
        scales.append(_spread(state, state.members[0], abnn.update, [whole] * _REPEATS))
    return batches, weights, np.array(scales)


def sizes(member: nn.Module) -> tuple[int, int]:
    """How many numbers are a member's own, and how many it has."""
    own = [part for layer in member.modules() if isinstance(layer, BayesNorm) for part in layer.parameters()]
    return sum(part.numel() for part in own), sum(part.numel() for part in member.parameters())


def _spread(state: Any, model: nn.Module, update: Callable[..., Any], batches: Sequence[Batch]) -> float:
    """The root of the mean variance, over batches and draws, of the gradient of what normalisations learn."""
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm1d)]
    wanted = [part for norm in norms for part in norm.parameters()]
    seen: list[Tensor] = []

    def look(loss: Tensor, parts: object) -> None:
        seen.append(torch.cat(torch.autograd.grad(loss, wanted)))

    for step, batch in enumerate(batches):
        update(replace(state, steps=step), batch, torch_generator("unused"), look)
    return float(torch.stack(seen).double().var(dim=0).mean().sqrt())


def _batch(points: Points) -> Batch:
    asked = examples_of(points)
    return Batch(asked.inputs.take(torch.arange(len(asked)), 0), asked.labels, asked.keys)


def _fresh(seed: int) -> Normed:
    network = Normed()
    redraw(network, torch_generator("lesson scales", seed))
    return cast(Normed, network.freeze())
