"""The chart of the Retrieve page and its sentences: pure, no streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.metrics.selective import risk_in_words
from core.pipeline.found import Outcome, Quality, Query
from core.retrieval import Safety
from core.ui import _retention_charts, palette, plot, words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WAYS = ("both", "safe queries", "safe database", "all")
_FIELDS = {"both": "both", "safe queries": "safe_queries", "safe database": "safe_database", "all": "everything"}


def lines(quality: Quality, dark: bool) -> list[plot.Curve]:
    """R@1 against the share kept, four ways; the first is that of the whole page."""
    if quality.curves is None:
        return []
    colours = palette.palette(dark)
    looks = {
        "both": (colours.kept, "solid"),
        "safe queries": (colours.signal, "dash"),
        "safe database": (colours.predicted, "longdash"),
        "all": (colours.total, "dot"),
    }
    says = "%{y:.1%} of the surest %{x:.0%}"
    return [
        plot.Curve(quality.curves.kept, getattr(quality.curves, _FIELDS[way]), way, *looks[way], says=says)
        for way in WAYS
    ]


def figure(drawn: Sequence[plot.Curve], dark: bool) -> Figure:
    made = _retention_charts.figure(drawn, 1, "r_at_1", dark, 380)
    made.update_xaxes(title_text="share of queries and of every class kept")
    made.update_yaxes(title_text="nearest item has the same label")
    return made


def at(quality: Quality, way: str, share: float) -> float:
    """A way's R@1 at a share."""
    if quality.curves is None:
        return float("nan")
    values = getattr(quality.curves, _FIELDS[way])
    return float(np.interp(share, quality.curves.kept[::-1], values[::-1]))


def finding(quality: Quality, share: float, noun: str) -> str:
    if quality.curves is None or quality.recall.value is None:
        return quality.recall.reason or "There is nothing to compare."
    both, only = at(quality, "both", share), at(quality, "safe queries", share)
    said = _retention_charts.share
    verb = (
        "raises" if both > quality.recall.value + 5e-4 else "leaves" if both > quality.recall.value - 5e-4 else "lowers"
    )
    return (
        f"Keeping the surest {words.percent(share)} of queries and of every class by {noun} {verb} R@1 from "
        f"{said(quality.recall)} to {said(both)}; keeping all of the database, it is {said(only)}."
    )


def outcome_finding(query: Query, outcome: Outcome) -> str:
    """What was found, counted."""
    labels = [result.label for result in outcome.results]
    if not labels:
        return "Nothing may be found: loosen the share kept, or allow its own source."
    count = len(labels)
    if query.label is not None:
        same = sum(label == query.label for label in labels)
        first = (
            "The nearest is of the same label" if labels[0] == query.label else f"The nearest is {_spoken(labels[0])}"
        )
        return f"{first}; {same} of {count} share the label {_spoken(query.label)}."
    (label, most), *_ = Counter(labels).most_common(1)
    return f"{most} of the {count} nearest are {_spoken(label)}; the nearest is {_spoken(labels[0])}."


def _spoken(label: str | None) -> str:
    return "without a label" if label is None else label.replace("_", " ").replace("|", ", ")


def held_back(outcome: Outcome, same: bool, source: str) -> str:
    """What was left out, and why."""
    parts = []
    if outcome.own:
        what = "the query itself" if same else f"the query and whatever is of its {source}"
        parts.append(f"{what} ({words.count(outcome.own)})")
    if outcome.held_back:
        parts.append(f"{words.count(outcome.held_back)} items that are too doubtful")
    return f"Left out: {', '.join(parts)}." if parts else "Nothing was left out."


def promise(safety: Safety, noun: str) -> str:
    """What safe retrieval promises here, and what came of it on the half that checks."""
    if safety.threshold is None:
        return ""
    pool = (
        "the whole database"
        if safety.database_percent == 100
        else f"the surest {safety.database_percent} % of every class"
    )
    text = (
        f"Queries whose {noun} is at most {words.figure(safety.threshold)} are answered from {pool}: "
        f"{words.percent(safety.kept)} of them, and with {words.percent(safety.confidence)} confidence at most "
        f"{risk_in_words(safety.risk)} of these find a wrong nearest item."
    )
    if safety.checked_wrong is None or safety.checked_kept is None:
        return f"{text} The half that checks had no query to answer."
    return (
        f"{text} On {words.count(safety.n_checked)} other queries, {words.percent(safety.checked_kept)} were answered "
        f"and {words.percent(safety.checked_wrong)} of those wrongly."
    )
