"""Calibration error: worked examples of both bin rules, a naive loop, ties and few items."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.fingerprint import numpy_generator
from core.metrics.figure import Undefined
from core.metrics.reliability import ece, ece_equal_mass, equal_mass, equal_width, judged


@pytest.mark.parametrize(
    ("confidence", "correct", "right", "left"),
    [((0.60, 0.55), (1, 0), 0.075, 0.475), ((1.00, 0.95), (0, 1), 0.475, 0.525)],
)
def test_the_two_bin_rules_give_their_own_values(confidence, correct, right, left) -> None:
    assert ece(confidence, correct, bins=10).value == pytest.approx(right)
    assert ece(confidence, correct, bins=10, closed="left").value == pytest.approx(left)


def naive(confidence: np.ndarray, correct: np.ndarray, bins: int) -> float:
    total = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = [i for i, c in enumerate(confidence) if (low < c <= high) or (b == 0 and c == 0)]
        if inside:
            total += abs(sum(correct[i] - confidence[i] for i in inside)) / len(confidence)
    return total


@given(
    st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=60), st.sampled_from([1, 4, 10, 15, 60])
)
@settings(max_examples=60, deadline=None)
def test_equal_width_equals_a_loop_also_on_the_edges(pairs, bins) -> None:
    confidence = np.array([place / 60 for place, _ in pairs])
    correct = np.array([float(right) for _, right in pairs])
    assert ece(confidence, correct, bins=bins).value == pytest.approx(naive(confidence, correct, bins))
    turned = ece(confidence[::-1], correct[::-1], bins=bins).value
    assert turned == pytest.approx(ece(confidence, correct, bins=bins).value)


def test_zero_lies_in_the_first_bin_and_an_edge_in_the_bin_below() -> None:
    found = equal_width([0.0, 0.1, 0.2, 1.0], [0, 0, 1, 1], bins=10)
    assert found.high.tolist() == [0.1, 0.2, 1.0]
    assert found.count.tolist() == [2, 1, 1]
    left = equal_width([0.0, 0.1, 1.0], [0, 0, 1], bins=10, closed="left")
    assert left.low.tolist() == [0.0, 0.1, 1.0]
    assert left.high.tolist() == [0.1, 0.2, 1.0]
    assert equal_width([0.5], [1]).low.tolist() == [7 / 15]


def test_a_calibrated_model_has_a_small_error_and_an_overconfident_one_its_gap() -> None:
    generator = numpy_generator("calibrated")
    confidence = generator.uniform(0.3, 0.95, size=200_000)
    correct = generator.uniform(size=200_000) < confidence
    for measure in (ece, ece_equal_mass):
        assert measure(confidence, correct).value == pytest.approx(0, abs=0.008)
        assert measure(confidence + 0.05, correct, bins=7).value == pytest.approx(0.05, abs=0.008)


def test_bins_of_equal_mass_follow_array_split() -> None:
    confidence = np.array([0.9, 0.1, 0.5, 0.3, 0.7])
    found = equal_mass(confidence, [1, 0, 1, 0, 0], bins=2)
    assert found.count.tolist() == [3, 2]
    assert found.confidence == pytest.approx([0.3, 0.8])
    assert found.accuracy == pytest.approx([1 / 3, 1 / 2])
    assert ece_equal_mass(confidence, [1, 0, 1, 0, 0], bins=2).value == pytest.approx(3 / 5 / 30 + 2 / 5 * 0.3)
    assert (found.low.tolist(), found.high.tolist()) == ([0.1, 0.7], [0.5, 0.9])


def test_fewer_items_than_bins_give_one_bin_an_item() -> None:
    assert ece_equal_mass([0.9, 0.6], [1, 0], bins=15).value == pytest.approx((0.1 + 0.6) / 2)
    assert ece_equal_mass([0.8], [1], bins=15).value == pytest.approx(0.2)


@pytest.mark.parametrize("measure", [ece, ece_equal_mass])
def test_nothing_to_bin_has_a_reason_and_nonsense_is_refused(measure) -> None:
    assert measure([], []).reason == "there are no items"
    assert "not numbers" in measure([0.5, np.nan], [1, 0]).reason
    with pytest.raises(ValueError, match="between 0 and 1"):
        measure([1.2], [1])
    with pytest.raises(ValueError, match="at least one bin"):
        measure([0.2], [1], bins=0)
    with pytest.raises(Undefined):
        _ = equal_width([], []).gap


def test_confidence_is_that_of_the_top_class_or_of_every_label() -> None:
    confidence, correct = judged([[0.2, 0.8], [0.6, 0.4]], [1, 1])
    assert (confidence.tolist(), correct.tolist()) == ([0.8, 0.6], [1.0, 0.0])
    confidence, correct = judged([[0.2, 0.8], [0.6, 0.4]], [[0, 1], [1, 1]])
    assert (confidence.tolist(), correct.tolist()) == ([0.2, 0.8, 0.6, 0.4], [0.0, 1.0, 1.0, 1.0])
