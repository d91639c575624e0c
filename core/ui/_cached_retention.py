"""What Retention and Retrieve compute once for all visitors: keys are an atlas' fingerprint and small frozen things."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.contracts import Media
from core.media import door
from core.pipeline.atlas import Atlas
from core.pipeline.found import Quality, Query, Shelf, of_file, quality_of, shelf_of, trial_of
from core.pipeline.judged import Judged, Strangers, judged, strangers_of
from core.pipeline.retained import Retained, kept_mask, retained
from core.retrieval import Trial
from core.runner import Request
from core.ui import cached, running

Mapped = tuple[tuple[str, str], ...] | None  # own word -> class; None: equal words
MADE = 48  # items from outside that are made on the spot
_BUILT_IN = {"audio": "soundbox", "image": "toybox"}


@st.cache_resource(max_entries=64, show_spinner="Drawing resamples for the bands")
def _retained(key: tuple[str, ...], mapped: Mapped, _atlas: Atlas, _strangers: Strangers | None) -> Retained:
    return retained(judgement(_atlas, mapped, _strangers))


def curves(atlas: Atlas, mapped: Mapped = None, strangers: Strangers | None = None) -> Retained:
    """Bands and areas: the costly part, which does not depend on the operating point."""
    outside = "" if strangers is None else f"{strangers.title} {len(strangers)} {strangers.ids[0]}"
    return _retained((*_key(atlas), outside), mapped, atlas, strangers)


def judgement(atlas: Atlas, mapped: Mapped = None, strangers: Strangers | None = None) -> Judged:
    return judged(atlas, None if mapped is None else dict(mapped), strangers)


def threshold(atlas: Atlas, measure: str, share: float) -> float | None:
    """The operating point as a doubt, the same on Map, Retention and Retrieve: that of the items that can be judged.

    None: nothing is set aside.
    """
    if share >= 1:
        return None
    found = _judged(_key(atlas), atlas)
    if measure in found.doubts and found.goal != "nothing" and len(found):
        return float(found.doubts[measure][kept_mask(found.doubts[measure], share)].max())
    values = atlas.doubts[measure]
    return float(np.quantile(values[np.isfinite(values)], share))


@st.cache_resource(max_entries=16, show_spinner=False)
def _judged(key: tuple[str, ...], _atlas: Atlas) -> Judged:
    return judgement(_atlas)


def _key(atlas: Atlas) -> tuple[str, ...]:
    return (atlas.fingerprint, atlas.model, atlas.mark, str(atlas.draws), str(atlas.seed))


@st.cache_resource(max_entries=16, show_spinner=False)
def shelf(key: tuple[str, ...], _atlas: Atlas) -> Shelf:
    return shelf_of(_atlas)


def shelf_for(atlas: Atlas) -> Shelf:
    return shelf(_key(atlas), atlas)


@st.cache_resource(max_entries=64, show_spinner="Asking every item of every other")
def _quality(key: tuple[str, ...], measure: str, same_recording: bool, _shelf: Shelf) -> Quality:
    return quality_of(_shelf, measure, same_recording=same_recording)


def quality(atlas: Atlas, measure: str, same_recording: bool) -> Quality:
    return _quality(_key(atlas), measure, same_recording, shelf_for(atlas))


@st.cache_resource(max_entries=64, show_spinner="Choosing thresholds on one half of the items")
def _trial(key: tuple[str, ...], measure: str, _shelf: Shelf) -> Trial:
    return trial_of(_shelf, measure)


def trial(atlas: Atlas, measure: str) -> Trial:
    return _trial(_key(atlas), measure, shelf_for(atlas))


@st.cache_resource(max_entries=64, show_spinner="Asking the model about this file")
def _query(key: tuple[str, ...], sha256: str, device: str, _atlas: Atlas, _media: Media) -> Query:
    return of_file(_atlas, shelf_for(_atlas), running.runner(), _media, device)


def query(atlas: Atlas, device: str, media: Media) -> Query:
    """A file as a query, asked as the stored items were. Raises UserFacingError."""
    return _query(_key(atlas), media.sha256, device, atlas, media)


# ---- items from outside the model's classes ----


def made_title(kind: str) -> str:
    return f"{cached.dataset(_BUILT_IN[kind]).title} outside its classes"


@st.cache_resource(max_entries=16, show_spinner="Making items of no class and asking the model about them")
def made(model: str, mark: str, kind: str, draws: int, seed: int, device: str) -> Strangers:
    """Some of a built-in set's items from outside, made on this machine and answered by the model."""
    data = cached.dataset(_BUILT_IN[kind])
    items = [item for item in data.items if item.split == "ood"]
    some = items[:: max(1, len(items) // MADE)][:MADE]
    media = tuple(door.open_media(data.read(item), kind=data.kind) for item in some)
    request = Request(model, media=media, draws=draws, seed=seed, device=device, keep=False)
    answer = running.runner().ask(request)
    return Strangers(made_title(kind), tuple(item.id for item in some), answer.doubts, data.key)


@st.cache_resource(max_entries=256, show_spinner=False)
def made_thumbnail(source: str, id_: str) -> bytes:
    return door.open_view(cached.item_bytes(source, id_)).thumbnail


@st.cache_resource(max_entries=16, show_spinner=False)
def _others(key: tuple[str, ...], _atlas: Atlas) -> Strangers | None:
    return strangers_of(_atlas)


def others(atlas: Atlas) -> Strangers | None:
    """The items of a collection that are of none of the model's classes."""
    return _others(_key(atlas), atlas)
