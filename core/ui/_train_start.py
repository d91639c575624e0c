"""Starting a training: its words, a name that is free, and what is said before it begins."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.checkpoints.listed import cards
from core.errors import UserFacingError
from core.pipeline.runs import runs, want
from core.ui import address, cached, jobs, words
from core.ui._train_live import RUN
from core.ui.controls import Choice

_REFUSED = "train-refused"  # in the session: why nothing was started


def words_of(recipe: str, name: str, settings: Sequence[str], chosen: Choice) -> list[str]:
    """What follows 'python -m core'."""
    said = ["train", recipe, "--name", name]
    said += [word for setting in settings for word in ("--set", setting)]
    return said + ([] if chosen.device == "auto" else ["--device", chosen.device])


def free_name(base: str) -> str:
    """The first of base, base-2, base-3 ... that no model and no training has."""
    settings = cached.settings()
    taken = {*cards(settings), *(run.name for run in runs(settings))}
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def at_once(recipe: str, base: str, settings: Sequence[str], chosen: Choice) -> None:
    """A recipe as it is; asked twice, by one visitor or two, it is one training while it runs. Runs before the page."""
    for run in runs(cached.settings()):
        if run.live and run.job is not None and list(run.job.words) == words_of(recipe, run.name, settings, chosen):
            see(run.name)
            return
    name = free_name(base)
    begin(words_of(recipe, name, settings, chosen), name)


def begin(said: Sequence[str], name: str) -> bool:
    """Has it started? If not, ``refused`` says why."""
    try:
        want(name, cached.settings())
        jobs.start(said, f"Train {name}")
    except UserFacingError as error:
        st.session_state[_REFUSED] = str(error)
        return False
    st.session_state.pop(_REFUSED, None)
    see(name)
    return True


def see(name: str) -> None:
    address.put(RUN, name)


def refused() -> None:
    if said := st.session_state.pop(_REFUSED, ""):
        st.error(words.plain(said, 400), icon=":material/block:")
