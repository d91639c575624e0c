"""Diversity of members: loops and closed forms; gradient variance against the law of total variance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from core.contracts import Predictive
from core.fingerprint import numpy_generator
from core.metrics.diversity import (
    disagreement,
    divergence,
    loss_along_line,
    variance_over_batches,
    variance_over_draws,
    variance_ratio,
)
from tests.maths.answers import answer


def test_members_disagree_as_often_as_a_loop_counts() -> None:
    made = answer(4, 25, 3)
    said = made.probs.numpy().argmax(-1)
    found = disagreement(made)
    for first in range(4):
        for second in range(4):
            assert found.matrix[first, second] == pytest.approx(np.mean(said[first] != said[second]))
    assert found.mean.value == pytest.approx(found.matrix[~np.eye(4, dtype=bool)].mean())
    labels = answer(3, 10, 4, task="multilabel")
    yes = labels.probs.numpy() > 0.5
    assert disagreement(labels).matrix[0, 2] == pytest.approx((yes[0] != yes[2]).mean())


def test_divergence_is_that_of_torch_for_both_tasks() -> None:
    made = answer(3, 8, 5, seed=2)
    laws = [torch.distributions.Categorical(probs=probs) for probs in made.probs]
    theirs = torch.distributions.kl_divergence(laws[2], laws[0]).mean().item()
    assert divergence(made).matrix[2, 0] == pytest.approx(theirs)
    assert divergence(made).matrix[0, 2] != pytest.approx(theirs)
    made = answer(3, 8, 5, task="multilabel")
    laws = [torch.distributions.Bernoulli(probs=probs) for probs in made.probs]
    theirs = torch.distributions.kl_divergence(laws[1], laws[0]).mean().item()
    assert divergence(made).matrix[1, 0] == pytest.approx(theirs)


def test_equal_members_have_no_diversity_certain_rivals_a_finite_one_and_one_member_none_at_all() -> None:
    alike = answer(1, 6, 3)
    twice = Predictive(alike.probs.expand(2, -1, -1))
    assert (disagreement(twice).mean.value, divergence(twice).mean.value) == (0.0, 0.0)
    rivals = Predictive(torch.eye(2)[:, None, :])
    assert disagreement(rivals).mean.value == 1.0
    assert divergence(rivals).mean.value == pytest.approx(-math.log(1e-12))
    for measure in (disagreement, divergence):
        assert "alone" in (measure(alike).mean.reason or "")
        assert measure(answer(3, 0, 2)).mean.reason == "there are no items"


def test_the_line_between_the_two_minima_of_a_double_well_has_the_known_barrier() -> None:
    def wells(weights: torch.Tensor) -> float:
        return float((weights[0] ** 2 - 1) ** 2 + 0.25 * weights[0])

    found = loss_along_line(torch.tensor([-1.0, 2.0]), torch.tensor([1.0, 2.0]), wells, points=21)
    assert found.loss[[0, 10, 20]] == pytest.approx([-0.25, 1.0, 0.25])
    assert found.barrier.value == pytest.approx(1.0)
    assert found.place.tolist() == [k / 20 for k in range(21)]
    bowl = loss_along_line(np.array([-1.0]), np.array([3.0]), lambda w: float(w[0] ** 2))
    assert bowl.barrier.value == pytest.approx(0.0)
    broken = loss_along_line(np.zeros(1), np.ones(1), lambda w: math.nan if w[0] == 0.5 else 1.0)
    assert broken.barrier.value is None
    with pytest.raises(ValueError, match="between its ends"):
        loss_along_line(np.zeros(1), np.ones(1), float, points=2)


def noisy_gradient(batch_sd: np.ndarray, draw_sd: np.ndarray):
    """Gradients with known variances: one part a batch, one a draw."""

    def gradient(batch: int, draw: int) -> torch.Tensor:
        of_batch = numpy_generator("batch", batch).normal(size=len(batch_sd)) * batch_sd
        of_draw = numpy_generator("draw", batch, draw).normal(size=len(draw_sd)) * draw_sd
        return torch.from_numpy(5.0 + of_batch + of_draw)

    return gradient


def test_over_batches_sees_both_sources_of_noise_and_over_draws_only_one() -> None:
    batch_sd, draw_sd = np.repeat([2.0, 1.0], [300, 100]), np.repeat([1.0, 3.0], [300, 100])
    layers = (("first", 300), ("second", 100))
    gradient = noisy_gradient(batch_sd, draw_sd)
    both = variance_over_batches(gradient, 60, layers)
    one = variance_over_draws(gradient, batches=30, draws=4, layers=layers)
    assert dict(both.per_layer) == pytest.approx({"first": 5.0, "second": 10.0}, rel=0.1)
    assert dict(one.per_layer) == pytest.approx({"first": 1.0, "second": 9.0}, rel=0.1)
    assert both.total.value == pytest.approx((300 * both.per_layer[0][1] + 100 * both.per_layer[1][1]) / 400)
    assert (both.form, both.batches, both.draws, both.parameters) == ("over batches", 60, 1, 400)
    assert (one.form, one.batches, one.draws) == ("over draws", 30, 4)


def test_the_variance_is_numpy_s_unbiased_one() -> None:
    table = numpy_generator("table").normal(1e4, 1.0, size=(50, 7))
    assert variance_over_batches(lambda k, s: table[k]).total.value == pytest.approx(table.var(axis=0, ddof=1).mean())
    cube = numpy_generator("cube").normal(size=(3, 5, 7))
    found = variance_over_draws(lambda k, s: cube[k, s], batches=3, draws=5)
    assert found.total.value == pytest.approx(cube.var(axis=1, ddof=1).mean())


def test_every_batch_gets_a_draw_of_its_own() -> None:
    asked = []
    variance_over_batches(lambda k, s: asked.append((k, s)) or np.ones(2), 50)
    assert len({draw for _, draw in asked}) == 50
    assert [batch for batch, _ in asked] == list(range(50))


def test_a_ratio_compares_one_form_only_and_not_with_nothing() -> None:
    loud = variance_over_batches(lambda k, s: np.array([3.0 * k, -3.0 * k]))
    quiet = variance_over_batches(lambda k, s: np.array([1.0 * k, 1.0 * k]))
    still = variance_over_batches(lambda k, s: np.ones(2))
    assert variance_ratio(loud, quiet).value == pytest.approx(9.0)
    assert "do not vary" in (variance_ratio(loud, still).reason or "")
    broken = variance_over_batches(lambda k, s: np.array([np.inf if k else 0.0]))
    assert broken.total.value is None
    assert variance_ratio(broken, quiet).value is None
    with pytest.raises(ValueError, match="compared"):
        variance_ratio(loud, variance_over_draws(lambda k, s: np.ones(2), 1, 2))


def test_too_few_batches_or_draws_and_layers_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="50 mini-batches"):
        variance_over_batches(lambda k, s: np.ones(2), 49)
    with pytest.raises(ValueError, match="two draws"):
        variance_over_draws(lambda k, s: np.ones(2), 3, 1)
    with pytest.raises(ValueError, match="add up"):
        variance_over_batches(lambda k, s: np.ones(2), 50, (("a", 1),))
