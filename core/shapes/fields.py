"""Asking trained fields: one or several networks, each with a method's State for its decoder, at any number of places.

The maps of a shape are made once; places go through in chunks, so the memory beside the answer does not grow with
their number. All places of a shape share its key, so that a draw of MC dropout is one function of space.

A field may also be trained to a signed distance d (negative inside): its target is sigmoid(-d / tau) and the loss the
same cross-entropy, whose minimum is the logit -d / tau. Far from the surface, beyond some tau, the distance is only
known to be large, as in a truncated distance field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.contracts import Predictive, Uncertainty
from core.methods._contract import Method
from core.methods._held import moved
from core.metrics.uncertainty import decompose
from core.shapes.networks import FieldNetwork

CHUNK = 8192  # places at a time


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A network whose encoder makes the codes, and the State of a head-scope method that decodes them."""

    network: FieldNetwork
    method: Method[Any, Any]
    state: Any


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """What answers: its parts' draws, one after the other."""

    parts: tuple[Part, ...]
    draws: int = 1  # of each part; methods with members have as many as these

    def to(self, device: str) -> Field:
        """The same modules, which move there."""
        parts = (replace(p, network=p.network.to(device), state=moved(p.state, device)) for p in self.parts)
        return replace(self, parts=tuple(parts))


def ask(
    field: Field, grid: np.ndarray, places: np.ndarray, *, key: int = 0, seed: int = 0, chunk: int = CHUNK
) -> np.ndarray:
    """(draws, places) float32 probabilities of being inside, for one shape's grid and places in the unit cube."""
    found = [_asked(part, field.draws, grid, places, key, seed, chunk) for part in field.parts]
    return np.concatenate(found)


def doubt_of(probs: np.ndarray) -> Uncertainty:
    """Of (draws, places): entropies in nats, of at most ln 2."""
    return decompose(Predictive(torch.from_numpy(probs)[..., None], "multilabel"))


def target_of(distance: np.ndarray, tau: float) -> np.ndarray:
    """What a field that knows distances should answer."""
    return 1.0 / (1.0 + np.exp(np.clip(np.asarray(distance, np.float64) / tau, -60.0, 60.0)))


def distance_of(probs: np.ndarray, tau: float) -> np.ndarray:
    """The distance that an answer stands for, in the unit of tau."""
    certain = np.clip(np.asarray(probs, np.float64), 1e-7, 1.0 - 1e-7)
    return -tau * np.log(certain / (1.0 - certain))


def features_of(network: FieldNetwork, grid: np.ndarray, places: np.ndarray, chunk: int = CHUNK) -> Tensor:
    """(places, dim + code) of one shape, on the CPU: what a frozen encoder gives its decoder to learn from."""
    with torch.no_grad():
        return torch.cat([part.cpu() for part in _codes(network, grid, places, chunk)])


def _asked(part: Part, draws: int, grid: np.ndarray, places: np.ndarray, key: int, seed: int, chunk: int) -> np.ndarray:
    found: list[np.ndarray] = []
    with torch.no_grad():
        for features in _codes(part.network, grid, places, chunk):
            keys = torch.full((len(features),), key, dtype=torch.int64, device=features.device)
            answer = part.method.predict(part.state, features, keys, draws=draws, seed=seed)
            found.append(answer.probs[..., 0].float().cpu().numpy())
    return np.concatenate(found, axis=1)


def _codes(network: FieldNetwork, grid: np.ndarray, places: np.ndarray, chunk: int) -> Iterator[Tensor]:
    if grid.shape != network.config.shape:
        raise ValueError(f"this network takes a grid of {network.config.shape} nodes, not of {grid.shape}")
    device = next(network.parameters()).device
    maps = network.encoder.maps(_on(grid, device)[None])
    for start in range(0, len(places), chunk):
        yield network.encoder.at(maps, _on(places[start : start + chunk], device)[None])[0]


def _on(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device)
