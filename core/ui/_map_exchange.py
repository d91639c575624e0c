"""The selection as a file for another tool, with the lines that open it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.pipeline import exchange
from core.pipeline.atlas import Atlas
from core.store.export import octets
from core.ui import cached, words

_KINDS: dict[Literal[".parquet", ".csv"], str] = {".parquet": "Parquet", ".csv": "CSV"}
_MADE = "map-exchange"  # in the session: what the button made last


@dataclass(frozen=True, slots=True)
class _File:
    of: tuple[str, ...]  # which items, for which tool, of which kind
    name: str
    raw: bytes
    items: int
    language: str
    recipe: str
    notes: tuple[str, ...]


def show(atlas: Atlas, rows: np.ndarray) -> None:
    with st.popover("Other tools", icon=":material/ios_share:", type="tertiary"):
        _form(atlas, rows)


@st.fragment
def _form(atlas: Atlas, rows: np.ndarray) -> None:
    """A file is made when it is asked for: pictures and sounds may have to be read."""
    tool: Any = st.segmented_control(
        "For", list(exchange.TOOLS), format_func=lambda key: exchange.TOOLS[key], default="fiftyone", required=True,
        key="map-exchange-tool",
    )  # fmt: skip
    suffix: Any = st.segmented_control(
        "As", list(_KINDS), format_func=lambda key: _KINDS[key], default=".parquet", required=True,
        key="map-exchange-kind",
    )  # fmt: skip
    of = (atlas.fingerprint, sha256_of(np.ascontiguousarray(rows, np.int64).tobytes()), tool, suffix)
    if st.button("Make the file", icon=":material/build:", key="map-exchange-make"):
        st.session_state.pop(_MADE, None)
        try:
            st.session_state[_MADE] = _make(atlas, rows, tool, suffix, of)
        except UserFacingError as error:
            st.error(words.plain(str(error), 300), icon=":material/block:")
    file: _File | None = st.session_state.get(_MADE)
    if file is None or file.of != of:
        st.caption(f"{words.count(len(rows))} items; those without a file of their own are written to this machine.")
        return
    st.download_button(
        f"{file.name}, {words.size(len(file.raw))}", file.raw, file.name, on_click="ignore", icon=":material/download:",
        key="map-exchange-file",
    )  # fmt: skip
    st.markdown(f"{words.count(file.items)} items. Open it in {exchange.TOOLS[tool]}, from the folder that it is in:")
    st.code(file.recipe, language=file.language, wrap_lines=True)
    for note in file.notes:
        st.caption(words.plain(note, 300))


def _make(
    atlas: Atlas, rows: np.ndarray, tool: exchange.Tool, suffix: Literal[".csv", ".parquet"], of: tuple[str, ...]
) -> _File:
    bar = st.progress(0.0, "Looking for the files")

    def tell(done: int, total: int, _stage: str) -> None:
        bar.progress(done / max(1, total), f"{words.count(done)} of {words.count(total)} files")

    try:
        found = exchange.made(atlas, rows, tool, suffix, cached.settings(), tell)
        name = f"{atlas.name}-{tool}{suffix}"
        language, lines = exchange.recipe(tool, name, found)
        return _File(of, name, octets(found.table, suffix), len(found), language, lines, found.notes)
    finally:
        bar.empty()
