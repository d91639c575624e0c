"""What Map, Retention, Retrieve and Inspect keep of items and of what a model says of them, for all visitors.

What is kept hangs on the state of the collection, the model and the maps, so that a change is seen at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.checkpoints.folders import find, mark_of
from core.contracts import Dataset
from core.errors import UserFacingError
from core.maps.saved import SavedMap
from core.maps.trust import agreement
from core.pipeline.atlas import HELDOUT, Atlas, open_atlas, read_item, source_of, thumbnails
from core.settings import Settings
from core.ui import cached
from core.ui.controls import Choice
from core.verdict import Code

_Stamp = tuple[str, ...]


def atlas(choice: Choice) -> Atlas:
    """Items and what the chosen model says of them. Raises UserFacingError."""
    if choice.model is None:
        raise UserFacingError("No trained model is here; make the ones that come with the app with 'make models'.")
    settings = cached.settings()
    asked = (None, None) if choice.data == HELDOUT else (choice.draws, choice.seed)
    return _atlas(settings, choice.data, choice.model, *asked, _stamp(choice.data, choice.model, settings))


@st.cache_resource(max_entries=16, show_spinner="Reading what the model says of the items")
def _atlas(_settings: Settings, data: str, model: str, draws: int | None, seed: int | None, stamp: _Stamp) -> Atlas:
    return open_atlas(data, model, _settings, draws=draws, seed=seed)


def _stamp(data: str, model: str, settings: Settings) -> _Stamp:
    """Changes with the collection, the model and the saved maps."""
    mark = (str(settings.home), mark_of(find(model, settings)))
    if data == HELDOUT:
        folders = [*settings.home.glob("maps/of-*/map-*"), *settings.checkpoints.glob("maps/of-*/map-*")]
        return (*mark, *sorted(path.name for path in folders))
    from core.store import trace

    maps = settings.collections.glob(f"{data}/maps/map-*")
    seen = trace(settings.collections, data)
    version = _read_version(data, settings) if seen is None else _version(str(settings.home), data, seen, settings)
    made = "" if seen is None else seen.split()[0]  # another one of the same name
    return (*mark, made, version, *sorted(path.name for path in maps))


@st.cache_resource(max_entries=64, show_spinner=False)
def _version(home: str, data: str, trace: str, _settings: Settings) -> str:
    return _read_version(data, _settings)


def _read_version(data: str, settings: Settings) -> str:
    from core.store import open_collection

    return open_collection(settings.collections, data).contents


@st.cache_resource(max_entries=8, show_spinner=False)
def _source(fingerprint: str, _atlas: Atlas) -> Dataset:
    return source_of(_atlas, cached.settings())


def item_bytes(choice: Choice, id_: str) -> bytes:
    """The original bytes of an item. Raises UserFacingError where they are not on this machine."""
    return item_of(atlas(choice), id_)


def item_of(whole: Atlas, id_: str) -> bytes:
    return _item(whole.fingerprint, id_, whole)


@st.cache_resource(max_entries=96, show_spinner=False)
def _item(fingerprint: str, id_: str, _atlas: Atlas) -> bytes:
    return read_item(_atlas, id_, cached.settings(), _source(fingerprint, _atlas))


def thumb(choice: Choice, id_: str) -> bytes | None:
    """Its small picture; None where there is none and none can be made."""
    return thumbs_of(atlas(choice), (id_,)).get(id_)


def thumbs_of(whole: Atlas, ids: Sequence[str]) -> dict[str, bytes]:
    """Several at once: those that are not known yet are made side by side."""
    return _thumbs(whole.fingerprint, tuple(ids), whole)


@st.cache_resource(max_entries=512, show_spinner=False)
def _thumbs(fingerprint: str, ids: tuple[str, ...], _atlas: Atlas) -> dict[str, bytes]:
    source = None
    if _atlas.source == HELDOUT:
        try:
            source = _source(fingerprint, _atlas)
        except UserFacingError:
            return {}
    return thumbnails(_atlas, ids, cached.settings(), source)


def agree(first: SavedMap, second: SavedMap) -> float | None:
    """Share of the neighbours on one map that are neighbours on the other; None: they draw other items."""
    return _agree(first.key, second.key, first, second) if first.ids == second.ids else None


@st.cache_resource(max_entries=32, show_spinner="Comparing two maps")
def _agree(first: str, second: str, _first: SavedMap, _second: SavedMap) -> float | None:
    return agreement(_first.points, _second.points)


def codes(whole: Atlas) -> tuple[Code, ...]:
    """The word of every item's verdict."""
    return _codes(whole.fingerprint, whole)


@st.cache_resource(max_entries=16, show_spinner=False)
def _codes(fingerprint: str, _atlas: Atlas) -> tuple[Code, ...]:
    return tuple(_atlas.code(row) for row in range(len(_atlas)))
