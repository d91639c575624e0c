"""Toybox: pictures of toys rendered on the spot, with the true doubt of every picture known.

``plan`` names the pictures, ``render`` makes one, ``morph`` turns the knobs for lessons and tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core.contracts import Dataset, DatasetSpec, Item, Progress, Truth, no_progress
from core.data._prepared import Prepared, forget_older, prepare_all, revision
from core.data._toybox.plan import PictureSpec, Sizes, plan, setting, truth_of
from core.data._toybox.render import SIZE, Look, draw, png
from core.data._toybox.shapes import CLASSES, HELD_OUT
from core.errors import DataError
from core.settings import Settings

__all__ = [
    "CLASSES",
    "DATASET",
    "HELD_OUT",
    "SIZE",
    "Morph",
    "PictureSpec",
    "Sizes",
    "morph",
    "open_toybox",
    "picture_bytes",
    "plan",
    "png",
    "prepare",
    "render",
]

_HERE = Path(__file__)
_TITLE = "Toybox"
_LICENCE = "made by this program; no rights reserved"


@dataclass(frozen=True, slots=True, eq=False)
class Morph:
    """A picture with its knobs where they were set, and what is therefore true of it."""

    pixels: np.ndarray  # (size, size, 3) uint8
    truth: Truth


def render(spec: PictureSpec, size: int = SIZE) -> np.ndarray:
    """The picture as (size, size, 3) uint8; other sizes show the same scene."""
    return draw(spec.look, size)


def picture_bytes(spec: PictureSpec) -> bytes:
    """The picture as it is stored: PNG, bit for bit the same on every run."""
    return png(render(spec))


def morph(
    class_a: str,
    class_b: str | None = None,
    mix: float = 0.0,
    *,
    occlusion: float = 0.0,
    blur: float = 0.0,
    source: int = 0,
    view: int = 0,
    seed: int = 0,
    size: int = SIZE,
) -> Morph:
    """Turn one toy into another (``mix``) or into one never trained on, hide it behind paper, put it out of focus.

    Any two classes may be named, the held-out ones too. These toys are in no picture of the set.
    """
    for name in (class_a, class_b or class_a):
        if name not in CLASSES + HELD_OUT:
            raise ValueError(f"there is no toy called {name!r}; known: {', '.join(CLASSES + HELD_OUT)}")
    if not all(0.0 <= knob <= 1.0 for knob in (mix, occlusion, blur)):
        raise ValueError(f"knobs go from 0 to 1; mix is {mix}, occlusion is {occlusion}, blur is {blur}")
    place = setting(class_a, class_b, seed, f"free-{source:06d}", view)
    look = Look(class_a, class_b, mix if class_b else 0.0, *place, occlusion, blur)
    return Morph(draw(look, size), truth_of(look))


def prepare(settings: Settings, progress: Progress = no_progress, *, workers: int | None = None) -> int:
    """Render every picture that is not there yet, on all cores; says how many were made."""
    prepared = _prepared(settings)
    jobs = [(spec.id, spec) for spec in _plan()]
    made = prepare_all(prepared, jobs, picture_bytes, progress=progress, stage="rendering Toybox", workers=workers)
    forget_older(prepared.folder)
    return made


def open_toybox(location: Path | None, settings: Settings) -> Dataset:
    """The items, at once; a picture that is not prepared is rendered when it is read."""
    if location is not None:
        raise DataError("Toybox is made on the spot and takes no path; leave the path out.", code="no-location-taken")
    specs = {spec.id: spec for spec in _plan()}
    prepared = _prepared(settings)

    def read(item: Item) -> bytes:
        return prepared.read(item.id) or picture_bytes(specs[item.id])

    return Dataset(
        key="toybox",
        title=_TITLE,
        kind="image",
        classes=CLASSES,
        items=tuple(_item(spec) for spec in specs.values()),
        read=read,
        licence=_LICENCE,
        notes=("Rendered; every picture is 64 x 64 pixels.",),
    )


@cache
def _plan() -> tuple[PictureSpec, ...]:
    return plan(0)


def _prepared(settings: Settings) -> Prepared:
    return Prepared(settings.built / f"toybox-{revision(_HERE, _HERE.parent / '_toybox')}", ".png")


def _item(spec: PictureSpec) -> Item:
    look, known = spec.look, [("part", spec.part), ("toy", spec.look.first)]
    if look.second is not None:
        known += [("second", look.second), ("mix", f"{look.mix:.6f}")]
    return Item(spec.id, spec.label, spec.fold, spec.group, spec.split, spec.truth, tuple(known))


DATASET = DatasetSpec(
    key="toybox",
    title=_TITLE,
    kind="image",
    summary="12 kinds of toy rendered on the spot, with known ambiguity, occlusion, blur and novelty.",
    licence=_LICENCE,
    open=open_toybox,
    builtin=True,
    prepare=prepare,
    classes=CLASSES,
)
