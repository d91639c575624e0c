"""What is kept of two maps beside each other, for all visitors: which items they share, and how far they agree."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.fingerprint import sha256_of
from core.maps import beside
from core.maps.beside import Stay
from core.pipeline.atlas import Atlas
from core.pipeline.paired import Pairs, paired


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
