"""The data behind a map: take them along, bring them up to date, draw them anew, and make a new collection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from core import jobs as running_jobs
from core.contracts import Kind
from core.data import specs
from core.errors import UserFacingError
from core.jobs import Job
from core.pipeline import plain_table
from core.pipeline.atlas import HELDOUT, Atlas, atlases
from core.pipeline.map import SPREAD
from core.store import names
from core.ui import (
    _cached_atlas,
    _cached_lists,
    _map_exchange,
    _map_report,
    address,
    cached,
    controls,
    given,
    indexing,
    jobs,
    models,
    tables,
    words,
)
from core.ui.address import Kept
from core.ui.controls import Choice

_WATCHED = "map-job"  # in the session: (job, the collection to open when it is done, the place that shows it)
_REFUSED, _ENDED = "map-refused-job", "map-ended-job"  # in the session: why no job began; what one has done
_NAME = re.compile(r"[^a-z0-9_-]+")
KEY = 12  # letters of a map's key in the URL


def _key(text: str) -> str:
    if not re.fullmatch(rf"[0-9a-f]{{{KEY}}}", text):
        raise ValueError(text)
    return text


WHICH = Kept("map", "", _key, "a map that is saved here")  # the one that is shown; empty: the default one


def table(atlas: Atlas, rows: np.ndarray) -> None:
    """The selection as CSV and Parquet, for other tools, as a report, and as a script that finds it again."""
    tables.downloads(
        lambda: {**plain_table.columns(atlas, rows, _cached_atlas.codes(atlas)), **_written(atlas, rows)},
        "map-table",
        about=plain_table.about(atlas),
        name=f"map-{atlas.name}",
    )
    _map_exchange.show(atlas, rows)
    _map_report.downloads(atlas, rows)


def _written(atlas: Atlas, rows: np.ndarray) -> dict[str, Sequence[object]]:
    """What people wrote beside items, where any did."""
    marks, ids = _cached_lists.marks(atlas), [atlas.ids[row] for row in rows.tolist()]
    tags = {"tags": [", ".join(marks.tags.get(id_, ())) or None for id_ in ids]} if marks.tags else {}
    return {**tags, **({"note": [marks.notes.get(id_) for id_ in ids]} if marks.notes else {})}


# ---- where there is nothing to draw yet ----


def missing(chosen: Choice, error: UserFacingError) -> None:
    """The collection cannot be seen through the chosen model: what to do, as buttons."""
    if error.code not in ("not-indexed", "other-kind"):
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return
    known = next((one for one in atlases(cached.settings()) if one.data == chosen.data), None)
    st.info(words.plain(str(error), 400), icon=":material/info:")
    kind = None if chosen.model is None else models.facts(chosen.model).kind
    with st.container(horizontal=True, gap="small"):
        here = {one.name: one.title for one in models.model_list()}
        for name in [one for one in known.models if one in here][:3] if known else ():
            if st.button(f"See it through {words.plain(here[name])}", key=f"map-through-{name}"):
                controls.switch_model(name)
        if known is not None and kind == known.kind:
            st.button("Index it with this model", on_click=_reindex, args=(chosen, "missing"), icon=":material/sync:")
    watch("missing")


def undrawn(chosen: Choice, atlas: Atlas) -> None:
    if atlas.features is None:
        st.info("No features of these items were stored, so there is nothing to draw a map of.")
        return
    st.info("No map of these items is drawn yet.", icon=":material/map:")
    st.button("Draw the map", type="primary", on_click=draw, icon=":material/map:",
              args=(chosen, ["--min-dist", f"{SPREAD.min_dist:g}"], "undrawn"))  # fmt: skip
    watch("undrawn")


# ---- the data of a map ----


def state(chosen: Choice, atlas: Atlas) -> None:
    """Of a collection: what was refused, and what changed since."""
    if atlas.source == HELDOUT:
        return
    refused = len(atlas.problems)
    title = f"The collection {words.plain(atlas.name)}" + (
        f": {words.count(refused)} {'file was' if refused == 1 else 'files were'} refused" if refused else ""
    )
    with st.expander(title, icon=":material/folder:"):
        unasked = int((atlas.predicted < 0).sum())
        said = f"Answers are from {words.count(atlas.draws)} samples and seed {atlas.seed}."
        if atlas.draws not in (chosen.draws, 1) or atlas.seed != chosen.seed:
            said += f" The side bar asks for {words.count(chosen.draws)} and seed {chosen.seed}: bring it up to date."
        if unasked:
            said += f" {words.count(unasked)} {'item was' if unasked == 1 else 'items were'} not asked yet."
        st.markdown(said)
        st.button("Bring it up to date", on_click=_reindex, args=(chosen, "state"), icon=":material/sync:",
                  help="Only files that are new or changed are read again.")  # fmt: skip
        watch("state")
        if refused:
            rows = {"file": [id_ for id_, _ in atlas.problems], "why": [why for _, why in atlas.problems]}
            about = {"data": atlas.name, "fingerprint": atlas.fingerprint[:16]}
            tables.show(rows, "map-refused", alt="Refused files and why", about=about, name=f"refused-{atlas.name}")


# ---- a new collection ----


def fresh(chosen: Choice) -> None:
    """A built-in set, a folder of this machine, a zip or a manifest becomes a collection with its map."""
    with st.expander("Map your own data", icon=":material/create_new_folder:", expanded=_WATCHED in st.session_state):
        if chosen.model is None:
            st.info("A model is needed to index data; make the ones that come with the app with 'make models'.")
            return
        kind = models.facts(chosen.model).kind
        way = st.segmented_control("Data", ["Upload", "Folder", "Built-in set"], default="Upload", required=True,
                                   key="map-way")  # fmt: skip
        source, name = {
            "Upload": lambda: given.uploaded("map-upload"),
            "Folder": lambda: given.folder("map-folder"),
            "Built-in set": lambda: _built_in(kind),
        }[str(way)]() or ("", "")
        collection = st.text_input("Name of the collection", _name_of(name), max_chars=64, key=f"map-name-{name}")
        st.caption(
            f"{words.plain(models.facts(chosen.model).title)} reads every file once, with {chosen.draws} samples and "
            f"seed {chosen.seed}; then the map is drawn. You may close this page meanwhile."
        )
        st.button("Index and draw", type="primary", disabled=not source, icon=":material/play_arrow:",
                  on_click=_start, args=(chosen, source, _name_of(collection), "fresh"))  # fmt: skip
        watch("fresh")


def _built_in(kind: Kind) -> tuple[str, str]:
    known = {spec.key: spec for spec in specs() if spec.kind == kind and not spec.needs_location}
    first = [key for key, spec in known.items() if spec.builtin]
    key = st.selectbox("Set", [*first, *(key for key in known if key not in first)],
                       format_func=lambda key: known[key].title, key=f"map-set-{kind}")  # fmt: skip
    st.caption(words.plain(known[key].summary, 200))
    return str(key), str(key)


def _name_of(text: str) -> str:
    """A text as a collection can be called."""
    return _NAME.sub("-", text.casefold()).strip("-_")[:64] or "my-data"


# ---- jobs ----


def _start(chosen: Choice, source: str, name: str, where: str) -> None:
    _submit([*indexing.line(chosen, source, name), "--map"], f"Index {name}", name, where, again=False)


def index(chosen: Choice, source: str, name: str, where: str) -> None:
    """Make a collection of a source, under a name that is free; it opens when it is done."""
    taken, free, number = names(cached.settings().collections), _name_of(name), 1
    while free in taken:
        number += 1
        free = f"{_name_of(name)[:58]}-{number}"
    _start(chosen, source, free, where)


def _reindex(chosen: Choice, where: str) -> None:
    _submit([*indexing.again(chosen), "--map"], f"Index {chosen.data}", chosen.data, where, again=True)


def draw(chosen: Choice, extra: list[str], where: str) -> None:
    what = ["--heldout", str(chosen.model)] if chosen.data == HELDOUT else [chosen.data]
    title = "the held-out items" if chosen.data == HELDOUT else chosen.data
    _submit(["map", *what, *extra], f"Draw {title}", chosen.data, where, again=True)


def _submit(words_: Sequence[str], title: str, opens: str, where: str, *, again: bool) -> None:
    try:
        job = running_jobs.submit(cached.settings(), words_, title=title, again=again)
    except UserFacingError as error:
        st.session_state[_REFUSED] = (where, str(error))
        return
    st.session_state.pop(_REFUSED, None)
    st.session_state[_WATCHED] = (job, opens, where)


def watch(where: str) -> None:
    """The job that this visitor started at this place of the page."""
    refused, sentence = st.session_state.get(_REFUSED, ("", ""))
    if refused == where:
        st.error(words.plain(sentence, 300), icon=":material/block:")
    if _WATCHED in st.session_state:
        job, _, here = st.session_state[_WATCHED]
        if here == where:
            jobs.watch(job)


def opened() -> None:
    """The job that this visitor started here has ended: what it made is opened, or the reason is told."""
    if said := st.session_state.pop(_ENDED, ""):
        st.toast(said, icon=":material/check:", duration="long")
    if _WATCHED not in st.session_state:
        return
    job: Job
    job, opens, _ = st.session_state[_WATCHED]
    try:
        now = running_jobs.status(job)
    except UserFacingError:
        return
    if not now.over:
        return
    del st.session_state[_WATCHED]
    if now.state != "done":
        st.error(f"{words.plain(job.title)}: {jobs.told(now)}", icon=":material/block:")
        return
    result = now.result if isinstance(now.result, dict) else {}
    address.put(WHICH, str(result.get("map", ""))[:KEY])  # the map that was just drawn is the one to see
    if opens == chosen_data():
        st.toast(_told(result), icon=":material/check:", duration="long")
        return
    st.session_state[_ENDED] = _told(result)
    st.query_params["data"] = opens
    st.rerun()


def chosen_data() -> str:
    return str(st.query_params.get("data", HELDOUT))


def _told(result: Mapping[str, Any]) -> str:
    """What came of it, in a sentence."""
    if "stored" not in result:
        return "The map is drawn."
    parts = [f"{words.count(result['stored'])} items are in {words.plain(str(result['collection']))}"]
    parts += [f"{words.count(result['already'])} were there before"] if result.get("already") else []
    parts += [f"{words.count(result['problems'])} were refused"] if result.get("problems") else []
    notes = [words.plain(str(note), 160) for note in result.get("notes", [])[:2]]
    return "; ".join([", ".join(parts), *notes]) + "."
