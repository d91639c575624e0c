"""A second model on the same file, beside the first."""

from __future__ import annotations

import re
from dataclasses import replace

import streamlit as st

from core.pipeline.inspect import Beside, Inspected, beside
from core.ui import _cached_inspect, _inspect_charts, _inspect_words, address, models, plot, shell, words
from core.ui._cached_inspect import Said
from core.ui._inspect_case import Case
from core.verdict import spoken

_NAME = re.compile(r"[\w.-]{1,80}")


def _read(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(text)
    return text


_SECOND = address.Kept("beside", "", _read, "the name of a model")


def show(case: Case, told: Said) -> None:
    own = models.facts(told.asked.model)
    offered = {one.name: one for one in models.model_list() if one.kind == own.kind and one.ready and one != own}
    if not offered:
        st.info("No other model for such files is here; train one, or make those that come with the app.")
        return
    key, kept = f"{case.key}-second", address.get(_SECOND)
    name = st.selectbox(
        "Second model",
        list(offered),
        index=list(offered).index(kept) if kept in offered else 0,
        format_func=lambda one: offered[one].title,
        key=key,
        on_change=lambda: address.put(_SECOND, st.session_state[key]),
    )
    with st.spinner(f"Asking {offered[name].title}"):
        other = _cached_inspect.last(case.media, case.view.sha256, replace(case.chosen, model=name))
    pair = (_cached_inspect.found(told), _cached_inspect.found(other))
    st.markdown(_said(beside(*pair), *pair))
    for column, found in zip(st.columns(2), pair, strict=True):
        with column:
            facts, known = models.facts(found.model), _cached_inspect.reader(found.model)
            st.markdown(f"**{words.plain(facts.title)}** ({facts.scope_words})")
            st.markdown(_inspect_words.verdict(found))
            said = _inspect_words.bars(found)
            plot.show(
                _inspect_charts.bars(found, shell.is_dark()), f"{key}-bars-{found.model}", alt=said, name=found.model
            )
            st.caption(said)
            usual = known.card.posthoc.get("percentiles", {}).get("total")
            figure = _inspect_charts.doubts(found, shell.is_dark(), usual=None if usual is None else float(usual[95]))
            said = _inspect_words.doubts(found)
            plot.show(figure, f"{key}-doubts-{found.model}", alt=said, name=f"{found.model}-doubt")
            st.caption(said)


def _said(told: Beside, first: Inspected, second: Inspected) -> str:
    tops = [spoken(found.predictions[0].label) for found in (first, second)]
    if told.agree:
        agree = f"Both say {tops[0]}"
    elif told.agree is False:
        agree = f"They disagree: {tops[0]} or {tops[1]}"
    else:
        agree = f"They know different classes: {tops[0]} and {tops[1]} cannot be compared"
    if told.more_doubtful is None:
        return f"{words.plain(agree, 300)}; neither is further up among its own held-out items than the other."
    more = words.plain(models.facts(told.more_doubtful).title)
    return f"{words.plain(agree, 300)}; {more} is the more doubtful of the two, each by what is usual for it."
