"""Results to Plotly figures: pure, no streamlit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.ui import palette, words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_RANGE_DB = 80.0  # what the spectrogram shows below its loudest value
_MARKS = (100, 250, 500, 1000, 2000, 4000, 8000)  # Hz, labelled on the mel axis


def sound(envelope: np.ndarray, logmel: np.ndarray, centres: np.ndarray, length: float, dark: bool) -> Figure:
    """Waveform above log-mel spectrogram on one time axis.

    ``envelope`` (2, columns) lowest and highest sample; ``logmel`` (mels, frames) in dB; ``centres`` in Hz.
    """
    from plotly import graph_objects as go
    from plotly.subplots import make_subplots

    colours = palette.palette(dark)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.3, 0.7], vertical_spacing=0.04)
    times = (np.arange(envelope.shape[1], dtype=np.float32) + 0.5) * (length / envelope.shape[1])
    quiet = {"mode": "lines", "line": {"width": 0.8, "color": colours.signal}, "hoverinfo": "skip"}
    figure.add_trace(go.Scatter(x=times, y=envelope[0], **quiet), row=1, col=1)
    figure.add_trace(go.Scatter(x=times, y=envelope[1], fill="tonexty", **quiet), row=1, col=1)
    frames = (np.arange(logmel.shape[1], dtype=np.float32) + 0.5) * (length / logmel.shape[1])
    top = max(float(logmel.max()), -60.0)
    figure.add_trace(
        go.Heatmap(
            x=frames,
            y=np.arange(len(centres)),
            z=np.round(logmel.astype(np.float32), 1),
            zmin=top - _RANGE_DB,
            zmax=top,
            colorscale="Cividis",
            customdata=np.repeat(np.round(centres).astype(np.int32)[:, None], logmel.shape[1], axis=1),
            hovertemplate="%{z:.0f} dB at %{x:.2f} s, %{customdata} Hz<extra></extra>",
            colorbar={
                "title": {"text": "dB", "side": "top"},
                "len": 0.66,
                "y": 0.33,
                "thickness": 10,
                "outlinewidth": 0,
            },
        ),
        row=2,
        col=1,
    )
    figure.update_layout(palette.layout(dark, 400))
    figure.update_xaxes(range=[0, length], showgrid=False)
    figure.update_xaxes(title_text="time in seconds", row=2, col=1)
    peak = float(np.abs(envelope).max(initial=0.0)) or 1.0
    ticks = {"tickvals": [-peak, 0, peak], "ticktext": [f"−{words.figure(peak, 2)}", "0", words.figure(peak, 2)]}
    figure.update_yaxes(title_text="amplitude", range=[-1.1 * peak, 1.1 * peak], **ticks, row=1, col=1)
    places, texts = mel_ticks(centres)
    figure.update_yaxes(title_text="frequency", tickvals=places, ticktext=texts, showgrid=False, row=2, col=1)
    return figure


def mel_ticks(centres: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Round frequencies, as places on an axis of mels."""
    marks = [frequency for frequency in _MARKS if centres[0] <= frequency <= centres[-1]]
    return np.interp(marks, centres, np.arange(len(centres))), [_hertz(mark) for mark in marks]


def brightness(levels: np.ndarray, dark: bool) -> Figure:
    """How many pixels have which brightness, one line a colour channel. ``levels`` (3, bins) shares."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    figure = go.Figure()
    step = 256 / levels.shape[1]
    centres = (np.arange(levels.shape[1]) + 0.5) * step
    look = (("red", "solid", colours.refused), ("green", "dash", colours.kept), ("blue", "dot", colours.epistemic))
    for share, (name, dash, colour) in zip(levels, look, strict=True):
        figure.add_trace(
            go.Scatter(
                x=centres,
                y=100 * share,
                name=name,
                mode="lines",
                line={"dash": dash, "width": 2, "color": colour},
                hovertemplate="%{y:.1f} % of the pixels are near %{x:.0f} of 255 in " + name + "<extra></extra>",
            )
        )
    figure.update_layout(palette.layout(dark, 280))
    legend = {"orientation": "h", "y": 1.0, "x": 1, "xanchor": "right", "yanchor": "bottom"}
    figure.update_layout(showlegend=True, legend=legend, margin_t=32)
    figure.update_xaxes(title_text="brightness in the channel, 0 to 255", range=[0, 255])
    figure.update_yaxes(title_text="share of pixels in %", rangemode="tozero")
    return figure


def _hertz(frequency: int) -> str:
    return f"{frequency // 1000} kHz" if frequency >= 1000 else f"{frequency} Hz"
