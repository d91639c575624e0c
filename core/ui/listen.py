"""The Listen page: a stream, the models that hear it, and their doubts as they come."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.listen import Listening
from core.ui import _listen_charts, _listen_models, _listen_source, _listen_words, plot, running, shell, tables, words
from core.ui._listen_source import Source
from core.ui.address import Kept
from core.ui.bound import one_of, widget
from core.ui.controls import Choice
from core.ui.models import ModelFacts

_LIVE = "listen-live"
_LOOK = 0.2  # seconds between two looks; each waits for the next stretch, so that none is seen late
_CHUNKS = (0.5, 1.0, 2.5)  # seconds between two answers
_EVERY = Kept("every", 1.0, one_of(_CHUNKS), "0.5, 1.0 or 2.5 seconds")


@dataclass(slots=True, eq=False)
class Live:
    """One run: what was chosen when it began, and what came of it."""

    choice: Choice
    models: tuple[ModelFacts, ...]
    source: Source
    listening: Listening
    number: int  # of the runs of this visit
    met: bool = False
    ended: bool = False
    trouble: str = ""
    titles: dict[str, str] = field(default_factory=dict)

    def is_of(self, source: Source | None, models: tuple[ModelFacts, ...]) -> bool:
        return source is not None and source.shown.sha256 == self.source.shown.sha256 and models == self.models

    def end(self, trouble: str = "") -> None:
        self.ended, self.trouble = True, trouble
        self.listening.close()


def page(choice: Choice) -> None:
    left, right = st.columns(2)
    with left:
        source = _listen_source.choose()
    with right:
        models = _listen_models.choose(choice)
        chunk = _chunk() if models else _EVERY.default
    live: Live | None = st.session_state.get(_LIVE)
    if live is not None and not live.ended and not live.is_of(source, models):
        live.end()  # something else was chosen meanwhile
    if not models or source is None:
        return
    player = _buttons(live, choice, models, source, chunk)
    if live is None:
        st.caption(_listen_words.rule(chunk, choice.draws))
        return
    _meet(live)
    if live.met:
        with player:
            _player(live)
        st.fragment(_live, run_every=None if live.ended else _LOOK)(live)


def _chunk() -> float:
    chosen = st.segmented_control("An answer every", _CHUNKS, format_func=_said, required=True, **widget(_EVERY))
    return float(chosen or _EVERY.default)


def _said(seconds: float) -> str:
    return f"{words.figure(seconds)} s"


def _buttons(live: Live | None, choice: Choice, models: tuple[ModelFacts, ...], source: Source, chunk: float) -> Any:
    """The place beside them, for the player."""
    runs = live is not None and not live.ended
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Listen", type="primary", icon=":material/hearing:", disabled=runs, on_click=_start,
                  args=(choice, models, source, chunk))  # fmt: skip
        st.button("Stop", icon=":material/stop:", disabled=not runs, on_click=_stop)
        return st.container()


def _start(choice: Choice, models: tuple[ModelFacts, ...], source: Source, chunk: float) -> None:
    before: Live | None = st.session_state.get(_LIVE)
    listening = Listening(
        source.media(), [one.name for one in models], running.runner(), chunk=chunk, most=choice.draws,
        seed=choice.seed, device=choice.device,
    )  # fmt: skip
    titles = {one.name: one.title.partition(", ")[2] or one.title for one in models}
    number = 1 if before is None else before.number + 1
    st.session_state[_LIVE] = Live(choice, models, source, listening, number, titles=titles)


def _stop() -> None:
    live: Live | None = st.session_state.get(_LIVE)
    if live is not None and not live.ended:
        live.end()


def _meet(live: Live) -> None:
    """Models are loaded before the stream begins, so that its first deadlines are not missed for that."""
    if live.met:
        return
    if not live.ended:
        with st.spinner("Loading the models"):
            try:
                for _ in live.listening.meet():
                    pass
            except UserFacingError as error:
                live.end(str(error))
    if live.trouble:
        st.error(words.plain(live.trouble, 400), icon=":material/block:")
        return
    if not live.ended:
        live.met = True
        live.listening.begin()


def _player(live: Live) -> None:
    """To be heard at the same time. Its end says nothing, but tells this run's player from the one before: of two
    players that are the same in all, Streamlit plays only the first."""
    shown = live.source.shown
    length = int(live.listening.seconds or 0) + 1 + live.number
    st.audio(shown.preview, format="audio/flac", autoplay=not live.ended, end_time=length, alt=live.source.name)


def _live(live: Live) -> None:
    """One stretch: wait until it is there, ask, draw."""
    listening = live.listening
    if not live.ended:
        time.sleep(min(listening.until_next(), listening.pace.chunk))
        try:
            listening.step()
        except UserFacingError as error:
            live.end(str(error))
        if listening.over:
            live.end()
        if live.ended:
            st.rerun()
    _numbers(live)
    _drawn(live)
    if live.ended:
        _table(live)


def _numbers(live: Live) -> None:
    listening = live.listening
    cells = st.columns(3)
    work = "Seconds that all models take for one second of the stream: below 1 they keep up."
    cells[0].metric("Real-time factor", _listen_words.factor(listening), help=work)
    missed = "Answers that came late, and stretches that were left out for want of time."
    cells[1].metric("Missed deadlines", _listen_words.missed(listening), help=missed)
    heard = max((told[-1].ends for told in listening.told.values() if told), default=0.0)
    cells[2].metric("Heard", f"{words.seconds(round(heard, 1))} of {words.seconds(round(listening.seconds or 0.0, 1))}")
    if live.trouble:
        st.error(words.plain(live.trouble, 400), icon=":material/block:")


def _drawn(live: Live) -> None:
    listening, chunk = live.listening, live.listening.pace.chunk
    heard = max((told[-1].ends for told in listening.told.values() if told), default=0.0)
    length, strip = listening.seconds or 0.0, live.source.strip
    whole = live.ended or length <= _listen_charts.SPAN
    span = (0.0, length) if whole else (max(0.0, heard - _listen_charts.SPAN), max(heard, _listen_charts.SPAN))
    rows = [
        _listen_charts.Row(
            _listen_words.lane(lane, live.titles[lane.name], listening.told[lane.name], chunk),
            listening.told[lane.name],
            len(listening.classes[lane.name]),
        )
        for lane in listening.pace.lanes
    ]
    said = _listen_words.finding(listening.told, live.titles, live.source.marks)
    if live.ended:
        said = _listen_words.ended(listening.told, live.titles, live.source.marks)
    figure = _listen_charts.stream(strip.until(heard), rows, span, live.source.marks, chunk, shell.is_dark())
    plot.show(figure, "listen-stream", alt=f"Doubt along the stream. {said}", name="listen")
    st.markdown(f"**{words.plain(said, 500)}**")
    st.caption(_listen_words.rule(chunk, live.choice.draws))


def _table(live: Live) -> None:
    listening = live.listening
    about = {
        "source": live.source.name,
        "sha256": listening.about.sha256,
        "models": ", ".join(one.name for one in live.models),
        "seed": str(live.choice.seed),
    }
    with st.expander("Every answer", icon=":material/table:"):
        tables.show(
            _listen_charts.columns(listening.told), "listen-table", alt="Every answer", about=about, name="listen"
        )
