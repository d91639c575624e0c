"""One damaged shape, filled in by every method that is kept: what is asked of a process of its own, and its answer.

Needs no torch. The fields lie in a folder a kind of shape; a person's own come before those that came with the app.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.configs import from_json, to_json
from core.contracts import Progress, no_progress
from core.errors import UserFacingError
from core.fingerprint import fingerprint, sha256_of
from core.runner import Launch, Room
from core.settings import Settings
from core.shapes.colours import Config as Colours
from core.shapes.colours import Painted, left_of
from core.shapes.observe import Glimpse, Observation, Scan
from core.store import artifacts

LAUNCH = Launch((sys.executable, "-m", "core.pipeline._reconstructing"))
TITLES = {
    "single": "Single network",
    "mc_dropout": "MC dropout",
    "free": "Dropsembles",
    "anchored": "Dropsembles, anchored",
    "ensemble": "Deep ensemble",
}
UNITS = {"vertebrae": "mm", "digits": "pixels"}
FAR = {"vertebrae": 3.0, "digits": 0.5}  # off by so many units: that surface is made up
_KEPT = 10  # answers in memory, of some megabytes each

Data = Literal["vertebrae", "digits"]
_SCAN, _GLIMPSE = Scan(), Glimpse()


@dataclass(frozen=True, slots=True)
class Asked:
    """``number`` names one of the shapes that no training saw; an own label map takes its place."""

    data: Data = "vertebrae"
    number: int = 0
    scan: Scan = _SCAN
    glimpse: Glimpse = _GLIMPSE


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One method's, at every node of the grid."""

    key: str
    mean: np.ndarray  # probability of being inside
    total: np.ndarray  # nats, of at most ln 2
    epistemic: np.ndarray
    members: np.ndarray  # (members, nodes ...) the first few draws
    figures: Mapping[str, float | None]  # without a truth there are none
    seconds: float

    @property
    def title(self) -> str:
        return TITLES[self.key]


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    seen: Observation
    affine: np.ndarray  # from the nodes' indices to millimetres (pixels)
    truth: np.ndarray | None  # at the nodes
    answers: tuple[Answer, ...]

    def __getitem__(self, key: str) -> Answer:
        return next(one for one in self.answers if one.key == key)


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """A picture, what is left of it, and what each method makes of that."""

    pixels: np.ndarray  # (height, width, 3) in [0, 1]
    left: np.ndarray  # (height, width) booleans
    answers: tuple[Painted, ...]


class Studio(Room[Any]):
    """Where shapes and pictures are filled in."""

    def __init__(self, settings: Settings, launch: Launch = LAUNCH) -> None:
        super().__init__(settings, launch, unpacked, name="shapes", kept=_KEPT)
        self._of = settings

    def fill(
        self,
        asked: Asked,
        own: Observation | None = None,
        progress: Progress = no_progress,
        on_place: Callable[[int], None] = lambda before: None,
    ) -> Filled:
        """By every method; as it was answered before, where it was. ``on_place`` is told how many come first."""
        arrays = () if own is None else (own.labels.astype(np.uint8), own.affine)
        return self.answer(key_of(asked, own, self._of), {"asked": to_json(asked)}, progress, on_place, arrays)

    def paint(
        self,
        pixels: np.ndarray,
        config: Colours,
        progress: Progress = no_progress,
        on_place: Callable[[int], None] = lambda before: None,
    ) -> Painting:
        """``pixels``: (height, width, 3) bytes."""
        key = fingerprint("painted", config, sha256_of(pixels.tobytes()), list(pixels.shape))
        answers = self.answer(key, {"colours": to_json(config)}, progress, on_place, (pixels,))
        shown = pixels / 255.0
        return Painting(shown, left_of(shown, config), answers)


def key_of(asked: Asked, own: Observation | None, settings: Settings) -> str:
    """Of all that decides the answer."""
    given = () if own is None else (sha256_of(own.labels.tobytes()), own.affine.ravel().tolist(), own.labels.shape)
    return fingerprint("filled", asked, mark_of(asked.data, settings), given)


def asked_of(message: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> tuple[Asked, Observation | None]:
    asked = from_json(Asked, message["asked"])
    if not arrays:
        return asked, None
    labels = arrays[0] > 0
    return asked, Observation(labels, np.ones(labels.shape, bool), np.array(arrays[1]))


def packed(found: Filled) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Between two processes: numbers as JSON, arrays beside them."""
    arrays = [found.seen.labels.astype(np.uint8), found.seen.seen.astype(np.uint8), found.seen.affine, found.affine]
    if found.truth is not None:
        arrays.append(found.truth.astype(np.uint8))
    told = []
    for one in found.answers:
        arrays += [getattr(one, name) for name in _ARRAYS]
        told.append({"key": one.key, "figures": dict(one.figures), "seconds": one.seconds})
    return {"answers": told, "truth": found.truth is not None}, arrays


def unpacked(told: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Filled | tuple[Painted, ...]:
    if "painted" in told:
        pairs = zip(told["painted"], arrays[::2], arrays[1::2], strict=True)
        return tuple(Painted(mean=np.array(mean), doubt=np.array(doubt), **one) for one, mean, doubt in pairs)
    labels, seen, own, affine = (np.array(array) for array in arrays[:4])
    rest = [np.array(array) for array in arrays[4:]]
    truth = rest.pop(0) > 0 if told["truth"] else None
    answers = []
    for number, one in enumerate(told["answers"]):
        mine = rest[number * len(_ARRAYS) : (number + 1) * len(_ARRAYS)]
        parts: dict[str, Any] = {**one, **dict(zip(_ARRAYS, mine, strict=True))}
        answers.append(Answer(**parts))
    return Filled(Observation(labels > 0, seen > 0, own), affine, truth, tuple(answers))


_ARRAYS = tuple(field.name for field in fields(Answer) if field.type == "np.ndarray")


def packed_pictures(found: Sequence[Painted]) -> tuple[dict[str, Any], list[np.ndarray]]:
    arrays = [array for one in found for array in (one.mean.astype(np.float32), one.doubt)]
    names = ("key", "psnr", "ranks", "seconds")
    return {"painted": [{name: getattr(one, name) for name in names} for one in found]}, arrays


def place_of(data: str, settings: Settings, *, shipped: bool = False) -> Path:
    return (settings.checkpoints if shipped else settings.home) / "shapes" / data


def find(data: str, settings: Settings) -> Path:
    for shipped in (False, True):
        folder = place_of(data, settings, shipped=shipped)
        if (folder / artifacts.CARD).is_file():
            return folder
    raise UserFacingError(
        f"No fields of {data} are here; make them with python -m core shapes {data}, which takes a while.",
        code="no-weights",
    )


def mark_of(data: str, settings: Settings) -> str:
    """What tells fields from those of another training."""
    return fingerprint(*(sha256 for _, sha256 in artifacts.load(find(data, settings)).files.values()))


def card_of(data: str, settings: Settings) -> Mapping[str, Any]:
    return artifacts.load(find(data, settings)).card
