"""Perturb my file: turn a slider and watch every measure move; each step can be undone."""

from __future__ import annotations

from dataclasses import replace

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
_NOTHING = "none"
_REST = {"mix": 0, "noise": 0, "blur": 0, "crop": 100, "shift": 0, "pitch": 0}  # in percent; pitch in semitones
Step = tuple[str, Knobs]  # what it was mixed with, and how far each slider was turned


def show(case: Case, told: Said) -> None:
    """The sliders on the left; on the right what the model says now, and what has moved since the file came."""
    chosen = case.chosen
    if models.facts(told.asked.model).scope == "network":
        chosen = replace(chosen, draws=min(chosen.draws, _DRAWS))
    media, key = case.media(), f"{case.key}-turn"
    left, right = st.columns([2, 5])
    with left:
        name, other = _other(case, media.kind, key)
        knobs = _knobs(media.kind, key, other is not None)
        _remember(key, (name, knobs))
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


def _other(case: Case, kind: Kind, key: str) -> tuple[str, bytes | None]:
    """The second file: another one of the page, or a sample."""
    given = {name: raw for name, raw in case.others if raw != case.raw and sniff(raw).kind == kind}
    offered = {one.name: one for one in samples.offered() if cached.dataset(one.data).kind == kind}
    names = [_NOTHING, *given, *(name for name in offered if name not in given)]
    name = st.selectbox("Mix with", names, key=f"{key}-other", help="Another file of this page, or a sample.")
    if name in given:
        return name, given[name]
    return name, cached.item_bytes(offered[name].data, offered[name].item) if name in offered else None


def _knobs(kind: Kind, key: str, mixable: bool) -> Knobs:
    """Only the sliders that such a file has, each at rest until it is turned."""

    def turned(
        name: str, label: str, low: int, high: int, step: int = 5, unit: str = " %%", tip: str | None = None
    ) -> int:
        st.session_state.setdefault(f"{key}-{name}", _REST[name])
        return int(st.slider(label, low, high, step=step, key=f"{key}-{name}", format=f"%d{unit}", help=tip))

    sound, most = kind == "audio", int(SEMITONES)
    mix = turned("mix", f"Share of the other {'sound' if sound else 'picture'}", 0, 100) if mixable else 0
    noise = turned("noise", "Noise", 0, 100)
    crop = turned("crop", "What is left of the middle", round(100 * LEAST), 100)
    knobs = Knobs(mix=mix / 100, noise=noise / 100, crop=crop / 100)
    if not sound:
        return replace(knobs, blur=turned("blur", "Blur", 0, 100) / 100)
    pitch = turned("pitch", "Pitch in semitones", -most, most, 1, "")
    tip = "In shares of the length; what leaves at one end comes in at the other."
    return replace(knobs, pitch=float(pitch), shift=turned("shift", "Shift in time", -100, 100, tip=tip) / 100)


# ---- steps back ----


def _remember(key: str, step: Step) -> None:
    steps: list[Step] = st.session_state.setdefault(f"{key}-steps", [])
    if not steps or steps[-1] != step:
        steps.append(step)
        del steps[:-_STEPS]


def _undo(key: str) -> None:
    steps: list[Step] = st.session_state[f"{key}-steps"]
    with st.container(horizontal=True):
        first, resting = len(steps) < 2, steps[-1][1] == Knobs()
        st.button("Undo", icon=":material/undo:", key=f"{key}-undo", on_click=_back, args=(key,), disabled=first)
        st.button(
            "Reset", icon=":material/restart_alt:", key=f"{key}-reset", on_click=_rest, args=(key,), disabled=resting
        )


def _back(key: str) -> None:
    steps: list[Step] = st.session_state[f"{key}-steps"]
    if len(steps) > 1:
        steps.pop()
        _turn(key, *steps[-1])


def _rest(key: str) -> None:
    _turn(key, _NOTHING, Knobs())


def _turn(key: str, other: str, knobs: Knobs) -> None:
    """Put everything where it was."""
    st.session_state[f"{key}-other"] = other
    for name in _REST:
        value = getattr(knobs, name)
        st.session_state[f"{key}-{name}"] = round(value if name == "pitch" else 100 * value)
