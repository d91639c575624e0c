"""Items from elsewhere: which the models were asked about, and a job that asks the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core import jobs as running_jobs
from core.errors import UserFacingError
from core.jobs import Job
from core.pipeline.atlas import HELDOUT
from core.pipeline.elsewhere import domain_of, offered
from core.pipeline.sheets import Bench
from core.pipeline.tabled import COLLECTION, Benches
from core.ui import _cached_compare, cached, indexing, jobs, models, words
from core.ui.controls import Choice

MOST = 120  # items of a domain, unless a visitor says otherwise
_WATCHED, _REFUSED = "compare-jobs", "compare-refused"


def titles(bench: Bench, known: Mapping[str, str]) -> dict[str, str]:
    """What may be asked about here, and what was: key -> title."""
    own = bench.sheets[0].card.data.key
    known = {key: f"Collection {title}" if key.startswith(COLLECTION) else title for key, title in known.items()}
    return {one.key: known.get(one.key, one.title) for one in offered(bench.kind, own)} | dict(known)


def panel(bench: Bench, known: Mapping[str, str], wish: str | None) -> None:
    """Ask the models of this table about items that they never learned."""
    _over()
    with st.popover("Ask about items from elsewhere", icon=":material/travel_explore:"):
        st.markdown(
            "Every model of the table answers the same items, read once; what it says is kept and found again. Sounds "
            "and pictures of the built-in sets are made on the spot."
        )
        named = {key: title for key, title in titles(bench, known).items() if not key.startswith(COLLECTION)}
        chosen = st.multiselect(
            "Items",
            list(named),
            default=[wish] if wish in named else list(named)[:1],
            format_func=lambda key: f"{named[key]}{_told(bench, key) if key in known else ''}",
            key=f"compare-about-{bench.title}",
        )
        other = st.text_input(
            "or a data set, folder, manifest or zip of this machine",
            key="compare-source",
            placeholder="fsdd:test, or /data/my-recordings",
        )
        most = st.slider("Items of each, at most", 24, 400, MOST, 8, key="compare-most")
        about = [*chosen, *([other.strip()] if other.strip() else [])]
        able = _able(bench)
        st.button(
            f"Ask {words.counted(len(able), 'model')}",
            disabled=not (about and able),
            on_click=start,
            args=(bench, about, most),
            type="primary",
            icon=":material/play_arrow:",
        )
        if len(able) < len(bench.names):
            st.caption(_unable(bench))


def absent(choice: Choice, here: Benches) -> None:
    """The chosen model has not seen the chosen collection: a button that asks it. Such a job is watched, too."""
    known = {one.name: one for one in models.model_list() if one.ready}
    refused = {name for name, _ in here.refused}
    if choice.data == HELDOUT or choice.model not in known.keys() - refused or here.of(str(choice.model)) is not None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="compare-absent"):
        title = words.plain(known[str(choice.model)].title)
        st.markdown(
            f":material/travel_explore: {title} was not asked about {words.plain(choice.data)} yet, so it is not in "
            "the table.",
            width="stretch",
        )
        st.button("Ask it", key="compare-ask-it", on_click=_index, args=(choice,))


def _index(choice: Choice) -> None:
    _begin([(indexing.again(choice), f"Index {choice.data}")])


def _able(bench: Bench) -> tuple[str, ...]:
    """Those that can answer: some wait for weights that are not here."""
    ready = {one.name for one in models.model_list() if one.ready}
    return tuple(name for name in bench.names if name in ready)


def _unable(bench: Bench) -> str:
    known = {one.name: one for one in models.model_list()}
    left = [known[name] for name in bench.names if name in known and not known[name].ready]
    why = words.plain(left[0].why_not or "a part is missing", 160) if left else "a part is missing"
    return f"{words.count(len(bench.names) - len(_able(bench)))} cannot answer now: {why}."


def missing(bench: Bench, domain: str, title: str) -> None:
    """Some were asked about a domain, or nobody was: a button that asks the others."""
    asked = _cached_compare.asked(bench, domain)
    if len(asked) == len(bench.names):
        return
    left = len(bench.names) - len(asked)
    with st.container(horizontal=True, vertical_alignment="center", key=f"missing-{domain.replace(':', '-')}"):
        st.markdown(
            f":material/travel_explore: {words.count(left)} of {words.count(len(bench.names))} models were not asked "
            f"about {words.plain(title)} yet.",
            width="stretch",
        )
        if domain.startswith(COLLECTION):
            st.page_link("pages/2_Map.py", label="Index it with them", icon=":material/scatter_plot:")
        elif _able(bench):
            st.button("Ask them", key=f"ask-{domain}", on_click=start, args=(bench, [domain], MOST))
    if not _able(bench):
        st.caption(_unable(bench))


def start(bench: Bench, about: list[str], most: int) -> None:
    """One job for each way in which models were asked about the items of the table. Runs before the page does."""
    ways: dict[tuple[int, int] | None, list[str]] = {}
    able = _able(bench)
    for sheet in (one for one in bench.sheets if one.name in able):
        way = None if bench.data == HELDOUT else (sheet.draws, sheet.seed)
        ways.setdefault(way, []).append(sheet.name)
    lines = []
    for way, names in ways.items():
        line = ["ask", "--model", *names, *(word for key in about for word in ("--about", key)), "--most", str(most)]
        line += [] if way is None else ["--samples", str(way[0]), "--seed", str(way[1])]
        lines.append((line, f"Ask {words.counted(len(names), 'model')} about {', '.join(about)[:60]}"))
    _begin(lines, about)


def _begin(lines: Sequence[tuple[list[str], str]], about: Sequence[str] = ()) -> None:
    """Jobs, by their words and titles, or why there is none."""
    settings = cached.settings()
    try:
        for key in about:
            domain_of(key)
        begun = [running_jobs.submit(settings, line, title=title, again=True) for line, title in lines]
    except UserFacingError as error:
        st.session_state[_REFUSED] = str(error)
        return
    st.session_state.pop(_REFUSED, None)
    st.session_state[_WATCHED] = begun


def watch() -> None:
    if said := st.session_state.get(_REFUSED):
        st.error(words.plain(said, 300), icon=":material/block:")
    for job in st.session_state.get(_WATCHED, ()):
        jobs.watch(job)


def _over() -> None:
    """Jobs of this visitor that ended: a word about it, or the reason."""
    left: list[Job] = []
    for job in st.session_state.get(_WATCHED, ()):
        try:
            now = running_jobs.status(job)
        except UserFacingError:
            continue
        if not now.over:
            left.append(job)
        elif now.state == "done":
            st.toast(f"{words.plain(job.title)}: {jobs.told(now)}", icon=":material/check:", duration="long")
        else:
            st.session_state[_REFUSED] = f"{job.title}: {jobs.told(now)}"
    if _WATCHED in st.session_state:
        st.session_state[_WATCHED] = left


def _told(bench: Bench, domain: str) -> str:
    return f" (asked: {len(_cached_compare.asked(bench, domain))} of {len(bench.names)})"
