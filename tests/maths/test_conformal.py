"""Split conformal sets: coverage under its Beta law over 1,000 resplits, ties, classes apart, crepes as oracle."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts import Predictive
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.posthoc.conformal import Conformal, covered, fit, predict_sets
from tests.maths.answers import answer, moments_of


def made(items: int, classes: int = 4, seed: int = 0, sharp: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from logits, and probabilities from logits ``sharp`` times as large: too sure above 1."""
    generator = numpy_generator("conformal", items, classes, seed)
    logits = 1.5 * generator.normal(size=(items, classes))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(-1)
    powers = np.exp(sharp * logits)
    return powers / powers.sum(-1, keepdims=True), labels


def point(probs: np.ndarray, task="multiclass") -> Predictive:
    return Predictive(torch.from_numpy(probs)[None], task)


@pytest.mark.parametrize("score", ["lac", "aps"])
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
def test_coverage_over_a_thousand_resplits_follows_the_beta_law(score, alpha) -> None:
    n, fresh = 60, 200
    generator = numpy_generator("resplits", score, alpha)
    found = []
    for _ in range(1000):
        probs, labels = made(n + fresh, seed=int(generator.integers(1 << 40)))
        uniforms = generator.uniform(size=n + fresh)  # without them APS scores of 1 tie and cover more
        fitted = fit(point(probs[:n]), labels[:n], coverage=1 - alpha, score=score, uniforms=uniforms[:n])
        sets = predict_sets(fitted, point(probs[n:]), uniforms=uniforms[n:])
        found.append(covered(sets, labels[n:]).overall.value)
    law = fitted.beta()
    assert law == (math.ceil((n + 1) * (1 - alpha)), n + 1 - math.ceil((n + 1) * (1 - alpha)))
    expected = scipy.stats.betabinom(fresh, *law)
    assert np.mean(found) == pytest.approx(expected.mean() / fresh, abs=4 * expected.std() / fresh / math.sqrt(1000))
    assert np.std(found) == pytest.approx(expected.std() / fresh, rel=0.1)
    low, high = fitted.expected(0.8) or (0, 0)
    assert scipy.stats.beta(*law).cdf([low, high]) == pytest.approx([0.1, 0.9])
    assert np.mean(found) >= 1 - alpha - 0.003


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_scores_that_tie_and_draws_that_are_averaged_cover_no_less(score) -> None:
    probs, labels = made(4000, 6)
    coarse = np.round(probs, 1) + 1e-3
    fitted = fit(point(coarse[:500]), labels[:500], coverage=0.8, score=score)
    assert (covered(predict_sets(fitted, point(coarse[500:])), labels[500:]).overall.value or 0) > 0.78
    several = answer(5, 30, 3)
    known = numpy_generator("known").integers(3, size=30)
    from_draws, from_moments = (fit(given, known, score=score) for given in (several, moments_of(several)))
    assert from_draws == from_moments
    assert from_draws == fit(point(several.probs.numpy().mean(axis=0)), known, score=score)


@given(st.integers(0, 10**5), st.integers(20, 60), st.sampled_from([0.75, 0.85, 0.93]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_sets_are_those_of_crepes_with_and_without_classes_apart(seed, n, coverage, per_class) -> None:
    """crepes includes a class when its p-value is above 1 - confidence; the levels here meet no multiple of 1/(n+1)."""
    from crepes import ConformalClassifier  # slow to import, needed here only

    probs, labels = made(n + 15, 3, seed)
    probs = np.round(probs, 2)  # with ties
    scores = 1.0 - probs
    if any(abs((k * coverage) - round(k * coverage)) < 1e-9 for k in range(1, n + 2)):
        return
    fitted = fit(point(probs[:n]), labels[:n], coverage=coverage, score="lac", per_class=per_class)
    ours = predict_sets(fitted, point(probs[n:]))
    for c in range(3) if per_class else [slice(None)]:
        mine = labels[:n] == c if per_class else np.ones(n, bool)
        reference = ConformalClassifier().fit(scores[:n][mine, labels[:n][mine]])
        theirs = reference.predict_set(
            np.atleast_2d(scores[n:].T[c]).T if per_class else scores[n:], confidence=coverage, smoothing=False
        )
        assert (ours[:, [c]] if per_class else ours).astype(int).tolist() == theirs.tolist()


def test_aps_scores_are_the_mass_of_classes_at_least_as_probable() -> None:
    probs = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.2, 0.2, 0.6]])
    whole = np.tile(probs, (10, 1))
    for labels, threshold in (([0, 0, 2], 0.8), ([1, 2, 0], 1.0), ([0, 0, 0], 1.0)):
        fitted = fit(point(whole), np.tile(labels, 10), coverage=0.9, score="aps")
        assert fitted.thresholds[0] == pytest.approx(threshold)
    fitted = Conformal(0.9, "aps", "multiclass", False, (0.8,), (30,))
    assert predict_sets(fitted, point(probs)).tolist() == [
        [True, True, False],
        [True, True, False],
        [False, False, True],
    ]
    half = predict_sets(fitted, point(probs), uniforms=np.array([1.0, 0.5, 0.9]))
    assert half.tolist() == [[True, True, True], [True, True, False], [False, False, True]]


