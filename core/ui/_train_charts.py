"""The charts of the Train page and the sentences under them: pure, no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.pipeline.runs import Curves
from core.ui import palette, plot, words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_HEIGHT = 260
_MOST_NAMED = 40  # classes with their names at the table
QUALITIES = ("validation accuracy", "validation mAP")
LOSSES = ("validation loss", "task", "loss")


def quality_of(curves: Curves) -> str | None:
    """Which of the two this training measures; None where nothing was held out."""
    return next((name for name in QUALITIES if len(curves.of(name)[1])), None)


def said_quality(name: str | None) -> str:
    return "mean average precision" if name == QUALITIES[1] else "accuracy"


def loss_lines(curves: Curves, dark: bool) -> list[plot.Curve]:
    """Training and validation; with a KL the part that is about the task, so that the two can be compared."""
    colours = palette.palette(dark)
    own = "task" if len(curves.of("task")[1]) else "loss"
    return [
        plot.Curve(*curves.of(name), title, colour, dash, says="%{y:.3g} nats at epoch %{x:.3g}")
        for name, title, colour, dash in (
            (own, "training", colours.faint, "dot"),
            ("validation loss", "validation", colours.signal, "solid"),
        )
        if len(curves.of(name)[1])
    ]


def lines_of(several: Mapping[str, Curves], names: Sequence[str]) -> list[plot.Curve]:
    """The first of some measurements that each training has, one line each."""
    found = []
    for place, (title, curves) in enumerate(several.items()):
        name = next((name for name in names if len(curves.of(name)[1])), None)
        if name is not None:
            colour = plot.CATEGORIES[place % len(plot.CATEGORIES)]
            found.append(plot.Curve(*curves.of(name), title, colour, says="%{y:.3g} at epoch %{x:.3g}"))
    return found


def curves_figure(lines: Sequence[plot.Curve], title: str, epochs: float, dark: bool, *, share: bool = False) -> Figure:
    drawn = plot.curves_figure(lines, x_title="epoch", y_title=title, dark=dark, height=_HEIGHT)
    traces: list[Any] = list(drawn.data)
    for trace, line in zip(traces, lines, strict=False):
        if len(line.x) == 1:  # a line needs two points
            trace.mode = "markers"
    most = max([epochs, *(float(line.x[-1]) for line in lines)])
    drawn.update_xaxes(range=[0, most * 1.02])
    if share:
        drawn.update_yaxes(tickformat=".0%")
    return drawn


def loss_finding(curves: Curves) -> str:
    _, train = curves.of("task" if len(curves.of("task")[1]) else "loss")
    at, held = curves.of("validation loss")
    if len(held) > 1:
        best = int(held.argmin())
        said = f"Validation loss went from {words.figure(held[0])} to {words.figure(held[-1])} nats"
        if best < len(held) - 1 and held[-1] > 1.05 * held[best]:
            said += (
                f"; it was lowest, {words.figure(held[best])}, after epoch {at[best]:.0f}, and has not come back there"
            )
        return f"{said}."
    if len(train) > 1:
        return f"Training loss went from {words.figure(train[0])} to {words.figure(train[-1])}."
    return "The first measurements are on their way."


def quality_finding(curves: Curves, classes: int) -> str:
    name = quality_of(curves)
    if name is None:
        return "Nothing was held out to validate on, so only the training loss is known while it runs."
    at, values = curves.of(name)
    best = int(values.argmax())
    chance = f"; guessing gives {words.percent(1 / classes)}" if name == QUALITIES[0] and classes > 1 else ""
    said = f"{said_quality(name).capitalize()} on validation items is {100 * values[-1]:.1f} %"
    if values[best] > values[-1] + 5e-4:
        said += f", its best was {100 * values[best]:.1f} % after epoch {at[best]:.0f}"
    return f"{said}{chance}."


def kl_finding(curves: Curves) -> str:
    _, values = curves.of("kl")
    if len(values) < 2:
        return "How far the weights' distribution is from its prior."
    verb = "fell" if values[-1] < values[0] else "rose"
    return (
        f"The weights' distribution {verb} from {words.figure(values[0])} to {words.figure(values[-1])} nats from its "
        "prior."
    )


# ---- what is taken for what ----


def table_figure(table: np.ndarray, classes: Sequence[str], dark: bool) -> Figure:
    """Shares of each true class; a class a row. With several labels an item: found, missed and wrongly seen."""
    from plotly import graph_objects as go

    square = table.shape[0] == table.shape[1]
    totals = np.maximum(table.sum(axis=1, keepdims=True) if square else table[:, :2].sum(axis=1, keepdims=True), 1)
    names = [name.replace("_", " ")[:24] for name in classes]
    colour = palette.palette(dark).signal
    columns = names if square else ["found", "missed", "wrongly seen"]
    figure = go.Figure(layout=palette.layout(dark, max(_HEIGHT, 60 + 18 * min(len(names), _MOST_NAMED))))
    figure.add_heatmap(
        z=np.round(table / totals, 3),
        x=columns,
        y=names,
        customdata=table,
        zmin=0,
        zmax=1,
        colorscale=[[0, _clear(colour)], [1, colour]],
        hovertemplate="%{customdata} of %{y}: %{x}<extra></extra>",
        xgap=1,
        ygap=1,
        showscale=False,
    )
    figure.update_yaxes(autorange="reversed", title_text="true class", automargin=True, type="category")
    figure.update_xaxes(title_text="answer" if square else "", automargin=True, type="category", tickangle=-45)
    if len(names) > _MOST_NAMED:
        figure.update_xaxes(showticklabels=False)
        figure.update_yaxes(showticklabels=False)
    figure.update_layout(margin={"l": 8, "b": 8})
    return figure


def _clear(colour: str) -> str:
    """The same colour, seen through."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0)"


def table_finding(table: np.ndarray, classes: Sequence[str]) -> str:
    names = [words.plain(name.replace("_", " "), 40) for name in classes]
    if table.shape[0] != table.shape[1]:
        found, missed = table[:, 0], table[:, 1]
        worst = int((missed / np.maximum(found + missed, 1)).argmax())
        if not missed[worst]:
            return "No label of the validation items is missed."
        return f"{names[worst]} is missed most: {missed[worst]} of {found[worst] + missed[worst]} times."
    wrong = table.copy()
    np.fill_diagonal(wrong, 0)
    total = int(wrong.sum())
    if not total:
        return f"All {words.count(int(table.sum()))} validation items are answered right."
    true, said = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return (
        f"{words.count(total)} of {words.count(int(table.sum()))} validation items are answered wrong; most often "
        f"{names[true]} is taken for {names[said]}: {wrong[true, said]} of {table[true].sum()} times."
    )


def lead(lines: Sequence[plot.Curve], *, share: bool) -> str:
    """Which line ends best, of shares the highest and of losses the lowest."""
    ends = sorted(((float(line.y[-1]), line.name) for line in lines), reverse=share)
    said = [f"{100 * value:.1f} %" if share else words.figure(value) for value, _ in ends]
    best = words.plain(ends[0][1])
    if len(ends) == 1:
        return f"{best} is at {said[0]}."
    return f"{best} ends {'highest' if share else 'lowest'}, at {said[0]}; {words.plain(ends[-1][1])} at {said[-1]}."
