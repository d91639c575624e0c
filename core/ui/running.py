"""The one runner of this server: who asks waits in its line, and its worker process alone holds torch."""

from __future__ import annotations

import contextlib

import streamlit as st

from core.errors import UserFacingError
from core.runner import Described, Runner
from core.ui import _cached_shell, cached


def runner() -> Runner:
    """Its process starts with the first thing asked of it, never with a page."""
    settings = cached.settings()
    return _cached_shell.runner(settings, tuple(settings.environ().values()))


def warm(model: str | None, device: str = "auto") -> None:
    """Have the worker started and the model loaded while a visitor still looks for a file; returns at once."""
    asked = (model, device)
    if model is None or st.session_state.get("warmed") == asked:
        return
    st.session_state["warmed"] = asked
    runner().warm(model, device)


def begun() -> bool:
    """Did this visitor have it started?"""
    return "warmed" in st.session_state


def described(model: str, draws: int, device: str) -> Described | None:
    """What asking would take; None where the model cannot be read."""
    try:
        return runner().describe(model, draws, device)
    except UserFacingError:
        return None


def wake() -> None:
    """Once for each start of the server: jobs that waited when the machine went down go on."""
    settings = cached.settings()
    with contextlib.suppress(UserFacingError):
        _cached_shell.wake(settings, tuple(settings.environ().values()))
