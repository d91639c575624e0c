"""Sounds and pictures made on the spot with one knob turned, of sources that are in no clip of the sets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

from core.contracts import Kind, Truth
from core.errors import UserFacingError
from core.fingerprint import numpy_generator

Name = TypeVar("Name")

MIXES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # from one class to the middle between two
LINES = 2_000  # lines of one part
PARTS = ("mixing", "spoiling", "inside", "outside")


@dataclass(frozen=True, slots=True)
class Turned:
    """One item: ``line`` is the source or pair whose knob is turned, ``knob`` where it stands."""

    part: str  # one of PARTS
    line: str
    knob: float
    make: Callable[[], tuple[bytes, Truth]]

    @property
    def id(self) -> str:
        return f"{self.part}/{self.line}/{self.knob:.3f}"


@dataclass(frozen=True, slots=True)
class Box:
    """A built-in set whose knobs can be turned."""

    key: str
    kind: Kind
    classes: tuple[str, ...]
    strangers: tuple[str, ...]  # classes never trained on
    pairs: tuple[tuple[str, str], ...]  # of classes that the training mixes as well
    spoiling: str  # what the other knob is called
    levels: tuple[float, ...]  # of it
    make: Callable[..., tuple[bytes, Truth]]  # (first, second, mix, spoilt, source)


def box_of(key: str) -> Box | None:
    return {"soundbox": _soundbox, "toybox": _toybox}[key]() if key in ("soundbox", "toybox") else None


def shared_box(keys: Collection[str]) -> Box:
    """That of data sets which must all be one box; refused where they are not."""
    box = box_of(next(iter(keys))) if len(set(keys)) == 1 else None
    if box is None:
        raise UserFacingError(
            "Knobs with a known truth are those of soundbox and toybox; name models that were all trained on one of "
            "them.",
            code="no-knobs",
        )
    return box


def mixtures(box: Box, pairs: int, seed: int) -> Iterator[Turned]:
    """``pairs`` of sources, each at every position of the knob; the pairs of classes take turns."""
    for number, ((first, second), source) in enumerate(_turns(box.pairs, pairs, "mixing", seed)):
        for mix in MIXES:
            make = _bound(box, first, second, mix, 0.0, source)
            yield Turned("mixing", f"{number}:{first}-{second}", mix, make)


def spoilt(box: Box, lines: int, seed: int) -> Iterator[Turned]:
    """Single sources that sink into noise or out of focus."""
    for number, (name, source) in enumerate(_turns(box.classes, lines, "spoiling", seed)):
        for level in box.levels:
            yield Turned("spoiling", f"{number}:{name}", level, _bound(box, name, None, 0.0, level, source))


def strangers(box: Box, items: int, seed: int) -> Iterator[Turned]:
    """As many single sources of the classes that are trained as of those that are not."""
    for part, names in (("inside", box.classes), ("outside", box.strangers)):
        for number, (name, source) in enumerate(_turns(names, items, part, seed)):
            yield Turned(part, f"{number}:{name}", 0.0, _bound(box, name, None, 0.0, 0.0, source))


def _turns(names: tuple[Name, ...], count: int, part: str, seed: int) -> Iterator[tuple[Name, int]]:
    """Each in turn, in a drawn order, every time with a source of its own."""
    if not 1 <= count <= LINES:
        raise ValueError(f"a part has 1 to {LINES} lines, not {count}")
    order = numpy_generator("turned", part, seed).permutation(len(names)).tolist()
    first = LINES * (len(PARTS) * seed + PARTS.index(part))
    for number in range(count):
        yield names[order[number % len(names)]], first + number


def _bound(box: Box, *told: object) -> Callable[[], tuple[bytes, Truth]]:
    return lambda: box.make(*told)


def _soundbox() -> Box:
    from core.data import soundbox
    from core.data._soundbox.cast import PAIRS

    def make(first: str, second: str | None, mix: float, noise: float, source: int) -> tuple[bytes, Truth]:
        found = soundbox.morph(first, second, mix, noise=noise, source=source)
        return soundbox.encoded(found.samples), found.truth

    return Box(
        "soundbox", "audio", soundbox.CLASSES, tuple(soundbox.HELD_OUT), PAIRS, "noise",
        (0.0, 0.03, 0.1, 0.3, 0.7, 0.9), make,
    )  # fmt: skip


def _toybox() -> Box:
    from core.data import toybox
    from core.data._toybox.plan import PAIRS

    def make(first: str, second: str | None, mix: float, blur: float, source: int) -> tuple[bytes, Truth]:
        found = toybox.morph(first, second, mix, blur=blur, source=source)
        return toybox.png(found.pixels), found.truth

    return Box(
        "toybox", "image", toybox.CLASSES, toybox.HELD_OUT, PAIRS, "blur", (0.0, 0.15, 0.3, 0.45, 0.6, 0.8), make
    )  # fmt: skip
