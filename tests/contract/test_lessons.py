"""Lessons: their claims hold on what they compute, in a notebook and in their own process, and they wait in line."""

from __future__ import annotations

import html
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from streamlit.testing.v1 import AppTest

from core import registry
from core.errors import UserFacingError
from core.lessons import _plane
from core.lessons._classroom import Classroom
from core.lessons._contract import Heard, Lesson, Number, Outcome, lessons, packed, unpacked
from core.lessons._notebook import notebook
from core.lessons._pictures import Field, Line, Lines, Plane, Strip
from core.lessons._plane import World
from core.settings import Settings
from core.ui._learn_knobs import Asked
from core.ui._learn_take import report_of
from core.ui.report import html_of
from tests.patience import SECONDS

ROOT = Path(__file__).resolve().parent.parent.parent
COURSE = lessons()
ANEW = [lesson for lesson in COURSE if lesson.key not in ("augmentation", "transfer")]  # these train as networks does


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), checkpoints=ROOT / "checkpoints", offline=True)


@pytest.fixture(scope="module")
def room(settings: Settings) -> Iterator[Classroom]:
    found = Classroom(settings)
    yield found
    found.close()


def made(right: int = 1) -> Outcome:
    line = Line("a line", np.arange(3.0), np.arange(3.0) ** 2, "aleatoric", low=np.zeros(3), high=np.ones(3))
    field = Field("a field", "epistemic", np.ones((2, 3), np.float32), 0.7)
    pictures = (
        Lines("lines", "they rise", "x", "y", (line,), top=4.0),
        Plane("plane", "it is even", np.arange(3.0), np.arange(2.0), (field,), np.zeros((1, 2)), np.array([1])),
        Strip("sounds", ("one",), (np.zeros(4, np.float32),), 44_100),
    )
    return Outcome(right, "so it came", pictures, ("seen",), (Number("rise", "how it rises", 4.0),))


# ---- every lesson ----


