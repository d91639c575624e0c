"""Every st.cache_* of the project. Keys are sha256 and small frozen things, never arrays.

What is cached is frozen and shared by all visitors; who holds a sha256 has held the bytes.
"""

from __future__ import annotations

import streamlit as st

from core import settings as environment
from core.contracts import Dataset
from core.data import open_dataset
from core.fingerprint import sha256_of
from core.media.archive import Archive, open_archive
from core.media.door import View, open_view
from core.settings import Settings


@st.cache_resource
def settings() -> Settings:
    return environment.load()


@st.cache_resource(max_entries=48, show_spinner=False)
def _view(sha256: str, _raw: bytes) -> View:
    return open_view(_raw)


def view(raw: bytes) -> View:
    """A decoded file, ready to draw. Raises UserFacingError; a refusal is not remembered."""
    return _view(sha256_of(raw), raw)


@st.cache_resource(max_entries=16, show_spinner=False)
def _archive(sha256: str, _raw: bytes) -> Archive:
    return open_archive(_raw, settings())


def archive(raw: bytes) -> Archive:
    return _archive(sha256_of(raw), raw)


@st.cache_resource(max_entries=8, show_spinner=False)
def dataset(key: str) -> Dataset:
    return open_dataset(key, settings())


@st.cache_resource(max_entries=128, show_spinner=False)
def item_bytes(key: str, item_id: str) -> bytes:
    data = dataset(key)
    return data.read(next(item for item in data.items if item.id == item_id))
