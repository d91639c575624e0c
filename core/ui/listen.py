"""The Listen page: a stream, the models that hear it, and their doubts as they come."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from core.contracts import Media, Receipt
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.pipeline.listen import Listening, Tape
from core.ui import _listen_models, _listen_source, _listen_view, _listen_words, _microphone, running, words
from core.ui._listen_source import Source, Stream
from core.ui._listen_strip import Ribbon
from core.ui.address import Kept
from core.ui.bound import one_of, widget
from core.ui.controls import Choice
from core.ui.models import ModelFacts

_LIVE, _EAR = "listen-live", "listen-ear"
_LOOK = 0.2  # seconds between two looks at a file; each waits for the next stretch, so that none is seen late
_CHUNKS = (0.5, 1.0, 2.5)  # seconds between two answers
_EVERY = Kept("every", 1.0, one_of(_CHUNKS), "0.5, 1.0 or 2.5 seconds")
_LONGEST = 600.0  # seconds of a microphone


@dataclass(slots=True, eq=False)
class Live:
    """One run: what was chosen when it began, and what came of it."""

    choice: Choice
    models: tuple[ModelFacts, ...]
    stream: Stream
    chunk: float
    number: int  # of the runs of this visit
    listening: Listening | None = None  # None: a microphone that has not been heard yet
    ribbon: Ribbon | None = None  # of a microphone
    arrived: int = 0  # place up to which its sound is here
    ended: bool = False
    trouble: str = ""

    def is_of(self, stream: Stream | None, models: tuple[ModelFacts, ...]) -> bool:
        if isinstance(stream, Source) and isinstance(self.stream, Source):
            return stream.shown.sha256 == self.stream.shown.sha256 and models == self.models
        return type(stream) is type(self.stream) and models == self.models

    def end(self, trouble: str = "") -> None:
        self.ended, self.trouble = True, trouble
        if self.listening is not None:
            self.listening.close()


def page(choice: Choice) -> None:
    stream = _listen_source.choose()
    models = _listen_models.choose(choice)
    chunk = _chunk() if models else _EVERY.default
    live: Live | None = st.session_state.get(_LIVE)
    if live is not None and not live.is_of(stream, models):
        live.end()  # something else was chosen meanwhile
        live = None
    if not models or stream is None:
        return
    player = _buttons(live, choice, models, stream, chunk)
    if live is None:
        if isinstance(stream, Source):
            _listen_view.ahead(stream.strip, stream.marks, stream.shown.finding)
        st.caption(_listen_words.rule(chunk, choice.draws))
    elif isinstance(stream, Source):
        _replay(live, player)
    else:
        st.fragment(_hear)(live)


def _chunk() -> float:
    chosen = st.segmented_control("An answer every", _CHUNKS, format_func=_said, required=True, **widget(_EVERY))
    return float(chosen or _EVERY.default)


def _said(seconds: float) -> str:
    return f"{words.figure(seconds)} s"


def _buttons(live: Live | None, choice: Choice, models: tuple[ModelFacts, ...], stream: Stream, chunk: float) -> Any:
    """The place beside them, for the player."""
    runs = live is not None and not live.ended
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Listen", type="primary", icon=":material/hearing:", disabled=runs, on_click=_start,
                  args=(choice, models, stream, chunk))  # fmt: skip
        st.button("Stop", icon=":material/stop:", disabled=not runs, on_click=_stop)
        return st.container()


def _start(choice: Choice, models: tuple[ModelFacts, ...], stream: Stream, chunk: float) -> None:
    before: Live | None = st.session_state.get(_LIVE)
    live = Live(choice, models, stream, chunk, 1 if before is None else before.number + 1)
    st.session_state[_LIVE] = live


def _stop() -> None:
    live: Live | None = st.session_state.get(_LIVE)
    if live is not None and not live.ended:
        live.end()


def _met(live: Live, about: Media, tape: Tape | None = None) -> None:
    """Models are loaded before the stream begins, so that its first deadlines are not missed for that."""
    listening = Listening(
        about, [one.name for one in live.models], running.runner(), chunk=live.chunk, most=live.choice.draws,
        seed=live.choice.seed, device=live.choice.device, tape=tape,
    )  # fmt: skip
    with st.spinner("Loading the models"):
        try:
            for _ in listening.meet():
                pass
        except UserFacingError as error:
            live.end(str(error))
            return
    listening.begin()
    live.listening = listening


# ---- a file ----


def _replay(live: Live, player: Any) -> None:
    assert isinstance(live.stream, Source)
    if live.listening is None and not live.ended:
        _met(live, live.stream.media())
    if live.listening is not None:
        with player:
            _player(live, live.stream, live.listening)
    st.fragment(_play, run_every=None if live.ended else _LOOK)(live)


def _player(live: Live, source: Source, listening: Listening) -> None:
    """To be heard at the same time. Its end says nothing, but tells this run's player from the one before: of two
    players that are the same in all, Streamlit plays only the first."""
    end = int(listening.seconds or 0) + 1 + live.number
    st.audio(source.shown.preview, format="audio/flac", autoplay=not live.ended, end_time=end, alt=source.name)


def _play(live: Live) -> None:
    """One stretch: wait until it is there, ask, draw."""
    listening = live.listening
    if listening is not None and not live.ended:
        time.sleep(min(listening.until_next(), live.chunk))
        _step(live, listening)
        if listening.over:
            live.end()
        if live.ended:
            st.rerun()
    _show(live)


# ---- a microphone: each message runs this anew ----


def _hear(live: Live) -> None:
    caught = None if live.ended else _microphone.caught(_EAR, live.number)
    wrong = _microphone.trouble(_EAR, live.number)
    if live.arrived and _microphone.gone(_EAR):
        wrong = "The page was left, and the microphone was switched off; listen again."
    if wrong and not live.ended:
        live.end(wrong)
        st.rerun()
    fresh = caught is not None and caught.first + len(caught.samples) > live.arrived
    if caught is not None:
        live.arrived = max(live.arrived, caught.first + len(caught.samples))
    _microphone.show(_EAR, run=0 if live.ended else live.number, chunk=live.chunk, ack=live.arrived)
    if caught is not None and fresh:
        _heard(live, caught)
        if live.ended:
            st.rerun()
    _show(live)


def _heard(live: Live, caught: _microphone.Caught) -> None:
    if live.listening is None:  # the first message tells the rate; the stream begins with the next one
        sha = fingerprint("microphone", live.choice.seed)
        about = Media("audio", np.zeros(0, np.float32), caught.rate, sha, Receipt("microphone", "PCM 16 bit", 0))
        live.ribbon = Ribbon(caught.rate)
        _met(live, about, Tape(caught.rate))
        return
    listening, tape = live.listening, live.listening.tape
    if tape is None or live.ribbon is None or caught.rate != tape.rate:
        live.end("The sound card changed its rate; listen again.")
        return
    live.ribbon.add(tape.add(caught.first, caught.samples))
    _step(live, listening)
    if tape.frames > _LONGEST * tape.rate:
        live.end(f"After {words.seconds(_LONGEST)} the microphone was switched off; listen again for more.")


def _step(live: Live, listening: Listening) -> None:
    try:
        listening.step()
    except UserFacingError as error:
        live.end(str(error))


def _show(live: Live) -> None:
    if live.trouble:
        st.error(words.plain(live.trouble, 400), icon=":material/block:")
    if live.listening is None:
        return
    if isinstance(live.stream, Source):
        strip = live.stream.strip
    else:
        assert live.ribbon is not None
        strip = live.ribbon.strip()
    titles = {one.name: _listen_models.title_of(one) for one in live.models}
    view = _listen_view.View(
        live.listening, titles, live.stream.name, live.stream.marks, strip, live.ended, live.choice.seed,
        live.choice.draws,
    )  # fmt: skip
    _listen_view.show(view)
