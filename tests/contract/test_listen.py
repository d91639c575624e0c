"""A stream and the models that hear it: the same answers as window by window, in time or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.checkpoints.saved import Model
from core.contracts import Media, Receipt
from core.errors import UserFacingError
from core.pipeline.inspect import How
from core.pipeline.listen import Listening, Tape
from core.pipeline.places import along
from core.runner import Answer, Request
from core.settings import Settings
from tests.inspecting import HEARS, RATE, Inspector, sound
from tests.saving import CONVNET, made

CHUNK = 0.25


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("listen")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


@pytest.fixture(scope="module")
def random(here: Settings) -> Model:
    return made(here, "mc_dropout", "head", start=CONVNET, name="random").model


@pytest.fixture(scope="module")
def point(here: Settings) -> Model:
    return made(here, "deterministic", "head", start=CONVNET, name="point").model


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """The models' own answers, each taking as long on the test's clock as is said here."""

    def __init__(self, clock: Clock, models: Sequence[Model], took: float = 0.01) -> None:
        self.clock, self.took = clock, took
        self.asks = {model.name: Inspector(model).here for model in models}
        self.requests: list[Request] = []

    def ask(self, request: Request) -> Answer:
        self.requests.append(request)
        self.clock.now += self.took
        return self.asks[request.model].ask(request)


def stream(media: Media, models: Sequence[Model], *, took: float = 0.01, **options: Any) -> tuple[Listening, Asked]:
    clock = Clock()
    asked = Asked(clock, models, took)
    found = Listening(media, [model.name for model in models], asked, clock=clock, **{"chunk": CHUNK, **options})
    assert list(found.meet()) == [model.name for model in models]
    asked.requests.clear()
    return found, asked


def played(found: Listening, asked: Asked, every: float = 0.05) -> Listening:
    found.begin()
    while not found.over:
        asked.clock.now += every
        found.step()
    return found


@pytest.mark.parametrize("seconds", [2.0, 0.75])
def test_a_replayed_file_has_the_doubts_of_its_windows(random: Model, point: Model, seconds: float) -> None:
    """At equal draws and seed: windows as long as the model hears, or the shorter, repeated ones of a short sound."""
    media = sound(seconds)
    known = along(media, random.name, Inspector(random).here, HEARS, How(7, 3))
    hop = float(known.starts[1])
    found, asked = stream(media, [random, point], most=7, seed=3, chunk=hop, took=1e-6)
    told = {round(one.start, 6): one for one in played(found, asked).told[random.name] if one.draws == 7}
    same = [row for row, start in enumerate(known.starts.tolist()) if round(start, 6) in told]
    assert len(same) >= len(known.starts) - 1
    for row in same:
        one = told[round(float(known.starts[row]), 6)]
        assert one.ends - one.start == pytest.approx(known.seconds)
        for name, values in known.doubts.items():
            if name in one.doubts:
                assert one.doubts[name] == pytest.approx(values[row], abs=1e-5)
        assert one.p == pytest.approx(float(known.probs[row].max()), abs=1e-5)
    assert {one.draws for one in found.told[point.name]} == {1}


def test_the_beginning_is_repeated_until_a_whole_window_was_heard(random: Model) -> None:
    media = sound(2.0)
    found, asked = stream(media, [random])
    played(found, asked)
    told = found.told[random.name]
    assert [(one.start, one.ends, one.whole) for one in told[:3]] == [
        (0.0, 0.25, False),
        (0.0, 0.5, True),
        (0.25, 0.75, True),
    ]
    first = asked.requests[0].media[0].samples
    assert np.array_equal(first, np.tile(media.samples[:2000], 2))


def test_a_file_that_is_no_whole_number_of_stretches_is_heard_to_its_end(random: Model) -> None:
    media = sound(1.1)
    found, asked = stream(media, [random])
    played(found, asked)
    last = found.told[random.name][-1]
    assert (last.start, last.ends) == pytest.approx((0.6, 1.1))
    assert np.array_equal(asked.requests[-1].media[0].samples, media.samples[-4000:])
    lane = found.pace.lanes[0]
    assert (lane.answered, lane.late, lane.dropped) == (5, 0, 0)


def test_more_draws_are_asked_for_where_answers_are_quick(random: Model) -> None:
    found, asked = stream(sound(3.0), [random], took=0.01, most=40)
    played(found, asked)
    draws = [one.draws for one in found.told[random.name]]
    assert draws[-1] == 40
    assert found.pace.lanes[0].late == found.pace.lanes[0].dropped == 0


def test_a_machine_that_is_too_slow_leaves_stretches_out_and_stays_with_the_present(random: Model) -> None:
    """An answer takes two and a half stretches: every third one is answered, one draw each, all of them late."""
    found, asked = stream(sound(5.0), [random], took=2.5 * CHUNK)
    played(found, asked)
    told = found.told[random.name]
    lane = found.pace.lanes[0]
    assert lane.answered + lane.dropped == found.steps == 20
    assert lane.dropped >= 10
    assert {one.draws for one in told} == {1}
    assert all(one.late for one in told)
    assert found.pace.factor == pytest.approx(2.5)
    behind = [asked.clock.now - found.began - one.ends for one in told[-1:] if found.began is not None]
    assert behind[0] < 4 * CHUNK


def test_two_models_that_do_not_fit_take_turns(random: Model, point: Model) -> None:
    found, asked = stream(sound(5.0), [random, point], took=1.1 * CHUNK)
    played(found, asked)
    counts = [len(found.told[name]) for name in (random.name, point.name)]
    assert abs(counts[0] - counts[1]) <= 1
    assert min(counts) >= 4


def test_a_full_line_leaves_a_stretch_out_and_any_other_refusal_ends_the_stream(random: Model) -> None:
    found, asked = stream(sound(1.0), [random])
    ask, codes = asked.ask, iter(["", "busy", "", "gone"])

    def refusing(request: Request) -> Answer:
        if code := next(codes):
            raise UserFacingError("No.", code=code)
        return ask(request)

    asked.ask = refusing  # type: ignore[method-assign]
    with pytest.raises(UserFacingError, match="No"):
        played(found, asked)
    lane = found.pace.lanes[0]
    assert (lane.answered, lane.dropped) == (2, 1)


def test_a_microphone_is_heard_as_a_file_of_the_same_sound_is(random: Model) -> None:
    media = sound(2.0)
    whole, asked = stream(media, [random], most=1)
    played(whole, asked)
    tape = Tape(RATE)
    live, asked = stream(replace(media, samples=media.samples[:0]), [random], most=1, tape=tape)
    for first in range(0, len(media.samples), 1000):
        tape.add(first, media.samples[first : first + 1000])
        asked.clock.now += 1000 / RATE
        live.step()
    assert not live.over
    doubts = [[one.doubts["total"] for one in found.told[random.name]] for found in (whole, live)]
    assert doubts[1] == pytest.approx(doubts[0], abs=1e-6)
    assert len(doubts[0]) == 8


def test_a_tape_takes_sound_once_and_knows_what_is_missing() -> None:
    tape = Tape(100, kept=1.0)
    ramp = np.arange(1, 301, dtype=np.float32)
    assert len(tape.add(0, ramp[:50])) == 50
    assert tape.add(30, ramp[30:80]).tolist() == ramp[50:80].tolist()
    assert len(tape.add(30, ramp[30:80])) == 0
    assert tape.stretch(20, 60).tolist() == ramp[20:60].tolist()
    assert len(tape.add(90, ramp[90:100])) == 20
    assert tape.lost == 10
    assert tape.stretch(78, 92).tolist() == [79, 80, *[0] * 10, 91, 92]
    later = Tape(100)
    later.add(700, ramp[:50])
    assert later.add(740, ramp[40:60]).tolist() == ramp[50:60].tolist()
    assert (later.frames, later.lost) == (60, 0)
    tape.add(100, ramp[100:250])
    assert (tape.frames, len(tape.stretch(0, 250))) == (250, 100)
    assert tape.stretch(150, 250).tolist() == ramp[150:250].tolist()


def test_a_picture_is_refused(random: Model) -> None:
    picture = Media("image", np.zeros((4, 4, 3), np.uint8), None, "cd" * 32, Receipt("png", "RGB 8 bit", 1))
    with pytest.raises(UserFacingError, match="picture"):
        Listening(picture, [random.name], Asked(Clock(), []))
