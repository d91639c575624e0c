"""A person's retention curve beside a model's, and a class's doubt beside a model's: pure, no streamlit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.metrics.figure import Figure as Value
from core.metrics.ranks import spearman
from core.metrics.small import rank_interval
from core.pipeline.votes import Tally
from core.pipeline.you import SURE, Match, Side
from core.ui import palette, plot, words
from core.ui._line_names import name_ends

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT = 360  # pixels of a chart
_CLEAR = 0.05  # the chance below which a difference is said to be one


def curves(found: Match, dark: bool) -> Figure:
    """Accuracy of what is kept against how many are kept; exact bands."""
    colours = palette.palette(dark)
    lines = [
        _line(found.you, "you", colours.signal, "solid", "of your surest %{x:.0f}, %{y:.0%} are right"),
        _line(found.model, "the model", colours.total, "dash", "of its surest %{x:.0f}, %{y:.0%} are right"),
    ]
    figure = plot.curves_figure(
        lines, x_title="items kept, the surest first", y_title="share right", dark=dark, height=_HEIGHT
    )
    traces: list[Any] = list(figure.data)
    for trace in traces[-len(lines) :]:
        trace.update(mode="lines+markers", marker={"size": 8})
    most = found.you.steps[0].kept
    name_ends(figure, lines, (0.0, 1.04), _HEIGHT)
    figure.update_xaxes(range=[most + 0.3, 0.7], tickvals=[1, *range(3, most + 1, 3)])
    figure.update_yaxes(tickformat=".0%")
    return figure


def _line(side: Side, name: str, colour: str, dash: str, says: str) -> plot.Curve:
    parts = np.array([(one.kept, one.value, one.low, one.high) for one in side.steps]).T
    return plot.Curve(parts[0], parts[1], name, colour, dash, parts[2], parts[3], says)


def finding(found: Match, model: str) -> str:
    """Who was right more often, what that is worth, and whether your sureness pointed at your errors."""
    items, you, other = len(found.you.right), found.you.count, found.model.count
    text = f"You were right on {you} of {items}, {model} on {other}"
    if found.only_you + found.only_model == 0:
        text += ", and on the same ones."
    elif found.p < _CLEAR:
        text += f"; two equals would differ as much in only {words.percent(found.p)} of such dozens."
    else:
        text += f"; two equals would differ as much in {words.percent(found.p)} of such dozens, so it says little."
    return f"{text} {_sureness(found.you)}"


def _sureness(you: Side) -> str:
    if len(you.steps) == 1:
        return "You were equally sure of all, so your curve is one point."
    best, whole = you.steps[-1], you.steps[0]
    good = round(best.value * best.kept)
    rest = whole.kept - best.kept
    return f"Of the {best.kept} you were surest of {good} are right, of the other {rest}, {you.count - good}."


def humans(found: Tally, doubt: np.ndarray, labels: Sequence[str], dark: bool) -> Figure:
    """One point an item: how far the class disagrees, against how ambiguous the model finds it."""
    from plotly import graph_objects as go

    colours = palette.palette(dark)
    figure = go.Figure(layout=palette.layout(dark, _HEIGHT))
    says = [
        f"{number}: {label}. The class {words.figure(float(human))} nats, the model {words.figure(float(own))}"
        for number, (label, human, own) in enumerate(zip(labels, found.entropy, doubt, strict=True), start=1)
    ]
    figure.add_scatter(
        x=doubt, y=found.entropy, mode="markers+text", text=[str(number + 1) for number in range(len(doubt))],
        textposition="top center", hovertext=says, hovertemplate="%{hovertext}<extra></extra>",
        marker={"size": 11, "color": colours.aleatoric, "line": {"width": 1, "color": colours.ink}},
        textfont={"color": colours.ink},
    )  # fmt: skip
    figure.update_xaxes(title_text="the model finds it ambiguous, in nats", rangemode="tozero")
    figure.update_yaxes(title_text="the class disagrees, in nats", rangemode="tozero")
    figure.update_layout(margin={"t": 16})
    return figure


def agreement(found: Tally, doubt: np.ndarray) -> Value:
    return spearman(found.entropy, doubt)


def humans_finding(found: Tally, doubt: np.ndarray) -> str:
    people = "One person has" if found.voters == 1 else f"{found.voters} people have"
    rank = agreement(found, doubt)
    if rank.value is None:
        return f"{people} answered; there is no rank correlation with the model's ambiguity: {rank.reason}."
    ends = rank_interval(rank.value, len(doubt))
    span = "" if ends is None else f" [{ends[0]:.2f}, {ends[1]:.2f}]"
    said = f"{people} answered. Where they disagree, the model "
    if ends is not None and ends[0] > 0:
        said += "finds more ambiguity too"
    elif ends is not None and ends[1] < 0:
        said += "finds less ambiguity"
    else:
        said += "may find more ambiguity or less: these items do not tell"
    return f"{said} (rank correlation {rank.value:.2f}{span})."


def answers(found: Match, truth: Sequence[str], classes: Sequence[str], sure: Sequence[int]) -> dict[str, list[object]]:
    """One row an item."""
    return {
        "item": list(range(1, len(truth) + 1)),
        "it was": list(truth),
        "you said": [classes[one] for one in found.you.answers],
        "you were": [SURE[one] for one in sure],
        "the model said": [classes[one] for one in found.model.answers],
        "its doubt": [float(one) for one in found.model.doubt],
        "you right": found.you.right.tolist(),
        "model right": found.model.right.tolist(),
    }
