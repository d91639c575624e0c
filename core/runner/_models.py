"""The models in the worker's memory: the last used stay, as far as their weights fit."""

from __future__ import annotations

import gc
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.checkpoints.answering import device_of
from core.checkpoints.folders import find, mark_of
from core.checkpoints.saved import Model, load_model
from core.checkpoints.vectors import vectors_of
from core.methods._held import held_by
from core.runner._contract import Limits
from core.settings import Settings
from core.store import Backbone


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    model: Model
    mark: str
    device: str
    memory: int  # bytes of its weights
    vectors: Backbone  # whose its features are


class Models:
    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._held: Kept | None = None

    def hold(self, model: Model, mark: str) -> None:
        """One that is loaded already, on the device where it is."""
        self._held = _kept(model, mark, device_of(model).type)

    def __call__(self, name: str, device: str) -> Kept:
        """The model on the device, loaded where it is not there or was trained again since."""
        if self._held is not None and self._held.model.name == name:
            return self._held
        mark = mark_of(find(name, self._settings))
        kept = self._kept.pop((name, device), None)
        if kept is None or kept.mark != mark:
            kept = None  # what it took is given back first
            model = load_model(name, self._settings, device)
            kept = _kept(model, mark, device)
        self._kept[name, device] = kept
        self._make_room()
        return kept

    def shrink(self) -> None:
        """Forget all but the last used: its device has no memory left."""
        while len(self._kept) > 1:
            self._kept.popitem(last=False)
        release()

    def all(self) -> tuple[Kept, ...]:
        """The last used at the end."""
        return tuple(self._kept.values())

    def _make_room(self) -> None:
        before = len(self._kept)
        while len(self._kept) > 1 and (
            len(self._kept) > self._limits.models
            or sum(kept.memory for kept in self._kept.values()) > self._limits.memory
        ):
            self._kept.popitem(last=False)
        if len(self._kept) < before:
            release()


def _kept(model: Model, mark: str, device: str) -> Kept:
    return Kept(model, mark, device, memory_of(model), vectors_of(model, mark))


def memory_of(model: Model) -> int:
    """Bytes of all its numbers; what the network shares with the State counts once."""
    found: dict[int, int] = {}
    tensors: list[Any] = [*model.network.state_dict().values(), *held_by(model.state).tensors.values()]
    tensors += [] if model.density is None else list(model.density.tensors().values())
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            found[tensor.data_ptr()] = max(found.get(tensor.data_ptr(), 0), tensor.numel() * tensor.element_size())
    return sum(found.values())


def release() -> None:
    """Modules hold one another; what they hold is free once they are collected."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
