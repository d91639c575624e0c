"""Shapes: what is said of an answer, what travels between the processes, and the page around both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import UserFacingError
from core.pipeline import reconstruct
from core.pipeline.reconstruct import TITLES, Answer, Asked, Filled, Studio, card_of, key_of, packed, unpacked
from core.settings import PROJECT, Settings
from core.shapes import label_maps
from core.shapes.colours import Config, left_of
from core.shapes.mesh import FORMATS
from core.shapes.observe import Glimpse, Observation, Scan
from core.shapes.solids import Box
from core.ui import _cached_shapes, _shapes_charts, _shapes_picture, _shapes_take, _shapes_words
from core.ui._shapes_charts import Cut
from core.ui._shapes_knobs import Chosen
from tests.visits import at_home, opened

BOX = Box((0.0, 0.0, 0.0), (40.0, 40.0, 32.0))
SHAPE = (21, 21, 17)


def ball(radius: float, scale: float = 1.0) -> np.ndarray:
    away = np.linalg.norm(BOX.nodes(SHAPE), axis=1)
    return (1 / (1 + np.exp((away - radius) / scale))).reshape(SHAPE)


def answer(key: str, mean: np.ndarray, **figures: float | None) -> Answer:
    known = {"dice": 0.9, "iou": 0.8, "hd95": 2.0, "band_ece": 0.1, "band_nll": 0.5, "off": 0.2, "admitted": 0.5}
    told = {**known, "missed": 0.1, "feared": None, "held": 0.7, **figures}
    members = np.stack([mean, mean[::-1]]).astype(np.float16)[: 1 if key == "single" else 2]
    doubt = (mean * (1 - mean)).astype(np.float32)
    return Answer(key, mean.astype(np.float32), doubt, doubt / 2, members, told, 0.5)


def filled(figures: Mapping[str, dict[str, float | None]] | None = None, *, truth: bool = True) -> Filled:
    seen = Observation(ball(9.0) > 0.5, np.ones(SHAPE, bool), BOX.affine(SHAPE))
    answers = tuple(answer(key, ball(9.0 + n, 1.0 + n), **(figures or {}).get(key, {})) for n, key in enumerate(TITLES))
    return Filled(seen, BOX.affine(SHAPE), ball(10.0) > 0.5 if truth else None, answers)


def same(one: Filled, other: Filled) -> None:
    np.testing.assert_array_equal(one.seen.labels, other.seen.labels)
    assert (one.truth is None) == (other.truth is None)
    for mine, theirs in zip(one.answers, other.answers, strict=True):
        assert (mine.key, mine.figures) == (theirs.key, theirs.figures)
        np.testing.assert_array_equal(mine.mean, theirs.mean)
        np.testing.assert_array_equal(mine.members, theirs.members)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with at_home(tmp_path_factory.mktemp("home")) as settings:
        yield settings


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Asked, Observation | None]]:
    """A studio that answers at once, and what it was asked."""
    heard: list[tuple[Asked, Observation | None]] = []

    class Quick:
        def fill(self, asked: Asked, own: Observation | None, *more: object) -> Filled:
            heard.append((asked, own))
            return filled(truth=own is None)

    monkeypatch.setattr(_cached_shapes, "studio", Quick)
    return heard


# ---- in words ----


def test_the_verdict_names_who_made_most_up_and_who_admits_it() -> None:
    found = filled({"single": {"off": 0.31, "admitted": 0.02}, "ensemble": {"off": 0.12, "admitted": 0.6}})
    said = _shapes_words.verdict(found, "vertebrae")
    assert "12 % (Deep ensemble) to 31 % (Single network) of what the methods draw is made up: more than 3 mm" in said
    assert "Deep ensemble admits most of what it made up, 60 %; Single network least, 2 %" in said
    sure: dict[str, dict[str, float | None]] = {key: {"admitted": 0.04} for key in TITLES}
    assert "None admits what it made up: at most 4 %" in _shapes_words.verdict(filled(sure), "vertebrae")
    right: dict[str, dict[str, float | None]] = {key: {"off": 0.0, "admitted": None} for key in TITLES}
    assert "nothing was made up" in _shapes_words.verdict(filled(right), "vertebrae")
    none: dict[str, dict[str, float | None]] = {key: {"off": None, "missed": None} for key in TITLES}
    assert "no method draws a surface" in _shapes_words.verdict(filled(none), "vertebrae")


def test_without_a_truth_only_what_methods_say_of_themselves_is_told() -> None:
    said = _shapes_words.verdict(filled(truth=False), "vertebrae")
    assert said.startswith("Nobody knows the truth here.")
    assert "within 3 mm of it, says Single network; within 15 mm, says Deep ensemble" in said  # ln 19 times 1 and 5


def test_members_that_contradict_each_other_are_told_so() -> None:
    mean = ball(9.0)
    made = replace(answer("free", mean), members=np.stack([np.zeros(SHAPE), np.ones(SHAPE)]).astype(np.float16))
    cut = Cut.of(filled(), "above", 0.5)
    assert "< 1 %, > 99 %: they contradict each other" in _shapes_words.answers_at(made, cut, (0.0, 0.0))


# ---- in figures ----


@pytest.mark.parametrize(("view", "axis"), [("above", 2), ("side", 0), ("front", 1)])
def test_a_cut_is_the_plane_that_it_says(view: str, axis: int) -> None:
    found = filled()
    cut = Cut.of(found, view, 0.5)
    middle = np.take(found["free"].mean, SHAPE[axis] // 2, axis=axis)
    np.testing.assert_array_equal(cut.values(found["free"].mean), middle)
    away = np.concatenate([np.linalg.norm(line, axis=1) for line in cut.lines(found["free"].mean)])
    np.testing.assert_allclose(away, 11.0, atol=0.15)  # a circle, in millimetres


def test_a_click_names_the_nearest_place() -> None:
    cut = Cut.of(filled(), "side", 0.0)
    right, up = cut.nearest(-3.1, 7.9)
    assert (cut.right[right], cut.up[up]) == (-4.0, 8.0)
    x, y = _shapes_charts.net(cut)
    assert (x.min(), x.max(), y.min(), y.max()) == (-20.0, 20.0, -16.0, 16.0)


# ---- taken along ----


def test_what_is_taken_along_holds_the_surface_the_volume_and_the_same_question(home: Settings) -> None:
    found, chosen = filled(), Chosen(Asked("vertebrae", 3, scan=Scan(missing=0.6)))
    for form in FORMATS:
        assert len(_shapes_take.surface_file(chosen, found, found["free"], form)) > 5000
    read = label_maps.nifti(found["free"].mean, found.affine)
    assert read[:2] == b"\x1f\x8b"
    code = _shapes_take.script(chosen)
    assert repr(chosen.asked) in code
    compile(code, "script", "exec")
    own = replace(chosen, own=found.seen, name="mine.nii.gz", label=4)
    assert "Path('mine.nii.gz').read_bytes()).shape_of(4)" in _shapes_take.script(own)
    compile(_shapes_take.script(own), "script", "exec")
    assert own.query() == {"shape": "own", "file": "mine.nii.gz", "label": "4"}
    hostile = replace(own, name='a"""; import os/../b.nii')
    assert hostile.stem == "shape-a-import-os-"
    compile(_shapes_take.script(hostile), "script", "exec")
    report = _shapes_take.report_of(chosen, found)
    assert len(report.parts) == 6
    assert _shapes_words.WARNING in report.sentences


