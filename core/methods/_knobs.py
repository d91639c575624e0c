"""Fields of a Config that say what they may be, so that forms, commands and checks need no second list."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from core.errors import UserFacingError


def knob(
    default: Any, text: str, *, least: float | None = None, most: float | None = None, choices: tuple[Any, ...] = ()
) -> Any:
    """A dataclass field. Its metadata are ``help``, ``min``, ``max`` and ``choices``; a bound is allowed itself."""
    return dataclasses.field(
        default=default, metadata={"help": text, "min": least, "max": most, "choices": tuple(choices)}
    )


def check(config: Any) -> None:
    """Refuse a Config with a value outside its own metadata."""
    for field in dataclasses.fields(config):
        value, facts = getattr(config, field.name), field.metadata
        choices, low, high = facts.get("choices") or (), facts.get("min"), facts.get("max")
        if choices and value not in choices:
            known = ", ".join(str(choice) for choice in choices)
            raise _refused(field.name, value, f"one of {known}")
        if value is None or isinstance(value, (bool, str)) or (low is None and high is None):
            continue
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        if not low <= value <= high:
            bounds = f"{low:g} to {high:g}" if math.isfinite(low + high) else _half_open(low, high)
            raise _refused(field.name, value, bounds)


def _half_open(low: float, high: float) -> str:
    return f"{low:g} or more" if math.isfinite(low) else f"{high:g} or less"


def _refused(name: str, value: Any, expected: str) -> UserFacingError:
    return UserFacingError(f"The setting {name} was given as {value!r}; it must be {expected}.", code="setting")
