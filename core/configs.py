"""Frozen configs as JSON and as ``field=value`` text, by their type hints; nested configs have dotted names."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeVar

from core.errors import UserFacingError

T = TypeVar("T")
Shape = Literal["yes-no", "whole", "number", "choice", "list", "text"]
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """One field of a config as a form shows it, and as JSON carries it between processes."""

    name: str  # dotted where the config is inside another one
    shape: Shape
    default: Any
    optional: bool = False  # may be none
    help: str = ""
    least: float | None = None
    most: float | None = None
    choices: tuple[Any, ...] = ()


def settings_of(config: Any, prefix: str = "") -> tuple[Setting, ...]:
    """Every field of a config in its order, with the config's values as defaults; those inside with dotted names."""
    found: list[Setting] = []
    hints = _hints(type(config))
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found += settings_of(value, f"{name}.")
            continue
        options = [option for option in _options(hints[field.name]) if option is not type(None)]
        told, choices = field.metadata, _choices_of(options[0], field.metadata)
        found.append(
            Setting(
                name,
                "choice" if choices and options[0] is not bool else _SHAPES.get(options[0], _shape_of(options[0])),
                _plain(value),
                len(options) < len(_options(hints[field.name])),
                str(told.get("help", "")),
                told.get("min"),
                told.get("max"),
                choices,
            )
        )
    return tuple(found)


_SHAPES: dict[Any, Shape] = {bool: "yes-no", int: "whole", float: "number"}


def _shape_of(option: Any) -> Shape:
    return "list" if typing.get_origin(option) is tuple else "text"


def _choices_of(option: Any, told: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a field may be: as its knob says, else as its type does."""
    literal = typing.get_args(option) if typing.get_origin(option) is typing.Literal else ()
    return tuple(told.get("choices") or literal)


def text_of(value: Any) -> str:
    """A value as ``with_settings`` reads it."""
    if isinstance(value, (list, tuple)):
        return ",".join(text_of(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else f"{value:.12g}" if isinstance(value, float) else str(value)


def to_json(config: Any) -> dict[str, Any]:
    """Every field; nested configs as nested objects."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_json(kind: type[T], record: Mapping[str, Any]) -> T:
    """The config; fields that the record lacks have their defaults, and a field that is not known is refused."""
    hints = _hints(kind)
    if strange := sorted(set(record) - set(hints)):
        raise UserFacingError(_unknown(strange[0], hints), code="setting")
    return kind(**{name: _typed(hints[name], value, name) for name, value in record.items()})


def with_settings(config: T, settings: Sequence[str]) -> T:
    """The config with some fields changed: ``("epochs=3", "mel.bands=64")``."""
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserFacingError(f"{setting[:60]!r} is no setting; write name=value.", code="setting")
        config = _changed(config, name.strip().split("."), text.strip(), name.strip())
    return config


def _changed(config: Any, path: list[str], text: str, whole: str) -> Any:
    hints = _hints(type(config))
    if path[0] not in hints:
        raise UserFacingError(_unknown(whole, hints), code="setting")
    if len(path) > 1:
        inner = getattr(config, path[0])
        if not dataclasses.is_dataclass(inner):
            raise UserFacingError(f"The setting {path[0]} has no parts, and {whole!r} names one.", code="setting")
        return dataclasses.replace(config, **{path[0]: _changed(inner, path[1:], text, whole)})
    return dataclasses.replace(config, **{path[0]: parsed(hints[path[0]], text, whole)})


def parsed(hint: Any, text: str, name: str) -> Any:
    """A value of a type from what a person wrote."""
    options = _options(hint)
    if type(None) in options and text.lower() in {"none", ""}:
        return None
    for option in options:
        value = _read(option, text)
        if value is not None:
            return value
    raise _refused(options, repr(text[:40]), name)


def _read(option: Any, text: str) -> Any:
    """None where the text is no value of this type."""
    if typing.get_origin(option) is typing.Literal:
        return next((choice for choice in typing.get_args(option) if str(choice) == text), None)
    if typing.get_origin(option) is tuple:
        kinds, texts = typing.get_args(option), [part.strip() for part in text.split(",") if part.strip()]
        if kinds[-1] is not Ellipsis and len(texts) != len(kinds):
            return None
        parts = [_read(kinds[0], part) for part in texts]
        return None if any(part is None for part in parts) else tuple(parts)
    if option is bool:
        return _WORDS.get(text.lower())
    if option in (int, float):
        try:
            return option(text.replace("_", ""))
        except ValueError:
            return None
    return text if option is str else None


def _typed(hint: Any, value: Any, name: str) -> Any:
    """JSON as the type hint has it: lists become tuples, objects configs, whole numbers floats."""
    options = _options(hint)
    for option in options:
        if dataclasses.is_dataclass(option) and isinstance(value, Mapping):
            return from_json(typing.cast(Any, option), value)
        if typing.get_origin(option) is tuple and isinstance(value, list):
            inner = typing.get_args(option)
            each = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
            if len(each) == len(value):
                return tuple(_typed(part, item, name) for part, item in zip(each, value, strict=True))
        elif option is float and type(value) in (int, float):
            return float(typing.cast(float, value))
        elif _fits(option, value):
            return value
    raise _refused(options, repr(value), name)


def _fits(option: Any, value: Any) -> bool:
    if typing.get_origin(option) is typing.Literal:
        return value in typing.get_args(option)
    if option in (bool, int, str, type(None)):
        return type(value) is option
    of_parts = typing.get_origin(option) is tuple or option is float or dataclasses.is_dataclass(option)
    return not of_parts  # Any, mappings of anything


def _refused(options: tuple[Any, ...], text: str, name: str) -> UserFacingError:
    wanted = " or ".join(_named(option) for option in options)
    return UserFacingError(f"The setting {name} was given as {text[:60]}; it must be {wanted}.", code="setting")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _options(hint: Any) -> tuple[Any, ...]:
    union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    return typing.get_args(hint) if union else (hint,)


def _named(option: Any) -> str:
    if typing.get_origin(option) is typing.Literal:
        return " or ".join(str(choice) for choice in typing.get_args(option))
    names = {bool: "yes or no", int: "a whole number", float: "a number", str: "text", type(None): "none"}
    return names.get(option, "a list with commas" if typing.get_origin(option) is tuple else "a group of settings")


def _unknown(name: str, hints: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name.split(".")[-1], hints, n=3, cutoff=0.5)
    known = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(hints)}."
    return f"There is no setting {name[:60]!r} here; {known}"