@pytest.mark.parametrize("lesson", COURSE, ids=lambda lesson: lesson.key)
def test_the_claims_hold_in_the_notebook_that_a_lesson_exports_and_its_report_draws_every_chart(
    lesson: Lesson, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    told = json.loads(notebook(lesson, lesson.Config(), 0, made()))
    space: dict[str, Any] = {}
    for cell in told["cells"]:
        if cell["cell_type"] == "code":
            exec(cell["source"], space)  # as a notebook does
    claims = lesson.claims(space["outcome"])
    assert len(claims) > 3
    assert [claim.says for claim in claims if not claim.holds] == []
    if lesson.hear is not None:  # what has learned is asked, not trained anew
        own = np.sin(np.arange(30_000) / 20).astype(np.float32)
        heard, arrays = packed(lesson.hear(own, 22_050, lesson.Config(), 0, settings))
        assert isinstance(unpacked(json.loads(json.dumps(heard)), arrays), Heard)
    shown = html_of(report_of(Asked(lesson, lesson.Config(), 0), space["outcome"]))
    for picture in space["outcome"].pictures:
        assert isinstance(picture, Strip) or f"{html.escape(picture.title)}. {html.escape(picture.finding)}" in shown


class Left(Exception):
    pass


def test_what_was_begun_for_a_reader_who_left_is_given_up_and_nobody_else_sees_its_progress(room: Classroom) -> None:
    lesson = next(one for one in COURSE if one.key == "leak")

    def leave(done: int, total: int, stage: str) -> None:
        raise Left

    with pytest.raises(Left):
        room.outcome(lesson, lesson.Config(), 2, leave)
    stages: list[int] = []
    room.outcome(lesson, lesson.Config(), 1, lambda done, total, stage: stages.append(done))
    assert stages == sorted(stages)
    assert room.known(lesson, lesson.Config(), 2) is None


@pytest.mark.parametrize("lesson", ANEW, ids=lambda lesson: lesson.key)
def test_the_claims_hold_with_another_seed_in_the_lessons_own_process(lesson: Lesson, room: Classroom) -> None:
    stages: list[int] = []
    grown: list[Any] = []

    def told(done: int, total: int, stage: str) -> None:
        stages.append(done)

    found = room.outcome(lesson, lesson.Config(), 1, told, on_chart=grown.append)
    assert [claim.says for claim in lesson.claims(found) if not claim.holds] == []
    assert stages == sorted(stages)
    assert room.known(lesson, lesson.Config(), 1) is found
    if lesson.key == "networks":  # its curves are drawn as they come
        lengths = [sum(len(line.x) for line in chart.lines) for chart in grown]
        assert lengths == sorted(set(lengths))
        assert repr(grown[-1].lines) == repr(found.pictures[0].lines)  # type: ignore[union-attr]


def test_what_is_shown_before_the_guess_needs_no_torch() -> None:
    code = (
        "import sys; from core.lessons._contract import lessons; from core.settings import load\n"
        "for lesson in lessons(): assert lesson.before(lesson.Config(), 0, load())\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout.strip() == "False", done.stderr


def test_every_lesson_opens_with_its_question_and_shows_its_knobs_once_it_is_answered(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    monkeypatch.setattr(Classroom, "outcome", lambda *asked: made())
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=SECONDS).run()
    app.switch_page("pages/8_Learn.py")
    for lesson in COURSE:
        app.query_params["lesson"] = lesson.key
        app.run()
        assert not app.exception, app.exception
        assert [radio.options for radio in app.radio] == [list(lesson.options)]
        app.radio[0].set_value(0).run()
        app.button(key="learn-reveal").click().run()
        assert not app.exception, app.exception
        came = lesson.options[1][:1].lower() + lesson.options[1][1:]
        assert f"It came out: {came}" in "\n".join(one.value for one in app.markdown)


# ---- between processes, and in line ----


def test_an_outcome_travels_whole() -> None:
    told, arrays = packed(made())
    found = unpacked(json.loads(json.dumps(told)), arrays)
    assert isinstance(found, Outcome)
    assert repr(found) == repr(made())
    assert found["rise"] == 4.0
    spoken, _ = packed(replace(made(), reveal="84% sure, 9 % right"))
    assert spoken["reveal"] == "84 % sure, 9 % right", "as every other page writes it"


def test_what_is_no_picture_does_not_travel() -> None:
    with pytest.raises(TypeError, match="does not travel"):
        packed(replace(made(), sentences=(World(_plane.MOONS, 0.1),)))  # type: ignore[arg-type]


def test_readers_wait_in_line_are_told_so_and_the_same_question_is_computed_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, lesson = Classroom(settings), COURSE[0]
    go, begun, asked, told = threading.Event(), threading.Event(), [], []

    def computed(message: dict[str, Any], progress: Any, arrays: Any) -> Outcome:
        asked.append(message["seed"])
        begun.set()
        assert go.wait(SECONDS)
        return made()

    def second(before: int) -> None:
        told.append(before)
        go.set()

    monkeypatch.setattr(room, "_asked", computed)
    first = threading.Thread(target=room.outcome, args=(lesson, lesson.Config(), 5))
    first.start()
    assert begun.wait(SECONDS)
    found = room.outcome(lesson, lesson.Config(), 5, on_place=second)
    first.join()
    assert found.right == 1
    assert (asked, told) == ([5], [1])


def test_what_the_process_refuses_or_fails_at_is_told_in_a_sentence(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Classroom(settings)
    with pytest.raises(UserFacingError, match="too few"):
        room._told({"refused": "There are too few points."}, [])
    with pytest.raises(UserFacingError, match="a fault of ours"):
        room._told({"failed": "Traceback ..."}, [])


# ---- the plane ----


def test_the_truth_of_two_clouds_is_that_of_their_densities() -> None:
    places = np.random.default_rng(0).normal(0, 1, (50, 2))
    spread = (0.4, 1.4 * 0.4)
    one, other = (
        stats.norm.pdf(places[:, 0], centre, spread[0]) * stats.norm.pdf(places[:, 1], 0, spread[1])
        for centre in (0.9, -0.9)
    )
    np.testing.assert_allclose(World(_plane.CLOUDS, 0.4).truth(places), one / (one + other), rtol=1e-9)


def test_hidden_points_are_those_furthest_up_and_a_readers_own_are_added() -> None:
    world = World(_plane.MOONS, 0.2)
    whole, part = (_plane.seen(world, 100, hidden, "", 3) for hidden in (0.0, 0.4))
    assert len(part) == 60
    assert part.places[:, 1].max() <= np.sort(whole.places[:, 1])[59]
    own = _plane.seen(world, 100, 0.4, "1,2,1;-1,0.5,0", 3)
    assert own.places[-2:].tolist() == [[1.0, 2.0], [-1.0, 0.5]]
    assert _plane.written(_plane.read_points("1,2,1;-1,0.5,0")) == "1,2,1;-1,0.5,0"


@pytest.mark.parametrize("text", ["1,2", "1,2,3", "9,0,1", "a,b,c", "0,0,1;" * 61])
def test_points_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        _plane.read_points(text)


def test_the_lesson_of_two_doubts_leaves_no_method_out() -> None:
    from core.lessons import _plane_fits

    assert set(_plane_fits.keys()) == set(registry.keys("core.methods"))
