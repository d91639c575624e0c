"""One damaged shape, filled in by every method that is kept: what is asked of a process of its own, and its answer.

Needs no torch. The fields lie in a folder a kind of shape; a person's own come before those that came with the app.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from core.configs import from_json, to_json
from core.errors import UserFacingError
from core.fingerprint import fingerprint, sha256_of
from core.runner import Launch, Room
from core.settings import Settings
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
FAR = {"vertebrae": 3.0, "digits": 0.5}  # mm (pixels) off, which counts as invented
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


class Studio(Room[Filled]):
    """Where shapes are filled in."""

    def __init__(self, settings: Settings, launch: Launch = LAUNCH) -> None:
        super().__init__(settings, launch, unpacked, name="shapes", kept=_KEPT)


def key_of(asked: Asked, own: Observation | None, settings: Settings) -> str:
    """Of all that decides the answer."""
    given = () if own is None else (sha256_of(own.labels.tobytes()), own.affine.ravel().tolist(), own.labels.shape)
    return fingerprint("filled", asked, mark_of(asked.data, settings), given)


def message_of(asked: Asked, own: Observation | None) -> tuple[dict[str, Any], list[np.ndarray]]:
    return {"asked": to_json(asked)}, [] if own is None else [own.labels.astype(np.uint8), own.affine]


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


def unpacked(told: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> Filled:
    labels, seen, own, affine = (np.array(array) for array in arrays[:4])
    rest = [np.array(array) for array in arrays[4:]]
    truth = rest.pop(0) > 0 if told["truth"] else None
    answers = []
    for number, one in enumerate(told["answers"]):
        mine = rest[number * len(_ARRAYS) : (number + 1) * len(_ARRAYS)]
        answers.append(Answer(**one, **dict(zip(_ARRAYS, mine, strict=True))))
    return Filled(Observation(labels > 0, seen > 0, own), affine, truth, tuple(answers))


_ARRAYS = tuple(field.name for field in fields(Answer) if field.type == "np.ndarray")


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
