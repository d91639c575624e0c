"""Temperature scaling: known temperatures recovered, what it keeps and what it moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts import Predictive
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.metrics.ranks import auroc
from core.metrics.scoring import errors, nll
from core.metrics.uncertainty import decompose, max_softmax
from core.posthoc.temperature import Temperature, apply, fit
from tests.maths.answers import answer


def at(value: float) -> Temperature:
    return Temperature(value, 0.0, 0.0, 1)


def sharpened(task, factor: float, items: int = 20_000, classes: int = 3) -> tuple[Predictive, np.ndarray]:
    """Labels drawn from calibrated logits, and answers whose logits are ``factor`` times too large."""
    generator = numpy_generator("temperature", task, factor)
    logits = generator.normal(size=(items, classes))
    if task == "multilabel":
        labels = (generator.uniform(size=logits.shape) < 1 / (1 + np.exp(-logits))).astype(int)
        return Predictive(torch.from_numpy(1 / (1 + np.exp(-factor * logits)))[None], task), labels
    gumbel = generator.gumbel(size=logits.shape)
    return Predictive(torch.softmax(torch.from_numpy(factor * logits), -1)[None], task), (logits + gumbel).argmax(-1)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_the_factor_by_which_logits_are_too_large_is_found(task, factor) -> None:
    made, labels = sharpened(task, factor)
    found = fit(made, labels)
    assert found.value == pytest.approx(factor, rel=0.06)
    assert found.nll_after < found.nll_before
    assert found.items == 20_000
    assert not found.at_edge
    assert nll(apply(found, made).probs[0], labels).value == pytest.approx(found.nll_after)


@given(st.integers(0, 10**5), st.integers(1, 4), st.sampled_from(["multiclass", "multilabel"]))
@settings(max_examples=15, deadline=None)
def test_the_nll_of_the_fitted_items_never_rises_and_no_near_temperature_is_better(seed, draws, task) -> None:
    made = answer(draws, 30, 3, task=task, seed=seed)
    generator = numpy_generator("labels", seed)
    labels = generator.integers(3, size=30) if task == "multiclass" else generator.integers(2, size=(30, 3))
    found = fit(made, labels)
    assert found.nll_after <= found.nll_before

    def loss(value: float) -> float:
        result = nll(apply(at(value), made).probs.numpy().mean(axis=0), labels).value
        assert result is not None
        return result

    assert loss(found.value) == pytest.approx(found.nll_after, abs=1e-9)
    if not found.at_edge and found.value != 1.0:
        assert found.nll_after <= min(loss(found.value * factor) for factor in (0.9, 0.99, 1.01, 1.1)) + 1e-9


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("value", [0.3, 2.5])
def test_each_draw_is_the_softmax_of_its_divided_logits(task, value) -> None:
    logits = torch.from_numpy(numpy_generator("logits").normal(size=(4, 6, 3)) * 3)
    squash = torch.sigmoid if task == "multilabel" else lambda z: torch.softmax(z, -1)
    scaled = apply(at(value), Predictive(squash(logits), task, score=torch.ones(6), score_name="energy"))
    assert torch.allclose(scaled.probs, squash(logits / value), atol=1e-9)
    assert (scaled.task, scaled.score_name) == (task, "energy")


def test_dtype_stays_and_one_changes_nothing() -> None:
    made = answer(3, 5, 4)
    single = replace(made, probs=made.probs.float())
    assert apply(at(2.0), single).probs.dtype == torch.float32
    assert torch.allclose(apply(at(1.0), single).probs, single.probs, atol=1e-7)


@given(st.integers(0, 10**5), st.sampled_from([0.5, 0.7, 1.6, 8.0]))
@settings(max_examples=25, deadline=None)
def test_a_point_estimate_keeps_its_argmax_and_with_two_classes_its_order_of_items(seed, value) -> None:
    made = answer(1, 40, 5, seed=seed)
    assert (apply(at(value), made).probs.argmax(-1) == made.probs.argmax(-1)).all()
    two = answer(1, 40, 2, seed=seed)
    labels = numpy_generator("two", seed).integers(2, size=40)
    wrong = errors(two.probs[0], labels)
    assert auroc(max_softmax(apply(at(value), two)), wrong).value == pytest.approx(auroc(max_softmax(two), wrong).value)


def test_with_three_classes_the_order_of_items_can_change() -> None:
    """Why the order of max-softmax is promised for two classes only."""
    probs = torch.tensor([[[0.5, 0.5 - 1e-6, 1e-6], [0.49, 0.255, 0.255]]], dtype=torch.float64)
    cold, hot = (max_softmax(apply(at(value), Predictive(probs))) for value in (0.3, 1.0))
    assert cold[0] > cold[1]
    assert hot[0] < hot[1]


def test_a_higher_temperature_moves_doubt_from_epistemic_to_aleatoric() -> None:
    made = answer(8, 400, 4)
    cool, warm = decompose(made), decompose(apply(at(3.0), made))
    assert (warm.aleatoric > cool.aleatoric).mean() > 0.99
    assert warm.epistemic.mean() < 0.5 * cool.epistemic.mean()


def test_probabilities_rounded_to_zero_stay_numbers() -> None:
    made = Predictive(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]))
    for task in ("multiclass", "multilabel"):
        scaled = apply(at(20.0), replace(made, task=task)).probs
        assert torch.isfinite(scaled).all()
        assert (scaled[0, 0, 1] > 0.01).all()


def test_answers_that_are_all_right_end_at_the_border_and_say_so() -> None:
    made = Predictive(torch.tensor([[[0.8, 0.2], [0.3, 0.7]]], dtype=torch.float64))
    found = fit(made, [0, 1])
    assert found.at_edge
    assert found.value < 0.05


def test_nothing_to_fit_on_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserFacingError, match="no items"):
        fit(Predictive(torch.zeros(1, 0, 2)), [])
    with pytest.raises(UserFacingError, match="not numbers"):
        fit(Predictive(torch.full((1, 2, 2), torch.nan)), [0, 1])
