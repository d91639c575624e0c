"""Several trainings beside each other: their curves overlaid, the settings that differ, the final figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.configs import text_of
from core.pipeline.runs import Curves, Run, curves, differing, final
from core.ui import _train_charts, _train_live, address, bound, cached, plot, shell, tables, words
from core.ui.address import Kept

_MOST = 6
_FIGURES = ("accuracy", "map", "nll", "ece", "aurc", "error_auroc")
_CHARTS = (
    ("quality", _train_charts.QUALITIES, "accuracy or mAP", True),
    ("loss", _train_charts.LOSSES, "loss in nats", False),
    ("kl", ("kl",), "KL in nats", False),
)
_RUNS = Kept("runs", (), bound.several(_MOST), f"up to {_MOST} trainings", ",".join)


def show(found: Sequence[Run]) -> None:
    by_name = {run.name: run for run in found}
    if len(found) < 2:
        st.info("Two trainings are needed to compare; train another recipe, or one with other settings.",
                icon=":material/compare_arrows:")  # fmt: skip
        return
    asked = [name for name in address.get(_RUNS) if name in by_name]
    picked = st.multiselect(
        "Trainings", list(by_name), max_selections=_MOST, placeholder=f"Choose up to {_MOST}",
        **bound.widget(_RUNS, asked or [run.name for run in found[:2]]),
    )  # fmt: skip
    chosen = [by_name[name] for name in picked]
    if not chosen:
        return
    several = {run.name: curves(run) for run in chosen}
    _charts(several, max(run.epochs for run in chosen))
    st.markdown(f"**{_finding(chosen)}**")
    _settings(chosen)
    _train_live.downloads(chosen, "compared")


def _charts(several: Mapping[str, Curves], epochs: int) -> None:
    dark = shell.is_dark()
    drawn = [(key, title, share, lines) for key, names, title, share in _CHARTS
             if (lines := _train_charts.lines_of(several, names))]  # fmt: skip
    if not drawn:
        st.caption("None of these has measurements yet.")
        return
    columns = st.columns(2, gap="medium")
    for place, (key, title, share, lines) in enumerate(drawn):
        with columns[place % 2]:
            figure = _train_charts.curves_figure(lines, title, epochs, dark, share=share)
            lead = _train_charts.lead(lines, share=share)
            plot.show(figure, f"beside-{key}", alt=f"{title} by epoch. {lead}", name=f"trainings-{key}")
            st.caption(lead)


def _finding(chosen: Sequence[Run]) -> str:
    """Which is best on items that it never saw."""
    found = {run.name: figures for run in chosen if (figures := final(run, cached.settings()))}
    known = {name: one.get("accuracy", one.get("map")) for name, one in found.items()}
    ranked = sorted((value, name) for name, value in known.items() if value is not None)
    if len(ranked) < 2:
        return "Fewer than two of these are finished, so there are no final figures to compare."
    (worse, _), (best, name) = ranked[0], ranked[-1]
    if best - worse < 5e-4:
        return "On held-out items all of these are equally right."
    return (
        f"{words.plain(name)} is most often right on its held-out items: {100 * best:.1f} %, the least right of these "
        f"{100 * worse:.1f} %."
    )


def _settings(chosen: Sequence[Run]) -> None:
    other = differing(chosen)
    finals = [final(run, cached.settings()) for run in chosen]
    rows: dict[str, list[Any]] = {"training": [run.name for run in chosen]}
    rows |= {name: [_text(value) for value in values] for name, values in other.items()}
    for name in _FIGURES:
        if any(name in one for one in finals):
            rows[f"held-out {name.replace('_', ' ')}"] = [
                "–" if name not in one else f"{one[name]:.3f}" for one in finals
            ]
    st.caption("Settings that differ, and figures of the items that each never saw.")
    tables.show(rows, "trainings", alt="Settings that differ and final figures", about={}, name="trainings")


def _text(value: Any) -> str:
    return "–" if value is None else text_of(value)
