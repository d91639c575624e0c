"""The frame around every page: navigation from the files in pages/, page config, page heads."""

from __future__ import annotations

import ast
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from PIL import Image

from core.ui import jobs, mark, running

NAME = "Penumbra"
_FRAMED: ContextVar[bool] = ContextVar("framed", default=False)  # True while app.py runs a page
_PAGES = Path(__file__).resolve().parent.parent.parent / "pages"
INKS = ("#FFFFFF", "#11161D")  # on the theme's main colour: light theme, dark theme
# Streamlit writes white there in both, and the main colour of the dark theme has to be light: it is that of text, too
_READABLE = f"""<style>
.stApp [data-testid="stBaseButton-primary"]:not(:disabled),
.stApp [data-testid="stBaseButton-primary"]:not(:disabled) kbd,
.stApp [data-testid="stMultiSelect"] [data-tag] {{ color: light-dark({INKS[0]}, {INKS[1]}); opacity: 1; }}
</style>"""


@dataclass(frozen=True, slots=True)
class PageFile:
    """What a file in pages/ says about itself: `<n>_<Title>.py` with an ICON and a docstring."""

    path: Path
    title: str
    icon: str
    address: str  # as Streamlit itself would name the file, so that links work before and after its first run

    @classmethod
    def read(cls, path: Path) -> PageFile:
        title = path.stem.partition("_")[2].replace("_", " ")
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ICON":
                return cls(path, title, ast.literal_eval(node.value), path.stem.partition("_")[2])
        raise ValueError(f"{path.name} defines no ICON")


def page_files() -> tuple[PageFile, ...]:
    files = sorted(_PAGES.glob("[0-9]*_*.py"), key=lambda path: int(path.stem.partition("_")[0]))
    return tuple(PageFile.read(path) for path in files)


def run() -> None:
    """The whole app: page config, navigation, the page that is asked for."""
    token = _FRAMED.set(True)
    try:
        st.set_page_config(page_title=NAME, page_icon=Image.fromarray(mark.icon()), layout="wide")
        pages = [
            st.Page(file.path, title=file.title, icon=file.icon, url_path=file.address, default=index == 0)
            for index, file in enumerate(page_files())
        ]
        st.html(_READABLE)
        st.logo(Image.fromarray(mark.icon()), size="small")
        running.wake()
        page = st.navigation(pages, position="top")
        jobs.strip()
        page.run()
    finally:
        _FRAMED.reset(token)


def frame() -> None:
    """The first line of every page. Until some visitor has run app.py, Streamlit starts a page of the
    pages/ folder on its own, without the app around it; then the app is run from here instead."""
    if not _FRAMED.get():
        run()
        st.stop()


def head(title: str, sentence: str) -> None:
    """A page opens with its name and one sentence that says what it answers."""
    st.title(title, anchor=False)
    st.markdown(sentence)
    # whole before any chart: Plotly looks into it, and stumbles where another visitor's table is still loading it
    import pandas  # noqa: F401


def is_dark() -> bool:
    return st.context.theme.type == "dark"
