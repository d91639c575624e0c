"""Det-Flip: MOPED around the head as it was trained, with either prior."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from core.layers import noise
from core.layers.flipout import FlipoutLayer
from core.layers.masks import MaskedDropout
from core.methods import det_flip, deterministic
from core.methods._contract import Batch, FitContext, frozen
from core.methods._training import step_noise
from tests.fitting import Stepper
from tests.tiny import as_labels, keys_for, tiny, vectors

CONTEXT = FitContext("multiclass", 3, 400, seed=0)
INPUTS, LABELS = vectors(24)
BATCH = Batch(INPUTS, LABELS, keys_for(24))


def init(network: Any = None, context: FitContext = CONTEXT, **options: Any) -> det_flip.State:
    return det_flip.init(det_flip.Config(**options), network or tiny(), context, torch.Generator())


def flipped(state: det_flip.State) -> list[FlipoutLayer]:
    return [part for part in state.head.modules() if isinstance(part, FlipoutLayer)]


@pytest.mark.parametrize("delta", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("prior", ["centered", "zero"])
def test_posterior_and_prior_start_as_moped_says(delta: float, prior: Any) -> None:
    network = tiny()
    sources = [layer for layer in network.head.modules() if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for source in sources:
            source.bias.fill_(-0.7)
    for source, layer in zip(sources, flipped(init(network, delta=delta, prior=prior, prior_sigma=0.6)), strict=True):
        for part in ("weight", "bias"):
            trained = getattr(source, part)
            assert torch.equal(getattr(layer, part), trained)
            sigma = nn.functional.softplus(getattr(layer, f"rho_{part}").double())
            torch.testing.assert_close(sigma, delta * trained.double().abs(), rtol=1e-4, atol=1e-6)
            centre = trained if prior == "centered" else torch.zeros_like(trained)
            assert torch.equal(getattr(layer, f"prior_mean_{part}").expand_as(trained), centre)
            assert float(getattr(layer, f"prior_sigma_{part}")) == pytest.approx(0.6)


@pytest.mark.parametrize("prior", ["centered", "zero"])
@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_loss_is_the_bound_with_every_symbol_moved(task: Any, prior: Any) -> None:
    """Two steps with a rate, so that the means have left the prior's when the second loss is taken."""
    context = FitContext(task, 3, 400, seed=2)
    options = {"delta": 0.3, "prior": prior, "prior_sigma": 0.6, "kl_factor": 3.0, "warmup": 5, "dropout": False}
    network = tiny()
    trained = [
        p.clone() for layer in network.head.modules() if isinstance(layer, nn.Linear) for p in layer.parameters()
    ]
    state = init(network, context=context, **options)
    labels = as_labels(LABELS, 3, task)
    step = Stepper(state, rate=0.05)
    for number in range(2):
        with torch.no_grad(), noise(step_noise(context, number, BATCH.keys)):
            logits = state.head(INPUTS)
        kl = 0.0
        means = [p for layer in flipped(state) for p in (layer.weight, layer.bias)]
        rhos = [p for layer in flipped(state) for p in (layer.rho_weight, layer.rho_bias)]
        for mean, rho, centre in zip(means, rhos, trained, strict=True):
            q = torch.distributions.Normal(mean.detach().double(), nn.functional.softplus(rho.detach().double()))  # type: ignore[union-attr]
            p = torch.distributions.Normal(centre.double() if prior == "centered" else torch.zeros_like(centre), 0.6)
            kl += float(torch.distributions.kl_divergence(q, p).sum())
        weight = 3.0 * (number + 1) / 5 / 400
        if task == "multiclass":
            expected = float(nn.functional.cross_entropy(logits, labels)) + weight * kl
        else:
            expected = (
                float(nn.functional.binary_cross_entropy(logits.double().sigmoid(), labels.double())) + weight * kl / 3
            )
        state = det_flip.update(state, Batch(INPUTS, labels, BATCH.keys), torch.Generator(), step)
        assert step.losses[-1] == pytest.approx(expected, rel=1e-4)


def test_a_new_head_settles_as_a_plain_one_before_its_weights_are_taken() -> None:
    network = tiny(rate=0.0)
    state, plain = init(network, settle=4), None
    step = Stepper(state)
    reference = deterministic.init(deterministic.Config(dropout=False), network, CONTEXT, torch.Generator())
    other = Stepper(reference)
    for _ in range(4):
        state = det_flip.update(state, BATCH, torch.Generator(), step)
        reference = deterministic.update(reference, BATCH, torch.Generator(), other)
    assert step.losses == pytest.approx(other.losses)  # the same training
    plain = [p.detach().clone() for p in reference.model.parameters()]
    state = det_flip.update(state, BATCH, torch.Generator(), Stepper(state, rate=0.0))
    centres = [c for layer in flipped(state) for c in (layer.prior_mean_weight, layer.prior_mean_bias)]
    for centre, weight in zip(centres, plain, strict=True):
        torch.testing.assert_close(centre, weight)
    sigma = nn.functional.softplus(flipped(state)[0].rho_weight)
    torch.testing.assert_close(sigma, 0.5 * plain[0].abs(), rtol=1e-3, atol=1e-5)


def test_the_warm_up_begins_after_settling() -> None:
    state = init(settle=2, warmup=10, kl_factor=5.0)
    step = Stepper(state, rate=0.01)
    for _ in range(4):
        state = det_flip.update(state, BATCH, torch.Generator(), step)
    for number, parts in enumerate(step.parts[2:], start=1):
        assert parts["loss"] - parts["task"] == pytest.approx(5.0 * number / 10 / 400 * parts["kl"], rel=1e-3)


def test_a_run_that_ends_while_settling_still_gets_its_posterior() -> None:
    state = init(settle=10)
    step = Stepper(state)
    for _ in range(3):
        state = det_flip.update(state, BATCH, torch.Generator(), step)
    layer = flipped(frozen(det_flip.METHOD.finish(state)))[0]
    sigma = nn.functional.softplus(layer.rho_weight)
    torch.testing.assert_close(sigma, 0.5 * layer.weight.abs(), rtol=1e-3, atol=1e-5)


def test_only_the_head_trains_and_the_mean_network_is_the_source() -> None:
    network = tiny()
    state = init(network)
    features = vectors(5)[0]
    torch.testing.assert_close(state.head(features), network.head(features))
    found = det_flip.predict(state, features, keys_for(5), draws=9, seed=0).probs
    assert found.shape == (9, 5, 3)
    assert float(found.std(0).min()) > 0


def test_delta_widens_the_answers() -> None:
    features, spread = vectors(5)[0], []
    for delta in (0.05, 0.2, 0.8):
        state = init(delta=delta)
        spread.append(float(det_flip.predict(state, features, keys_for(5), draws=200, seed=0).probs.std(0).mean()))
    assert spread == sorted(spread)
    assert spread[2] > 3 * spread[0]


def test_dropout_of_the_head_acts_only_while_fitting_and_if_asked() -> None:
    assert init(dropout=True).resting == (("drop_head", 0.3),)
    assert init(dropout=False).resting == ()
    assert not any(part.p for part in init().head.modules() if isinstance(part, MaskedDropout))


def test_draws_of_a_group_share_their_weight_noise() -> None:
    features = vectors(1)[0]
    one, five = (det_flip.predict(init(group=group), features, keys_for(1), draws=5, seed=0).probs for group in (1, 5))
    torch.testing.assert_close(one[0], five[0])
    assert not torch.allclose(one[1:], five[1:])
