"""Flipout as a method: the loss in all its symbols, and answers that are those of sampled weights."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.errors import UserFacingError
from core.layers import noise
from core.layers._posterior import FlipoutOptions
from core.layers.flipout import FlipoutLayer
from core.layers.masks import MaskedDropout
from core.methods import _elbo, flipout
from core.methods._contract import Batch, FitContext
from core.methods._training import step_noise
from tests.fitting import Stepper
from tests.tiny import as_labels, keys_for, pictures, tiny, vectors

CONTEXT = FitContext("multiclass", 3, 250, seed=0)


def init(network: Any = None, context: FitContext = CONTEXT, seed: int = 0, **options: Any) -> flipout.State:
    generator = torch.Generator().manual_seed(seed)
    return flipout.init(flipout.Config(**options), network or tiny(), context, generator)


def flipped(model: nn.Module) -> list[FlipoutLayer]:
    return [part for part in model.modules() if isinstance(part, FlipoutLayer)]


def naive_kl(model: nn.Module, mean: float, sigma: float, reduction: str) -> float:
    """torch's own closed form, a tensor at a time."""
    total = 0.0
    for layer in flipped(model):
        for part in ("weight", "bias"):
            if getattr(layer, part) is None:
                continue
            deviation = torch.log1p(torch.exp(getattr(layer, f"rho_{part}").detach().double()))
            q = torch.distributions.Normal(getattr(layer, part).detach().double(), deviation)
            each = torch.distributions.kl_divergence(q, torch.distributions.Normal(mean, sigma))
            total += float(each.sum() if reduction == "sum" else each.mean())
    return total


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_loss_is_the_bound_with_every_symbol_moved(task: Any, reduction: Any) -> None:
    context = FitContext(task, 3, 250, seed=4)
    options = {"prior_mean": 0.3, "prior_sigma": 0.7, "rho": -1.2, "kl": reduction, "kl_factor": 0.4, "warmup": 8}
    state = init(context=context, scope="network", dropout=False, statistics=False, **options)
    inputs, labels = pictures(12)
    labels = as_labels(labels, 3, task)
    step = Stepper(state, rate=0.0)
    for number in range(3):
        with torch.no_grad(), noise(step_noise(context, number, keys_for(12))):
            logits = state.model(inputs)
        state = flipout.update(state, Batch(inputs, labels, keys_for(12)), torch.Generator(), step)
        kl = naive_kl(state.model, 0.3, 0.7, reduction)
        weight = 0.4 * (number + 1) / 8 / 250
        if task == "multilabel":
            task_part = float(nn.functional.binary_cross_entropy(logits.double().sigmoid(), labels.double()))
            weight /= 3  # the loss is a mean over the classes too
        else:
            task_part = -float(logits.log_softmax(1)[torch.arange(12), labels].mean())
        assert step.parts[-1]["kl"] == pytest.approx(kl, rel=1e-4)
        assert step.parts[-1]["task"] == pytest.approx(task_part, rel=1e-4)
        assert step.losses[-1] == pytest.approx(task_part + weight * kl, rel=1e-4)


@pytest.mark.parametrize(
    ("factor", "warmup", "steps", "expected"),
    [(1.0, 0, 0, 1.0), (0.5, 0, 9, 0.5), (1.0, 4, 0, 0.25), (2.0, 4, 3, 2.0), (2.0, 4, 99, 2.0)],
)
def test_the_weight_of_the_prior(factor: float, warmup: int, steps: int, expected: float) -> None:
    assert _elbo.kl_weight(CONTEXT, factor, warmup, steps) == pytest.approx(expected / 250)


@pytest.mark.parametrize("estimator", ["flipout", "local", "sample"])
@pytest.mark.parametrize("scope", ["head", "network"])
def test_the_predictive_spread_is_that_of_sampled_weights(scope: Any, estimator: Any) -> None:
    """Mean and variance of the probabilities over draws, against weights sampled one by one with torch."""
    network = tiny()
    state = init(network, scope=scope, where="all" if scope == "head" else "stage head", rho=-1.5, estimator=estimator)
    inputs = vectors(3)[0] if scope == "head" else pictures(3)[0]
    features = inputs if scope == "head" else network.embed(inputs)
    draws = 3000
    found = flipout.predict(state, inputs, keys_for(3), draws=draws, seed=1).probs.double()
    expected = sampled(state.model if scope == "head" else state.model.head, features, draws)  # type: ignore[arg-type]
    allowed = 4.5 * (math.sqrt(5.0) if estimator == "flipout" else 1.0)  # at worst draws of a group count once
    for power in (1, 2):  # the mean, then the variance
        centre = (found.mean(0) + expected.mean(0)) / 2 if power == 2 else 0.0
        mine, theirs = (found - centre) ** power, (expected - centre) ** power
        error = ((mine.var(0) + theirs.var(0)) / draws).sqrt()
        assert bool(((mine.mean(0) - theirs.mean(0)).abs() < allowed * error).all())
    assert float(found.std(0).mean()) > 0.01


