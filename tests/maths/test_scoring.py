"""Scores against scikit-learn and naive loops, and intervals against theory."""

from __future__ import annotations

import doctest
import importlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from core.fingerprint import numpy_generator
from core.metrics.bootstrap import bootstrap
from core.metrics.figure import Figure, Undefined, or_reason
from core.metrics.scoring import accuracy, brier, confusion, errors, macro_f1, mean_average_precision, nll


def made(items: int = 60, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = numpy_generator("scores", seed)
    return generator.dirichlet(np.ones(classes), items), generator.integers(classes, size=items)


def made_labels(items: int = 60, classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = numpy_generator("labels", seed)
    return generator.uniform(size=(items, classes)).round(1), generator.integers(2, size=(items, classes))


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_scores_of_one_class_an_item_equal_scikit_learn(seed, items, classes) -> None:
    probs, labels = made(items, classes, seed)
    said, names = probs.argmax(axis=1), list(range(classes))
    assert accuracy(probs, labels).value == pytest.approx(reference.accuracy_score(labels, said))
    assert nll(probs, labels).value == pytest.approx(reference.log_loss(labels, probs, labels=names))
    assert macro_f1(probs, labels).value == pytest.approx(reference.f1_score(labels, said, average="macro"))
    assert (confusion(probs, labels) == reference.confusion_matrix(labels, said, labels=names)).all()


def test_brier_is_twice_the_binary_one_for_two_classes_and_a_loop_for_more() -> None:
    probs, labels = made(40, 2)
    assert brier(probs, labels).value == pytest.approx(2 * reference.brier_score_loss(labels, probs[:, 1]))
    probs, labels = made(30, 4)
    loop = sum((probs[i, c] - (labels[i] == c)) ** 2 for i in range(30) for c in range(4)) / 30
    assert brier(probs, labels).value == pytest.approx(loop)


def test_scores_of_several_labels_equal_a_loop() -> None:
    probs, labels = made_labels(30, 4, seed=3)
    cells = [(probs[i, c], labels[i, c]) for i in range(30) for c in range(4)]
    floor = 1e-12
    assert nll(probs, labels).value == pytest.approx(
        sum(-math.log(max(p if y else 1 - p, floor)) for p, y in cells) / 120
    )
    assert brier(probs, labels).value == pytest.approx(sum((p - y) ** 2 for p, y in cells) / 120)
    assert accuracy(probs, labels).value == pytest.approx(sum((p > 0.5) == y for p, y in cells) / 120)
    said = (probs > 0.5).astype(int)
    assert macro_f1(probs, labels).value == pytest.approx(reference.f1_score(labels, said, average="macro"))


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_map_leaves_out_and_counts_classes_without_positives(seed) -> None:
    probs, labels = made_labels(25, 6, seed)
    labels[:, [1, 4]] = 0
    found = mean_average_precision(probs, labels)
    kept = [reference.average_precision_score(labels[:, c], probs[:, c]) for c in (0, 2, 3, 5)]
    assert found.left_out == (1, 4)
    assert found.value == pytest.approx(np.mean(kept))
    assert found.per_class[1] is None


def test_map_of_class_numbers_is_one_against_the_rest() -> None:
    probs, labels = made(50, 4)
    theirs = reference.average_precision_score(np.eye(4)[labels], probs, average="macro")
    assert mean_average_precision(probs, labels).value == pytest.approx(theirs)


def test_macro_f1_leaves_out_a_class_that_never_occurs() -> None:
    found = macro_f1([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0]], [0, 1])
    assert found.left_out == (2,)
    assert found.value == pytest.approx((2 / 3 + 0) / 2)


def test_the_lowest_class_wins_a_tie_and_a_certain_mistake_stays_finite() -> None:
    assert errors([[0.5, 0.5]], [0]).tolist() == [0.0]
    assert errors([[0.5, 0.5]], [1]).tolist() == [1.0]
    assert nll([[0.0, 1.0]], [0]).value == pytest.approx(-math.log(1e-12))


def test_the_nll_of_the_mean_is_never_above_the_mean_of_the_nlls() -> None:
    draws = numpy_generator("draws").dirichlet(np.ones(4), (6, 50))
    labels = numpy_generator("truth").integers(4, size=50)
    of_draws = [nll(draw, labels).value or math.nan for draw in draws]
    assert (nll(draws.mean(axis=0), labels).value or math.nan) < np.mean(of_draws)


@pytest.mark.parametrize("score", [accuracy, nll, brier, mean_average_precision, macro_f1])
def test_no_items_and_broken_numbers_give_no_score_but_a_reason(score) -> None:
    assert score(np.zeros((0, 3)), np.zeros(0)).value is None
    broken = score(np.array([[0.5, np.nan], [0.2, 0.8]]), [0, 1])
    reason = broken.reason if isinstance(broken, Figure) else broken.figure.reason
    assert broken.value is None
    assert "1 of 2 items" in reason


@pytest.mark.parametrize("labels", [[0, 2], [0, -1], [0, 0.5], [0, 1, 1], [[0, 1]], [[0, 2], [1, 0]]])
def test_labels_that_do_not_fit_are_refused(labels) -> None:
    with pytest.raises(ValueError, match=r"labels|items|zeros"):
        accuracy([[0.5, 0.5], [0.2, 0.8]], labels)


def test_a_figure_has_a_value_or_a_reason() -> None:
    for wrong in ((None, None), (1.0, "why"), (math.nan, None), (math.inf, None), (None, "")):
        with pytest.raises(ValueError, match="figure"):
            Figure(*wrong)

    @or_reason
    def never(x: float) -> float:
        if x < 0:
            raise Undefined("below zero")
        return math.log(x) if x else math.nan

    assert never(-1) == Figure(None, "below zero")
    assert never(0).value is None
    assert never(1) == Figure(0.0)


def test_the_interval_of_a_mean_is_the_one_of_theory() -> None:
    values = numpy_generator("values").normal(3.0, 2.0, size=400)
    found = bootstrap(lambda rows: float(values[rows].mean()), 400, numpy_generator("b"), resamples=2000, level=0.9)
    half = 1.6449 * values.std() / math.sqrt(400)
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_same_generator_gives_the_same_interval_and_other_levels_other_ones() -> None:
    probs, labels = made(80, 3)

    def interval(seed: int, level: float):
        return bootstrap(
            lambda rows: accuracy(probs[rows], labels[rows]), 80, numpy_generator(seed), resamples=200, level=level
        )

    assert interval(1, 0.9) == interval(1, 0.9)
    assert interval(1, 0.9) != interval(2, 0.9)
    assert (interval(1, 0.5).low or 0) > (interval(1, 0.99).low or 0)


def test_items_of_one_recording_come_and_go_together() -> None:
    """Four equal clips a recording say no more than one, so the interval must not shrink."""
    recordings = numpy_generator("recordings").normal(size=50)
    clips, groups = np.repeat(recordings, 4), np.repeat(np.arange(50), 4).tolist()
    apart, together = (
        bootstrap(lambda rows: float(clips[rows].mean()), 200, numpy_generator("g"), resamples=800, groups=g)
        for g in (None, groups)
    )
    widths = [(found.high or 0) - (found.low or 0) for found in (apart, together)]
    assert widths[1] / widths[0] == pytest.approx(2.0, rel=0.15)
    with pytest.raises(ValueError, match="groups"):
        bootstrap(lambda rows: 0.0, 5, numpy_generator(0), groups=[1, 2])


def test_an_interval_that_hardly_ever_has_a_value_is_not_given() -> None:
    nothing = bootstrap(lambda rows: Figure(None, "never"), 10, numpy_generator(0), resamples=50)
    assert (nothing.low, nothing.resamples) == (None, 0)
    assert nothing.reason == "only 0 of 50 resamples had a value"
    assert bootstrap(lambda rows: 1.0, 1, numpy_generator(0)).low is None
    assert bootstrap(lambda rows: 1.0, 2, numpy_generator(0)).low == 1.0
    for known, low in ((20, None), (25, 5.0), (30, 5.0)):
        turns = iter(range(50))
        found = bootstrap(
            lambda rows, t=turns, k=known: 5.0 if next(t) < k else math.nan, 9, numpy_generator(0), resamples=50
        )
        assert (found.low, found.resamples) == (low, known)


@pytest.mark.parametrize("name", ["figure", "ranks", "scoring", "uncertainty"])
def test_the_examples_in_the_documentation_hold(name) -> None:
    tried = doctest.testmod(importlib.import_module(f"core.metrics.{name}"))
    assert tried.attempted > 0
    assert tried.failed == 0
