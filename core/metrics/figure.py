"""One number, or the reason why there is none."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec

P = ParamSpec("P")


class Undefined(Exception):
    """Raised inside a measure that has no value on these data; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number; ``value`` is None exactly when ``reason`` says why.

    >>> Figure(0.5), Figure(None, "no items").value
    (Figure(value=0.5, reason=None), None)
    """

    value: float | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ValueError("a figure has a value or a reason, and not both")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.value} is not a figure; say why it is undefined")


def or_reason(measure: Callable[P, float]) -> Callable[P, Figure]:
    """Turn a measure that may raise Undefined into one that answers with a Figure."""

    @functools.wraps(measure)
    def figure(*args: P.args, **kwargs: P.kwargs) -> Figure:
        try:
            value = float(measure(*args, **kwargs))
        except Undefined as reason:
            return Figure(None, str(reason))
        return Figure(value) if math.isfinite(value) else Figure(None, f"the result is {value}")

    return figure


@dataclass(frozen=True, slots=True, eq=False)
class ClassMean:
    """A mean over classes, with the classes that have no value left out and named."""

    figure: Figure
    per_class: tuple[float | None, ...]

    @property
    def left_out(self) -> tuple[int, ...]:
        return tuple(index for index, value in enumerate(self.per_class) if value is None)

    @property
    def value(self) -> float | None:
        return self.figure.value


def mean_of_classes(per_class: list[float | None], reason: str) -> ClassMean:
    """The mean of the classes that have a value; ``reason`` is given when none has."""
    known = [value for value in per_class if value is not None]
    figure = Figure(math.fsum(known) / len(known)) if known else Figure(None, reason)
    return ClassMean(figure, tuple(per_class))