def sampled(head: nn.Module, features: Tensor, draws: int) -> Tensor:
    """The head with weights drawn from its posterior, once a draw and item."""
    generator, layers = torch.Generator().manual_seed(7), flipped(head)
    x = features.detach().double().repeat(draws, 1)[:, :, None]
    for number, layer in enumerate(layers):
        sigma = torch.log1p(torch.exp(layer.rho_weight.detach().double()))
        shape = (len(x), *sigma.shape)
        weight = layer.weight.detach() + sigma * torch.randn(shape, generator=generator, dtype=torch.float64)
        deviation = torch.log1p(torch.exp(layer.rho_bias.detach().double()))  # type: ignore[union-attr]
        bias = layer.bias.detach() + deviation * torch.randn(len(x), len(deviation), generator=generator)
        x = weight @ x + bias[:, :, None]
        x = x.relu() if number < len(layers) - 1 else x
    return x[:, :, 0].softmax(-1).view(draws, len(features), -1)


def test_every_layer_of_the_chosen_stages_and_no_other_becomes_random() -> None:
    assert len(flipped(init(scope="network").model)) == 5  # three convolutions, two linear layers
    assert len(flipped(init(scope="network", where="stage stem head").model)) == 3
    assert len(flipped(init(scope="head").model)) == 2


def test_starting_values_follow_the_config() -> None:
    network = tiny()
    plain = flipped(init(network, scope="head", rho=-4.0, rho_spread=0.2).model)[0]
    source = network.head[1]  # type: ignore[index]
    assert torch.equal(plain.weight, source.weight)
    assert float(plain.rho_weight.detach().mean()) == pytest.approx(-4.0, abs=0.1)
    assert float(plain.rho_weight.detach().std()) == pytest.approx(0.2, rel=0.2)
    random = flipped(init(network, scope="head", mean="random").model)[0]
    assert float(random.weight.detach().std()) == pytest.approx(0.1, rel=0.2)
    moped = flipped(init(network, scope="head", moped=True, delta=0.2, moped_prior="zero").model)[0]
    torch.testing.assert_close(
        nn.functional.softplus(moped.rho_weight), 0.2 * source.weight.abs(), rtol=1e-3, atol=1e-6
    )


def test_the_layers_get_every_option() -> None:
    chosen: dict[str, Any] = {
        "signs": "element",
        "estimator": "local",
        "rho": -2.0,
        "rho_spread": 0.3,
        "prior_mean": 0.1,
        "prior_sigma": 2.0,
        "moped_prior": "zero",
    }
    starts: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"moped": True, "delta": 0.4}, {"moped": 0.4}),
        ({"mean": "random"}, {"mean": "random"}),
    ]
    for mine, theirs in starts:
        state = init(scope="network", **chosen, **mine)
        expected = FlipoutOptions(**chosen, **theirs)
        assert all(layer.options == expected for layer in flipped(state.model))


def test_everything_trains_below_and_above() -> None:
    state = init(scope="network")
    before = {name: p.detach().clone() for name, p in state.model.named_parameters()}
    inputs, labels = pictures(12)
    flipout.update(state, Batch(inputs, labels, keys_for(12)), torch.Generator(), Stepper(state))
    still = {name for name, p in state.model.named_parameters() if torch.equal(p, before[name])}
    assert still == set()


def test_dropout_sites_rest_when_answering() -> None:
    state = init(scope="network", dropout=True)
    assert {name for name, _ in state.resting} == {"drop1", "block.drop", "drop_head"}
    assert not any(part.p for part in state.model.modules() if isinstance(part, MaskedDropout))
    assert init(scope="network", dropout=False).resting == ()


def test_the_group_is_how_many_draws_share_weights() -> None:
    """With channel signs two draws of one group differ by signs only; a group of one draws anew."""
    keys, inputs = keys_for(1), vectors(1)[0]
    by_group = [init(scope="head", rho=-1.0, group=g) for g in (1, 5)]
    one, five = (flipout.predict(state, inputs, keys, draws=10, seed=0).probs for state in by_group)
    torch.testing.assert_close(one[0], five[0])  # the first sample is the same
    assert not torch.allclose(one[1:], five[1:])


def test_a_head_without_layers_is_told_what_is_missing() -> None:
    network = tiny()
    network.head = nn.Identity()
    with pytest.raises(UserFacingError, match="needs a linear or convolutional layer"):
        init(network, scope="head")
