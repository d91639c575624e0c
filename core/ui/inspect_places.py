"""Where in a file the doubt sits: along a sound, with a click to hear it, or across a picture."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from functools import partial

import streamlit as st

from core.contracts import Media
from core.media import preview
from core.ui import _cached_inspect, _inspect_place_charts, _inspect_words, plot, shell, words
from core.ui._cached_inspect import Said
from core.ui._inspect_case import Case
from core.ui.cached import Sound

_SIDE = 360  # pixels of the picture under a heat map


def show(case: Case, told: Said) -> None:
    if isinstance(case.view.drawn, Sound):
        _along(case, told, case.view.drawn)
    else:
        _across(case, told)


def _along(case: Case, told: Said, sound: Sound) -> None:
    with st.spinner("Asking window by window"):
        found = _cached_inspect.doubt_along(told, case.media())
    figure = _inspect_place_charts.along(found, sound, told.answer.classes, shell.is_dark())
    said, key = _inspect_words.along(found), f"{case.key}-along"
    starts = [float(start) for start in found.starts]
    plot.show(
        figure, key, alt=f"Doubt along the clip. {said} Arrow keys move between windows, Enter plays.", select=True,
        told=plot.Told(click=partial(_play_from, key, starts)), name="doubt-along",
    )  # fmt: skip
    st.caption(said)
    start = st.session_state.get(f"{key}-start")
    if start in starts:
        st.markdown(f"From {words.figure(start)} s:")
        st.audio(preview.of_sound(_rest(case.media(), start)), format="audio/flac", autoplay=True, alt="from there on")
    else:
        st.markdown(":material/touch_app: Click a marker to hear the sound from there.")


def _play_from(key: str, starts: list[float], _: int, window: int) -> None:
    if window < len(starts):
        st.session_state[f"{key}-start"] = starts[window]


def _rest(media: Media, start: float) -> Media:
    return replace(media, samples=media.samples[round(start * (media.rate or 1)) :])


def _small(picture: bytes) -> bytes:
    """Of a size with the chart, so that messages stay small."""
    from PIL import Image

    drawn, target = Image.open(io.BytesIO(picture)), io.BytesIO()
    drawn.thumbnail((_SIDE, _SIDE))
    drawn.save(target, "PNG")
    return target.getvalue()


def _across(case: Case, told: Said) -> None:
    with st.spinner("Covering one part after the other"):
        found = _cached_inspect.doubt_across(told, case.media())
    picture = "data:image/png;base64," + base64.b64encode(_small(case.view.preview)).decode()
    heats = (
        ("leans", _inspect_place_charts.leaning(found), _inspect_words.leaning(found), "What the answer leans on"),
        ("brings", _inspect_place_charts.bringing(found), _inspect_words.bringing(found), "What brings the doubt in"),
    )
    for column, (name, heat, said, title) in zip(st.columns(2), heats, strict=True):
        with column:
            st.markdown(f"**{title}**")
            figure = _inspect_place_charts.across(found, heat, picture, shell.is_dark())
            plot.show(figure, f"{case.key}-{name}", alt=said, name=f"doubt-across-{name}")
            st.caption(said)
