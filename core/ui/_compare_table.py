"""The table of Compare as texts: for the screen, for a paper, and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.pipeline.table import COSTS, KEYS, LOWER, Cell, Row, Table
from core.ui import _grid_texts, words

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

BEST, BETTER, WORSE = "★", "▲", "▼"
_SHARES = ("accuracy", "map", "r_at_1", "ood_fpr95")
Titles = Mapping[str, str]  # model -> what it is called beside the others


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    sentence: str  # what it says, for a tooltip


COLUMNS = {
    "accuracy": Column("Accuracy", "Share of items answered right; of several labels an item, of its yes-or-noes."),
    "map": Column("mAP", "Mean average precision over the classes, for items with several labels."),
    "nll": Column("NLL", "Mean of -log p(label) in nats: low where right answers are given with confidence."),
    "brier": Column("Brier", "Squared distance of probabilities from the truth, 0 to 2; of several labels the mean."),
    "ece": Column("ECE", "Expected calibration error: how far confidence and accuracy lie apart, in 15 bins."),
    "aurc": Column("AURC", "Mean share of errors among what is kept, over all operating points."),
    "augrc": Column("AUGRC", "Mean risk that an error goes unnoticed, over all operating points."),
    "error_auroc": Column("Error AUROC", "Chance that a wrong answer has more doubt than a right one."),
    "r_at_1": Column("R@1", "Share of items whose nearest item, of another recording or scene, has the same label."),
    "r_auroc": Column("R-AUROC", "Chance that an item whose nearest one is right has less doubt than another."),
    "ood_auroc": Column("OOD AUROC", "Chance that an item from elsewhere has more doubt than a held-out one."),
    "ood_fpr95": Column("OOD FPR95", "Held-out items that are refused when 95 % of those from elsewhere are."),
    "params": Column("Parameters", "Numbers in the whole network."),
    "stored": Column("Extra weights", "Numbers stored beside the network that it began with."),
    "macs": Column("MACs", "Multiply-adds of one pass of the network."),
    "train_seconds": Column("Training", "Seconds of training, as its card says."),
    "peak_memory": Column("Peak memory", "Of the process that trained it."),
    "seconds_per_item": Column("Per item", "Seconds for one item at the draws of this row, without reading it."),
}


def shown(table: Table) -> tuple[str, ...]:
    """Figures that some model has, then the costs."""
    return tuple(key for key in (*KEYS, *COSTS) if any(table.value(row, key) is not None for row in table.rows))


def text(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key in _SHARES:
        return f"{100 * value:.1f} %"
    if key in ("params", "stored"):
        return words.count(int(value))
    if key == "macs":
        return f"{words.figure(value / 1e9)} G" if value >= 1e9 else f"{words.figure(value / 1e6)} M"
    if key in ("train_seconds", "seconds_per_item"):
        return "none" if value == 0 else words.seconds(value)
    if key == "peak_memory":
        return f"{words.figure(value / 1e9)} GB"
    return f"{value:.3f}"


def span(key: str, interval: tuple[float, float] | None) -> str:
    if interval is None:
        return ""
    scale, digits = (100, 1) if key in _SHARES else (1, 3)
    return f" [{scale * interval[0]:.{digits}f}, {scale * interval[1]:.{digits}f}]"


def difference(key: str, cell: Cell) -> str:
    """Signed, with its interval."""
    if cell.less is None:
        return "–"
    scale, digits = (100, 1) if key in _SHARES else (1, 3)
    unit = " points" if key in _SHARES else ""
    return f"{scale * cell.less:+.{digits}f}{span(key, cell.apart)}{unit}".replace("-", "−")


def marks(table: Table, row: Row, key: str) -> str:
    """The best of the column, and better or worse than the reference by more than chance."""
    found = [BEST] if row.name in table.best(key) else []
    if key in row.cells and (cell := row.cells[key]).differs:
        assert cell.less is not None
        found.append(BETTER if (cell.less < 0) == (key in LOWER) else WORSE)
    return " ".join(found)


def cell_text(table: Table, row: Row, key: str, *, interval: bool = True) -> str:
    value = table.value(row, key)
    around = span(key, row.cells[key].interval) if interval and key in row.cells else ""
    mark = marks(table, row, key) if value is not None else ""
    return f"{text(key, value)}{around}" + (f" {mark}" if mark else "")


def styled(table: Table, titles: Titles, sort: str) -> tuple[Styler, dict[str, Any]]:
    """Texts over numbers, so that a click on a column's head sorts by the numbers; and the columns' settings."""
    import pandas as pd
    import streamlit as st

    keys = sorted(shown(table), key=lambda key: key != sort)  # what sorts stands first
    rows = table.ordered(sort)
    said = [titles[row.name] + (", ref." if row.name == table.reference else "") for row in rows]
    frame = pd.DataFrame({"model": said, "S": [row.draws for row in rows]})
    looks = pd.DataFrame("", index=frame.index, columns=["model", "S", *keys])
    texts: dict[str, Any] = {}
    for key in keys:
        values, told = _apart([table.value(row, key) for row in rows]), {}
        for place, (row, value) in enumerate(zip(rows, values, strict=True)):
            told[value] = cell_text(table, row, key)
            if row.name in table.best(key):
                looks.loc[place, key] = "font-weight: bold"
        frame[key], texts[key] = values, told.get
    style = frame.style.apply(lambda _: looks, axis=None)
    style.format(texts, na_rep="–")
    config: dict[str, Any] = {
        "model": st.column_config.TextColumn("Model", pinned=True),
        "S": st.column_config.NumberColumn("S", help="Draws of each answer."),
    }
    for key in keys:
        arrow = "↓" if key in LOWER else "↑"
        title, wide = f"{COLUMNS[key].title} {arrow}", 176 if key in KEYS else None
        config[key] = st.column_config.NumberColumn(title, help=COLUMNS[key].sentence, width=wide)
    return style, config


def _apart(values: Sequence[float | None]) -> list[float]:
    """Equal numbers moved by their last bit, so that each has a text of its own."""
    found: list[float] = []
    for value in values:
        number = math.nan if value is None else float(value)
        while number in found:
            number = math.nextafter(number, math.inf)
        found.append(number)
    return found


def grid(table: Table, titles: Titles, sort: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Head and rows of texts, in the order of the screen."""
    keys = shown(table)
    head = ("Model", "S", *(f"{COLUMNS[key].title} {'↓' if key in LOWER else '↑'}" for key in keys))
    rows = [
        (titles[row.name], str(row.draws), *(cell_text(table, row, key) for key in keys)) for row in table.ordered(sort)
    ]
    return head, tuple(rows)


