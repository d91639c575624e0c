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
from core.training.heard import front_of, heard
from core.training.loop import Fit, fabric_of, fit
from core.training.schedule import Schedule

T = TypeVar("T")
_REMEMBERED = 4  # trainings


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """After each epoch, and before the first."""

    accuracy: np.ndarray  # (epochs, 2) of what is trained on, and of what is held out
    loss: np.ndarray  # (epochs, 2) nats

    @property
    def epochs(self) -> np.ndarray:
        return np.arange(len(self.accuracy), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A network that has learned, and how it went."""

    network: StagedNetwork  # as it began; its first stage is what becomes of a waveform
    state: Any
    curves: Curves

    def probs(self, waves: np.ndarray) -> np.ndarray:
        """(items, classes) of (items, time)."""
        return _probs(self.state, _seen_by(self.network, waves))

    @property
    def weights(self) -> int:
        return sum(part.numel() for part in self.network.parameters())


def lecture(
    key: str,
    pieces: Pieces,
    schedule: Schedule,
    seed: int,
    look: Callable[[Curves], None],
    *,
    augment: Augment | None = None,
    **told: Any,
) -> Learned:
    """A network of the lecture notes learns the pieces that are not held out."""
    spec = registry.pick("core.backbones", "BACKBONE", key)
    config = spec.Config(seconds=SECONDS, **told)
    network = spec.build(len(pieces.names), torch_generator("lesson network", seed), config=config)
    seen = _seen_by(network, pieces.waves)
    own, new = (examples(seen[pieces.held == held], pieces.labels[pieces.held == held]) for held in (False, True))
    raw = own.with_inputs(InMemory(torch.from_numpy(pieces.waves[~pieces.held])))
    augment = augment or Augment()
    return learned(network, heard(raw, network, augment), own, new, schedule, seed, look, augment=augment)


def _seen_by(network: StagedNetwork, waves: np.ndarray) -> Tensor:
    """Spectrograms, where the network begins with them: they are the same in every epoch."""
    front = front_of(network)
    with torch.no_grad():
        return torch.from_numpy(waves) if front is None else front(torch.from_numpy(waves))


def examples(inputs: Tensor, labels: np.ndarray) -> Examples:
    keys = keys_of_items(tuple(sha256_of(one.numpy().tobytes()) for one in inputs))
    return Examples(InMemory(inputs), torch.from_numpy(labels), keys)


def learned(
    network: StagedNetwork,
    train: Examples,
    own: Examples,
    new: Examples,
    schedule: Schedule,
    seed: int,
    look: Callable[[Curves], None],
    *,
    scope: Scope = "network",
    augment: Augment | None = None,
) -> Learned:
    """``own`` are the trained items as they are, without what training does to them. ``look`` sees the curves grow."""
    context = FitContext("multiclass", int(train.labels.max()) + 1, len(train), seed)
    seen: list[tuple[tuple[float, float], tuple[float, float]]] = []

    def measure(state: Any) -> None:
        seen.append((_measured(state, own), _measured(state, new)))
        look(_curves(seen))

    config = deterministic.Config(scope=scope)
    method = _watched(max(1, len(train) // schedule.batch), measure)
    done = fit(Fit(method, config, network, context, train, schedule, augment or Augment()), fabric=fabric_of(schedule))
    measure(done.state)
    return Learned(network, done.state, _curves(seen))


def _watched(every: int, measure: Callable[[Any], None]) -> Method[Any, Any]:
    """The method, which is looked at before each epoch."""

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


def _curves(seen: list[tuple[tuple[float, float], tuple[float, float]]]) -> Curves:
    table = np.array(seen)  # (epochs, side, measure)
    return Curves(table[:, :, 0], table[:, :, 1])


_LAST: OrderedDict[Any, Any] = OrderedDict()


def remembered(key: Any, make: Callable[[], T]) -> T:
    """What was made last stays: a reader who has seen a lesson asks about a sound of their own."""
    if key not in _LAST:
        _LAST[key] = make()
        while len(_LAST) > _REMEMBERED:
            _LAST.popitem(last=False)
    return _LAST[key]
