"""A model in memory, inspected as one that lies in a folder is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.checkpoints import calibrated, heldout
from core.checkpoints.answering import answers
from core.checkpoints.directions import Directions
from core.checkpoints.heldout import Heldout
from core.checkpoints.saved import Model
from core.contracts import Dataset, Media, Receipt, Scope
from core.media import door
from core.pipeline.inspect import COVERAGE, How, Inspected, Reader, reader_of
from core.pipeline.inspect import inspect as inspected_by
from core.runner import Here
from core.settings import Settings
from tests.toy_models import few_digits, part_of, trained

OPTIONS: dict[str, dict[str, Any]] = {"dropsembles": {"members": 2}, "ensemble": {"members": 2}, "abnn": {"members": 2}}
RATE, HEARS = 8000, 0.5  # tests.saving.CONVNET hears half a second of it
NOWHERE = Settings(home=Path("nowhere"), checkpoints=Path("nowhere"), device="cpu", offline=True)


@dataclass(frozen=True, eq=False)
class Inspector:
    model: Model
    heldout: Heldout | None = None

    @property
    def reader(self) -> Reader:
        return Reader(self.model.card, self.heldout, directions_in(self.model))

    @cached_property
    def here(self) -> Here:
        return Here(NOWHERE, self.model)


def with_held(dataset: Dataset, settings: Settings, key: str, scope: Scope, **options: Any) -> Inspector:
    """A model with what is kept of its answers to validation items, as training does it."""
    model, prepared = trained(dataset, settings, key, scope, epochs=1, **OPTIONS.get(key, {}), **options)
    examples, items = part_of(prepared, "validation")
    said = answers(model, examples, draws=6, keep=len(items))
    facts = calibrated.facts(said, examples.labels)
    held = heldout.held_out(said, examples.labels, items=items, density=model.density)
    return Inspector(replace(model, card=replace(model.card, posthoc=facts)), held)


def png(settings: Settings, place: int = 0) -> bytes:
    digits = few_digits(settings, 12)
    return digits.read([item for item in digits.items if item.split == "test"][place])


def sound(seconds: float, seed: int = 0) -> Media:
    """Noise at RATE."""
    samples = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    return Media("audio", samples, RATE, "ab" * 32, Receipt("wav", "PCM 16 bit", 1, RATE))


def directions_in(model: Model) -> Directions | None:
    law = model.density
    return None if law is None else Directions(law.centre.float().numpy(), law.basis.float().numpy())


def inspect(media: Media, inspector: Inspector, *, coverage: float = COVERAGE, **how: Any) -> Inspected:
    return inspected_by(media, inspector.reader, inspector.here, How(**how), coverage=coverage)


def inspect_bytes(raw: bytes, inspector: Inspector, **options: Any) -> Inspected:
    return inspect(door.open_media(raw, kind=inspector.model.card.kind), inspector, **options)


def saved(name: str, settings: Settings) -> tuple[Reader, Here]:
    return reader_of(name, settings), Here(settings)
