"""The one classroom of this server: lessons are computed in a process of their own."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.lessons._classroom import Classroom, key_of
from core.lessons._contract import Lesson
from core.lessons._pictures import Chain, Picture
from core.settings import Settings
from core.ui import cached


def classroom() -> Classroom:
    """Its process starts with the first reveal, never with the page."""
    settings = cached.settings()
    return _classroom(settings, tuple(settings.environ().values()))


@st.cache_resource(max_entries=4, show_spinner=False, on_release=Classroom.close)
def _classroom(_settings: Settings, known: tuple[str, ...]) -> Classroom:
    return Classroom(_settings)


def before(lesson: Lesson, config: Any, seed: int) -> tuple[Picture | Chain, ...]:
    return _before(key_of(lesson, config, seed), lesson, config, seed, cached.settings())


@st.cache_resource(max_entries=32, show_spinner=False)
def _before(key: str, _lesson: Lesson, _config: Any, _seed: int, _settings: Settings) -> tuple[Picture | Chain, ...]:
    return _lesson.before(_config, _seed, _settings)
