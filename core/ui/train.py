"""The Train page: what is under way, recipes one click each, one's own settings, and trainings beside each other."""

from __future__ import annotations

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.runs import Run, runs
from core.ui import (
    _train_form,
    _train_link,
    _train_live,
    _train_recipes,
    _train_runs,
    _train_start,
    address,
    cached,
    words,
)
from core.ui._train_live import RUN, SEEN
from core.ui.controls import Choice

_TABS = ("Recipes", _train_link.TAB, "Compare trainings")


def page(chosen: Choice) -> None:
    try:
        found = runs(cached.settings())
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return
    shown = _shown(found)
    for run in shown:
        _train_live.show(run)
    if not found and _train_link.chosen() is None:
        st.info("Nothing was trained here yet. The first recipe below takes less than a minute.",
                icon=":material/model_training:")  # fmt: skip
    _others(found, shown)
    _train_start.refused()
    _train_link.arrived()
    first, own, beside = st.tabs(_TABS, on_change="rerun", key="train-tab")
    if first.open:
        with first:
            _train_recipes.show(found, chosen)
    if own.open:
        with own:
            _train_form.show(chosen)
    if beside.open:
        with beside:
            _train_runs.show(found)


def _shown(found: tuple[Run, ...]) -> list[Run]:
    """The one that the link names, all that run, and those that this visitor saw running."""
    wanted = address.get(RUN)
    if wanted and all(run.name != wanted for run in found):
        st.warning(f"The training {words.plain(wanted)} is not here; it may have been thrown away.",
                   icon=":material/link_off:")  # fmt: skip
        address.put(RUN, "")
    named = [run for run in found if run.name == wanted]
    seen = st.session_state.setdefault(SEEN, {})  # in the order of their coming
    seen |= {run.name: None for run in found if run.live}
    return [*named, *(run for run in found if run.name in seen and run.name != wanted)]


def _others(found: tuple[Run, ...], shown: list[Run]) -> None:
    """Those that ended and can be opened again."""
    rest = [run for run in found if run not in shown]
    if not rest:
        return
    names = {run.name: f"{run.name}: {'finished' if run.state == 'done' else run.state}" for run in rest}
    st.selectbox(
        "Open a training",
        list(names),
        index=None,
        format_func=lambda name: names[name],
        placeholder=f"{len(rest)} ended",
        key=f"train-open-{address.get(RUN)}-{len(rest)}",
        on_change=_open,
        args=(f"train-open-{address.get(RUN)}-{len(rest)}",),
    )


def _open(key: str) -> None:
    if name := st.session_state.get(key):
        address.put(RUN, name)
