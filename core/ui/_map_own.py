"""A visitor's own files on the map: each lies among its neighbours, which are listed as the reason."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np
import streamlit as st

from core.contracts import THING, Kind
from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.maps.place import Placed, place
from core.pipeline.atlas import Atlas
from core.ui import _cached_atlas, _cached_inspect, _map_words, cached, controls, models, words
from core.ui.controls import Choice
from core.verdict import spoken

_NEIGHBOURS, _SHOWN = 15, 5
_MOST = 12  # files on one map


@dataclass(frozen=True, slots=True)
class Mark:
    """A file and its place on the map."""

    name: str  # as Plotly writes texts: markup escaped
    x: float
    y: float


def marked(file: str, x: float, y: float) -> Mark:
    return Mark(html.escape(file[:24]), x, y)


def files(chosen: Choice, atlas: Atlas) -> tuple[Mark, ...]:
    """The uploader, and the places of what was given."""
    with st.expander("Place your own file", icon=":material/add_location_alt:"):
        given = st.file_uploader(
            "Sounds or pictures to place among these items", accept_multiple_files=True, key="map-own"
        )
        if not given:
            st.caption("It is put where the items are that the model finds most like it, and these are listed.")
            return ()
        if len(given) > _MOST:
            st.warning(f"{len(given)} files were given; the first {_MOST} are placed. Index a folder to map more.")
        found = [_one(chosen, atlas, file.name, file.getvalue()) for file in given[:_MOST]]
    return tuple(mark for mark in found if mark is not None)


def _one(chosen: Choice, atlas: Atlas, file: str, raw: bytes) -> Mark | None:
    name = words.plain(file, 40)
    try:
        media = cached.media(raw)
        if media.kind != atlas.kind:
            _other_kind(chosen, name, media.kind)
            return None
        with st.spinner(f"Asking the model about {name}"):
            told = _cached_inspect.last(lambda: media, sha256_of(raw), chosen)
        found = _cached_inspect.found(told)
        fresh = atlas.alongside(found.features)
        if fresh is None or atlas.features is None or atlas.points is None:
            raise UserFacingError("Too little was stored of these items to place a file among them.")
    except UserFacingError as error:
        st.error(f"{name}: {words.plain(str(error), 400)}", icon=":material/block:")
        return None
    rows, placed = _placed(atlas, fresh)
    near = rows[placed.neighbours[0]]
    st.markdown(f"**{name}** · {words.plain(found.verdict.sentence, 300)}")
    labels = [spoken(atlas.label_names[row] or _answer(atlas, row)) for row in near.tolist()]
    st.caption(_map_words.neighbours(labels, float(placed.spread[0]), file))
    _reasons(atlas, near[:_SHOWN], placed.similarity[0][:_SHOWN])
    return marked(file, float(placed.points[0, 0]), float(placed.points[0, 1]))


def _placed(atlas: Atlas, fresh: np.ndarray) -> tuple[np.ndarray, Placed]:
    """Among the drawn items that have features; with the rows of these."""
    assert atlas.features is not None
    assert atlas.points is not None
    drawn = np.isfinite(atlas.points[atlas.feature_rows]).all(axis=1)
    rows = atlas.feature_rows[drawn]
    metric = "cosine" if atlas.drawn is None else atlas.drawn.options.metric
    vectors = atlas.features if drawn.all() else atlas.features[drawn]
    return rows, place(fresh[None], vectors, atlas.points[rows], metric=metric, k=_NEIGHBOURS)


def _answer(atlas: Atlas, row: int) -> str:
    chosen = int(atlas.predicted[row])
    return atlas.classes[chosen] if chosen >= 0 else "no label"


def _reasons(atlas: Atlas, rows: np.ndarray, similarity: np.ndarray) -> None:
    thumbs = _cached_atlas.thumbs_of(atlas, tuple(atlas.ids[row] for row in rows.tolist()))
    with st.container(horizontal=True, gap="medium"):
        for row, like in zip(rows.tolist(), similarity.tolist(), strict=True):
            with st.container(width=150, gap="small"):
                if (picture := thumbs.get(atlas.ids[row])) is not None:
                    st.image(picture, width="stretch", alt=f"thumbnail of {atlas.ids[row]}")
                st.markdown(f"**{words.plain(spoken(atlas.label_names[row] or _answer(atlas, row)).capitalize())}**")
                far = atlas.drawn is not None and atlas.drawn.options.metric == "euclidean"
                st.caption(f"distance {words.figure(-like)}" if far else f"cosine {words.figure(like, 2)}")


def _other_kind(chosen: Choice, name: str, kind: Kind) -> None:
    """A file of the other kind needs another model, and with it another map."""
    found = models.matching(kind, than=chosen.model)
    thing = THING[kind]
    st.error(f"{name} is a {thing}, and this map is of the other kind.", icon=":material/block:")
    if found is not None and st.button(f"Show the map for {thing}s", key=f"map-other-{name}"):
        controls.switch_model(found.name, f"{name} is a {thing}.")
