"""Two trained networks under new heads: one learned photographs, the other learned sounds; neither knows these."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.backbones import efficientnet_lite
from core.backbones._frontends import MelPicture
from core.backbones._heads import Standardise
from core.backbones._network import StagedNetwork, Stages
from core.backbones._timm import Heard
from core.checkpoints._beginnings import plain_network
from core.checkpoints.saved import load_model
from core.fingerprint import torch_generator
from core.lessons._fits import Curves, Learned, Ready, examples, learned
from core.lessons._pieces import SECONDS, Pieces
from core.media.spectrogram import MelConfig
from core.methods._fresh import redraw
from core.settings import Settings
from core.training.schedule import Schedule

SOUND_MODEL = "soundbox-deterministic"
_SIDE = 96  # pixels: what the picture network is shown
_CHUNK = 16
_LAST = {"picture": 2, "sound": 2}  # stages that learn too when a network is fine-tuned


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A trained network, and the pieces at two of its places: where fine-tuning begins, and its features."""

    network: StagedNetwork
    tail: Stages
    below: Tensor  # (pieces, ...) what enters the tail
    features: Tensor  # (pieces, dim)

    def passed(self, waves: np.ndarray) -> tuple[Tensor, Tensor]:
        """As ``below`` and ``features``."""
        found = [_passed(self.network, self.tail, part) for part in torch.from_numpy(waves).split(_CHUNK)]
        return torch.cat([one for one, _ in found]), torch.cat([other for _, other in found])


def sources(pieces: Pieces, settings: Settings) -> Iterator[tuple[str, Source]]:
    """The picture network first."""
    for key, network in (("picture", _picture_network()), ("sound", plain_network(load_model(SOUND_MODEL, settings)))):
        bare = Source(network, network.stages[-_LAST[key] :], torch.empty(0), torch.empty(0))
        yield key, Source(network, bare.tail, *bare.passed(pieces.waves))


def shown(waves: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """(rows, columns, 3) uint8: sounds as the picture network is shown them."""
    network = _picture_network()
    front = network.stages[0][1]
    assert isinstance(front, MelPicture)
    for samples in waves:
        with torch.no_grad():
            seen = front(torch.from_numpy(samples)[None])[0].permute(1, 2, 0).numpy()
        pixels = seen * np.array(front.std) + np.array(front.mean)
        yield np.round(255.0 * pixels.clip(0.0, 1.0)).astype(np.uint8)


def frozen(source: Source, pieces: Pieces, own: np.ndarray, seed: int) -> Learned:
    """A new head on fixed features. ``own`` (pieces,) says which are learned."""
    head = _head(source.features[own], len(pieces.names), seed)
    network = _network(source, (), head)
    schedule = Schedule(epochs=60, batch=len(pieces.labels), optimiser="adam", rate=1e-2)
    return learned(_ready(network, source.features, pieces, own), schedule, seed, _unseen, scope="head", every=60)


def tuned(source: Source, pieces: Pieces, own: np.ndarray, seed: int, rounds: int) -> Learned:
    """The last stages learn too, from what they are."""
    head = _head(source.features[own], len(pieces.names), seed)
    network = _network(source, copy.deepcopy(source.tail), head)
    schedule = Schedule(epochs=rounds, batch=8, optimiser="adam", rate=3e-4, head_rate=1e-2)
    return learned(_ready(network, source.below, pieces, own), schedule, seed, _unseen, still=True, every=rounds)


def _unseen(curves: Curves) -> None:
    pass


def _ready(network: StagedNetwork, inputs: Tensor, pieces: Pieces, own: np.ndarray) -> Ready:
    parts = (examples(inputs[rows], pieces.labels[rows]) for rows in (own, pieces.held))
    return Ready(network, *parts)


def _network(source: Source, stages: Stages, head: nn.Module) -> StagedNetwork:
    network = StagedNetwork(source.network.key, "audio", source.network.dim, source.network.entry)
    network.own(stages, head)
    return network.freeze()


def _head(features: Tensor, classes: int, seed: int) -> nn.Module:
    standard = Standardise(features.shape[1])
    standard.learn(features)
    last = nn.utils.skip_init(nn.Linear, features.shape[1], classes)
    redraw(last, torch_generator("lesson head", seed))
    return nn.Sequential(standard, last)


def _picture_network() -> StagedNetwork:
    heard = Heard(SECONDS, MelConfig(mels=_SIDE))
    config = efficientnet_lite.Config(kind="audio", size=_SIDE, heard=heard)
    return efficientnet_lite.build(2, torch_generator("lesson head"), config=config)


def _passed(network: StagedNetwork, tail: Stages, x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        for _, stage in network.stages[: -len(tail)]:
            x = stage(x)
        below = x
        for _, stage in tail:
            x = stage(x)
    return below, x
