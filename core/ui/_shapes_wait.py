"""Waiting for the studio: its place in line, how far it is, or one sentence that says why it will not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from core.contracts import Progress
from core.errors import UserFacingError
from core.ui import words

T = TypeVar("T")


def waited(begin: str, ask: Callable[[Progress, Callable[[int], None]], T]) -> T | None:
    """What ``ask`` gives, which is told how to say how far it is and how many come first."""
    slot = st.empty()
    bar = slot.progress(0.0, begin)

    def progress(done: int, total: int, stage: str) -> None:
        bar.progress(done / total, f"{stage} ({done + 1} of {total})")

    def on_place(before: int) -> None:
        bar.progress(0.0, f"{words.counted(before, 'visitor')} before you; then it is your turn.")

    try:
        return ask(progress, on_place)
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None
    finally:
        slot.empty()
