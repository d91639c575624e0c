"""Data that a visitor gives: an upload, or a place on this machine; what it is called comes with it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.data import local
from core.errors import UserFacingError
from core.pipeline import uploads
from core.ui import cached, words

Given = tuple[str, str]  # as the command line takes it; its name


def uploaded(key: str) -> Given | None:
    """None until there is one that can be stored."""
    given = st.file_uploader(
        "A zip of a folder with one sub-folder a class, of a flat folder, or with a manifest; or a manifest with the "
        "files inside it",
        type=["zip", "csv", "tsv", "parquet"],
        key=key,
    )
    if given is None:
        return None
    try:
        return str(uploads.kept(given.getvalue(), given.name, cached.settings())), Path(given.name).stem
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return None


def folder(key: str) -> Given | None:
    """None until something is there."""
    text = st.text_input("Folder or manifest on this machine", key=key, placeholder="/data/my-recordings").strip()
    if not text:
        return None
    path = local(text)
    if path is None or not path.is_absolute():
        st.error("There is no such folder or file; give its whole path.", icon=":material/block:")
        return None
    return str(path.resolve()), path.stem
