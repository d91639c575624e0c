"""Widgets whose value stands in the URL: the sign of one's choice that a copied link keeps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import streamlit as st

from core.ui import address
from core.ui.address import Kept

T = TypeVar("T")


def widget(kept: Kept[Any], shown: Any = None) -> dict[str, Any]:
    """Key and callback of a widget that shows what is kept and keeps what is chosen; ``shown`` instead, where the
    kept value is none of its options."""
    key, value = f"pick-{kept.name}", address.get(kept) if shown is None else shown
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return {"key": key, "on_change": lambda: address.put(kept, st.session_state[key])}


@contextmanager
def telling() -> Iterator[None]:
    """What the link says wrongly of values read in here is told after them: the side bar was drawn before."""
    known = address.said()
    yield
    for sentence in address.said():
        if sentence not in known:
            st.warning(sentence, icon=":material/info:")


# ---- what a text of the URL may be ----


def one_of(known: tuple[T, ...]) -> Callable[[str], T]:
    """Reads a value from its text."""

    def read(text: str) -> T:
        for value in known:
            if str(value) == text:
                return value
        raise ValueError(text[:40])

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number within bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise ValueError(text[:40])
        return int(text)

    return read


def named(most: int) -> Callable[[str], str]:
    """Reads a name, of at most so many letters."""

    def read(text: str) -> str:
        if not text or len(text) > most:
            raise ValueError(text[:40])
        return text

    return read


def several(most: int | None = None) -> Callable[[str], tuple[str, ...]]:
    """Reads names that stand between commas, at most so many."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if not all(names) or len(text) > 600 or (most is not None and len(names) > most):
            raise ValueError(text[:40])
        return names

    return read
