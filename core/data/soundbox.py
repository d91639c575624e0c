"""Soundbox: environmental sounds made on the spot, with the true doubt of every clip known.

``plan`` names the clips, ``render`` makes one, ``morph`` turns the knobs for lessons and tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core.contracts import Dataset, DatasetSpec, Item, Progress, Truth, no_progress
from core.data._prepared import Prepared, forget_older, prepare_all, revision
from core.data._soundbox.cast import CLASSES, HELD_OUT, SHIPS
from core.data._soundbox.plan import ClipSpec, Sizes, plan, share
from core.data._soundbox.render import clip_bytes, encoded, mixed, noisy, recording, render, voice
from core.data._soundbox.signal import RATE
from core.errors import DataError
from core.settings import Settings

__all__ = [
    "CLASSES",
    "DATASET",
    "HELD_OUT",
    "RATE",
    "SHIPS",
    "ClipSpec",
    "Morph",
    "Sizes",
    "clip_bytes",
    "encoded",
    "morph",
    "open_soundbox",
    "plan",
    "prepare",
    "prepared",
    "render",
    "voice",
]

_HERE = Path(__file__)
_TITLE = "Soundbox"
_LICENCE = "made by this program; no rights reserved"


@dataclass(frozen=True, slots=True, eq=False)
class Morph:
    """A sound with its knobs where they were set, and what is therefore true of it."""

    samples: np.ndarray  # (220500,) float32
    rate: int
    truth: Truth


def morph(
    class_a: str, class_b: str | None = None, mix: float = 0.0, *, noise: float = 0.0, source: int = 0, seed: int = 0
) -> Morph:
    """Turn one sound into another (``mix``), into one never trained on (name it as ``class_b``) or into noise.

    Mix and noise are shares of the energy. Sources from 5000 on are in no clip of the set.
    """
    if not (0.0 <= mix <= 1.0 and 0.0 <= noise <= 1.0):
        raise ValueError(f"knobs go from 0 to 1; mix is {mix}, noise is {noise}")
    place = 5000 + source
    samples = recording(class_a, place, 0, seed)
    if class_b is not None:
        samples = mixed(samples, recording(class_b, place, 0, seed), mix)
    if noise:
        samples = noisy(samples, noise, class_a, place, 0, seed)
    return Morph(samples, RATE, _truth(class_a, class_b or class_a, mix, noise))


def prepare(settings: Settings, progress: Progress = no_progress, *, workers: int | None = None) -> int:
    """Render every clip that is not there yet, on all cores; says how many were made."""
    shelf = prepared(settings)
    jobs = [(spec.id, spec) for spec in _plan()]
    made = prepare_all(shelf, jobs, clip_bytes, progress=progress, stage="rendering Soundbox", workers=workers)
    forget_older(shelf.folder)
    return made


def open_soundbox(location: Path | None, settings: Settings) -> Dataset:
    """The items, at once; a clip that is not prepared is rendered when it is read."""
    if location is not None:
        raise DataError("Soundbox is made on the spot and takes no path; leave the path out.", code="no-location-taken")
    specs = {spec.id: spec for spec in _plan()}
    shelf = prepared(settings)

    def read(item: Item) -> bytes:
        return shelf.read(item.id) or clip_bytes(specs[item.id])

    return Dataset(
        key="soundbox",
        title=_TITLE,
        kind="audio",
        classes=CLASSES,
        items=tuple(_item(spec) for spec in specs.values()),
        read=read,
        licence=_LICENCE,
        notes=("Synthesised; every clip is 5 seconds at 44.1 kHz.",),
    )


@cache
def _plan() -> tuple[ClipSpec, ...]:
    return plan(0)


def prepared(settings: Settings) -> Prepared:
    """Where the rendered clips of this revision are."""
    mark = revision(_HERE, _HERE.parent / "_soundbox")
    return Prepared(settings.built / f"soundbox-{mark}", ".flac")


def _item(spec: ClipSpec) -> Item:
    known = [("part", spec.part), ("sound", spec.first)]
    if spec.second is not None:
        known += [("second", spec.second), ("mix", f"{spec.mix:.6f}")]
    return Item(spec.id, spec.label, spec.fold, spec.group, spec.split, spec.truth, tuple(known))


def _truth(first: str, second: str, mix: float, noise: float) -> Truth:
    strange = (1.0 - mix) * (first not in CLASSES) + mix * (second not in CLASSES)
    if noise == 1.0:
        return Truth(tuple(1.0 / len(CLASSES) for _ in CLASSES), noise, strange)
    known = strange == 0.0 and noise == 0.0
    return Truth(share(first, second, mix) if known else None, noise, strange)


DATASET = DatasetSpec(
    key="soundbox",
    title=_TITLE,
    kind="audio",
    summary="16 kinds of environmental sound made on the spot, with known ambiguity, noise and novelty.",
    licence=_LICENCE,
    open=open_soundbox,
    builtin=True,
    prepare=prepare,
    classes=CLASSES,
)
