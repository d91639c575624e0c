"""Widgets made from settings: what a knob may be, its one sentence, and the text of what was changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core.configs import Setting, text_of

_COLUMNS = 3


def changed(settings: Iterable[Setting], prefix: str, key: str) -> tuple[str, ...]:
    """Draw one widget a setting; the settings that differ from their defaults, as the command line takes them."""
    shown = list(settings)
    found = []
    for start in range(0, len(shown), _COLUMNS):
        for column, one in zip(st.columns(_COLUMNS), shown[start : start + _COLUMNS], strict=False):
            with column:
                value = _widget(one, f"{key}-{prefix}{one.name}")
            text = text_of(value)
            if text != text_of(one.default):
                found.append(f"{prefix}{one.name}={text}")
    return tuple(found)


def with_defaults(settings: Iterable[Setting], given: Sequence[str]) -> tuple[Setting, ...]:
    """With other defaults, as written: "members=4"."""
    texts: dict[str, str] = {text.partition("=")[0]: text.partition("=")[2] for text in given}
    return tuple(replace(one, default=_read(one, texts[one.name])) if one.name in texts else one for one in settings)


def _read(one: Setting, text: str) -> Any:
    if one.optional and text.lower() == "none":
        return None
    if one.shape == "yes-no":
        return text.lower() in {"yes", "true", "on", "1"}
    if one.shape == "whole":
        return int(text)
    if one.shape == "number":
        return float(text)
    if one.shape == "choice":
        return next((choice for choice in one.choices if str(choice) == text), one.default)
    return text


def label_of(name: str) -> str:
    said = name.replace("_", " ").replace(".", ": ")
    return said[:1].upper() + said[1:]


def _widget(one: Setting, key: str) -> Any:
    label, tip = label_of(one.name), f"{one.help[:1].upper()}{one.help[1:]}." if one.help else None
    if one.shape == "yes-no":
        return st.toggle(label, one.default, help=tip, key=key)
    if one.shape == "choice":
        place = one.choices.index(one.default)
        return st.selectbox(label, one.choices, place, format_func=lambda value: str(value).replace("_", " "),
                            help=tip, key=key)  # fmt: skip
    if one.shape == "whole":
        return _number(one, label, tip, key, int)
    if one.shape == "number":
        return _number(one, label, tip, key, float)
    return st.text_input(label, text_of(one.default), help=tip, key=key, max_chars=200)


def _number(one: Setting, label: str, tip: str | None, key: str, kind: type) -> Any:
    """An empty one is none, where that is allowed."""
    least, most = (None if bound is None else kind(bound) for bound in (one.least, one.most))
    value = None if one.default is None else kind(one.default)
    step = 1 if kind is int else max(1e-6, abs(float(value or 0.1)) / 10)
    given = st.number_input(label, least, most, value, step=step, help=tip, key=key,
                            format=None if kind is int else "%g", placeholder="none")  # fmt: skip
    return value if given is None and not one.optional else given
