"""The microphone of a visitor's browser, in chunks. A Streamlit component; what it sends is checked like any input."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components import v2 as components

from core.media.audio import RATES

_FILES = Path(__file__).resolve().parent / "listen_files"
_HTML = """<div class="penumbra-microphone"><div class="scale" aria-hidden="true"><div class="level"></div></div>
<div class="spoken" role="status"></div></div>"""
_MOST_SECONDS = 10  # of one message; the browser sends at most six
_FARTHEST = 24 * 3600  # seconds
_TROUBLES = {
    "insecure": "The browser gives the microphone to secure pages only; open this page by https, or on the machine "
    "itself by localhost.",
    "denied": "The browser was not allowed to use the microphone; allow it in the browser's address bar, then listen "
    "again.",
    "missing": "The browser found no microphone; connect one, then listen again.",
    "busy": "Another program holds the microphone; close that program, then listen again.",
    "gone": "The microphone was taken away; connect it again, then listen again.",
    "other": "The browser could not start the microphone; reload the page, or listen to a file instead.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Caught:
    first: int  # place of the first sample, counted from when the microphone was switched on
    rate: int  # Hz, that of the sound card
    samples: np.ndarray  # (time,) float32


def show(key: str, *, run: int, chunk: float, ack: int) -> None:
    """``run``: 0 is off; another number starts anew. ``ack``: the place up to which everything has arrived."""
    quiet = dict.fromkeys(("on_heard_change", "on_trouble_change"), lambda: None)
    # in a list: of a bare mapping Streamlit asks whether its values are tables, and loads pandas to find out
    _component()(key=key, data=[{"run": run, "chunk": chunk, "ack": ack}], height="content", **quiet)


def caught(key: str, run: int) -> Caught | None:
    """The last message of this run; None where there is none that makes sense."""
    said = _said(key, "heard", run)
    first, rate, text = (said.get(name) for name in ("first", "rate", "pcm"))
    if type(first) is not int or type(rate) is not int or not isinstance(text, str):
        return None
    if not RATES[0] <= rate <= RATES[1] or not 0 <= first <= _FARTHEST * rate:
        return None
    if len(text) > 4 * -(-2 * _MOST_SECONDS * rate // 3):
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not raw or len(raw) % 2:
        return None
    return Caught(first, rate, np.frombuffer(raw, "<i2").astype(np.float32) / 32767)


def gone(key: str) -> bool:
    """Was the page left meanwhile? What it said is forgotten then."""
    return not st.session_state.get(key)


def trouble(key: str, run: int) -> str:
    """Why there is no sound, and what to do; empty where nothing is wrong."""
    code = _said(key, "trouble", run).get("code")
    return "" if code is None else _TROUBLES.get(str(code), _TROUBLES["other"])


def _said(key: str, name: str, run: int) -> dict[str, Any]:
    kept = st.session_state.get(key)
    said = kept.get(name) if kept else None
    return said if isinstance(said, dict) and said.get("run") == run else {}


@cache
def _component() -> Any:
    css, js = ((_FILES / f"microphone.{kind}").read_text() for kind in ("css", "js"))
    return components.component("penumbra_microphone", html=_HTML, css=css, js=js)
