"""What arrived, what was done to it on the way to the model, and the answer to take along."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import streamlit as st

from core.contracts import Receipt
from core.pipeline.inspect import Inspected, document
from core.ui import _cached_inspect, figures, plot, shell, tables, words
from core.ui._cached_inspect import Said
from core.ui._inspect_case import Case
from core.ui.cached import Shown, Sound


def what_it_is(view: Shown) -> str:
    """One line: what came, and what stands in the way of a model."""
    receipt, drawn = view.receipt, view.drawn
    if isinstance(drawn, Sound):
        what = f"{words.seconds(drawn.seconds)} of sound at {words.rate(drawn.rate)}"
    else:
        what = f"A picture of {receipt.width} × {receipt.height} pixels"
    alarms = [note.text for note in receipt.notes if note.alarm]
    if alarms:
        return f"{what}. Mind: {words.plain('; '.join(alarms), 300)}."
    return f"{what}. Nothing in it stands in the way of a model."


def show(case: Case, told: Said | None, *, whole: bool = True) -> None:
    """``whole``: with the chart and the downloads; without, the words alone."""
    view = case.view
    found = None if told is None else _cached_inspect.found(told)
    if whole:
        _signal(case)
    st.caption(view.finding)
    _receipt(view, view.receipt if found is None else found.receipt)
    if whole and found is not None and told is not None:
        _take(case, told, found)


def _signal(case: Case) -> None:
    view, dark = case.view, shell.is_dark()
    if isinstance(view.drawn, Sound):
        sound = view.drawn
        figure = figures.sound(sound.envelope, sound.log_mel, sound.centres, sound.seconds, dark)
        alt = f"Waveform above log-mel spectrogram. {view.finding}"
    else:
        figure = figures.brightness(view.drawn.levels, dark)
        alt = f"Brightness of the pixels by channel. {view.finding}"
    plot.show(figure, f"{case.key}-signal", alt=alt, name="signal")


def _receipt(view: Shown, receipt: Receipt) -> None:
    """What arrived on the left, what was done on the right."""
    arrived, done = st.columns(2)
    with arrived:
        st.markdown("**What arrived**")
        form = receipt.container.upper()
        form = receipt.codec if receipt.codec.upper().startswith(form) else f"{form}, {receipt.codec}"
        facts = [f"{words.plain(form)}, {words.size(receipt.size_bytes)}"]
        if isinstance(view.drawn, Sound):
            several = {1: "mono", 2: "stereo"}.get(receipt.channels, f"{receipt.channels} channels")
            facts.append(f"{words.rate(receipt.rate or 0)}, {several}, {words.seconds(receipt.seconds or 0)}")
        else:
            facts.append(f"{receipt.width} × {receipt.height} pixels")
        facts.append(f"identity: sha256 {view.sha256[:12]}…")
        st.markdown("\n".join(f"- {fact}" for fact in facts))
    with done:
        st.markdown("**What was done to it**")
        lines = [
            f"- {':orange[:material/warning:] ' if note.alarm else ''}{words.plain(note.text, 200)}"
            for note in receipt.notes
        ]
        grain = "sample" if isinstance(view.drawn, Sound) else "pixel"
        st.markdown("\n".join(lines) or f"- nothing: every {grain} is as it arrived")


def _take(case: Case, told: Said, found: Inspected) -> None:
    """The whole answer, with what it takes to get it again."""
    asked = told.asked
    st.caption(
        f"Answered by {words.plain(asked.model)} on {words.plain(told.answer.device)} in {told.answer.precision} with "
        f"{found.draws} samples and seed {asked.how.seed}, in {words.seconds(told.answer.seconds)}."
    )
    about = {"model": asked.model, "mark": asked.mark, "seed": str(asked.how.seed), "samples": str(found.draws)}
    about["sha256"] = found.sha256
    name = f"{asked.model}-{found.sha256[:8]}"
    st.markdown("**Take the answer along**")
    columns = {
        "class": [one.label for one in found.predictions],
        "p": [one.p for one in found.predictions],
        "low": [one.low for one in found.predictions],
        "high": [one.high for one in found.predictions],
    }
    tables.downloads(lambda: columns, f"{case.key}-classes", about=about, name=name)
    whole = {**about, "date": datetime.now(UTC).date().isoformat(), **document(found, found.sha256[:12])}
    st.download_button(
        "Everything as JSON", json.dumps(whole, indent=2, allow_nan=False), f"{name}.json", "application/json",
        key=f"{case.key}-json", on_click="ignore", icon=":material/download:", type="tertiary",
    )  # fmt: skip
