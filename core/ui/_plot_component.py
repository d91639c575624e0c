"""The chart that answers with outlines, the clicked and hovered point and the dragged operating point; nothing else.

A Streamlit component around the plotly.min.js of the installed plotly wheel. Arrays travel to the browser as base64
and no point travels back: the server resolves an outline over all its points (``core.maps.lasso``). What the browser
answers is tied to the points it saw, so an answer about other points is none; whatever it sends is checked.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from streamlit.components import v2 as components
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

from core.maps import lasso

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Outline = tuple[tuple[float, float], ...]
_MOST_CORNERS = 20_000  # of all outlines together; a hand-drawn one has some hundred


@dataclass(frozen=True, slots=True)
class Handle:
    """A vertical line that is dragged, or moved by arrow keys. ``says`` stands beside it instead of its bare value."""

    x: float
    low: float
    high: float
    step: float
    name: str  # for screen readers: "share kept"
    unit: str = ""
    digits: int = 2
    says: str | None = None
    follows: str = "keep"  # the name in the URL that a drag changes, without a step of the browser's history

    def __post_init__(self) -> None:
        if not (self.low <= self.x <= self.high and self.step > 0):
            raise ValueError("a handle lies between its ends and moves by a positive step")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person did. Points are (trace, index)."""

    outlines: tuple[Outline, ...] = ()
    clicked: tuple[int, int] | None = None
    hovered: tuple[int, int] | None = None
    dragged: float | None = None

    def held(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which of any points, drawn or not, the outlines hold."""
        return lasso.inside_any(self.outlines, x, y)


@dataclass(frozen=True, slots=True)
class Told:
    """Callbacks; each runs before the page does, once for each thing done."""

    drag: Callable[[float], None] | None = None
    click: Callable[[int, int], None] | None = None
    outline: Callable[[tuple[Outline, ...]], None] | None = None


def show(
    figure: Figure,
    key: str,
    *,
    alt: str,
    handle: Handle | None = None,
    select: bool = False,
    hover: bool = False,
    told: Told | None = None,
    name: str = "chart",
    release: int = 0,
) -> Seen:
    """Draw any Plotly figure. ``select``: lasso, box and click answer; ``hover``: so does the pointer (each a rerun:
    use a fragment). ``alt``: what a person who does not see the chart is told; ``name``: of downloaded pictures.
    ``release``: another number lets go of the outline that is drawn, as when something else was selected elsewhere.
    """
    stamp = stamp_of(figure) if select or hover else "unselected"
    counts = tuple(len(_places(trace)[0]) for trace in figure.data) if select or hover else ()
    kept = _state(key)
    point = None if handle is None else {**_plain(handle), "echo": _number(kept.get("dragged"))}
    data: dict[str, Any] = {
        "figure": _text_of(figure),
        "stamp": stamp,
        "select": select,
        "hover": hover,
        "alt": alt,
        "name": name,
        "release": release,
    }
    callbacks = _callbacks(key, stamp, counts, handle, told or Told())
    _serve()
    data["library"] = _version()
    # in a list: of a bare mapping Streamlit asks whether its values are tables, and loads pandas to find out
    _component()(key=key, data=[{**data, "handle": point}], height="content", **callbacks)
    return _read(_state(key), stamp, counts, handle)


def _places(trace: Any) -> tuple[Sequence[float], Sequence[float]]:
    return tuple(() if trace[axis] is None else trace[axis] for axis in ("x", "y"))  # type: ignore[return-value]


def _text_of(figure: Figure) -> str:
    """Plotly's own ``to_json`` makes each slash of base64 six letters, which is a sixth of a message."""
    from plotly.utils import PlotlyJSONEncoder

    return json.dumps(figure.to_dict(), cls=PlotlyJSONEncoder, separators=(",", ":"))


def stamp_of(figure: Figure) -> str:
    """Which points a figure shows and where: the same after recolouring, another after any move."""
    digest = hashlib.sha256()
    for trace in figure.data:
        for values in _places(trace):
            array = np.asarray(values)
            raw = array.tobytes() if array.dtype != object else repr(array.tolist()).encode()
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(raw)
    return digest.hexdigest()[:16]


def _plain(handle: Handle) -> dict[str, Any]:
    return {field: getattr(handle, field) for field in handle.__dataclass_fields__}


def _state(key: str) -> dict[str, Any]:
    """What the browser has said so far, as it came."""
    kept = st.session_state.get(key)
    return {name: kept.get(name) for name in ("outlines", "clicked", "hovered", "dragged")} if kept else {}


def _callbacks(
    key: str, stamp: str, counts: tuple[int, ...], handle: Handle | None, told: Told
) -> dict[str, Callable[[], None]]:
    def now() -> Seen:
        return _read(_state(key), stamp, counts, handle)

    def dragged() -> None:
        place = now().dragged
        if told.drag and place is not None:
            told.drag(place)

    def clicked() -> None:
        point = now().clicked
        if told.click and point is not None:
            told.click(*point)

    def outlined() -> None:
        if told.outline:
            told.outline(now().outlines)

    return {
        "on_outlines_change": outlined,
        "on_clicked_change": clicked,
        "on_dragged_change": dragged,
        "on_hovered_change": lambda: None,
    }


# ---- what a browser says is checked like any input ----


def _read(said: dict[str, Any], stamp: str, counts: tuple[int, ...], handle: Handle | None) -> Seen:
    place = _number(said.get("dragged"))
    inside = handle is not None and place is not None and handle.low <= place <= handle.high
    return Seen(
        outlines=_outlines(_about(said.get("outlines"), stamp)),
        clicked=_point(_about(said.get("clicked"), stamp), counts),
        hovered=_point(_about(said.get("hovered"), stamp), counts),
        dragged=place if inside else None,
    )


def _about(said: Any, stamp: str) -> Any:
    """The value of an answer about these points; None for an answer about others."""
    return said.get("value") if isinstance(said, dict) and said.get("stamp") == stamp else None


def _number(said: Any) -> float | None:
    number = float(said) if isinstance(said, int | float) and not isinstance(said, bool) else math.nan
    return number if math.isfinite(number) else None


def _point(said: Any, counts: tuple[int, ...]) -> tuple[int, int] | None:
    if not isinstance(said, list) or len(said) != 2 or any(type(part) is not int for part in said):
        return None
    trace, index = said
    return (trace, index) if 0 <= trace < len(counts) and 0 <= index < counts[trace] else None


def _outlines(said: Any) -> tuple[Outline, ...]:
    if not isinstance(said, list) or not all(isinstance(outline, list) for outline in said):
        return ()
    if sum(len(outline) for outline in said) > _MOST_CORNERS:
        return ()
    drawn = []
    for outline in said:
        corners = [_corner(corner) for corner in outline]
        whole = tuple(corner for corner in corners if corner is not None)
        if 3 <= len(whole) == len(corners):
            drawn.append(whole)
    return tuple(drawn)


def _corner(said: Any) -> tuple[float, float] | None:
    if not isinstance(said, list) or len(said) != 2:
        return None
    x, y = _number(said[0]), _number(said[1])
    return None if x is None or y is None else (x, y)


# ---- registered once, served by Streamlit itself ----

_HTML = """<div class="penumbra-plot"><div class="drawing" tabindex="0"></div>
<div class="handle" role="slider" tabindex="0" hidden><div class="grip"></div><div class="value"></div></div>
<div class="cursor" hidden></div><div class="spoken" aria-live="polite"></div></div>"""


@cache
def _component() -> Any:
    return components.component(
        "penumbra.plot",
        html=_HTML,
        css="plot.css",
        js="plot.js",
        isolate_styles=False,  # Plotly writes its style sheet into the page's head
    )


@cache
def _version() -> str:
    from importlib.metadata import version

    return version("plotly")


def _serve() -> None:
    """Tell the running Streamlit where the files lie, which it then serves by address. Each runtime needs it once."""
    manager = get_bidi_component_manager()
    if manager.get("penumbra.plotly") is None:
        import plotly

        here, wheel = Path(__file__).resolve().parent, Path(plotly.__file__).resolve().parent
        for part, folder, root in (("plot", "plot_files", here), ("plotly", "package_data", wheel)):
            manager.register_from_manifest(ComponentManifest("penumbra", "1", [ComponentConfig(part, folder)]), root)
