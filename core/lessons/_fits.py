"""A network that learns a few pieces of sound, looked at after every epoch: what it knows of its own, and of others."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from core import registry
from core.backbones._network import StagedNetwork
from core.contracts import Scope
from core.fingerprint import sha256_of, torch_generator
from core.layers.augmentsite import augmenting
from core.lessons._pieces import SECONDS, Pieces
from core.methods import deterministic
from core.methods._contract import Batch, FitContext, Method, Step
from core.training.augment import Augment
from core.training.examples import Examples, InMemory, keys_of_items
from core.training.heard import front_of
from core.training.loop import Fit, fabric_of, fit
from core.training.schedule import Schedule

T = TypeVar("T")
_REMEMBERED = 4  # trainings


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Before the first epoch, and whenever it was looked at since."""

    epochs: np.ndarray  # (looks,)
    accuracy: np.ndarray  # (looks, 2) of what is trained on, and of what is held out
    loss: np.ndarray  # (looks, 2) nats


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A network that has learned, and how it went."""

    network: StagedNetwork  # as it began; its first stage is what becomes of a waveform
    state: Any
    curves: Curves

    def probs(self, waves: np.ndarray) -> np.ndarray:
        """(items, classes) of (items, time)."""
        return self.answers(_seen_by(self.network, waves))

    def answers(self, inputs: Tensor) -> np.ndarray:
        """(items, classes) of what the network takes, or of features for a head."""
        return _probs(self.state, inputs)

    @property
    def weights(self) -> int:
        return sum(part.numel() for part in self.network.parameters())


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A network before it learns, and what it gets: ``own`` to learn from, ``new`` to be judged by."""

    network: StagedNetwork
    own: Examples
    new: Examples


def ready(key: str, pieces: Pieces, seed: int) -> Ready:
    """A network of the lecture notes."""
    spec = registry.pick("core.backbones", "BACKBONE", key)
    generator = torch_generator("lesson network", seed)
    network = spec.build(len(pieces.names), generator, config=spec.Config(seconds=SECONDS))
    seen = _seen_by(network, pieces.waves)
    own, new = (examples(seen[pieces.held == held], pieces.labels[pieces.held == held]) for held in (False, True))
    return Ready(network, own, new)


def _seen_by(network: StagedNetwork, waves: np.ndarray) -> Tensor:
    """Spectrograms, where the network begins with them: they are the same in every epoch."""
    front = front_of(network)
    with torch.no_grad():
        return torch.from_numpy(waves) if front is None else front(torch.from_numpy(waves))


def examples(inputs: Tensor, labels: np.ndarray) -> Examples:
    keys = keys_of_items(tuple(sha256_of(one.numpy().tobytes()) for one in inputs))
    return Examples(InMemory(inputs), torch.from_numpy(labels), keys)


def learned(
    start: Ready,
    schedule: Schedule,
    seed: int,
    look: Callable[[Curves], None],
    *,
    scope: Scope = "network",
    augment: Augment | None = None,
    every: int = 1,
    still: bool = False,
) -> Learned:
    """Looked at every so many epochs, at the items as they are; ``look`` sees the curves grow.

    ``augment`` changes spectrograms, inside the network; ``still`` keeps the statistics of its normalisations.
    """
    context = FitContext("multiclass", int(start.own.labels.max()) + 1, len(start.own), seed)
    seen: list[tuple[float, tuple[float, float], tuple[float, float]]] = []
    an_epoch = max(1, len(start.own) // schedule.batch)

    def measure(state: Any) -> None:
        seen.append((state.steps / an_epoch, _measured(state, start.own), _measured(state, start.new)))
        look(_curves(seen))

    method = _watched(an_epoch * every, measure)
    config = deterministic.Config(scope=scope, statistics=not still)
    wanted = Fit(method, config, start.network, context, start.own, schedule, augment or Augment())
    done = fit(wanted, fabric=fabric_of(schedule))
    measure(done.state)
    return Learned(start.network, done.state, _curves(seen))


def _watched(every: int, measure: Callable[[Any], None]) -> Method[Any, Any]:
    """The method, which is looked at before each ``every`` steps."""

    def update(state: Any, batch: Batch, generator: torch.Generator, step: Step) -> Any:
        if state.steps % every == 0:
            measure(state)
        return deterministic.update(state, batch, generator, step)

    return replace(deterministic.METHOD, update=update)


def _measured(state: Any, asked: Examples) -> tuple[float, float]:
    """Accuracy, and loss in nats."""
    probs, labels = _probs(state, asked.inputs.take(torch.arange(len(asked)), 0)), asked.labels.numpy()
    right = probs.argmax(axis=1) == labels
    return float(right.mean()), float(-np.log(np.maximum(probs[np.arange(len(labels)), labels], 1e-12)).mean())


def _probs(state: Any, inputs: Tensor) -> np.ndarray:
    """(items, classes)."""
    with torch.no_grad(), augmenting(None):  # as it is, also in the middle of a training step
        keys = torch.zeros(len(inputs), dtype=torch.int64)
        return deterministic.predict(state, inputs, keys, draws=1, seed=0).probs[0].double().numpy()


def _curves(seen: list[tuple[float, tuple[float, float], tuple[float, float]]]) -> Curves:
    epochs, own, new = (np.array(part) for part in zip(*seen, strict=True))
    return Curves(epochs, np.stack([own[:, 0], new[:, 0]], axis=1), np.stack([own[:, 1], new[:, 1]], axis=1))


_LAST: OrderedDict[Any, Any] = OrderedDict()


def remembered(key: Any, make: Callable[[], T]) -> T:
    """What was made last stays: a reader who has seen a lesson asks about a sound of their own."""
    if key not in _LAST:
        _LAST[key] = make()
        while len(_LAST) > _REMEMBERED:
            _LAST.popitem(last=False)
    return _LAST[key]