def test_with_true_probabilities_aps_covers_easy_and_hard_items_alike_and_lac_has_the_smallest_sets() -> None:
    probs, labels = made(40_000, 8, seed=2, sharp=1.0)
    uniforms = numpy_generator("uniforms").uniform(size=40_000)
    half = slice(20_000, None)
    sizes, coverages = {}, {}
    for score in ("lac", "aps"):
        fitted = fit(point(probs[:20_000]), labels[:20_000], coverage=0.8, score=score, uniforms=uniforms[:20_000])
        sets = predict_sets(fitted, point(probs[half]), uniforms=uniforms[half])
        sizes[score] = sets.sum(axis=1).mean()
        tenths = np.array_split(np.argsort(probs[half].max(axis=1)), 10)
        coverages[score] = [covered(sets[rows], labels[half][rows]).overall.value for rows in tenths]
    assert coverages["aps"] == pytest.approx([0.8] * 10, abs=0.03)
    assert sizes["lac"] < sizes["aps"]


def test_classes_apart_keep_the_promise_for_a_hard_class() -> None:
    generator = numpy_generator("hard class")
    labels = generator.choice(2, p=[0.9, 0.1], size=8000)
    sure = np.where(labels == 0, generator.beta(8, 1, 8000), generator.beta(2, 2, 8000))
    probs = np.where((labels == 0)[:, None], np.stack([sure, 1 - sure], 1), np.stack([1 - sure, sure], 1))

    def of_class_1(**options) -> float:
        fitted = fit(point(probs[:4000]), labels[:4000], coverage=0.9, score="lac", **options)
        return covered(predict_sets(fitted, point(probs[4000:])), labels[4000:]).per_class[1].value or 0.0

    assert of_class_1() < 0.6
    assert of_class_1(per_class=True) == pytest.approx(0.9, abs=0.04)


def test_a_class_with_too_few_items_is_always_in_the_set() -> None:
    probs, labels = made(200, 3)
    labels[labels == 2] = 0
    labels[:4] = 2
    fitted = fit(point(probs), labels, coverage=0.9, score="lac", per_class=True)
    assert fitted.thresholds[2] == math.inf
    assert fitted.counts[2] == 4
    assert fitted.beta(2) is None
    assert fitted.expected(threshold=2) is None
    assert fitted.beta(0) is not None
    assert predict_sets(fitted, point(probs))[:, 2].all()


def test_each_of_several_labels_keeps_its_own_promise() -> None:
    generator = numpy_generator("labels")
    probs = generator.uniform(size=(6000, 3)) ** np.array([1.0, 2.0, 0.5])
    labels = (generator.uniform(size=probs.shape) < probs).astype(int)
    fitted = fit(point(probs[:3000], "multilabel"), labels[:3000], coverage=0.85)
    assert (fitted.score, fitted.per_class, len(fitted.thresholds)) == ("lac", True, 3)
    found = covered(predict_sets(fitted, point(probs[3000:], "multilabel")), labels[3000:])
    assert [figure.value for figure in found.per_class] == pytest.approx([0.85] * 3, abs=0.03)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_too_few_items_are_refused_and_just_enough_are_not(coverage) -> None:
    needed = {0.8: 4, 0.9: 9, 0.95: 19}[coverage]
    probs, labels = made(needed)
    assert fit(point(probs), labels, coverage=coverage).beta() == (needed, 1)
    with pytest.raises(UserFacingError, match=rf"{needed} or more"):
        fit(point(probs[1:]), labels[1:], coverage=coverage)
    with pytest.raises(UserFacingError, match="between 0 and 1"):
        fit(point(probs), labels, coverage=1.0)


def test_empty_sets_can_be_given_their_most_probable_class() -> None:
    fitted = Conformal(0.5, "lac", "multiclass", False, (0.3,), (10,))
    unsure = point(np.array([[0.4, 0.35, 0.25], [0.8, 0.1, 0.1]]))
    assert predict_sets(fitted, unsure).tolist() == [[False] * 3, [True, False, False]]
    assert predict_sets(fitted, unsure, at_least_one=True).tolist() == [[True, False, False]] * 2


def test_coverage_counts_sizes_and_says_why_a_class_has_none() -> None:
    sets = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0]], bool)
    found = covered(sets, [0, 1, 0])
    assert found.overall.value == pytest.approx(2 / 3)
    assert found.sizes.tolist() == [1, 1, 1, 0]
    assert [figure.value for figure in found.per_class] == [1.0, 0.0, None]
    assert found.per_class[2].reason == "no item has this label"


def test_thresholds_of_another_task_or_other_classes_are_refused() -> None:
    probs, labels = made(50)
    fitted = fit(point(probs), labels, per_class=True)
    with pytest.raises(ValueError, match="another task"):
        predict_sets(fitted, point(probs, "multilabel"))
    with pytest.raises(ValueError, match="other classes"):
        predict_sets(replace(fitted, thresholds=(0.1, 0.2)), point(probs))
    with pytest.raises(ValueError, match="do not fit"):
        fit(point(probs, "multilabel"), labels)
