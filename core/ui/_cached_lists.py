"""What the Map page keeps of its ready-made lists, and of what people wrote beside the items of a collection."""

from __future__ import annotations

import streamlit as st

from core.pipeline import relabel
from core.pipeline.atlas import HELDOUT, Atlas
from core.pipeline.lists import Listed
from core.pipeline.lists import listed as made
from core.pipeline.marks import Marks, marks_of
from core.pipeline.relabel import Batch
from core.ui import _cached_atlas, cached


def listed(whole: Atlas, key: str, least: float) -> Listed:
    return _listed(whole.fingerprint, key, least if key == "twice" else 0.0, whole, least)


@st.cache_resource(max_entries=48, show_spinner="Looking through the items")
def _listed(fingerprint: str, key: str, at: float, _atlas: Atlas, _least: float) -> Listed:
    codes = _cached_atlas.codes(_atlas) if key == "ambiguous" else None
    return made(_atlas, key, codes, least=_least)


def marks(whole: Atlas) -> Marks:
    """The tags and notes of a collection's items, as they are now. Raises UserFacingError."""
    if whole.source == HELDOUT:
        return Marks({}, {})
    from core.store import trace

    settings = cached.settings()
    seen = trace(settings.collections, whole.name)
    if seen is None:  # on an object store only opening it tells
        return marks_of(whole.name, settings)
    return _marks(str(settings.home), whole.name, seen)


@st.cache_resource(max_entries=32, show_spinner=False)
def _marks(home: str, name: str, trace: str) -> Marks:
    return marks_of(name, cached.settings())


def history(whole: Atlas) -> tuple[Batch, ...]:
    """Which labels were changed together, the last first. Raises UserFacingError."""
    return _history(whole.fingerprint, whole.name)


@st.cache_resource(max_entries=16, show_spinner=False)
def _history(fingerprint: str, name: str) -> tuple[Batch, ...]:
    return relabel.history(name, cached.settings())
