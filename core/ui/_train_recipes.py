"""The recipes of the sources, one click each: what each needs, why one is not ready, how long it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import streamlit as st

from core.pipeline.offers import FIRST, Offer, Took, mark_of
from core.pipeline.runs import Run
from core.training.plan import plan_of
from core.ui import _cached_shell, _cached_train, _train_start, words
from core.ui.controls import Choice

_COLUMNS = 3


def show(found: Sequence[Run], chosen: Choice) -> None:
    offers, took = _cached_train.offers()
    titles = _cached_shell.method_titles()
    for source, group in groupby(offers, key=lambda offer: offer.recipe.source):
        st.subheader(_titled(source), anchor=False)
        several = list(group)
        for start in range(0, len(several), _COLUMNS):
            columns = st.columns(_COLUMNS, gap="small")
            for column, offer in zip(columns, several[start : start + _COLUMNS], strict=False):
                with column, st.container(border=True, height="stretch"):
                    _offer(offer, took, titles, found, chosen)


def _titled(source: str) -> str:
    return "The app's own" if source == "the app's own" else words.plain(source, 120)


def _offer(
    offer: Offer, took: Mapping[str, Took], titles: Mapping[str, str], found: Sequence[Run], chosen: Choice
) -> None:
    recipe = offer.recipe
    st.markdown(f"**{words.plain(recipe.title)}**")
    st.markdown(words.plain(recipe.summary, 400))
    method = recipe.plan.method
    if len(offer.methods) > 1:
        method = str(
            st.selectbox(
                "Method", offer.methods, format_func=lambda key: titles.get(key, key), key=f"recipe-method-{recipe.key}"
            )
        )
    settings = () if method == recipe.plan.method else (f"method={method}",)
    st.caption(
        f"Needs {words.plain(offer.needs, 200)}. {_expected(took.get(mark_of(plan_of(recipe, settings))), offer)}"
    )
    if offer.why_not is not None:
        st.caption(f":material/block: Not ready. {words.plain(offer.why_not, 300)}")
    base = recipe.key if method == recipe.plan.method else f"{recipe.key}-{method.replace('_', '-')}"
    trained = next((run for run in found if run.name == base), None)
    with st.container(horizontal=True, gap="small"):
        if trained is not None:
            st.button(
                "See it",
                key=f"recipe-see-{recipe.key}",
                icon=":material/visibility:",
                on_click=_train_start.see,
                args=(base,),
            )
        label = "Train it again" if trained is not None else "Train it"
        st.button(
            label,
            key=f"recipe-{recipe.key}",
            icon=":material/play_arrow:",
            type="primary" if recipe.key == FIRST and trained is None else "secondary",
            disabled=offer.why_not is not None,
            on_click=_train_start.at_once,
            args=(recipe.key, base, settings, chosen),
        )
        st.button(
            "Change it first",
            key=f"recipe-change-{recipe.key}",
            icon=":material/tune:",
            type="tertiary",
            on_click=_change,
            args=(recipe.key, method),
        )


def _expected(took: Took | None, offer: Offer) -> str:
    if took is not None:
        where = f" on {took.hardware}" if took.hardware else ""
        return f"Training took {words.seconds(max(took.seconds, 1.0))}{where}."
    if offer.recipe.key == FIRST:
        return "Takes less than a minute."
    return "How long it takes here is not known yet."


def _change(recipe: str, method: str) -> None:
    """Runs before the page does: the form opens with this recipe."""
    st.session_state["train-base"] = recipe
    st.session_state["train-base-method"] = method
    st.session_state["train-tab"] = "Your own"
