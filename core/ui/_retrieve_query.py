"""Where a query comes from: a stored item, a sample, a file or a recording; each ends as a vector with its doubts."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.contracts import THING
from core.errors import UserFacingError
from core.media import door
from core.pipeline.atlas import Atlas
from core.pipeline.found import Query, Shelf, stored
from core.ui import (
    _cached_atlas,
    _cached_retention,
    address,
    bound,
    cached,
    controls,
    item_cards,
    models,
    samples,
    words,
)
from core.ui.address import Kept
from core.ui.controls import Choice

STORED = "Stored item"
_FRESH = {"audio": ("Sample", "File", "Recording"), "image": ("Sample", "File", "Camera")}


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A query, and what is shown of it."""

    query: Query
    title: str
    row: int | None = None  # of the atlas, where it is stored
    thumbnail: bytes | None = None
    preview: bytes | None = None  # what a browser plays, of a fresh sound


def kept_item() -> Kept[str]:
    return Kept("query", "", bound.named(400), "an item of these data")


def _ways(kind: str) -> tuple[str, ...]:
    return (STORED, *_FRESH[kind])


def kept_way(kind: str) -> Kept[str]:
    return Kept("ask-with", STORED, bound.one_of(_ways(kind)), "a way to ask")


def choose(atlas: Atlas, shelf: Shelf, choice: Choice) -> Asked | None:
    """None while nothing was brought."""
    ways, kept = _ways(atlas.kind), kept_way(atlas.kind)
    with bound.telling():
        shown = None if address.get(kept) in ways else STORED  # sounds have a way that pictures lack
    way = str(st.segmented_control("Ask with", ways, required=True, **bound.widget(kept, shown)))
    if way == STORED:
        return _stored(atlas, shelf)
    raw, title = _brought(way, atlas)
    if raw is None:
        return None
    return _fresh(raw, title, atlas, choice)


def _stored(atlas: Atlas, shelf: Shelf) -> Asked:
    """The item of the URL, else one from the middle."""
    ids = [atlas.ids[row] for row in shelf.rows.tolist()]
    labels = dict(zip(ids, shelf.labels, strict=True))
    wanted = address.get(kept_item())
    if wanted not in labels:
        if wanted:
            st.caption(f"The item {words.plain(wanted, 60)} is not among these data; another one is shown.")
        wanted = ids[len(ids) // 2]
    if st.session_state.get("query-item") != wanted:
        st.session_state["query-item"] = wanted
    chosen = st.selectbox(
        "Item",
        ids,
        format_func=lambda id_: f"{(labels[id_] or 'no label').replace('_', ' ')} · {id_}",
        key="query-item",
        on_change=lambda: address.put(kept_item(), st.session_state["query-item"]),
    )
    place = ids.index(chosen)
    row = int(shelf.rows[place])
    thumbnail = _cached_atlas.thumbs_of(atlas, (str(chosen),)).get(str(chosen))
    return Asked(stored(shelf, place), item_cards.spoken(labels[chosen]), row, thumbnail)


def _brought(way: str, atlas: Atlas) -> tuple[bytes | None, str]:
    if way == "Sample":
        here = {one.name: one for one in samples.offered() if cached.dataset(one.data).kind == atlas.kind}
        name = st.selectbox("A sample, made on this machine", list(here), key="query-sample", bind="query-params")
        return (cached.item_bytes(here[name].data, here[name].item), name) if name in here else (None, "")
    if way == "Recording":
        clip = st.audio_input("Record a sound", sample_rate=48000, key="query-clip")
        return (clip.getvalue(), "Recording") if clip else (None, "")
    if way == "Camera":
        shot = st.camera_input("Take a picture", key="query-shot")
        return (shot.getvalue(), "Camera picture") if shot else (None, "")
    given = st.file_uploader(f"Ask with a {THING[atlas.kind]} of yours", key="query-file")
    if given is None:
        st.info("Drop a file above; nothing is sent anywhere. Or ask with a stored item or a sample.",
                icon=":material/lightbulb:")  # fmt: skip
        return None, ""
    return given.getvalue(), words.plain(given.name)


def _fresh(raw: bytes, title: str, atlas: Atlas, choice: Choice) -> Asked | None:
    """A file, decoded here and answered by the model, with as many draws as the items had."""
    try:
        view = cached.shown(raw)
        media = door.open_media(raw)
        if media.kind != atlas.kind:
            other = models.matching(media.kind, choice.model)
            if other is None:
                raise UserFacingError(f"This file is a {THING[media.kind]}, and these items are not.")
            controls.switch_model(other.name, f"The file is a {THING[media.kind]}.")
        query = _cached_retention.query(atlas, choice.device, media)
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None
    if query.own:
        source = item_cards.SOURCES[atlas.kind]
        st.caption(f"This file is one of the stored items, so it and its {source} are not among the results.")
    preview = view.preview if atlas.kind == "audio" else None
    return Asked(query, title, None, view.thumbnail, preview)
