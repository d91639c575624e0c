"""A stream as a moving picture: its spectrogram, and below it the doubts of each model. Pure, no streamlit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.pipeline.listen import PARTS, Heard
from core.pipeline.medley import Mark
from core.ui import figures, palette, words
from core.ui._inspect_charts import NAMES
from core.ui._listen_strip import Strip
from core.ui.measures import colour_of
from core.verdict import spoken

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SPAN = 30.0  # seconds that are drawn while the stream runs
_STRIP, _ROW, _GAP, _ABOVE, _BELOW = 120, 120, 32, 22, 44  # pixels
_COLUMNS = 600  # of the spectrogram
_RANGE_DB = 80.0
_LETTER = 0.0075  # of the width
_DASHES = {"total": "solid", "aleatoric": "dash", "epistemic": "dot"}


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One model."""

    title: str  # with what it has time for
    told: Sequence[Heard]
    classes: int


def stream(
    strip: Strip, rows: Sequence[Row], span: tuple[float, float], marks: Sequence[Mark], chunk: float, dark: bool
) -> Figure:
    """``span``: the seconds that are drawn. A model without draws has one line: nothing splits its doubt.

    Drawn once a second, so it is put together from plain mappings: adding parts one by one takes ten times as long.
    """
    from plotly import graph_objects as go

    inner = _STRIP + len(rows) * (_ROW + _GAP)
    layout = palette.layout(dark, inner + _ABOVE + _BELOW)
    layout |= {"dragmode": False, "margin": {"l": 64, "r": 92, "t": _ABOVE, "b": _BELOW}}
    time_axis = palette.axis(dark) | {"range": list(span), "showgrid": False}
    time_axis["title"] = {"text": "seconds of the stream", "standoff": 8}
    layout["xaxis"] = time_axis | {"anchor": f"y{len(rows) + 1}" if rows else "y"}
    places, texts = figures.mel_ticks(strip.centres)
    layout["yaxis"] = palette.axis(dark) | {"tickvals": places[::2], "ticktext": texts[::2], "showgrid": False}
    layout["yaxis"]["domain"] = [1 - _STRIP / inner, 1]
    highest = max((math.log(row.classes) for row in rows), default=1.0)
    data, notes = [_spectrogram(strip, span)], _marked(marks, span, dark)
    for number, row in enumerate(rows, start=2):
        foot = 1 - (_STRIP + (number - 1) * (_ROW + _GAP)) / inner
        axis = palette.axis(dark) | {"title": {"text": "nats", "standoff": 8}, "nticks": 4}
        layout[f"yaxis{number}"] = axis | {
            "domain": [max(0.0, foot), foot + _ROW / inner],
            "range": [0, 1.08 * highest],
        }
        lines, more = _doubts(row, number, span, chunk, highest, dark)
        data, notes = data + lines, notes + more
    edge = {"color": palette.palette(dark).faint, "width": 1, "dash": "dot"}
    layout["shapes"] = [
        {"type": "line", "x0": mark.start, "x1": mark.start, "yref": f"{axis} domain", "y0": 0, "y1": 1, "line": edge}
        for axis in ("y", *(f"y{number}" for number in range(2, len(rows) + 2)))
        for mark in marks
        if span[0] < mark.start < span[1]
    ]
    return go.Figure({"data": data, "layout": layout | {"annotations": notes}})


