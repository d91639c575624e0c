"""What a browser's microphone sends is checked; its picture and its words say what was heard."""

from __future__ import annotations

import base64
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from core.media.spectrogram import log_mel
from core.pipeline.listen import Heard
from core.pipeline.medley import Mark, at, medley
from core.ui import _listen_charts, _listen_words, _microphone
from core.ui._listen_strip import Ribbon, Strip
from tests.contract.test_listen import sound


def says(monkeypatch: pytest.MonkeyPatch, **said: Any) -> None:
    monkeypatch.setattr(_microphone, "st", SimpleNamespace(session_state={"ear": said}))


def message(**changes: Any) -> dict[str, Any]:
    levels = np.array([0, 32767, -32767, 16384], "<i2")
    good = {"run": 3, "first": 7, "rate": 48000, "pcm": base64.b64encode(levels.tobytes()).decode()}
    return {**good, **changes}


def test_samples_arrive_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, heard=message())
    caught = _microphone.caught("ear", 3)
    assert caught is not None
    assert (caught.first, caught.rate) == (7, 48000)
    assert caught.samples.tolist() == pytest.approx([0, 1, -1, 16384 / 32767])


@pytest.mark.parametrize(
    "changes",
    [
        {"run": 2},
        {"first": -1},
        {"first": 1.5},
        {"first": True},
        {"first": 10**15},
        {"rate": 0},
        {"rate": 10**9},
        {"rate": "48000"},
        {"pcm": None},
        {"pcm": ""},
        {"pcm": "AAA="[:3]},
        {"pcm": "!!!!"},
        {"pcm": base64.b64encode(b"odd").decode()},
        {"pcm": base64.b64encode(bytes(2 * 11 * 48000)).decode()},
    ],
)
def test_a_message_that_makes_no_sense_is_none(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    says(monkeypatch, heard=message(**changes))
    assert _microphone.caught("ear", 3) is None


def test_what_is_no_message_at_all_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in (None, [], "text", 4):
        says(monkeypatch, heard=said, trouble=said)
        assert _microphone.caught("ear", 3) is None
        assert _microphone.trouble("ear", 3) == ""
    says(monkeypatch, trouble={"run": 3, "code": "<b>unheard of</b>"})
    assert "could not start" in _microphone.trouble("ear", 3)


def test_a_spectrogram_that_grew_is_that_of_the_whole() -> None:
    rate = 8000
    samples = sound(3.0).samples
    ribbon = Ribbon(rate)
    for start in range(0, len(samples), 1234):
        ribbon.add(samples[start : start + 1234])
    found = ribbon.strip()
    whole = log_mel(samples, ribbon._config)[: found.log_mel.shape[1]].T
    assert found.log_mel.shape[1] == 60
    assert (found.start, found.ends) == (0.0, 3.0)
    assert float(np.median(np.abs(found.log_mel - whole))) < 1e-3  # frames at the seams mirror their edge
    for _ in range(30):
        ribbon.add(samples)
    later = ribbon.strip()
    assert (later.start, later.ends) == pytest.approx((33.0, 93.0))


def test_a_medley_is_its_sounds_one_after_the_other() -> None:
    first, second = sound(1.0, 1), sound(0.5, 2)
    found = medley([("One", first), ("Two", second)])
    assert found.marks == (Mark(0.0, 1.0, "One"), Mark(1.0, 1.5, "Two"))
    levels = np.frombuffer(found.raw[44:], "<i2") / 32767
    assert levels[4000:4010].tolist() == pytest.approx(first.samples[4000:4010].tolist(), abs=1e-4)
    assert levels[-2000] == pytest.approx(second.samples[-2000], abs=1e-4)
    assert abs(levels[0]) < 1e-4
    assert at(found.marks, 1.2) == found.marks[1]
    assert at(found.marks, 1.5) is None


def told(*labels: str, draws: int = 9, late: bool = False) -> list[Heard]:
    return [
        Heard(
            k, k + 1.0, True, draws, {"total": 0.5 + k, "aleatoric": 0.4, "epistemic": 0.1 + k}, label, 0.7, 0.1, late
        )
        for k, label in enumerate(labels)
    ]


def drawn(heard: list[Heard], dark: bool = False) -> Any:
    strip = Strip(np.zeros((8, 40), np.float32), np.linspace(50, 8000, 8), 0.0, 4.0, -20.0)
    row = _listen_charts.Row("title", heard, 4)
    return _listen_charts.stream(strip, [row, row], (0.0, 4.0), [Mark(0.0, 2.0, "Dog")], 1.0, dark)


def test_each_model_has_its_lines_and_gaps_where_it_had_no_time() -> None:
    heard = told("dog", "rain", "rain", "rain")
    del heard[1]
    figure = drawn(heard)
    lines = [trace for trace in figure.data if trace.type == "scatter"]
    assert [line.name for line in lines] == ["in all", "ambiguous", "unfamiliar"] * 2
    assert list(lines[0].x) == [1.0, None, 3.0, 4.0]
    assert list(lines[0].y) == [0.5, None, 2.5, 3.5]
    assert {line.yaxis for line in lines} == {"y2", "y3"}
    assert figure.layout.yaxis2.range[1] == pytest.approx(1.08 * math.log(4))
    assert lines[0].line.color != drawn(heard, dark=True).data[1].line.color


def test_a_point_estimate_has_one_line_and_late_answers_are_hollow() -> None:
    heard = told("dog", "dog", draws=1, late=True)
    lines = [trace for trace in drawn(heard).data if trace.type == "scatter"]
    assert [line.name for line in lines] == ["in all"] * 2
    assert set(lines[0].marker.symbol) == {"circle-open"}
    assert "too late" in lines[0].hovertext[0]


def test_the_finding_says_who_hears_what_and_who_doubts_most() -> None:
    titles = {"a": "Flipout", "b": "Deterministic"}
    alike = {"a": told("dog"), "b": told("dog", draws=1)}
    assert _listen_words.finding(alike, titles, [Mark(0, 1, "Dog or rain")]) == (
        "At 1 s all of them hear dog. It is dog or rain. They doubt alike, 0.5 nats at most."
    )
    apart = {"a": told("dog", "rain"), "b": [*told("dog", draws=1)]}
    said = _listen_words.finding(apart, titles, [])
    assert "Flipout: rain; Deterministic: dog" in said
    assert "Flipout doubts most: 1.5 nats, 27 % of it in the sound itself, against 0.5 for Deterministic" in said
    assert _listen_words.ended(apart, titles, [Mark(1, 2, "Rain")]) == (
        "Doubt was highest between 1 and 2 s: 1.5 nats from Flipout, which heard rain in rain."
    )
    assert "Nothing" in _listen_words.finding({"a": []}, titles, [])
