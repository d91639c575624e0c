"""What the Train page keeps for all visitors: forms, timm's names, offers, and facts of data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.pipeline import forms as asked
from core.pipeline import offers as offered
from core.pipeline.forms import Forms
from core.pipeline.offers import Offer, Took
from core.settings import Settings
from core.ui import _cached_shell, cached


def forms() -> Forms:
    """What methods and networks can be set to. Raises UserFacingError."""
    settings = cached.settings()
    return _forms(settings, str(settings.home))


@st.cache_resource(max_entries=4, show_spinner="Reading what methods and networks can be set to")
def _forms(_settings: Settings, home: str) -> Forms:
    return asked.forms(_settings)


def timm_names() -> tuple[str, ...]:
    settings = cached.settings()
    return _timm(settings, str(settings.home))


@st.cache_resource(max_entries=4, show_spinner="Reading the names that timm knows")
def _timm(_settings: Settings, home: str) -> tuple[str, ...]:
    return asked.timm_names(_settings)


def offers() -> tuple[tuple[Offer, ...], Mapping[str, Took]]:
    """Looked at anew where a model came or went, and now and then: data may have been put in place."""
    settings = cached.settings()
    return _offers(settings, (str(settings.home), *_cached_shell.stamp_of(settings)))


@st.cache_resource(max_entries=4, show_spinner="Looking which recipes are ready", ttl=120)
def _offers(_settings: Settings, stamp: tuple[str, ...]) -> tuple[tuple[Offer, ...], Mapping[str, Took]]:
    return offered.offers(_settings), offered.took(_settings)


def facts(source: str) -> Mapping[str, Any]:
    """Title, kind, classes, splits, folds and counts of a source. Raises UserFacingError."""
    path, settings = Path(source), cached.settings()
    stamp = str(path.stat().st_mtime_ns) if path.is_absolute() and path.exists() else ""
    return _facts(settings, (str(settings.home), str(settings.data)), source, stamp)


@st.cache_resource(max_entries=64, show_spinner="Reading what is known of these data")
def _facts(_settings: Settings, places: tuple[str, ...], source: str, stamp: str) -> Mapping[str, Any]:
    return asked.data_facts(source, _settings)
