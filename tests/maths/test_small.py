"""Intervals for a handful of items, against binomial sums, another library and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from core.metrics.ranks import spearman
from core.metrics.small import rank_interval, share_interval, sign_test


def at_least(count: int, items: int, share: float) -> float:
    """The chance of so many or more, summed term by term."""
    return sum(math.comb(items, k) * share**k * (1 - share) ** (items - k) for k in range(count, items + 1))


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize(("right", "items"), [(0, 12), (1, 12), (7, 12), (12, 12), (1, 1), (3, 4)])
def test_the_ends_of_a_share_are_where_a_tail_becomes_too_unlikely(right: int, items: int, level: float) -> None:
    low, high = share_interval(right, items, level)
    tail = (1 - level) / 2
    if right:
        assert at_least(right, items, low) == pytest.approx(tail, rel=1e-6)
    else:
        assert low == 0.0
    if right < items:
        assert 1 - at_least(right + 1, items, high) == pytest.approx(tail, rel=1e-6)
    else:
        assert high == 1.0


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.77, 0.98])
def test_twelve_items_hold_the_true_share_as_often_as_promised(share: float) -> None:
    """Exactly, over all that twelve items can say."""
    held = 0.0
    for right in range(13):
        low, high = share_interval(right, 12)
        held += (low <= share <= high) * math.comb(12, right) * share**right * (1 - share) ** (12 - right)
    assert held >= 0.95


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (5, 1), (1, 5), (3, 3), (0, 12), (9, 3)])
def test_the_sign_test_is_the_binomial_one(first: int, second: int) -> None:
    known = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert sign_test(first, second) == pytest.approx(known)


def test_a_rank_interval_of_twelve_holds_the_truth_as_often_as_it_says() -> None:
    """Of pairs from a normal law, whose rank correlation is known."""
    pearson = 0.5
    truth = 6 / math.pi * math.asin(pearson / 2)
    generator, held = np.random.default_rng(0), 0
    for _ in range(1500):
        first = generator.normal(size=12)
        second = pearson * first + math.sqrt(1 - pearson**2) * generator.normal(size=12)
        found = spearman(first, second).value
        assert found is not None
        ends = rank_interval(found, 12)
        held += ends is None or ends[0] <= truth <= ends[1]
    assert 0.93 <= held / 1500 <= 0.99


def test_what_has_no_interval_has_none() -> None:
    assert rank_interval(0.3, 3) is None
    assert rank_interval(1.0, 12) is None
    ends = rank_interval(-0.4, 30, 0.9)
    assert ends is not None
    assert ends[0] < -0.4 < ends[1]
    assert rank_interval(0.4, 30, 0.9) == pytest.approx((-ends[1], -ends[0]))
    with pytest.raises(ValueError, match="share"):
        share_interval(3, 2)
    with pytest.raises(ValueError, match="negative"):
        sign_test(-1, 2)
