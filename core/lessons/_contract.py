"""What a lesson is: an opening, a question to be guessed, and a computation that answers it.

    config = lesson.Config(overlap=0.4)
    outcome = lesson.compute(config, seed=0, settings=settings)
    assert all(claim.holds for claim in lesson.claims(outcome))

``compute`` runs in the lessons' own process, or in a notebook; a lesson's module imports no torch by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from core import registry
from core.lessons import _pictures
from core.lessons._pictures import Chain, Chart, Picture
from core.settings import Settings

PACKAGE = "core.lessons"


@dataclass(frozen=True, slots=True)
class Number:
    """One computed figure, for the table that a reader takes along and for the claims."""

    key: str
    says: str
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    right: int  # which of the question's options came out
    reveal: str  # one sentence that answers the question
    pictures: tuple[Picture, ...]  # in reading order
    sentences: tuple[str, ...]  # what you just saw
    numbers: tuple[Number, ...]

    def __getitem__(self, key: str) -> float:
        return next(number.value for number in self.numbers if number.key == key)


@dataclass(frozen=True, slots=True)
class Claim:
    says: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Own:
    """Where a reader goes on with a file of their own: what to do there, and a page's file with what it is told."""

    says: str
    label: str
    page: str
    query: tuple[tuple[str, str], ...] = ()


class Telling(Protocol):
    """A Progress that may be given a chart which is still growing."""

    def __call__(self, done: int, total: int, stage: str, so_far: Chart | None = None) -> None: ...


def untold(done: int, total: int, stage: str, so_far: Chart | None = None) -> None:
    """The Telling of a caller that does not watch."""


class Compute(Protocol):
    def __call__(self, config: Any, seed: int, settings: Settings, progress: Telling = untold) -> Outcome: ...


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a lesson makes of a reader's own sound."""

    says: str
    pictures: tuple[Picture, ...]


class Hear(Protocol):
    """``samples`` (time,) float32, mono, at ``rate`` Hz."""

    def __call__(
        self, samples: np.ndarray, rate: int, config: Any, seed: int, settings: Settings, progress: Telling = untold
    ) -> Heard: ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a module of core/lessons exports as LESSON."""

    key: str
    number: int  # its place in the course
    title: str
    idea: str  # one sentence
    opening: tuple[str, ...]  # paragraphs
    question: str
    options: tuple[str, ...]
    Config: type[Any]  # frozen dataclass; field metadata: min, max, help, choices
    before: Callable[[Any, int, Settings], tuple[Picture | Chain, ...]]  # seen before the guess; without torch
    compute: Compute
    claims: Callable[[Outcome], tuple[Claim, ...]]  # hold at the defaults, whatever the seed
    terms: tuple[str, ...]  # measures whose words are explained, as core.ui.measures calls them
    own: Own
    seconds: float  # what computing takes on an idle core
    hear: Hear | None = None  # what becomes of a reader's own sound, where that has a meaning


def lessons() -> tuple[Lesson, ...]:
    return tuple(sorted(registry.discover(PACKAGE, "LESSON").values(), key=lambda lesson: lesson.number))


# ---- between two processes ----

_KINDS = {**_pictures.KINDS, "Number": Number, "Outcome": Outcome, "Heard": Heard}


def packed(outcome: Outcome | Heard) -> tuple[Any, list[np.ndarray]]:
    arrays: list[np.ndarray] = []
    return _pictures.pack(outcome, arrays, _KINDS), arrays


def unpacked(told: Any, arrays: list[np.ndarray]) -> Outcome | Heard:
    found = _pictures.unpack(told, arrays, _KINDS)
    assert isinstance(found, (Outcome, Heard))
    return found


def with_fields(lesson: Lesson, **fields: Any) -> Any:
    """The lesson's Config with some fields changed; its own check refuses what cannot be."""
    return dataclasses.replace(lesson.Config(), **fields)
