"""Areas under risk and coverage: the worked table of definitions, O(n^2) loops with ties, the closed form."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.fingerprint import numpy_generator
from core.metrics.ranks import auroc
from core.metrics.selective import (
    augrc,
    aurc,
    coverage_at_risk,
    excess_aurc,
    optimal_aurc,
    risk_at_coverage,
    selective_risk,
)

BINARY = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25)


def split(pairs) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(doubt) for doubt, _ in pairs]), np.array([float(wrong) for _, wrong in pairs])


@pytest.mark.parametrize(("rule", "value"), [("riemann", 0.1111), ("trapezoid", 0.0833), ("fd_shifts", 0.0556)])
def test_the_three_definitions_of_aurc_give_their_published_values(rule, value) -> None:
    assert aurc([0.2, 0.3, 0.4], [0, 0, 1], rule).value == pytest.approx(value, abs=5e-5)


def test_two_items_with_the_surer_one_wrong_tell_the_definitions_apart() -> None:
    assert aurc([0.1, 0.2], [1, 0]).value == pytest.approx(0.75)
    assert aurc([0.1, 0.2], [1, 0], "trapezoid").value == pytest.approx(0.75)
    assert aurc([0.1, 0.2], [1, 0], "fd_shifts").value == pytest.approx(0.875)
    assert augrc([0.1, 0.2], [1, 0]).value == pytest.approx(0.375)


def test_augrc_of_the_same_example_is_that_of_fd_shifts() -> None:
    assert augrc([0.2, 0.3, 0.4], [0, 0, 1]).value == pytest.approx(0.0556, abs=5e-5)


def test_ties_give_the_mean_over_all_their_orders() -> None:
    """Order alone moved this AURC from 0.0625 to 0.271; the tie-averaged value is the mean over the orders."""
    doubt, wrong = np.array([0.1, 0.5, 0.5, 0.5]), np.array([0, 1, 0, 0])
    values = []
    for order in itertools.permutations(range(1, 4)):
        errors = wrong[[0, *order]]
        values.append(np.mean([errors[:k].mean() for k in range(1, 5)]))
    assert (min(values), max(values)) == pytest.approx((0.0625, 0.2708), abs=1e-4)
    assert aurc(doubt, wrong).value == pytest.approx(np.mean(values))


@given(BINARY)
@settings(max_examples=80, deadline=None)
def test_areas_equal_quadratic_loops_with_ties(pairs) -> None:
    doubt, wrong = split(pairs)
    n = len(doubt)
    expected = [np.mean([wrong[j] for j in range(n) if doubt[j] == doubt[i]]) for i in range(n)]
    order = sorted(range(n), key=lambda i: doubt[i])
    risks = [sum(expected[i] for i in order[: k + 1]) / (k + 1) for k in range(n)]
    assert selective_risk(doubt, wrong) == pytest.approx(risks)
    assert aurc(doubt, wrong).value == pytest.approx(np.mean(risks))
    # AUGRC is the chance that of two random items the less doubtful is wrong, a tie and the item itself counting half
    pairs_at_risk = sum(
        wrong[i] * (1.0 if doubt[i] < doubt[j] else 0.5 if doubt[i] == doubt[j] else 0.0)
        for i in range(n)
        for j in range(n)
    )
    assert augrc(doubt, wrong).value == pytest.approx(pairs_at_risk / n**2)


@given(BINARY)
@settings(max_examples=80, deadline=None)
def test_augrc_has_its_closed_form(pairs) -> None:
    doubt, wrong = split(pairs)
    accuracy = 1 - wrong.mean()
    failure = auroc(doubt, wrong).value
    expected = 0.5 * (1 - accuracy) ** 2
    if failure is not None:
        expected += (1 - failure) * accuracy * (1 - accuracy)
    assert augrc(doubt, wrong).value == pytest.approx(expected, abs=1e-8)


@given(BINARY, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_neither_the_order_of_items_nor_a_rising_map_of_the_doubt_moves_an_area(pairs, random) -> None:
    doubt, wrong = split(pairs)
    shuffled = list(range(len(doubt)))
    random.shuffle(shuffled)
    for area in (aurc, augrc, lambda d, e: aurc(d, e, "fd_shifts"), lambda d, e: coverage_at_risk(d, e, 0.3)):
        value = area(doubt, wrong).value
        assert area(doubt[shuffled], wrong[shuffled]).value == pytest.approx(value)
        assert area(np.expm1(doubt / 3) - 7, wrong).value == pytest.approx(value)


def test_all_right_all_wrong_and_one_item_have_their_known_values() -> None:
    doubt = np.arange(5.0)
    assert (aurc(doubt, np.zeros(5)).value, augrc(doubt, np.zeros(5)).value) == (0.0, 0.0)
    assert (aurc(doubt, np.ones(5)).value, augrc(doubt, np.ones(5)).value) == (1.0, 0.5)
    assert aurc([0.3], [1]).value == 1.0
    assert aurc([0.3], [1], "trapezoid").value is None


def test_a_perfect_order_reaches_the_optimum_as_items_grow() -> None:
    wrong = np.repeat([0.0, 1.0], [7000, 3000])
    doubt = np.arange(10_000.0)
    assert aurc(doubt, wrong).value == pytest.approx(optimal_aurc(0.3), abs=1e-4)
    assert excess_aurc(doubt, wrong).value == pytest.approx(0, abs=1e-4)
    assert excess_aurc(-doubt, wrong).value == pytest.approx((aurc(-doubt, wrong).value or 0) - optimal_aurc(0.3))
    assert augrc(doubt, wrong).value == pytest.approx(0.3**2 / 2)
    assert (optimal_aurc(0.0), optimal_aurc(1.0)) == (0.0, 1.0)
    assert optimal_aurc(0.3) == pytest.approx(0.3 + 0.7 * math.log(0.7))


def test_full_coverage_is_found_though_the_most_confident_answer_is_wrong() -> None:
    doubt = [0.01, 0.1, 0.2, 0.3, 0.4]
    assert coverage_at_risk(doubt, [1, 0, 0, 0, 0], 0.3).value == 1.0
    assert coverage_at_risk(doubt, [1, 0, 0, 0, 0], 0.2).value == 1.0
    assert coverage_at_risk(doubt, [1, 0, 0, 0, 0], 0.19).value is None
    assert coverage_at_risk(doubt, [0, 0, 1, 1, 1], 0.4).value == pytest.approx(3 / 5)
    assert "no threshold" in (coverage_at_risk(doubt, [1, 1, 1, 1, 1], 0.4).reason or "")


def test_coverage_at_a_risk_never_splits_equally_doubtful_items() -> None:
    assert coverage_at_risk([0.1, 0.5, 0.5], [0, 1, 1], 0.5).value == pytest.approx(1 / 3)


def test_risk_at_coverage_keeps_the_ceiling() -> None:
    doubt, wrong = np.arange(100.0), np.array([0, 0, 0, 1] * 25)
    assert 0.55 * 100 > 55  # in floats, and still 55 items are meant
    assert risk_at_coverage(doubt, wrong, 0.55).value == pytest.approx(13 / 55)
    assert risk_at_coverage(doubt, wrong, 0.551).value == pytest.approx(14 / 56)
    assert risk_at_coverage(doubt, wrong, 1.0).value == 0.25
    with pytest.raises(ValueError, match="coverage"):
        risk_at_coverage(doubt, wrong, 0.0)
    with pytest.raises(ValueError, match="coverage"):
        risk_at_coverage(doubt, wrong, 1.01)


def test_infinite_doubt_ranks_last_and_nan_is_refused_with_a_reason() -> None:
    assert aurc([0.1, np.inf, -np.inf], [0, 1, 0]).value == pytest.approx(1 / 9)
    for area in (aurc, augrc, excess_aurc):
        assert area([0.1, np.nan], [0, 1]).reason == "1 of 2 doubts are not numbers"
        assert area([], []).reason == "there are no items"
    with pytest.raises(ValueError, match="between 0 and 1"):
        aurc([0.1], [2])
    with pytest.raises(ValueError, match="belong together"):
        aurc([0.1], [0, 1])


def test_shares_of_wrong_labels_count_as_errors_too() -> None:
    generator = numpy_generator("soft errors")
    doubt, wrong = generator.normal(size=40), generator.uniform(size=40)
    order = np.argsort(doubt)
    risks = np.cumsum(wrong[order]) / np.arange(1, 41)
    assert aurc(doubt, wrong).value == pytest.approx(risks.mean())
