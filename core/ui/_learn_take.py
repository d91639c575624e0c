"""A lesson to take along: a link for a class, the figures, the numbers, a script and a notebook."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from core.lessons._contract import Outcome
from core.lessons._notebook import notebook, script
from core.lessons._pictures import Strip
from core.ui import _learn_charts, _learn_knobs, report, tables, words
from core.ui._learn_knobs import Asked
from core.ui.report import Chart, Report


def show(now: Asked, found: Outcome) -> None:
    lesson, name = now.lesson, f"lesson-{now.lesson.key}"
    with st.container(horizontal=True, gap="small"):
        with st.popover("For a class", icon=":material/groups:", type="tertiary"):
            st.markdown(
                "This link opens the lesson with these knobs and this seed, and with the prediction still to be made: "
                "everybody who follows it sees the same, computed once."
            )
            st.code(f"{st.context.url or ''}?{urlencode(_learn_knobs.link(now))}", language=None, wrap_lines=True)
        report.downloads(lambda: report_of(now, found), name, name, script=lambda: script(lesson, now.config, now.seed))
        st.download_button(
            "Notebook", lambda: notebook(lesson, now.config, now.seed, found), f"{name}.ipynb",
            "application/x-ipynb+json", key=f"{name}-notebook", on_click="ignore", icon=":material/menu_book:",
            type="tertiary",
        )  # fmt: skip
        tables.downloads(lambda: columns(found), name, about=about(now), name=name)


def columns(found: Outcome) -> dict[str, list[object]]:
    return {
        "figure": [number.key for number in found.numbers],
        "meaning": [number.says for number in found.numbers],
        "value": [number.value for number in found.numbers],
    }


def about(now: Asked) -> dict[str, str]:
    told = _learn_knobs.link(now)
    return {"lesson": now.lesson.title, "seed": str(now.seed), "settings": urlencode(told)}


def report_of(now: Asked, found: Outcome) -> Report:
    lesson = now.lesson
    charts = tuple(
        Chart(one.title, _learn_charts.figure_of(one, dark=False), one.finding, f"{one.title}. {one.finding}")
        for one in found.pictures
        if not isinstance(one, Strip)
    )
    rows = tuple((number.says, words.figure(number.value)) for number in found.numbers)
    listing = report.Listing("The numbers", ("what", "value"), rows)
    sentences = (lesson.idea, found.reveal, *found.sentences)
    return Report(lesson.title, sentences, (*charts, listing), about(now), script(lesson, now.config, now.seed))
