"""Stored sweeps and what the studies read from them, kept for all visitors as long as no table changes."""

from __future__ import annotations

import streamlit as st

from core import registry
from core.experiments._study import Answer, Study, answered
from core.pipeline import recorded, swept
from core.pipeline.swept import Swept
from core.settings import Settings
from core.ui import cached

_Stamp = tuple[str, ...]


def _stamp(settings: Settings) -> _Stamp:
    folders = (*swept.places(settings), *recorded.places(settings))
    files = [path for folder in folders for path in sorted(folder.glob("*.json"))]
    return tuple(f"{path} {path.stat().st_mtime_ns}" for path in files)


def sweeps() -> dict[str, Swept]:
    settings = cached.settings()
    return _sweeps(_stamp(settings), settings)


@st.cache_resource(max_entries=4, show_spinner=False)
def _sweeps(stamp: _Stamp, _settings: Settings) -> dict[str, Swept]:
    return swept.stored(_settings)


def answers() -> dict[str, tuple[Study, Answer | None]]:
    settings = cached.settings()
    return _answers((str(settings.home), *_stamp(settings)), settings)


@st.cache_resource(max_entries=4, show_spinner=False)
def _answers(stamp: _Stamp, _settings: Settings) -> dict[str, tuple[Study, Answer | None]]:
    studies: dict[str, Study] = dict(registry.discover("core.experiments", "STUDY"))
    return {key: (study, answered(study, _settings)) for key, study in studies.items()}
