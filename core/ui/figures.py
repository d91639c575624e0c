"""Results to Plotly figures: pure, no streamlit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.ui import palette

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
    peak = max(1.0, float(np.abs(envelope).max(initial=0.0)))
    figure.update_yaxes(title_text="amplitude", range=[-peak, peak], tickvals=[-1, 0, 1], row=1, col=1)
    marks = [frequency for frequency in _MARKS if centres[0] <= frequency <= centres[-1]]
    figure.update_yaxes(
        title_text="frequency",
        tickvals=np.interp(marks, centres, np.arange(len(centres))),
        ticktext=[_hertz(mark) for mark in marks],
        showgrid=False,
        row=2,
        col=1,
    )
    return figure


def brightness(pixels: np.ndarray, dark: bool) -> Figure:
    """How many pixels have which brightness, one line a colour channel."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    figure = go.Figure()
    levels = np.arange(0, 256, 8)
    for channel, (name, dash) in enumerate((("red", "solid"), ("green", "dash"), ("blue", "dot"))):
        counts, _ = np.histogram(pixels[..., channel], bins=np.arange(0, 257, 8))
        share = 100 * counts / counts.sum()
        figure.add_trace(
            go.Scatter(
                x=levels + 4,
                y=share,
                name=name,
                mode="lines",
                line={"dash": dash, "width": 2, "color": (colours.refused, colours.kept, colours.epistemic)[channel]},
                hovertemplate="%{y:.1f} % of the pixels have %{x:.0f} of 255 in " + name + "<extra></extra>",
            )
        )
    figure.update_layout(palette.layout(dark, 260))
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.0, "x": 1, "xanchor": "right", "yanchor": "bottom"}
    )
    figure.update_xaxes(title_text="brightness of the channel, 0 to 255", range=[0, 255])
    figure.update_yaxes(title_text="share of pixels in %", rangemode="tozero")
    return figure


def _hertz(frequency: int) -> str:
    return f"{frequency // 1000} kHz" if frequency >= 1000 else f"{frequency} Hz"
