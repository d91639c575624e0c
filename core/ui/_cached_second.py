"""What is kept of two maps beside each other, for all visitors: what may be, which items they share, do they agree."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.contracts import Kind
from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.maps import beside
from core.maps.beside import Stay
from core.pipeline.atlas import HELDOUT, Atlas, AtlasFacts, atlases
from core.pipeline.paired import Pairs, paired
from core.settings import Settings
from core.store import trace
from core.ui import cached


def collections(kind: Kind) -> tuple[AtlasFacts, ...]:
    """All of a kind, looked at anew where one of them has changed."""
    settings, root = cached.settings(), cached.settings().collections
    here = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    seen = tuple(f"{name} {_trace(name, settings)}" for name in here)
    return _collections(str(settings.home), kind, seen, settings)


def _trace(name: str, settings: Settings) -> str | None:
    try:
        return trace(settings.collections, name)
    except UserFacingError:  # a folder of somebody else
        return None


@st.cache_resource(max_entries=8, show_spinner=False)
def _collections(home: str, kind: Kind, seen: tuple[str, ...], _settings: Settings) -> tuple[AtlasFacts, ...]:
    return tuple(one for one in atlases(_settings, kind) if one.data != HELDOUT)


def pairs(first: Atlas, second: Atlas) -> Pairs:
    return _pairs(first.fingerprint, second.fingerprint, first, second)


@st.cache_resource(max_entries=8, show_spinner=False)
def _pairs(first: str, second: str, _first: Atlas, _second: Atlas) -> Pairs:
    return paired(_first, _second)


def stay(first: Atlas, second: Atlas, drawn: Pairs, rows: np.ndarray | None) -> Stay | None:
    """Of the items that both maps draw; ``rows``: places among these, None: all."""
    maps = tuple("" if one.drawn is None else one.drawn.key for one in (first, second))
    some = "" if rows is None else sha256_of(np.ascontiguousarray(rows, np.int64).tobytes())
    return _stay((first.fingerprint, second.fingerprint, *maps), some, first, second, drawn, rows)


@st.cache_resource(max_entries=64, show_spinner=False)
def _stay(
    maps: tuple[str, ...], some: str, _first: Atlas, _second: Atlas, _drawn: Pairs, _rows: np.ndarray | None
) -> Stay | None:
    assert _first.points is not None
    assert _second.points is not None
    return beside.stay(_first.points[_drawn.first], _second.points[_drawn.second], _rows)
