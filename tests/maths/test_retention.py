"""Curves of what is kept: full, on VI-PANN's grid, their baselines and bands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from core.fingerprint import numpy_generator
from core.metrics.figure import Figure
from core.metrics.retention import (
    PERCENTS,
    accuracy_curve,
    chance,
    chance_curve,
    keep_counts,
    kept_curve,
    map_curve,
    on_grid,
    oracle,
    retention,
    with_band,
)
from core.metrics.scoring import accuracy, errors, mean_average_precision


def made(items: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Doubts that know something: an item is wrong with its doubt's chance."""
    generator = numpy_generator("retention", items)
    doubt = generator.uniform(size=items)
    return doubt, (generator.uniform(size=items) > doubt).astype(float)


def test_a_curve_of_four_items_is_the_one_worked_out_by_hand() -> None:
    found = retention([0.4, 0.1, 0.3, 0.2], [0, 1, 1, 0])
    assert found.kept.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert found.value == pytest.approx([1, 1 / 2, 2 / 3, 1 / 2])


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_oracle_is_on_top_chance_is_flat_and_all_kept_is_the_plain_accuracy(pairs) -> None:
    doubt, right = (np.array(column, float) for column in zip(*pairs, strict=True))
    found, best, flat = retention(doubt, right), oracle(right), chance(right)
    assert (found.value <= best.value + 1e-12).all()
    assert flat.value == pytest.approx(right.mean())
    assert (retention(1 - right, right).value == best.value).all()
    assert (found.value >= retention(right, right).value - 1e-12).all()
    assert found.value[-1] == pytest.approx(right.mean())


def test_a_constant_doubt_gives_the_flat_curve_in_any_order_of_the_items() -> None:
    right = np.array([0, 0, 1, 1, 1.0])
    assert retention(np.ones(5), right).value == pytest.approx(0.6)


def test_the_grid_keeps_ceilings_in_whole_numbers() -> None:
    assert PERCENTS[0] == 100
    assert PERCENTS[-1] == 5
    assert len(PERCENTS) == 20
    assert keep_counts(100, (100, 55, 5)).tolist() == [100, 55, 5]
    assert keep_counts(7, (50, 5, 1)).tolist() == [4, 1, 1]
    for wrong in (0, 101):
        with pytest.raises(ValueError, match="percents"):
            keep_counts(7, (wrong,))
    found = on_grid(retention([0.4, 0.1, 0.3, 0.2], [0, 1, 1, 0]), (100, 60, 30))
    assert found.value == pytest.approx([1 / 2, 2 / 3, 1 / 2])


def test_accuracy_on_the_grid_is_a_loop_with_ties_by_index() -> None:
    generator = numpy_generator("grid")
    probs, labels = generator.dirichlet(np.ones(3), 37), generator.integers(3, size=37)
    doubt = generator.integers(4, size=37) / 4
    found = accuracy_curve(doubt, probs, labels)
    order = sorted(range(37), key=lambda i: (doubt[i], i))
    right = 1 - errors(probs, labels)
    for percent, value in zip(PERCENTS, found.value, strict=True):
        kept = order[: math.ceil(percent * 37 / 100)]
        assert value == pytest.approx(np.mean([right[i] for i in kept]))
    assert found.left_out is None


def test_map_on_the_grid_leaves_out_and_counts_what_the_kept_clips_lack() -> None:
    generator = numpy_generator("map grid")
    probs = generator.uniform(size=(40, 6))
    labels = (generator.uniform(size=(40, 6)) < 0.15).astype(int)
    doubt = generator.uniform(size=40)
    found = map_curve(doubt, probs, labels)
    order = np.argsort(doubt, kind="stable")
    left_out = []
    for percent, value in zip(PERCENTS, found.value, strict=True):
        kept = order[: math.ceil(percent * 40 / 100)]
        with_positives = [c for c in range(6) if labels[kept, c].any()]
        left_out.append(6 - len(with_positives))
        each = [average_precision_score(labels[kept, c], probs[kept, c]) for c in with_positives]
        assert value == pytest.approx(np.mean(each), nan_ok=True) if each else np.isnan(value)
    assert found.left_out is not None
    assert found.left_out.tolist() == left_out
    assert max(left_out) > left_out[0]  # the case that would make a zero-filled mAP collapse
    assert found.value[0] == pytest.approx(mean_average_precision(probs, labels).value)


def test_sum_and_mean_of_doubt_give_the_same_curve() -> None:
    generator = numpy_generator("sum")
    each = generator.uniform(size=(50, 8))
    right = generator.integers(2, size=50)
    assert (retention(each.sum(axis=1), right).value == retention(each.mean(axis=1), right).value).all()


def test_the_band_holds_the_curve_and_narrows_with_more_items() -> None:
    widths = []
    for items in (100, 1600):
        doubt, right = made(items)
        found = with_band(doubt, right, numpy_generator("band"), resamples=200)
        assert found.low is not None
        assert found.high is not None
        assert (found.low <= found.value).all()
        assert (found.value <= found.high).all()
        widths.append(found.high[0] - found.low[0])
        half = 1.96 * math.sqrt(right.mean() * (1 - right.mean()) / items)
        assert widths[-1] == pytest.approx(2 * half, rel=0.3)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.35)


def test_a_band_belongs_to_its_generator_level_and_groups() -> None:
    doubt, right = made(60)

    def band(seed: int, **options):
        found = with_band(doubt, right, numpy_generator(seed), resamples=80, **options)
        assert found.high is not None
        return found.high

    assert (band(1) == band(1)).all()
    assert (band(1) != band(2)).any()
    assert band(1, level=0.5).mean() < band(1).mean()
    assert band(1, groups=[0] * 60) == pytest.approx(on_grid(retention(doubt, right)).value)
    assert with_band([0.1], [1], numpy_generator(1)).low is None


def test_random_orders_of_a_mean_average_out_to_the_whole() -> None:
    _, right = made(80)
    probs = np.stack([1 - right, right], axis=1)
    found = chance_curve(80, lambda rows: accuracy(probs[rows], np.ones(len(rows))), numpy_generator("c"), repeats=200)
    assert found.value == pytest.approx(right.mean(), abs=0.05)
    assert found.value[0] == pytest.approx(right.mean())
    assert found.low is not None
    assert found.low[-1] < right.mean() - 0.1
    never = chance_curve(5, lambda rows: Figure(None, "never"), numpy_generator("c"), repeats=3)
    assert np.isnan(never.value).all()


def test_nothing_to_keep_gives_an_empty_curve_with_a_reason() -> None:
    for curve in (
        retention([], []),
        oracle([]),
        with_band([], [], numpy_generator(0)),
        kept_curve([], lambda rows: Figure(0.0)),
        chance_curve(0, lambda rows: Figure(0.0), numpy_generator(0)),
    ):
        assert curve.reason == "there are no items"
        assert len(curve.value) == 0
    assert "not numbers" in (retention([np.nan, 1.0], [1, 0]).reason or "")
