"""Dropsembles in the plane: a network that knows one world, thinned into members that are taught another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
import torch
from torch import Tensor

from core.fingerprint import torch_generator
from core.layers.masks import MemberMask
from core.lessons._plane_fits import WIDTH, fitted
from core.methods import deterministic, dropsembles
from core.methods._contract import Batch, FitContext, parameters_of
from core.methods._fresh import redraw
from core.training._plane_moons import Points
from core.training.loop import batches_of, fabric_of
from core.training.plane import PlaneNetwork, examples_of
from core.training.schedule import Schedule

_SPEED = 3e-3  # of the later learning


def knowing(points: Points, rate: float, seed: int, steps: int) -> PlaneNetwork:
    """A network with dropout that has learned these points."""
    network, trained = (_fresh(rate, seed) for _ in range(2))
    config = deterministic.Config(scope="head")
    trained.head = fitted(deterministic.METHOD, config, network, points, seed, steps, fabric_of(Schedule())).state.model
    return trained


def thinned(
    network: PlaneNetwork, old: Points, new: Points, strength: float, members: int, seed: int
) -> dropsembles.State:
    """Members that have not learned anything yet, held to what the network knows of its old points."""
    config = dropsembles.Config(scope="head", members=members, ewc=strength)
    context = FitContext("multiclass", 2, len(new), seed)
    state = dropsembles.init(config, network, context, torch_generator("unused"))
    if not strength:
        return state
    return dropsembles.anchored(state, batches_of(examples_of(old), 256), torch_generator("fisher", seed))


def taught(state: dropsembles.State, points: Points, steps: int, every: int) -> Iterator[dropsembles.State]:
    """As it is at the beginning, and after every so many steps; each step sees all points."""
    optimiser = torch.optim.Adam(parameters_of(state), lr=_SPEED)
    asked = examples_of(points)
    batch = Batch(asked.inputs.take(torch.arange(len(asked)), 0), asked.labels, asked.keys)

    def step(loss: Tensor, parts: Mapping[str, float]) -> None:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    yield state
    for number in range(1, steps + 1):
        state = dropsembles.update(state, batch, torch_generator("unused"), step)
        if number % every == 0:
            yield state


def masks_of(state: dropsembles.State) -> np.ndarray:
    """(members, layers, units) True where a unit is kept."""
    return np.stack(
        [
            np.stack([part.mask[0].numpy() for part in member.modules() if isinstance(part, MemberMask)])
            for member in state.members
        ]
    )


def _fresh(rate: float, seed: int) -> PlaneNetwork:
    network = PlaneNetwork(WIDTH, rate)
    redraw(network, torch_generator("lesson thinned", seed))
    return cast(PlaneNetwork, network.freeze())
