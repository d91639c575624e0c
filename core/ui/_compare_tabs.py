"""What lies behind the table of Compare: one tab a question; only the open one is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.pipeline.contrasts import ZERO_SHOT
from core.pipeline.elsewhere import KNOBS
from core.ui import (
    _compare_ask,
    _compare_sweeps,
    _compare_table,
    _compare_tradeoffs,
    _compare_views,
    diagnosis,
    plot,
    shell,
    words,
)
from core.ui._compare_views import Page, View
from core.ui.measures import LABELS

_ABREAST = 2  # charts in a row: none is narrower than 320 pixels


@st.fragment
def live(page: Page) -> None:
    """Opening a tab or turning a knob in it runs this and nothing else."""
    parts: dict[str, Callable[[Page], None]] = {
        "Reliability": _reliability,
        "Here and elsewhere": _boxes,
        "Corruption": _sweeps,
        "Two kinds of doubt": _stories,
        "Cost": _costs,
        "Zero-shot": _zero_shot,
        "Sweeps": lambda _: _compare_sweeps.show(),
        "Diagnosis": _diagnoses,
    }
    for name, tab in zip(parts, st.tabs(list(parts), on_change="rerun", key="compare-tab"), strict=True):
        if tab.open:
            with tab:
                parts[name](page)


def _shown(views: Sequence[View], page: Page) -> None:
    """Side by side, in rows of one height."""
    for start in range(0, len(views), _ABREAST):
        row = views[start : start + _ABREAST]
        for view, place in zip(row, st.columns(_ABREAST) if len(views) > 1 else [st.container()], strict=False):
            with place:
                st.markdown(f"**{words.plain(view.title, 120)}**")
                plot.show(
                    view.draw(shell.is_dark()), f"compare-{view.key}", alt=view.alt, name=f"{page.stem}-{view.key}"
                )
                st.caption(words.plain(view.finding, 400))


def _reliability(page: Page) -> None:
    views = _compare_views.reliability(page)
    if not views:
        st.info("None of these models can be judged here: no label of the items is one of their classes.")
        return
    st.caption("Bars on the dotted line: what the model claims is what it keeps. Below it: it claims too much.")
    _shown(views, page)


def _boxes(page: Page) -> None:
    offered = list(page.known)
    if not offered:
        _nothing_asked(page, "soundbox:held-out" if page.bench.kind == "audio" else "digits:test")
    chosen = offered
    here = [name for name in LABELS if any(name in sheet.doubts for sheet in page.drawn)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = st.segmented_control(
            "Doubt", here, format_func=lambda name: LABELS[name], required=True,
            default=page.measure if page.measure in here else here[0], key="compare-boxed",
        )  # fmt: skip
        if offered:
            chosen = st.multiselect(
                "Domains", offered, default=offered, format_func=lambda key: page.known[key], key="compare-domains"
            )
    st.caption("Boxes hold the middle half, whiskers nine tenths. Hollow: all of it is foreign to the model.")
    _shown(_compare_views.boxes(page, str(measure), chosen), page)
    for note in _compare_views.notes(page, chosen):
        st.caption(words.plain(note, 400))


def _sweeps(page: Page) -> None:
    if page.bench.sheets[0].card.data.key not in ("soundbox", "toybox"):
        st.info(
            "Knobs with a known truth are those of Soundbox and Toybox, and these models learned from other data. "
            "Compare the models of one of them, or ask these about a folder of corrupted items.",
            icon=":material/inbox:",
        )
        return
    views = []
    for knob in ("spoiling", "mixing"):
        _compare_ask.missing(page.bench, knob, KNOBS[knob].title.lower())
        views += [_compare_views.sweeps(page, knob, "accuracy", "accuracy")] if knob == "spoiling" else []
        label = "doubt" if page.measure is None else LABELS[page.measure]
        views.append(_compare_views.sweeps(page, knob, "own", label))
    _shown([view for view in views if view is not None], page)


def _stories(page: Page) -> None:
    view = _compare_views.stories(page)
    if view is None:
        st.info("None of the models that are drawn has two kinds of doubt: with one draw there is only one.")
        return
    st.caption("Above 0.9, the shaded part, ambiguity and unfamiliarity are one ranking told twice.")
    _shown([view], page)


def _costs(page: Page) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        loss = st.segmented_control(
            "Calibration", _compare_views.LOSSES, format_func=lambda key: _compare_table.COLUMNS[key].title,
            default="nll", required=True, key="compare-loss",
        )  # fmt: skip
        costs = st.multiselect(
            "Cost", _compare_views.COSTS, default=["train_seconds", "seconds_per_item"],
            format_func=lambda key: _compare_tradeoffs.NOUNS[key], max_selections=4, key="compare-costs",
        )  # fmt: skip
    views = _compare_views.tradeoffs(page, str(loss), costs)
    if "seconds_per_item" in costs and not any(view.key == "tradeoff-seconds_per_item" for view in views):
        st.info("How long an answer takes is measured while the models are asked about items from elsewhere.")
    _shown(views, page)
    if hardware := sorted({row.hardware.get("train_seconds", "") for row in page.table.rows} - {""}):
        st.caption(f"Trainings ran on {words.plain(', '.join(hardware), 200)}; other machines take other times.")


def _zero_shot(page: Page) -> None:
    view = _compare_views.zero_shot()
    if view is None:
        st.info(
            "No zero-shot measurement is stored yet. 'make figures' measures and keeps all nine, three seeds on three "
            "sets; a single one is made and told by:",
            icon=":material/inbox:",
        )
        st.code("\n".join(ZERO_SHOT), language="bash")
        return
    _shown([view], page)


def _diagnoses(page: Page) -> None:
    for start in range(0, len(page.drawn), _ABREAST):
        for sheet, place in zip(page.drawn[start : start + _ABREAST], st.columns(_ABREAST), strict=False):
            with place:
                diagnosis.card(sheet.name, page.measure, title=page.titles[sheet.name])


def _nothing_asked(page: Page, first: str) -> None:
    names = _compare_ask.titles(page.bench, page.known)
    first = first if first in names else next(iter(names))
    _compare_ask.missing(page.bench, first, names[first])
