"""A sweep as charts, words and a table: no streamlit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.experiments._study import Panel, Series, told
from core.metrics.students import Mean
from core.pipeline.swept import Point, Swept, fields_of, more_is_better, value_of
from core.ui import _panel_charts, palette, words
from core.ui._compare_table import COLUMNS, text
from core.ui.measures import LABELS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST_LINES = 4  # beside each other in one chart
CHOSEN = "★"
_COSTS = {
    "train_seconds": "training time in s",
    "seconds_per_item": "time per item in s",
    "macs": "multiply-adds of one pass",
    "learned": "numbers of the trained method",
    "draws": "draws of an answer",
    "peak_memory": "peak memory in bytes",
    "later_seconds": "time of learning the new world in s",
}
_MEANINGS = ("kept", "total", "refused", "epistemic")


def title_of(key: str) -> str:
    """augrc:score -> AUGRC of the score"""
    plain, _, doubt = key.partition(":")
    world, _, name = plain.rpartition(".")
    found = COLUMNS[name].title if name in COLUMNS else _COSTS.get(name, name)
    return found + (" on the old world" if world else "") + (f", {LABELS.get(doubt, doubt).lower()}" if doubt else "")


def axis_title(key: str) -> str:
    """Of a cost, or of a setting without its group."""
    return _COSTS.get(key, key.rpartition(".")[2])


def costs_of(found: Swept) -> tuple[str, ...]:
    """Costs that differ between points."""
    known = [key for key in found.keys("cost") if key in _COSTS]
    return tuple(key for key in known if len({_value(found.mean(p, "cost", key)) for p in found.points}) > 1)


def _value(mean: Mean | None) -> float | None:
    return None if mean is None else mean.value


def name_of(found: Swept, point: Point) -> str:
    """What tells a point from the others."""
    fields = fields_of(found)
    return ", ".join(f"{field.rpartition('.')[2]} {value_of(point, field)}" for field in fields) or "the only point"


def along(found: Swept, field: str, key: str) -> Panel:
    """A figure along one field; a line for each setting of the others, the one of the best point first."""
    best = found.best()
    places = tuple(dict.fromkeys(value for p in found.points if (value := value_of(p, field)) is not None))
    rest = tuple(dict.fromkeys(_without(p, field) for p in found.points))
    first = _without(best, field) if best is not None else rest[0]
    lines = [first, *[one for one in rest if one != first]][:MOST_LINES]
    by_place = {(value_of(p, field), _without(p, field)): p for p in found.points}
    series = []
    for line, meaning in zip(lines, _MEANINGS, strict=False):
        points = [by_place.get((place, line)) for place in places]
        means = tuple(None if p is None else found.mean(p, "test", key) for p in points)
        series.append(Series(_line(found, line, field), meaning, means))
    return Panel(field.rpartition(".")[2], title_of(key), places, tuple(series), joined=_is_number(places))


def _without(point: Point, field: str) -> Point:
    return tuple(each for each in point if each.partition("=")[0] != field)


def _line(found: Swept, line: Point, field: str) -> str:
    others = [name for name in fields_of(found) if name != field]
    return ", ".join(f"{name.rpartition('.')[2]} {value_of(line, name)}" for name in others) or title_of("test items")


def _is_number(places: Sequence[str]) -> bool:
    try:
        return bool([float(place) for place in places])
    except ValueError:
        return False


def against_cost(found: Swept, cost: str, key: str, dark: bool) -> Figure:
    """Every point with its interval; the one that validation chooses is filled and named."""
    from plotly import graph_objects as go

    colours, best = palette.palette(dark), found.best()
    figure = go.Figure(layout=palette.layout(dark, 380))
    for point in sorted(found.points, key=lambda one: one == best):
        price, mean = found.mean(point, "cost", cost), found.mean(point, "test", key)
        if price is None or mean is None:
            continue
        mine, name = point == best, name_of(found, point)
        colour = colours.kept if mine else colours.faint
        figure.add_scatter(
            x=[price.value],
            y=[mean.value],
            error_y={**_panel_charts.whiskers([mean]), "color": colour},
            mode="markers",
            marker={"size": 13 if mine else 9, "symbol": "star" if mine else "circle-open", "color": colour},
            hovertemplate=f"{name}: %{{y:.3g}} for %{{x:.3g}}<extra></extra>",
        )
        if mine:
            figure.add_annotation(x=price.value, y=mean.value, text=f"chosen: {name}", showarrow=False, yshift=18)
    figure.update_xaxes(title_text=_COSTS[cost], rangemode="tozero")
    figure.update_yaxes(title_text=f"{title_of(key)}, {'more' if more_is_better(key) else 'less'} is better")
    return figure


def finding(found: Swept, key: str) -> str:
    """What validation chooses, and what that is worth on the test items, which it never saw."""
    best = found.best()
    if best is None:
        return f"No point has {title_of(found.choose)} on the validation items, which should choose."
    mean = found.mean(best, "test", key)
    said = (
        f"By {title_of(found.choose)} on the validation items the choice is {name_of(found, best)}: {title_of(key)} "
        f"{told(mean)} on the test items"
    )
    means = {p: m.value for p in found.points if (m := found.mean(p, "test", key)) is not None}
    if len(means) < 2:
        return f"{said}."
    sign = -1.0 if more_is_better(key) else 1.0
    top = min(means, key=lambda point: sign * means[point])
    if top == best:
        return f"{said}, the best of {len(means)} points there, too."
    return (
        f"{said}. Among {len(means)} points {name_of(found, top)} would have had {told(found.mean(top, 'test', key))}."
    )


def grid(found: Swept, keys: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Head and rows of texts: a row a point."""
    best, fields = found.best(), fields_of(found)
    costs = [key for key in costs_of(found) if key in COLUMNS or key == "learned"]
    head = (*(field.rpartition(".")[2] for field in fields), f"validation {title_of(found.choose)}",
            *(f"{title_of(key)} {'↑' if more_is_better(key) else '↓'}" for key in keys),
            *(_COSTS[key] for key in costs))  # fmt: skip
    rows = []
    for point in found.points:
        star = f" {CHOSEN}" if point == best else ""
        cells = [value_of(point, field) or "–" for field in fields]
        cells.append(told(found.mean(point, "validation", found.choose)) + star)
        cells += [told(found.mean(point, "test", key)) for key in keys]
        cells += [_cost(key, found.mean(point, "cost", key)) for key in costs]
        rows.append(tuple(cells))
    return head, tuple(rows)