# ---- between the processes ----


@pytest.mark.parametrize("truth", [True, False])
def test_an_answer_travels(truth: bool) -> None:
    told, arrays = packed(filled(truth=truth))
    found = unpacked(json.loads(json.dumps(told)), arrays)
    assert isinstance(found, Filled)
    same(found, filled(truth=truth))


def test_another_damage_another_file_or_other_fields_are_another_question(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, own = Asked("digits"), filled().seen
    keys = [
        key_of(asked, None, home),
        key_of(replace(asked, number=1), None, home),
        key_of(replace(asked, glimpse=Glimpse(kept=0.9)), None, home),
        key_of(asked, own, home),
        key_of(asked, replace(own, labels=~own.labels), home),
    ]
    monkeypatch.setattr(reconstruct, "mark_of", lambda data, settings: "other")
    keys.append(key_of(asked, None, home))
    assert len(set(keys)) == len(keys)


def test_a_process_of_its_own_fills_in_digits_and_pictures_and_refuses_what_is_no_vertebra(home: Settings) -> None:
    room = Studio(home)
    try:
        found = room.fill(Asked("digits", 2, glimpse=Glimpse(kept=0.7)))
        assert [one.key for one in found.answers] == list(TITLES)
        assert found.truth is not None
        assert all(0.3 < (one.figures["dice"] or 0.0) <= 1.0 for one in found.answers)
        assert {len(one.members) for one in found.answers} == {1, 4}
        assert room.fill(Asked("digits", 2, glimpse=Glimpse(kept=0.7))) is found
        pixels = np.tile(np.linspace(0, 255, 12).astype(np.uint8)[:, None, None], (1, 12, 3))
        painting = room.paint(pixels, Config(kept=0.5, steps=60, later=10, members=2, waves=8, fineness=0.5))
        assert [one.key for one in painting.answers] == ["single", "free", "ensemble"]
        assert all(one.psnr > 15 for one in painting.answers)
        assert "of its time" in _shapes_picture.finding_of(painting)
        wide = np.ones((40, 40, 40), bool)
        wide[0] = False
        with pytest.raises(UserFacingError, match="104 x 104 x 76 mm"):
            room.fill(Asked("vertebrae"), Observation(wide, np.ones(wide.shape, bool), np.diag([8.0, 8.0, 8.0, 1.0])))
    finally:
        room.close()


def test_what_is_left_of_a_picture_follows_from_the_seed() -> None:
    left = left_of(np.zeros((40, 50, 3)), Config(kept=0.2))
    assert 0.15 < left.mean() < 0.25
    np.testing.assert_array_equal(left, left_of(np.ones((40, 50, 3)), Config(kept=0.2)))
    assert left_of(np.zeros((1, 2, 3)), Config(kept=0.01)).any()


# ---- the fields that come with the app, and the page ----


@pytest.mark.parametrize("data", ["vertebrae", "digits"])
def test_the_fields_that_come_with_the_app_say_how_they_were_made_and_are_small(data: str, home: Settings) -> None:
    card = card_of(data, home)
    assert card["command"].startswith(f"python -m core shapes {data}")
    assert card["command"].endswith("--ship")
    assert card["study"]["shapes"] >= 24
    assert set(card["rows"]) == set(card["fields"]) == set(TITLES)
    assert all(row["cost"] for row in card["study"]["rows"] if row["key"] in card["rows"].values())
    folder = reconstruct.place_of(data, Settings(), shipped=True)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_500_000


def said(app: Any) -> str:
    return "\n".join(str(one.value) for kind in (app.markdown, app.caption, app.info, app.error) for one in kind)


def test_a_visitor_damages_a_vertebra_and_reads_who_admits_what(home: Settings, studio: list[Any]) -> None:
    app = opened("7_Shapes", None, **{"shape-missing": "0.6", "shape-number": "4", "shape-methods": "mc_dropout,free"})
    asked = studio[-1][0]
    assert (asked.data, asked.number, asked.scan.missing) == ("vertebrae", 4, 0.6)
    told = said(app)
    assert "is made up" in told
    assert "no medical device" in told
    assert "**MC dropout**" in told
    assert "**Single network**" not in told
    assert len(app.dataframe) == 2
    next(one for one in app.slider if one.label == "Blur").set_value(4.0).run()
    assert studio[-1][0].scan.blur_mm == 4.0
    assert app.query_params["shape-blur_mm"] == "4"


def test_what_a_link_says_wrongly_is_told_and_a_file_that_is_none_is_one_sentence(
    home: Settings, studio: list[Any]
) -> None:
    app = opened("7_Shapes", None, **{"shape-missing": "7", "shape": "teapot"})
    assert [one.value for one in app.warning]
    assert studio
    app = opened("7_Shapes", shape="own")
    assert "Drop a .nii" in said(app)
    app.file_uploader[0].set_value([("mine.nii.gz", b"nothing", "application/gzip")]).run()
    assert not app.exception
    assert len(app.error) == 1
    volume = np.zeros((20, 20, 20), np.int32)
    volume[5:15, 5:15, 5:15] = 3
    app.file_uploader[0].set_value([("mine.nii.gz", label_maps.nifti(volume, np.diag([2.0, 2, 2, 1])), "")]).run()
    assert not app.exception, app.exception
    assert studio[-1][1].labels.sum() == 1000
    assert "Nobody knows the truth here" in said(app)


def test_the_page_loads_no_torch() -> None:
    code = "import sys, core.ui.shapes; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert Path(PROJECT, "pages", "7_Shapes.py").read_text().count("\n") < 80
