"""A picture as a function of place, fitted to the few pixels that are left: a colour field.

Equation:
    colour(x) = sigmoid(net([sin 2 pi B x, cos 2 pi B x])),      B_ij ~ N(0, s^2), drawn once

x, B    a place in the unit square; the waves in which it is written (Tancik et al. 2020,
        https://arxiv.org/abs/2006.10739), without which a small network sees no detail
s       how fine these waves are

It is the idea of a radiance field in the plane: one small network holds one scene and fills in what was not seen. There
is no second set: Dropsembles fits one network, thins it M times and fits each copy on, all to the same pixels; a deep
ensemble fits M networks from M starts.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.backbones._drawing import undrawn
from core.backbones._network import StagedNetwork
from core.contracts import Progress, no_progress
from core.fingerprint import numpy_generator, seed_of, torch_generator
from core.layers.masks import MaskedDropout
from core.methods import deterministic, dropsembles
from core.methods._contract import FitContext, Method
from core.methods._fresh import redraw
from core.metrics.ranks import spearman
from core.shapes.colours import Config, Painted, left_of
from core.shapes.networks import NoMedia
from core.training.augmenting import Augment
from core.training.examples import Examples, InMemory
from core.training.loop import Fit, Fitted, fit
from core.training.schedule import Schedule

_HEAD = deterministic.Config(scope="head")


def painted(pixels: np.ndarray, config: Config, progress: Progress = no_progress) -> tuple[Painted, ...]:
    """A single network, Dropsembles and a deep ensemble on a picture (height, width, 3) in [0, 1]; pure."""
    left, asked = left_of(pixels, config), _places(pixels.shape[:2])
    labels = torch.from_numpy(pixels[left]).float()
    networks = [_network(config, member) for member in range(config.members)]
    fits: list[Fitted] = []
    for member, network in enumerate(networks):
        progress(member, config.members + 1, "a network")
        fits.append(_fitted(deterministic.METHOD, _HEAD, network, asked[left.ravel()], labels, config, member))
    progress(config.members, config.members + 1, "thinned copies")
    first = networks[0]
    first.head = fits[0].state.model
    settings = dropsembles.Config(scope="head", members=config.members)
    thinned = _fitted(dropsembles.METHOD, settings, first, asked[left.ravel()], labels, config, 0, later=True)
    spent = [one.seconds for one in fits]
    answers = {
        "single": (_asked(deterministic.METHOD, fits[:1], networks, asked), spent[0]),
        "free": (_asked(dropsembles.METHOD, [thinned], networks, asked), spent[0] + thinned.seconds),
        "ensemble": (_asked(deterministic.METHOD, fits, networks, asked), sum(spent)),
    }
    return tuple(_judged(key, draws, pixels, left, seconds) for key, (draws, seconds) in answers.items())


class _Colours(StagedNetwork):
    def __init__(self, config: Config) -> None:
        super().__init__("colours", "image", 2 * config.waves, NoMedia())
        sizes = (self.dim, config.width, config.width)
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(itertools.pairwise(sizes)):
            layers += [nn.Linear(before, after), nn.ReLU(), MaskedDropout(config.rate, f"head.drop{number}")]
        self.own((("waves", _Waves(config)),), nn.Sequential(*layers, nn.Linear(config.width, 3)))


class _Waves(nn.Module):
    numbers: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        generator = numpy_generator("waves", config.seed)
        drawn = generator.normal(scale=config.fineness, size=(2, config.waves))
        self.register_buffer("numbers", torch.from_numpy(drawn).float())

    def forward(self, places: Tensor) -> Tensor:
        turns = 2 * math.pi * places @ self.numbers
        return torch.cat([turns.sin(), turns.cos()], dim=1)


def _network(config: Config, member: int) -> _Colours:
    with undrawn():  # but for the waves, which are the same in every network
        network = _Colours(config)
    redraw(network.head, torch_generator("colours", config.seed, member))
    network.freeze()
    return network


def _fitted(
    method: Method[Any, Any],
    settings: Any,
    network: _Colours,
    places: Tensor,
    labels: Tensor,
    config: Config,
    member: int,
    *,
    later: bool = False,
) -> Fitted:
    """All pixels that are left in every step."""
    steps, rate = (config.later, config.learning_rate / 2) if later else (config.steps, config.learning_rate)
    schedule = Schedule(epochs=steps, batch=len(labels), optimiser="adam", rate=rate)
    context = FitContext("multilabel", 3, len(labels), seed_of("colours", config.seed, member))
    examples = Examples(InMemory(network.embed(places)), labels, torch.arange(len(labels)))
    return fit(Fit(method, settings, network, context, examples, schedule, Augment()))


def _asked(method: Method[Any, Any], fits: list[Fitted], networks: list[_Colours], places: Tensor) -> np.ndarray:
    """(draws, places, 3)"""
    keys = torch.arange(len(places))
    with torch.no_grad():
        found = [
            method.predict(one.state, network.embed(places), keys, draws=1, seed=0).probs
            for one, network in zip(fits, networks, strict=False)
        ]
    return torch.cat(found).numpy()


def _judged(key: str, draws: np.ndarray, pixels: np.ndarray, left: np.ndarray, seconds: float) -> Painted:
    mean = draws.mean(axis=0).reshape(pixels.shape)
    doubt = draws.std(axis=0).mean(axis=-1).reshape(left.shape)
    wrong = (mean - pixels)[~left]
    psnr = -10.0 * math.log10(max(float((wrong**2).mean()), 1e-10))
    ranks = None if len(draws) == 1 else spearman(doubt[~left], np.abs(wrong).mean(axis=-1)).value
    return Painted(key, mean, doubt.astype(np.float32), psnr, ranks, seconds)


def _places(shape: tuple[int, ...]) -> Tensor:
    """(pixels, 2) in the unit square, last axis fastest."""
    axes = [(torch.arange(count) + 0.5) / max(shape) for count in shape]
    return torch.stack([part.ravel() for part in torch.meshgrid(*axes, indexing="ij")], dim=1)