def _cost(key: str, mean: Mean | None) -> str:
    if mean is None:
        return "–"
    return words.count(int(mean.value)) if key == "learned" else text(key, mean.value)


def note(found: Swept) -> str:
    return (
        f"{CHOSEN} chosen on the validation items alone; means over {found.units}, in brackets Student's 95 % interval "
        "of the mean; seeds are judged on the same test items."
    )


def about(found: Swept) -> dict[str, str]:
    counts = ", ".join(f"{count} {side}" for side, count in (found.counts or {}).items())
    return {"sweep": found.name, "data": f"{found.data} ({counts})", "command": found.command, "made": found.date,
            "machine": found.machine}  # fmt: skip


def columns(found: Swept) -> dict[str, Sequence[Any]]:
    """Every training a row, for CSV and Parquet."""
    fields, rows = fields_of(found), found.rows
    told_: dict[str, Sequence[Any]] = {field: [value_of(row.point, field) for row in rows] for field in fields}
    told_ |= {"seed": [row.seed for row in rows], "fold": [row.fold for row in rows]}
    parts: tuple[tuple[str, list[Mapping[str, float]]], ...] = (
        ("validation", [row.validation for row in rows]),
        ("test", [row.test for row in rows]),
        ("cost", [row.cost for row in rows]),
    )
    for side, given in parts:
        names = dict.fromkeys(key for one in given for key in one)
        told_ |= {f"{side}.{key}": [one.get(key) for one in given] for key in names}
    return told_
