"""What a browser says about a chart is an input like any other: checked, and about the points it saw."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from core.ui import _plot_component as component
from core.ui import plot

SQUARE = [[0, 0], [1, 0], [1, 1.5], [0, 1]]
HANDLE = plot.Handle(0.5, 0.0, 1.0, 0.1, "share kept")


def read(**said: Any) -> plot.Seen:
    about = {name: {"stamp": "now", "value": value} for name, value in said.items() if name != "dragged"}
    return component._read({**about, "dragged": said.get("dragged")}, "now", (5, 2), HANDLE)


def test_an_honest_answer_is_read() -> None:
    seen = read(outlines=[SQUARE], clicked=[0, 4], hovered=[1, 1], dragged=0.25)
    assert seen == plot.Seen((tuple((float(x), float(y)) for x, y in SQUARE),), (0, 4), (1, 1), 0.25)
    assert seen.held(np.array([0.5, 2.0]), np.array([0.5, 0.5])).tolist() == [True, False]


def test_an_answer_about_other_points_is_none() -> None:
    old = {"outlines": {"stamp": "then", "value": [SQUARE]}, "clicked": {"stamp": "then", "value": [0, 1]}}
    assert component._read(old, "now", (5,), HANDLE) == plot.Seen()


@pytest.mark.parametrize(
    "said", [[0, 5], [2, 0], [-1, 0], [0, -1], [0, 0.5], [True, 0], ["0", 0], [0], {}, "x", None, math.nan]
)
def test_a_point_that_does_not_exist_is_none(said: Any) -> None:
    assert read(clicked=said).clicked is None


@pytest.mark.parametrize(
    "said",
    [
        5,
        "x",
        {},
        [5],
        [[[0, 0], [1, 1]]],
        [[[0, 0], [1, math.nan], [1, 1]]],
        [[[0, 0, 0]] * 3],
        [[["a", 0]] * 3],
        [[[0, 0]] * 20_001],
    ],
)
def test_an_outline_that_is_none_holds_nothing(said: Any) -> None:
    assert read(outlines=said).outlines == ()


@pytest.mark.parametrize("said", [-0.1, 1.1, math.inf, math.nan, "0.5", True, [0.5], None])
def test_a_place_outside_the_handle_s_ends_is_none(said: Any) -> None:
    assert read(dragged=said).dragged is None


def points(values: np.ndarray, shift: float = 0.0) -> plot.Points:
    places = np.arange(4, dtype=np.float32) + shift
    return plot.Points(places, places, list("abcd"), plot.Measure(values, "doubt"))


def test_recoloured_points_are_the_same_and_moved_points_are_others() -> None:
    first, recoloured, moved = (
        plot.stamp_of(plot.points_figure(some, dark=False))
        for some in (points(np.zeros(4)), points(np.ones(4)), points(np.zeros(4), 0.5))
    )
    assert first == recoloured != moved


def test_ids_stay_on_the_server_and_numbers_travel_as_four_bytes() -> None:
    count = 30_000
    places = np.random.default_rng(0).normal(size=(3, count))
    ids = [f"recording-number-{index}" for index in range(count)]
    figure = plot.points_figure(plot.Points(places[0], places[1], ids, plot.Measure(places[2], "doubt")), dark=True)
    text = component._text_of(figure)
    assert "recording" not in text
    assert len(text) < count * 3 * 4 * 4 / 3 + 6_000  # three arrays of four bytes in base64, and the rest


def test_more_classes_than_colours_are_refused() -> None:
    with pytest.raises(ValueError, match="11 classes"):
        plot.Classes(np.zeros(1), tuple("abcdefghijk"))


def test_labels_at_line_ends_keep_their_order_and_their_distance() -> None:
    ends = [0.90, 0.90, 0.905, 0.5]
    shifts = plot._apart(ends, 300)
    placed = sorted(end * 150 / 0.405 + shift for end, shift in zip(ends, shifts, strict=True))
    assert np.diff(placed).min() >= 16 - 1e-6
    assert min(shifts) >= 0
