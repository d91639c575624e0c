"""What a visitor chose, kept in the URL and in the session: a copied link restores it, and no page forgets it.

A value that equals its default is not in the URL. A value that the URL brings and that nobody can use is told in one
sentence, and what was chosen before stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from core.ui import words

T = TypeVar("T")
# of the session: name -> (text in the URL, value); name -> (sentence, is it a refusal?)
_CHOSEN, _SAID = "address-chosen", "address-said"


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """One name in the URL. ``read`` raises ValueError for a text that is none of ``wanted``."""

    name: str
    default: T
    read: Callable[[str], T]
    wanted: str  # "a whole number from 1 to 500"
    write: Callable[[T], str] = str


def get(kept: Kept[T]) -> T:
    """What stands in the URL where that is news, else what was chosen in this session, else the default."""
    written, value = _chosen().get(kept.name, (None, kept.default))
    told = st.query_params.get(kept.name)
    if told is None or told == written:
        return value if written is not None else kept.default
    try:
        found = kept.read(told)
    except ValueError:
        _drop(kept, value, told)
        return value
    _said().pop(kept.name, None)
    _chosen()[kept.name] = (told, found)
    return found


def put(kept: Kept[T], value: T) -> None:
    """Choose; the URL follows at once."""
    _said().pop(kept.name, None)
    _hold(kept, value)
    settle()


def settle() -> None:
    """Write into the URL what the session holds and a change of page has lost, all of it at once."""
    texts = {name: text for name, (text, _) in _chosen().items() if text is not None}
    here = st.query_params.to_dict()
    if lost := {name: text for name, text in texts.items() if here.get(name) != text}:
        st.query_params.update(lost)
    for name, (text, _) in _chosen().items():
        if text is None and name in here:
            del st.query_params[name]


def say(name: str, sentence: str, *, refuses: bool = False) -> None:
    """A sentence to show beside the choices until ``name`` is chosen anew."""
    _said()[name] = (sentence, refuses)


def said(*, refuses: bool | None = None) -> tuple[str, ...]:
    """All of them, or only those that refuse, or only the others."""
    return tuple(sentence for sentence, refused in _said().values() if refuses in (None, refused))


def _drop(kept: Kept[T], value: T, told: str) -> None:
    instead = kept.write(value) if value is not None else "none"
    asked = f"The link asks for {kept.name} “{words.plain(told, 40)}”, which is not {kept.wanted}"
    say(kept.name, f"{asked}; {words.plain(instead)} is used.", refuses=True)
    _hold(kept, value)


def _hold(kept: Kept[T], value: T) -> None:
    _chosen()[kept.name] = (None if value == kept.default else kept.write(value), value)


def _chosen() -> dict[str, tuple[str | None, Any]]:
    return st.session_state.setdefault(_CHOSEN, {})


def _said() -> dict[str, tuple[str, bool]]:
    return st.session_state.setdefault(_SAID, {})
