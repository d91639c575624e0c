"""What the Listen page shows of a stream: figures, the moving chart, its finding, and every answer as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from core.pipeline.listen import Listening
from core.pipeline.medley import Mark
from core.ui import _listen_charts, _listen_words, plot, shell, tables, words
from core.ui._listen_strip import Strip


@dataclass(frozen=True, slots=True, eq=False)
class View:
    listening: Listening
    titles: Mapping[str, str]  # of the models
    name: str  # of the stream
    marks: tuple[Mark, ...]
    strip: Strip
    ended: bool
    seed: int
    most: int  # draws

    @property
    def heard(self) -> float:
        """Seconds up to which something was answered."""
        return max((told[-1].ends for told in self.listening.told.values() if told), default=0.0)


def ahead(strip: Strip, marks: tuple[Mark, ...], finding: str) -> None:
    """What will be heard."""
    figure = _listen_charts.stream(strip, (), (0.0, strip.ends), marks, 1.0, shell.is_dark())
    plot.show(figure, "listen-ahead", alt=f"The stream to come. {finding}", name="stream")
    st.caption(finding)


def show(view: View) -> None:
    _numbers(view)
    _drawn(view)
    if view.ended and view.heard:
        _table(view)


def _numbers(view: View) -> None:
    listening = view.listening
    cells = st.columns(3)
    work = "Seconds that all models take for one second of the stream: below 1 × they keep up."
    cells[0].metric("Real-time factor", _listen_words.factor(listening.pace.factor), help=work)
    missed = "Answers that came late, and stretches that were left out for want of time."
    cells[1].metric("Missed deadlines", _listen_words.missed(listening.pace.lanes), help=missed)
    heard, length = words.seconds(round(view.heard, 1)), listening.seconds
    cells[2].metric("Heard", heard if length is None else f"{heard} of {words.seconds(round(length, 1))}")


def _drawn(view: View) -> None:
    listening, chunk, heard = view.listening, view.listening.pace.chunk, view.heard
    length = listening.seconds
    if length is not None and (view.ended or length <= _listen_charts.SPAN):
        span = (0.0, length)
    elif length is None and view.ended:
        span = (view.strip.start, max(heard, 1.0))
    else:
        span = (max(0.0, heard - _listen_charts.SPAN), max(heard, _listen_charts.SPAN))
    rows = [
        _listen_charts.Row(
            _listen_words.lane(lane, view.titles[lane.name], listening.told[lane.name], chunk),
            listening.told[lane.name],
            len(listening.classes[lane.name]),
        )
        for lane in listening.pace.lanes
    ]
    say = _listen_words.ended if view.ended else _listen_words.finding
    said = say(listening.told, view.titles, view.marks)
    figure = _listen_charts.stream(view.strip.until(heard), rows, span, view.marks, chunk, shell.is_dark())
    plot.show(figure, "listen-stream", alt=f"Doubt along the stream. {said}", name="listen")
    st.markdown(f"**{words.plain(said, 500)}**")
    st.caption(_listen_words.windows(listening) + _listen_words.rule(chunk, view.most))


def _table(view: View) -> None:
    listening = view.listening
    about = {
        "source": view.name,
        "sha256": listening.about.sha256,
        "models": ", ".join(listening.told),
        "seed": str(view.seed),
    }
    with st.expander("Every answer", icon=":material/table:"):
        rows = _listen_charts.columns(listening.told)
        tables.show(rows, "listen-table", alt="Every answer", about=about, name="listen")