def legend(table: Table, titles: Titles) -> str:
    resamples = words.count(table.resamples)
    return (
        f"{BEST} best of the column; {BETTER} better and {WORSE} worse than {titles[table.reference]} (ref.) by more "
        f"than chance: the 95 % interval of the paired difference leaves 0 out ({resamples} resamples in which the "
        "items of one recording or scene stay together). Brackets hold 95 % intervals; ↓ less is better, ↑ more is "
        "better."
    )


def markdown(table: Table, titles: Titles, sort: str, about: Mapping[str, str]) -> str:
    return _grid_texts.markdown(*grid(table, titles, sort), legend(table, titles), about)


def latex(table: Table, titles: Titles, sort: str, about: Mapping[str, str]) -> str:
    """The best of a column in bold, + and - where a difference to the reference is beyond chance."""
    than = _grid_texts.tex(titles[table.reference])
    note = f"bold: best of the column; + better, - worse than {than} beyond chance"
    return _grid_texts.latex(*grid(table, titles, sort), note, about, BEST)


def columns(table: Table, titles: Titles, sort: str) -> dict[str, Sequence[Any]]:
    """For CSV and Parquet: each figure with its interval, and its difference to the reference with that one's."""
    rows = table.ordered(sort)
    found: dict[str, Sequence[Any]] = {
        "name": [row.name for row in rows],
        "title": [titles[row.name] for row in rows],
        "method": [row.method for row in rows],
        "scope": [row.scope for row in rows],
        "draws": [row.draws for row in rows],
        "doubt": [row.measure for row in rows],
    }
    for key in shown(table):
        found[key] = [table.value(row, key) for row in rows]
        if key not in KEYS:
            continue
        cells = [row.cells[key] for row in rows]
        found[f"{key}_low"] = [None if cell.interval is None else cell.interval[0] for cell in cells]
        found[f"{key}_high"] = [None if cell.interval is None else cell.interval[1] for cell in cells]
        found[f"{key}_less_reference"] = [cell.less for cell in cells]
        found[f"{key}_less_low"] = [None if cell.apart is None else cell.apart[0] for cell in cells]
        found[f"{key}_less_high"] = [None if cell.apart is None else cell.apart[1] for cell in cells]
    return found


def _worse(number: int, others: int) -> str:
    if others == 1:
        return "the other one is worse" if number else "the other one is not worse"
    return f"{number} of the {others} others are worse" if number else f"none of the {others} others is worse"


def finding(table: Table, titles: Titles, sort: str) -> str:
    """Who is best by the column that sorts, and whether chance could have made it."""
    title = COLUMNS[sort].title
    best = table.ordered(sort)[0]
    if table.value(best, sort) is None:
        why = best.costs[sort].reason if sort in COSTS else best.cells[sort].figure.reason
        return f"No model has {title} here: {why}."
    said = f"{titles[best.name]} has the {'lowest' if sort in LOWER else 'highest'} {title}, "
    if sort in COSTS:
        return said + f"{text(sort, table.value(best, sort))}."
    if not table.best(sort):
        why = ": they share their features" if sort in ("r_at_1", "r_auroc") else ""
        return f"All models have the same {title}, {text(sort, table.value(best, sort))}{why}."
    cell = best.cells[sort]
    said += f"{text(sort, cell.figure.value)}{span(sort, cell.interval)}"
    others = [row for row in table.rows if row.name not in (best.name, table.reference)]
    if best.name == table.reference:
        return f"{said}; {_worse(sum(row.cells[sort].differs for row in others), len(others))} by more than chance."
    if cell.less is None:
        return f"{said}."
    beyond = "more than chance would make" if cell.differs else "which chance could have made"
    return f"{said}: {difference(sort, cell)} against {titles[table.reference]}, {beyond}."
