"""What a lesson shows, as plain frozen data, and how it travels: JSON and arrays, nothing pickled."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Meaning = Literal[
    "aleatoric", "epistemic", "total", "predicted", "kept", "refused", "signal", "faint", "ink"
]  # of a colour


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    name: str
    x: np.ndarray
    y: np.ndarray
    meaning: Meaning
    dash: str = "solid"
    low: np.ndarray | None = None
    high: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Curves over one axis."""

    title: str
    finding: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    top: float | None = None  # of the y axis, where charts are to be compared
    bottom: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A number at every place of a plane. ``z`` (rows of y, columns of x); None: the points alone."""

    title: str
    meaning: Meaning
    z: np.ndarray
    top: float  # what the strongest colour stands for


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Fields side by side over one plane, with the points of a training set."""

    title: str
    finding: str
    x: np.ndarray
    y: np.ndarray
    fields: tuple[Field, ...]
    places: np.ndarray  # (points, 2)
    labels: np.ndarray  # (points,) 0 or 1


@dataclass(frozen=True, slots=True, eq=False)
class Spectrogram:
    title: str
    finding: str
    levels: np.ndarray  # (bands, frames) in dB
    centres: np.ndarray  # (bands,) in Hz
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What was taken for what: a class a row, an answer a column."""

    title: str
    finding: str
    names: tuple[str, ...]
    counts: np.ndarray  # (classes, classes)


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """Networks of the same layers, each with units of its own."""

    title: str
    finding: str
    names: tuple[str, ...]
    kept: np.ndarray  # (networks, layers, units) True where a unit is there


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Sounds to hear, or pictures to look at, side by side. ``rate`` is that of the sounds; None: pictures."""

    title: str
    names: tuple[str, ...]
    items: tuple[np.ndarray, ...]  # (time,) float32, or (height, width, 3) uint8
    rate: int | None


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    switches: bool = False
    on: bool = False
    told: str | None = None  # what the chain's knob says after a click; None: it has to stay


@dataclass(frozen=True, slots=True)
class Chain:
    """The layers of a network in their order, some of which a reader switches: ``knob`` is a field of the config.
    It is shown before the guess, and never travels."""

    title: str
    finding: str
    knob: str
    links: tuple[Link, ...]


Chart = Lines | Plane | Spectrogram | Table | Wiring
Picture = Chart | Strip
KINDS = {kind.__name__: kind for kind in (Line, Lines, Field, Plane, Spectrogram, Table, Wiring, Strip)}


_PERCENT = re.compile(r"(?<=\d)%(?![{}])")


def pack(value: Any, arrays: list[np.ndarray], kinds: Mapping[str, type] = KINDS) -> Any:
    """As JSON; arrays are put into the list, and their places stand for them. 84% is told as 84 %, as on all pages."""
    if isinstance(value, str):
        return _PERCENT.sub(" %", value)
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"": "array", "at": len(arrays) - 1}
    if dataclasses.is_dataclass(value):
        name = type(value).__name__
        if kinds.get(name) is not type(value):
            raise TypeError(f"a {name} does not travel")
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"": name, **{key: pack(part, arrays, kinds) for key, part in fields.items()}}
    if isinstance(value, tuple):
        return [pack(part, arrays, kinds) for part in value]
    return value


def unpack(value: Any, arrays: Sequence[np.ndarray], kinds: Mapping[str, type] = KINDS) -> Any:
    """What was packed; lists come back as tuples."""
    if isinstance(value, list):
        return tuple(unpack(part, arrays, kinds) for part in value)
    if not isinstance(value, dict):
        return value
    if value[""] == "array":
        return arrays[value["at"]]
    fields = {key: unpack(part, arrays, kinds) for key, part in value.items() if key}
    return kinds[value[""]](**fields)


def flat(picture: Chart) -> dict[str, Any]:
    """As JSON alone, for a small chart that is on its way before the answer is."""
    arrays: list[np.ndarray] = []
    told = pack(picture, arrays)
    return {"picture": told, "arrays": [array.tolist() for array in arrays]}


def raised(told: Mapping[str, Any]) -> Chart:
    return unpack(told["picture"], [np.array(values) for values in told["arrays"]])
