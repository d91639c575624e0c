"""What the worker does with a message: prepare, load, answer, and go on with less where memory runs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.checkpoints.answering import answers
from core.checkpoints.answers import Answers
from core.checkpoints.saved import Model
from core.contracts import Media, Receipt
from core.device import choose
from core.errors import UserFacingError
from core.layers import keys_of
from core.methods._folding import ROWS, passes
from core.runner._contract import Limits
from core.runner._models import Kept, Models, release
from core.runner._telling import alone, arrays_of, facts_of
from core.runner._wire import Message
from core.settings import Settings

_BATCH = 64  # items in one pass, until memory runs out
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
_POISON = ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "device-side assert", "NCCL error")

Told = tuple[Message, list[np.ndarray]]


class Poisoned(Exception):
    """The device's context is lost: nothing that this process computes from here on can be trusted."""


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Inputs of one shape, as answering asks for them."""

    inputs: Batch
    keys: Tensor
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    tensor: Tensor

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        return self.tensor[rows]


@dataclass(slots=True, eq=False)
class Ready:
    """One request of a message: its inputs, or why it has none."""

    inputs: list[Tensor]
    keys: list[str]
    receipts: list[Receipt]
    refused: UserFacingError | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """How much goes through a network at once."""

    items: int = _BATCH
    rows: int = ROWS  # (draw, item) pairs

    def halved(self) -> Size:
        return Size(max(1, self.items // 2), max(1, self.rows // 2))


class Computing:
    """Everything that a worker holds. One message at a time."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._settings = settings
        self._models = Models(settings, limits)
        self._sizes: dict[tuple[str, str], Size] = {}  # what went through before

    def told(self, message: Message, arrays: Sequence[np.ndarray], alive: Callable[[], None]) -> Told:
        try:
            kept = self._loaded(message["model"], message["device"])
            alive()
            if message["event"] == "load":
                return {"loaded": self.loaded()}, []
            told, found = self._answered(kept, message, arrays, alive)
        except UserFacingError as error:
            return {"refused": refusal(error), "loaded": self.loaded()}, []
        return {"answers": told, "loaded": self.loaded()}, found

    def hold(self, model: Model, mark: str) -> None:
        """Answer for a model that is loaded already."""
        self._models.hold(model, mark)

    def loaded(self) -> list[Message]:
        return [
            {
                "name": kept.model.name,
                "device": kept.device,
                "memory": kept.memory,
                "draws": kept.model.method.own_draws(kept.model.state.config),
            }
            for kept in self._models.all()
        ]

    def _loaded(self, name: str, wish: str) -> Kept:
        device = choose(self._settings.device if wish == "auto" else wish).key
        return self.guarded(lambda: self._models(name, device))

    def _answered(
        self, kept: Kept, message: Message, arrays: Sequence[np.ndarray], alive: Callable[[], None]
    ) -> tuple[list[Message], list[np.ndarray]]:
        if message["first"] and kept.model.card.scope != "network":
            raise ValueError("only a whole network goes on where its draws ended")
        ready = _ready(kept, message, arrays)
        good = [one for one in ready if one.refused is None]
        began = time.perf_counter()
        keys = [key for one in good for key in one.keys]
        inputs = [tensor for one in good for tensor in one.inputs]
        said = self._said_of_all(kept, message, inputs, keys, alive) if good else []
        facts = {"seconds": time.perf_counter() - began, "together": len(keys)}
        told, found, start = [], [], 0
        for one in ready:
            if one.refused is not None:
                told.append({"refused": refusal(one.refused)})
                continue
            mine = said[start : start + len(one.keys)]
            start += len(one.keys)
            parts = arrays_of(mine)
            places = {name: len(found) + place for place, name in enumerate(parts)}
            found += parts.values()
            more = {**facts, **facts_of(kept, mine[0]), "seed": message["seed"]}
            told.append({"facts": more, "places": places, "receipts": [r.to_json() for r in one.receipts]})
        return told, found

    def _said_of_all(
        self, kept: Kept, message: Message, inputs: list[Tensor], keys: list[str], alive: Callable[[], None]
    ) -> list[Answers]:
        """One answer an item, in their order; inputs of one shape go together."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for place, tensor in enumerate(inputs):
            by_shape.setdefault(tuple(tensor.shape), []).append(place)
        said: dict[int, Answers] = {}
        for places in by_shape.values():
            rest = places
            while rest:
                done = self._as_many_as_fit(kept, message, rest, inputs, keys, alive)
                said |= done
                rest = rest[len(done) :]
                alive()
        return [said[place] for place in range(len(inputs))]

    def _as_many_as_fit(
        self,
        kept: Kept,
        message: Message,
        places: list[int],
        inputs: list[Tensor],
        keys: list[str],
        alive: Callable[[], None],
    ) -> dict[int, Answers]:
        """Answers to the first of some items: half as many, each time that memory runs out."""
        name = (kept.model.name, kept.device)
        size = self._sizes.get(name, Size())
        while True:
            some = places[: size.items]
            items = Items(
                Batch(torch.stack([inputs[place] for place in some])),
                keys_of([keys[place] for place in some]),
                tuple(str(place) for place in some),
            )
            try:
                said = self.guarded(lambda items=items, size=size: self.said(kept, items, message, size, alive))
            except MemoryError:
                if size == Size(1, 1):
                    raise UserFacingError(
                        f"The memory of {kept.device} is too small for {kept.model.name}; choose a smaller model or "
                        "another device.",
                        code="too-much-memory",
                    ) from None
                self._models.shrink()
                size = Size(min(size.items, len(some)), size.rows).halved()
                self._sizes[name] = size
                continue
            return {place: alone(said, row) for row, place in enumerate(some)}

    def said(self, kept: Kept, items: Items, message: Message, size: Size, alive: Callable[[], None]) -> Answers:
        """Answers to items that go together. Tests put failures here."""
        with passes(size.rows, alive, message["first"]):
            return answers(
                kept.model,
                items,
                draws=message["draws"],
                seed=message["seed"],
                keep=len(items) if message["keep"] else 0,
                embedded=message["form"] == "features",
                batch=size.items,
            )

    def guarded(self, act: Callable[[], Any]) -> Any:
        """What runs out of memory raises MemoryError, and what loses the device Poisoned."""
        try:
            return act()
        except MemoryError:
            short = True
        except RuntimeError as error:
            text = str(error)
            short = isinstance(error, torch.OutOfMemoryError) or any(words in text for words in _OUT_OF_MEMORY)
            if not short and (isinstance(error, torch.AcceleratorError) or any(words in text for words in _POISON)):
                raise Poisoned(text.partition("\n")[0]) from error
            if not short:
                raise
        release()  # here, where the error and the activations that its frames hold are gone
        raise MemoryError


def refusal(error: UserFacingError) -> Message:
    return {"kind": type(error).__name__, "message": str(error), "code": error.code}


def _ready(kept: Kept, message: Message, arrays: Sequence[np.ndarray]) -> list[Ready]:
    """Each request by itself: a refused file does not take those with it that came from others."""
    found, start = [], 0
    for ask in message["asks"]:
        mine = arrays[start : start + ask["arrays"]]
        start += ask["arrays"]
        try:
            found.append(_ready_one(kept, message["form"], ask, mine))
        except UserFacingError as error:
            found.append(Ready([], [], [], error))
    return found


def _ready_one(kept: Kept, form: str, ask: Message, arrays: Sequence[np.ndarray]) -> Ready:
    card = kept.model.card
    if form == "features" and (card.scope != "head" or arrays[0].shape[1:] != (kept.model.network.dim,)):
        raise UserFacingError(
            f"{card.name} takes {'features of its own network' if card.scope == 'head' else 'inputs, not features'}; "
            "embed the items with it first.",
            code="features",
        )
    if form != "media":
        return Ready(list(torch.from_numpy(arrays[0])), ask["sha256s"], [])
    inputs, receipts = [], []
    for told, samples in zip(ask["media"], arrays, strict=True):
        receipt = Receipt.from_json(told["receipt"])
        prepared = kept.model.network.prepare(Media(told["kind"], samples, told["rate"], told["sha256"], receipt))
        inputs.append(prepared.tensor)
        receipts.append(prepared.receipt)
    return Ready(inputs, ask["sha256s"], receipts)
