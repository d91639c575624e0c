"""The one classroom of this server: lessons are computed in a process of their own."""

from __future__ import annotations

import streamlit as st

from core.lessons._classroom import Classroom
from core.settings import Settings
from core.ui import cached


def classroom() -> Classroom:
    """Its process starts with the first reveal, never with the page."""
    settings = cached.settings()
    return _classroom(settings, tuple(settings.environ().values()))


@st.cache_resource(max_entries=4, show_spinner=False, on_release=Classroom.close)
def _classroom(_settings: Settings, known: tuple[str, ...]) -> Classroom:
    return Classroom(_settings)