def _spectrogram(strip: Strip, span: tuple[float, float]) -> dict[str, Any]:
    frames = strip.log_mel.shape[1]
    times = strip.start + (np.arange(frames) + 0.5) * ((strip.ends - strip.start) / max(1, frames))
    shown = np.flatnonzero((times >= span[0]) & (times <= span[1]))
    shown = shown[:: max(1, -(-len(shown) // _COLUMNS))]
    top = max(strip.top, -60.0)
    levels = np.clip(np.rint(strip.log_mel[:, shown]), -127, 127).astype(np.int8)
    return {
        "type": "heatmap", "x": times[shown].astype(np.float32), "y": np.arange(len(strip.centres)), "z": levels,
        "zmin": top - _RANGE_DB, "zmax": top, "colorscale": "Cividis", "showscale": False, "hoverinfo": "skip",
    }  # fmt: skip


def _marked(marks: Sequence[Mark], span: tuple[float, float], dark: bool) -> list[dict[str, Any]]:
    """What is known to be heard, above the spectrogram."""
    font, notes = {"size": 12, "color": palette.palette(dark).faint}, []
    for mark in marks:
        left, right = max(mark.start, span[0]), min(mark.ends, span[1])
        if right > left and 5.2 * len(mark.name) < 640 * (right - left) / (span[1] - span[0]):
            where = {"x": (left + right) / 2, "yref": "y domain", "y": 1, "yanchor": "bottom"}
            notes.append(where | {"text": mark.name, "showarrow": False, "font": font})
    return notes


def _doubts(
    row: Row, number: int, span: tuple[float, float], chunk: float, highest: float, dark: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    colours, axis = palette.palette(dark), f"y{number}"
    told = [one for one in row.told if span[0] <= one.ends <= span[1]]
    several = any(one.draws > 1 for one in told)
    drawn = _broken(told, chunk)
    lines, ends = [], []
    for measure in PARTS if several else PARTS[:1]:
        marker = {"size": 6, "symbol": ["circle-open" if one is not None and one.late else "circle" for one in drawn]}
        lines.append(
            {
                "type": "scatter", "yaxis": axis, "name": NAMES[measure], "hoverinfo": "text", "marker": marker,
                "mode": "lines+markers" if measure == "total" else "lines",
                "line": {"color": colour_of(measure, dark), "dash": _DASHES[measure], "width": 2},
                "x": [None if one is None else one.ends for one in drawn],
                "y": [None if one is None else one.doubts.get(measure) for one in drawn],
                "hovertext": ["" if one is None else says(one) for one in drawn],
            }
        )  # fmt: skip
        if told and measure in told[-1].doubts:
            ends.append((measure, told[-1].doubts[measure]))
    beside = {"xref": "x domain", "x": 1, "yref": axis, "xanchor": "left", "xshift": 6, "showarrow": False}
    notes = [
        beside | {"y": value, "text": NAMES[measure], "font": {"color": colours.ink}}
        for measure, value in spread(ends, highest / 7)
    ]
    top = {"yref": f"{axis} domain", "y": 1, "xanchor": "left", "showarrow": False}
    small = {"size": 12, "color": colours.faint}
    notes += [
        top | {"x": x, "yanchor": "top", "text": spoken(label), "font": small} for label, x in _labels(told, span)
    ]
    notes.append(top | {"x": 0, "xref": "paper", "xshift": -44, "yanchor": "bottom", "text": row.title})
    return lines, notes


def says(one: Heard) -> str:
    """What stands at a marker."""
    draws = "one draw" if one.draws == 1 else f"{one.draws} draws"
    told = f"Heard to {words.figure(one.ends)} s: {spoken(one.label)} {words.chance(one.p)}, "
    told += f"{words.figure(one.doubts['total'])} nats of doubt from {draws} in {words.seconds(one.seconds)}"
    return told + ("; too late" if one.late else "") + ("" if one.whole else "; so far too short, and repeated")


def _broken(told: Sequence[Heard], chunk: float) -> list[Heard | None]:
    """With a gap where something was left out."""
    found: list[Heard | None] = []
    for before, one in zip([None, *told], told, strict=False):
        if before is not None and one.ends - before.ends > 1.5 * chunk:
            found.append(None)
        found.append(one)
    return found


def _labels(told: Sequence[Heard], span: tuple[float, float]) -> list[tuple[str, float]]:
    """The top class where it changes, as far as names do not lie on each other."""
    found: list[tuple[str, float]] = []
    letter = _LETTER * (span[1] - span[0])
    for before, one in zip([None, *told], told, strict=False):
        if before is not None and before.label == one.label:
            continue
        if found and one.ends < found[-1][1] + letter * len(spoken(found[-1][0])):
            found.pop()  # it lasted too short to be read
        if not found or found[-1][0] != one.label:
            found.append((one.label, one.ends))
    return found


def spread(ends: Sequence[tuple[str, float]], gap: float) -> list[tuple[str, float]]:
    """Where names stand at the lines' ends, a little apart."""
    found, low = [], -math.inf
    for name, value in sorted(ends, key=lambda end: end[1]):
        low = max(value, low + gap)
        found.append((name, low))
    return found


def columns(told: Mapping[str, Sequence[Heard]]) -> dict[str, list[object]]:
    """Every answer as a table."""
    rows = [(name, one) for name, heard in told.items() for one in heard]
    return {
        "of": [name for name, _ in rows],
        "from_second": [one.start for _, one in rows],
        "to_second": [one.ends for _, one in rows],
        "class": [one.label for _, one in rows],
        "p": [one.p for _, one in rows],
        **{name: [one.doubts.get(name) for _, one in rows] for name in PARTS},
        "draws": [one.draws for _, one in rows],
        "seconds": [one.seconds for _, one in rows],
        "late": [one.late for _, one in rows],
    }
