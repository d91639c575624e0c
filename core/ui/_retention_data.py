"""What the Retention page is about: a visitor's own labels for the model's classes, outsiders, other models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.atlas import HELDOUT, Atlas, atlases
from core.pipeline.judged import NONE_OF_THEM, Strangers, Word, own_words
from core.ui import _cached_atlas, _cached_retention, _map_data, address, bound, cached, models, words
from core.ui._cached_retention import Mapped
from core.ui.address import Kept
from core.ui.controls import Choice

_LEFT_OUT = "leave out"
_WRONG = "none of these: always wrong"
_MOST_WORDS = 60
_MOST_MODELS = 3
_NOBODY, _MADE = "nothing", "made"


@dataclass(frozen=True, slots=True)
class Other:
    """Another model on the same items."""

    title: str
    atlas: Atlas


def missing(choice: Choice, error: UserFacingError) -> None:
    """The items cannot be shown: why, and what to do about it, as buttons."""
    _map_data.missing(choice, error)
    if choice.data != HELDOUT:
        st.button("Show the model's own held-out items", on_click=_held_out, icon=":material/inventory_2:")
    else:
        st.page_link("pages/2_Map.py", label="Index data of your own on the Map page", icon=":material/scatter_plot:")


def _held_out() -> None:
    address.put(Kept("data", HELDOUT, str, "a collection"), HELDOUT)


def mapping(atlas: Atlas) -> Mapped:
    """A step that only a visitor's own labels need; None where equal words settle it."""
    found = own_words(atlas)
    if atlas.source == HELDOUT or atlas.task != "multiclass" or all(word.guess for word in found) or not found:
        return None
    known = sum(word.guess is not None for word in found)
    title = f"Your labels: {known} of {len(found)} are classes of the model. Say what the others mean"
    with st.expander(title, icon=":material/translate:", expanded=known == 0):
        st.caption(
            "An answer is right when it is the class that the label means. Left as they are, labels of no class are "
            "left out; where none means a class, the page asks whether the nearest item has the same label."
        )
        return _table(sorted(found, key=lambda word: word.guess is not None)[:_MOST_WORDS], atlas)


def _table(found: Sequence[Word], atlas: Atlas) -> Mapped:
    options = [_LEFT_OUT, _WRONG, *atlas.classes]
    meant = st.data_editor(
        {
            "your label": [word.text for word in found],
            "items": [word.items for word in found],
            "means": [word.guess or _LEFT_OUT for word in found],
        },
        hide_index=True,
        disabled=("your label", "items"),
        column_config={"means": st.column_config.SelectboxColumn(options=options, required=True)},
        key=f"mapping-{atlas.name}-{atlas.model}",
    )["means"]
    chosen = {_WRONG: NONE_OF_THEM}
    return tuple(
        (word.text, chosen.get(str(said), str(said)))
        for word, said in zip(found, meant, strict=True)
        if said != _LEFT_OUT
    )


def strangers(atlas: Atlas, choice: Choice) -> Strangers | None:
    """Items from outside to mix in: made here, or of another collection of the same model."""
    if atlas.task != "multiclass" or choice.model is None:
        return None
    here = [
        one.data
        for one in atlases(cached.settings(), atlas.kind)
        if one.data not in (HELDOUT, choice.data) and choice.model in one.models
    ]
    titles = {_NOBODY: "Nothing", _MADE: f"{_cached_retention.made_title(atlas.kind)} (made here)"}
    offered = (_NOBODY, _MADE, *here)
    kept = Kept("mix", _NOBODY, bound.one_of(offered), "a set of items from outside that is here")
    chosen = st.selectbox(
        "Mix in items from outside",
        offered,
        format_func=lambda name: titles.get(name) or str(name),
        **bound.widget(kept),
        help="Items of no class of the model: every answer to them is wrong, and a good doubt sets them aside first.",
    )
    if chosen in (None, _NOBODY):
        return None
    try:
        if chosen == _MADE:
            device = choice.device
            return _cached_retention.made(choice.model, atlas.mark, atlas.kind, atlas.draws, atlas.seed, device)
        found = _cached_retention.others(_cached_atlas.atlas(replace(choice, data=chosen)))
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None
    if found is None:
        st.info(f"Every item of {words.plain(chosen)} is of one of the model's classes, so none is from outside.")
    return found


def others(atlas: Atlas, choice: Choice) -> tuple[Other, ...]:
    """Models to lay over this one: those that answered the same items."""
    base = {one.name: one for one in models.model_list()}
    own = base.get(atlas.model)
    if own is None:
        return ()
    if atlas.source == HELDOUT:
        offered = [one.name for one in base.values() if one.data == own.data and one.task == own.task]
    else:
        offered = [
            name for one in atlases(cached.settings(), atlas.kind) if one.data == choice.data for name in one.models
        ]
    offered = [name for name in offered if name != atlas.model and name in base]
    if not offered:
        return ()
    kept = Kept("overlay", (), bound.several(_MOST_MODELS), f"up to {_MOST_MODELS} models of these data", ",".join)
    picked = st.multiselect(
        "Lay other models over it",
        offered,
        format_func=lambda name: base[name].title,
        max_selections=_MOST_MODELS,
        **bound.widget(kept, [name for name in address.get(kept) if name in offered]),
        placeholder="Choose up to three",
    )
    found = []
    for name in picked:
        try:
            other = _cached_atlas.atlas(replace(choice, model=name))
        except UserFacingError as error:
            st.error(words.plain(str(error), 400), icon=":material/block:")
            continue
        if why := not_comparable(atlas, other):
            st.info(f"{words.plain(base[name].title)} is not drawn: {why}", icon=":material/difference:")
        else:
            found.append(Other(base[name].title, other))
    return tuple(found)


def title_of(atlas: Atlas) -> str:
    """What a model is called beside others."""
    return next((one.title for one in models.model_list() if one.name == atlas.model), atlas.model)


def not_comparable(one: Atlas, other: Atlas) -> str:
    """Why two answers are not about the same items; empty where they are."""
    if one.version != other.version:
        return "it was asked about another version of these data."
    if set(one.ids) != set(other.ids):
        shared = len(set(one.ids) & set(other.ids))
        return f"only {words.count(shared)} of the {words.count(len(one.ids))} items were asked of both."
    if one.classes != other.classes:
        return "it knows other classes."
    return ""
