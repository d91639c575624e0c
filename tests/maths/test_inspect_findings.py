"""What Inspect's captions say is true of the numbers they are made of, and its charts draw these numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from core.contracts import Predictive, Receipt
from core.metrics.uncertainty import decompose, running
from core.pipeline._verdicts import Enough
from core.pipeline.inspect import Inspected, Prediction, PredictionSet, ternary
from core.pipeline.places import Across, Along
from core.store import Backbone
from core.ui import _inspect_charts, _inspect_place_charts, _inspect_words, palette
from core.verdict import Code, Verdict

CLASSES = ("cow", "dog", "door_knock", "rain", "siren", "wind", "bell", "fire")


def found(probs: np.ndarray, places: dict[str, float] | None = None, settled: int = 1, **more: Any) -> Inspected:
    """As the pipeline would say it, from draws (draws, classes) that a test chose."""
    answer = Predictive(probs[:, None])  # type: ignore[arg-type]
    parts, steps = decompose(answer), running(answer)
    mean, order = probs.mean(axis=0), np.argsort(-probs.mean(axis=0), kind="stable").tolist()
    low, high = np.percentile(probs, (5, 95), axis=0)
    names = CLASSES[: probs.shape[1]]
    made = Inspected(
        model="m",
        sha256="0" * 64,
        kind="audio",
        draws=len(probs),
        predictions=tuple(
            Prediction(names[c], float(mean[c]), float(min(low[c], mean[c])), float(max(high[c], mean[c])))
            for c in order
        ),
        doubts={name: float(getattr(parts, name)[0]) for name in ("total", "aleatoric", "epistemic")},
        percentiles=places or {},
        score_name=None,
        verdict=Verdict("trust", "Dog, trust it."),
        prediction_set=None,
        neighbours=None,
        neighbours_of=None,
        receipt=Receipt("wav", "PCM", 1),
        seconds=0.0,
        classes=names,
        probs=probs,
        features=np.zeros(2, np.float32),
        enough=Enough(steps.draws, steps.parts, settled),
        vectors=Backbone("b", "v", 2),
        hears=None,
    )
    return replace(made, **more)


def split() -> np.ndarray:
    """Ten draws: six are sure of dog, four of rain."""
    probs = np.full((10, 8), 0.01)
    probs[:6, 1], probs[6:, 3] = 0.93, 0.93
    return probs


def alike(p: float, classes: int = 8, draws: int = 5) -> np.ndarray:
    """Draws that all give dog ``p`` and the others the same share of the rest."""
    probs = np.full((draws, classes), (1 - p) / (classes - 1))
    probs[:, 1] = p
    return probs


def test_classes_whose_draws_overlap_cannot_be_told_apart() -> None:
    assert "cannot be told apart from rain" in _inspect_words.bars(found(split()))
    assert "the draws agree" in _inspect_words.bars(found(alike(0.9)))
    assert _inspect_words.bars(found(alike(0.9, draws=1))).endswith("one draw has no interval.")


def test_the_larger_part_of_the_doubt_is_named() -> None:
    assert "of the doubt is the model's" in _inspect_words.doubts(found(split()))
    assert "100 % of the doubt is the sound's own" in _inspect_words.doubts(found(alike(0.5)))
    calm = found(alike(0.999), {"total": 3.0})
    assert "There is hardly any doubt" in _inspect_words.doubts(calm)
    assert "ln 8 = 2.08" in _inspect_words.doubts(calm)


def test_places_at_the_ends_are_said_as_such() -> None:
    assert "than all 100 held-out items" in _inspect_words.numbers(found(split(), {"total": 100.0}), 100)
    assert "than none of 100 held-out" in _inspect_words.numbers(found(split(), {"total": 0.0}), 100)
    assert "no held-out items" in _inspect_words.numbers(found(split()), 0)


def test_draws_are_enough_from_where_the_verdict_stays() -> None:
    assert _inspect_words.enough(found(split(), settled=7)).startswith("7 draws are enough")
    assert "take more" in _inspect_words.enough(found(split(), settled=10))
    assert "gives one answer" in _inspect_words.enough(found(alike(0.9, draws=1)))


def test_every_draw_is_counted_once() -> None:
    corners = ternary(found(split()))
    assert corners is not None
    assert _inspect_words.ternary(*corners) == "Of 10 draws, 6 say dog and 4 say rain."


def test_every_verdict_has_a_colour_and_a_sign_of_its_own() -> None:
    assert set(_inspect_words.LOOKS) == set(get_args(Code))
    assert len(set(_inspect_words.LOOKS.values())) == len(get_args(Code))


def test_a_set_says_its_coverage_and_how_many_items_stand_behind_it() -> None:
    said = _inspect_words.within(replace(found(split()), prediction_set=PredictionSet(0.95, 1234, ("dog", "rain"))))
    assert "**dog, rain**" in said
    assert "95 %" in said
    assert "1\u2009234 held-out items" in said
    assert "no set can be promised" in _inspect_words.within(found(split()))


def test_the_most_doubtful_window_is_named() -> None:
    totals = np.array([0.1, 0.9, 0.4])
    told = Along(np.array([0.0, 0.5, 1.0]), 1.0, {"total": totals}, np.eye(3), "windows")
    assert _inspect_words.along(told).startswith("Most doubtful from 0.5 to 1.5 s (0.9 nats), surest at 0 s (0.1)")
    even = replace(told, doubts={"total": np.full(3, 0.3)})
    assert "the same all along" in _inspect_words.along(even)


def pieces(without: np.ndarray, total: np.ndarray) -> Across:
    edges = np.linspace(0, 30, 4).astype(int)
    return Across(edges, edges, {"total": total}, {"total": 1.0}, "dog", 0.9, without, "parts")


def test_the_part_that_the_answer_leans_on_is_named_by_where_it_lies() -> None:
    without, total = np.full((3, 3), 0.9), np.full((3, 3), 1.0)
    without[2, 0], total[0, 2] = 0.2, 0.4
    told = pieces(without, total)
    assert "most on the lower left: without it, dog falls from 90 % to 20 %" in _inspect_words.leaning(told)
    assert _inspect_words.bringing(told).startswith(
        "The upper right brings most doubt in: without it, 1 nats become 0.4"
    )
    calm = pieces(np.full((3, 3), 0.9), np.full((3, 3), 1.0))
    assert "No single part decides" in _inspect_words.leaning(calm)
    assert "No part brings doubt in" in _inspect_words.bringing(calm)


def test_what_moved_most_is_named_with_its_places() -> None:
    before = found(split(), {"aleatoric": 10.0, "epistemic": 20.0, "total": 15.0})
    now = found(split(), {"aleatoric": 70.0, "epistemic": 15.0, "total": 99.0})
    assert "how ambiguous it is: that rises from place 10 to 70" in _inspect_words.moved(before, now)
    assert _inspect_words.moved(before, before) == "No doubt moved by a place."


def test_bars_hold_every_class_once_with_the_interval_of_its_draws() -> None:
    told = found(split())
    figure: Any = _inspect_charts.bars(told, dark=False)
    main, rest = figure.data
    assert sum(main.x) + sum(rest.x) == pytest.approx(100)
    highs = np.array(main.x) + np.array(main.error_x.array)
    assert np.allclose(highs, [100 * one.high for one in told.predictions[: len(main.x)]])
    lows = np.array(main.x) - np.array(main.error_x.arrayminus)
    assert np.allclose(lows, [100 * one.low for one in told.predictions[: len(main.x)]])
    single: Any = _inspect_charts.bars(found(alike(0.9, draws=1)), dark=False)
    assert single.data[0].error_x.array is None


@pytest.mark.parametrize("dark", [False, True])
def test_kinds_of_doubt_add_up_and_are_told_apart_without_colour(dark: bool) -> None:
    told = found(split(), {"total": 60.0, "aleatoric": 30.0, "epistemic": 90.0})
    figure: Any = _inspect_charts.doubts(told, dark, usual=0.5)
    first, second = figure.data[0], figure.data[1]
    assert first.x[0] + second.x[0] == pytest.approx(told.doubts["total"])
    assert (first.marker.color, second.marker.color) == (
        palette.palette(dark).aleatoric,
        palette.palette(dark).epistemic,
    )
    assert first.marker.pattern.shape != second.marker.pattern.shape
    assert [bar.x[0] for bar in figure.data[2:]] == [60.0, 30.0, 90.0]


def test_a_single_draw_has_one_kind_of_doubt_and_no_place_for_the_epistemic_part() -> None:
    figure: Any = _inspect_charts.doubts(found(alike(0.5, draws=1), {"total": 60.0, "aleatoric": 60.0}), False)
    assert [bar.x[0] for bar in figure.data[1:]] == [60.0, 60.0, 0]
    assert "no place" in figure.data[-1].hovertemplate


def test_the_band_around_the_total_is_its_monte_carlo_error() -> None:
    told = found(split())
    figure: Any = _inspect_charts.enough(told, dark=False)
    low, high, line = figure.data[:3]
    last = told.enough.parts[-1]
    assert line.y[-1] == pytest.approx(last.total[0])
    assert last.total_error is not None
    assert high.y[-1] - line.y[-1] == pytest.approx(1.96 * last.total_error[0])
    assert min(low.y) >= 0


def test_what_was_perturbed_is_drawn_hollow_before_and_filled_now() -> None:
    before = found(split(), {"total": 15.0, "aleatoric": 10.0})
    figure: Any = _inspect_place_charts.moved(before, found(split(), {"total": 99.0, "aleatoric": 70.0}), dark=False)
    points = [(trace.marker.symbol, trace.x[0]) for trace in figure.data if trace.mode == "markers"]
    assert points == [("circle-open", 15.0), ("circle", 99.0), ("circle-open", 10.0), ("circle", 70.0)]
