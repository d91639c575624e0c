"""Order and detection: O(n^2) references with ties, saturated scores, one class, the FPR traps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from core.fingerprint import numpy_generator
from core.metrics.ood import balanced, detect, near_and_far
from core.metrics.ranks import auroc, average_precision, average_ranks, fpr_at_tpr, spearman

SCORED = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=30)


def split(pairs) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(score) for score, _ in pairs]), np.array([float(yes) for _, yes in pairs])


@given(SCORED)
@settings(max_examples=100, deadline=None)
def test_order_measures_equal_quadratic_loops_and_scikit_learn(pairs) -> None:
    score, positive = split(pairs)
    ups, downs = score[positive == 1], score[positive == 0]
    if not len(ups) or not len(downs):
        assert auroc(score, positive).value is None
        assert fpr_at_tpr(score, positive).value is None
        return
    wins = sum(1.0 if up > down else 0.5 if up == down else 0.0 for up in ups for down in downs)
    assert auroc(score, positive).value == pytest.approx(wins / len(ups) / len(downs))
    assert auroc(score, positive).value == pytest.approx(roc_auc_score(positive, score))
    assert average_precision(score, positive).value == pytest.approx(average_precision_score(positive, score))
    for tpr in (0.95, 0.5, 1.0):
        false, true, _ = roc_curve(positive, score, drop_intermediate=False)
        assert fpr_at_tpr(score, positive, tpr).value == pytest.approx(min(false[true >= tpr - 1e-12]))


@given(SCORED, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_items_and_rising_maps_change_nothing(pairs, random) -> None:
    score, positive = split(pairs)
    shuffled = list(range(len(score)))
    random.shuffle(shuffled)
    for measure in (auroc, average_precision, fpr_at_tpr):
        value = measure(score, positive).value
        same = pytest.approx(value) if value is not None else None
        assert measure(score[shuffled], positive[shuffled]).value == same
        assert measure(np.sinh(score) * 3 + 100, positive).value == same
    area = auroc(score, positive).value
    if area is not None:
        assert auroc(-score, positive).value == pytest.approx(1 - area)


def test_scores_far_from_zero_keep_their_order() -> None:
    """A sigmoid in float32 would flatten these to one value and say 0.5."""
    for start in (20.0, -125.0, 1e6):
        score = np.arange(start, start + 6)
        assert auroc(score, [0, 0, 0, 1, 1, 1]).value == 1.0


def test_the_false_positive_rate_is_the_best_of_the_thresholds_that_qualify() -> None:
    """19 positives above 10 negatives above one positive: 95 % are found before any negative."""
    score = np.concatenate([np.arange(100, 119), np.arange(50, 60), [1]])
    positive = np.concatenate([np.ones(19), np.zeros(10), np.ones(1)])
    assert fpr_at_tpr(score, positive).value == 0.0
    assert fpr_at_tpr(score, positive, 0.951).value == 1.0
    sixty = np.concatenate([np.arange(100, 157), np.arange(50, 60), [1, 2, 3]])
    assert fpr_at_tpr(sixty, np.concatenate([np.ones(57), np.zeros(10), np.ones(3)])).value == 0.0


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_spearman_equals_scipy_and_is_undefined_where_one_side_is_constant(pairs) -> None:
    first, second = (np.array(column, float) for column in zip(*pairs, strict=True))
    found = spearman(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found.value is None
        return
    assert found.value == pytest.approx(scipy.stats.spearmanr(first, second).statistic)
    assert spearman(np.exp(first), second).value == pytest.approx(found.value)
    assert average_ranks(first) == pytest.approx(scipy.stats.rankdata(first))


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: auroc([0.1, 0.2], [1, 1]), "there are no negatives"),
        (lambda: auroc([0.1, 0.2], [0, 0]), "there are no positives"),
        (lambda: average_precision([0.1, 0.2], [0, 0]), "there are no positives"),
        (lambda: fpr_at_tpr([0.1], [1]), "there are no negatives"),
        (lambda: auroc([], []), "there are no items"),
        (lambda: auroc([0.1, math.nan, math.nan], [0, 1, 1]), "2 of 3 scores are not numbers"),
        (lambda: spearman([1.0], [2.0]), "a rank correlation needs two items or more"),
    ],
)
def test_what_is_undefined_says_why(call, reason) -> None:
    assert (call().value, call().reason) == (None, reason)


def test_infinite_scores_have_their_place_in_the_order() -> None:
    assert auroc([-np.inf, 0.0, np.inf, np.inf], [0, 1, 1, 0]).value == pytest.approx(2.5 / 4)
    with pytest.raises(ValueError, match="zeros and ones"):
        auroc([0.1, 0.2], [0, 2])
    with pytest.raises(ValueError, match="one number an item"):
        auroc([[0.1]], [1])


def test_detection_of_two_normal_laws_has_its_closed_form() -> None:
    """Doubts N(0, 1) inside and N(d, s) outside: AUROC is Phi(d / sqrt(1 + s^2))."""
    generator = numpy_generator("normals")
    inside, outside = generator.normal(size=40_000), generator.normal(1.5, 2.0, size=10_000)
    found = detect(inside, outside)
    assert found.auroc.value == pytest.approx(scipy.stats.norm.cdf(1.5 / math.sqrt(5)), abs=0.01)
    threshold = scipy.stats.norm.ppf(0.05, 1.5, 2.0)
    assert found.fpr95.value == pytest.approx(scipy.stats.norm.sf(threshold), abs=0.02)
    assert found.base_rate.value == pytest.approx(0.2)
    assert (found.inside, found.outside) == (40_000, 10_000)


def test_average_precision_needs_no_negatives() -> None:
    assert average_precision([0.3, 0.1, 0.1], [1, 1, 1]).value == 1.0


def test_a_blind_doubt_scores_its_base_rate() -> None:
    found = detect(np.zeros(30), np.zeros(10))
    assert (found.auroc.value, found.aupr.value, found.base_rate.value, found.fpr95.value) == (0.5, 0.25, 0.25, 1.0)


def test_near_and_far_are_never_pooled() -> None:
    found = near_and_far([0.1, 0.2, 0.3], near=[0.25, 0.15], far=[0.8, 0.9, 1.0])
    assert found.far.auroc.value == 1.0
    assert found.near == detect([0.1, 0.2, 0.3], [0.25, 0.15])
    assert found.near.auroc.value == pytest.approx(3 / 6)
    missing = near_and_far([0.1], near=[], far=[0.8])
    assert missing.near.auroc.reason == "there are no positives"
    assert missing.far.auroc.value == 1.0
    assert detect([], []).base_rate.value is None


def test_balanced_sets_have_one_size_and_come_from_their_own_set() -> None:
    inside, outside = balanced(np.arange(100.0), np.arange(1000.0, 1030.0), numpy_generator("b"))
    assert len(inside) == len(outside) == 30
    assert len(set(inside)) == 30
    assert set(inside) < set(range(100))
    assert sorted(outside) == list(range(1000, 1030))
    again, _ = balanced(np.arange(100.0), np.arange(1000.0, 1030.0), numpy_generator("b"))
    assert (again == inside).all()
    assert len(balanced(np.arange(9.0), np.arange(9.0), numpy_generator("b"), largest=4)[1]) == 4
