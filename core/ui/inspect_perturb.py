"""Perturb my file: turn a slider and watch every measure move; each step can be undone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from core.contracts import Kind
from core.media import preview
from core.media.sniff import sniff
from core.pipeline.perturb import LEAST, SEMITONES, Knobs, perturbed
from core.ui import (
    _cached_inspect,
    _inspect_charts,
    _inspect_place_charts,
    _inspect_words,
    cached,
    models,
    plot,
    samples,
    shell,
    words,
)
from core.ui._cached_inspect import Said
from core.ui._inspect_case import Case

_DRAWS = 16  # where each costs a whole pass
_STEPS = 50  # that can be undone
_PERCENT = {"mix": 0, "noise": 0, "blur": 0, "crop": 100, "shift": 0}  # sliders in percent, and where they rest


def show(case: Case, told: Said) -> None:
    """The sliders on the left; on the right what the model says now, and what has moved since the file came."""
    chosen = case.chosen
    if models.facts(told.asked.model).scope == "network":
        chosen = replace(chosen, draws=min(chosen.draws, _DRAWS))
    media, key = case.media(), f"{case.key}-turn"
    left, right = st.columns([2, 5])
    with left:
        other = _other(case, media.kind, key)
        knobs = _knobs(media.kind, key, other is not None)
        _remember(key, knobs)
        _undo(key)
    before = _cached_inspect.found(_cached_inspect.last(case.media, media.sha256, chosen))
    turned = perturbed(media, knobs, None if other is None else cached.media(other))
    with right:
        told = _cached_inspect.last(lambda: turned, turned.sha256, chosen, noise_of=media.sha256)
        now = _cached_inspect.found(told)
        st.markdown(f"**{_inspect_words.verdict(now)}**")
        if media.kind == "audio":
            st.audio(preview.of_sound(turned), format="audio/flac", alt="the perturbed sound")
        else:
            st.image(preview.of_picture(turned), width=180, alt="the perturbed picture")
        said = _inspect_words.moved(before, now)
        plot.show(_inspect_place_charts.moved(before, now, shell.is_dark()), f"{key}-moved", alt=said, name="moved")
        st.caption(f"{said} Hollow: as the file came; filled: now.")
        said = _inspect_words.bars(now)
        plot.show(_inspect_charts.bars(now, shell.is_dark()), f"{key}-bars", alt=said, name="classes-perturbed")
        st.caption(said)
        new = [note.text for note in turned.receipt.notes if note not in media.receipt.notes]
        st.caption("Done to it: " + words.plain("; ".join(new), 300) if new else "Nothing was done to it yet.")


def _other(case: Case, kind: Kind, key: str) -> bytes | None:
    """The second file: another one of the page, or a sample."""
    given = {name: raw for name, raw in case.others if raw != case.raw and sniff(raw).kind == kind}
    offered = {one.name: one for one in samples.offered() if cached.dataset(one.data).kind == kind}
    names = ["none", *given, *(name for name in offered if name not in given)]
    name = st.selectbox("Mix with", names, key=f"{key}-other", help="Another file of this page, or a sample.")
    if name in given:
        return given[name]
    return cached.item_bytes(offered[name].data, offered[name].item) if name in offered else None


def _knobs(kind: Kind, key: str, mixable: bool) -> Knobs:
    """Only the sliders that such a file has."""

    def percent(name: str, label: str, low: int, high: int, **more: Any) -> float:
        return st.slider(label, low, high, _PERCENT[name], 5, key=f"{key}-{name}", format="%d %%", **more) / 100

    thing = "sound" if kind == "audio" else "picture"
    mix = percent("mix", f"Share of the other {thing}", 0, 100, disabled=not mixable)
    noise = percent("noise", "Noise", 0, 100)
    crop = percent("crop", "What is left of the middle", round(100 * LEAST), 100)
    if kind == "image":
        return Knobs(mix=mix if mixable else 0.0, noise=noise, crop=crop, blur=percent("blur", "Blur", 0, 100))
    most = int(SEMITONES)
    pitch = st.slider("Pitch in semitones", -most, most, 0, 1, key=f"{key}-pitch")
    shift = percent("shift", "Shift in time", -100, 100, help="In shares of the length; what leaves comes in again.")
    return Knobs(mix=mix if mixable else 0.0, noise=noise, crop=crop, pitch=float(pitch), shift=shift)


# ---- steps back ----


def _remember(key: str, knobs: Knobs) -> None:
    steps: list[Knobs] = st.session_state.setdefault(f"{key}-steps", [])
    if not steps or steps[-1] != knobs:
        steps.append(knobs)
        del steps[:-_STEPS]


def _undo(key: str) -> None:
    steps = st.session_state[f"{key}-steps"]
    with st.container(horizontal=True):
        st.button(
            "Undo", icon=":material/undo:", key=f"{key}-undo", on_click=_back, args=(key,), disabled=len(steps) < 2
        )
        resting = steps[-1] == Knobs()
        st.button(
            "Reset", icon=":material/restart_alt:", key=f"{key}-reset", on_click=_rest, args=(key,), disabled=resting
        )


def _back(key: str) -> None:
    steps: list[Knobs] = st.session_state[f"{key}-steps"]
    if len(steps) > 1:
        steps.pop()
        _turn(key, steps[-1])


def _rest(key: str) -> None:
    _turn(key, Knobs())


def _turn(key: str, knobs: Knobs) -> None:
    """Put the sliders where they were."""
    for name in _PERCENT:
        if f"{key}-{name}" in st.session_state:
            st.session_state[f"{key}-{name}"] = round(100 * getattr(knobs, name))
    if f"{key}-pitch" in st.session_state:
        st.session_state[f"{key}-pitch"] = round(knobs.pitch)
