"""bayesian-torch's own layers as oracle, and what sharing weight noise between draws does to mutual information."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from bayesian_torch.layers.flipout_layers.conv_flipout import Conv1dFlipout, Conv2dFlipout
from bayesian_torch.layers.flipout_layers.linear_flipout import LinearFlipout
from bayesian_torch.utils.util import get_rho
from torch import Tensor, nn

from core.layers import NoiseContext, keys_of, noise
from core.layers._posterior import FlipoutOptions, moped_rho
from core.layers.flipout import FlipoutConv1d, FlipoutConv2d, FlipoutLinear, bayesian_torch_names

KEYS = keys_of([f"{i:04x}" * 16 for i in range(1, 65)])
ELEMENT = FlipoutOptions(signs="element", rho_spread=0.0)
DRAWS = 1500


@pytest.fixture(autouse=True)
def their_global_generator() -> Iterator[None]:
    """bayesian-torch draws from torch's global generator; it is put back."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def peers() -> dict[str, tuple[Any, Any, tuple[int, ...]]]:
    """Their layer, and ours from a deterministic layer of that shape."""
    linear, conv1, conv2 = nn.Linear(6, 4), nn.Conv1d(2, 3, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, groups=2)
    return {
        "linear": (LinearFlipout(6, 4), FlipoutLinear.from_deterministic(linear, "l", ELEMENT), (6,)),
        "conv1d": (Conv1dFlipout(2, 3, 3, padding=1), FlipoutConv1d.from_deterministic(conv1, "c", ELEMENT), (2, 7)),
        "conv2d": (
            Conv2dFlipout(4, 6, 3, stride=2, groups=2),
            FlipoutConv2d.from_deterministic(conv2, "c", ELEMENT),
            (4, 7, 7),
        ),
    }


def both(name: str) -> tuple[Any, Any, Tensor]:
    theirs, ours, shape = peers()[name]
    state = theirs.state_dict()
    names = bayesian_torch_names(state)
    result = ours.load_state_dict({names[key]: value for key, value in state.items() if key in names}, strict=False)
    assert not result.unexpected_keys
    assert all(key.startswith("prior_") for key in result.missing_keys)
    with torch.no_grad():
        for rho in (name for name in ("rho_weight", "rho_bias") if getattr(ours, name) is not None):
            getattr(ours, rho).add_(2.0)
        for key, value in theirs.named_parameters():
            if key.startswith("rho"):
                value.add_(2.0)
    return theirs, ours, torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["linear", "conv1d", "conv2d"])
def test_their_weights_under_our_names_give_their_moments(name: str) -> None:
    theirs, ours, x = both(name)
    with torch.no_grad():
        their_draws = torch.stack([theirs(x[None], return_kl=False)[0] for _ in range(DRAWS)])
        with noise(NoiseContext.fold(0, range(DRAWS), KEYS[:1], 1)):
            our_draws = ours(x.expand(DRAWS, *x.shape))
    error = (our_draws.var(0) * 2 / DRAWS).sqrt()
    assert float(((our_draws.mean(0) - their_draws.mean(0)) / error).abs().max()) < 4.5
    ratio = our_draws.var(0) / their_draws.var(0)
    assert float((ratio.log() / math.sqrt(4 / DRAWS)).abs().max()) < 4.5
    if name != "linear":  # what remains of the noise in a spatial mean: the signature of signs a pixel
        pooled = [draws.flatten(2).mean(2).std(0).mean() for draws in (our_draws, their_draws)]
        assert float(pooled[0] / pooled[1]) == pytest.approx(1.0, abs=0.06)


@pytest.mark.parametrize("name", ["linear", "conv1d", "conv2d"])
def test_their_kl_is_our_mean_and_not_the_sum(name: str) -> None:
    theirs, ours, _ = both(name)
    kl = float(theirs.kl_loss().detach())
    assert float(ours.kl("mean").detach()) == pytest.approx(kl, rel=1e-5)
    assert float(ours.kl("sum").detach()) > 3 * kl


def test_their_saved_noise_and_priors_are_left_out() -> None:
    names = bayesian_torch_names(["a.mu_kernel", "a.eps_kernel", "b.rho_bias", "b.prior_weight_mu", "bn.weight"])
    assert names == {"a.mu_kernel": "a.weight", "b.rho_bias": "b.rho_bias", "bn.weight": "bn.weight"}


def test_moped_agrees_with_theirs() -> None:
    weights = torch.arange(-20, 21, dtype=torch.float64) / 10
    torch.testing.assert_close(moped_rho(weights, 0.3, 1e-20), get_rho(weights, 0.3), rtol=1e-6, atol=1e-4)


def mutual_information(group: int, draws: int, repeats: int) -> Tensor:
    """(repeats,) mean mutual information over 64 items of a small Bayesian classifier, one estimate a seed."""
    maker = torch.Generator().manual_seed(4)
    weights = [torch.randn(shape, generator=maker) for shape in ((32, 16), (5, 32))]
    layers = []
    for index, weight in enumerate(weights):
        source = nn.Linear(*reversed(weight.shape), bias=False, device="meta")
        source.weight = nn.Parameter(weight / math.sqrt(weight.shape[1]))
        layers.append(FlipoutLinear.from_deterministic(source, f"layer{index}", FlipoutOptions(moped=0.5)))
    x = torch.randn(len(KEYS), 16, generator=maker)
    found = []
    for seed in range(repeats):
        with torch.no_grad(), noise(NoiseContext.fold(seed, range(draws), KEYS, group)):
            probs = layers[1](layers[0](x.repeat(draws, 1)).relu()).softmax(-1).view(draws, len(x), 5).double()
        total = torch.special.entr(probs.mean(0)).sum(-1)
        found.append((total - torch.special.entr(probs).sum(-1).mean(0)).mean())
    return torch.stack(found)


def test_groups_of_five_barely_move_mutual_information_and_double_its_spread() -> None:
    """30 draws; one epsilon for each, for 5, for all. What a group shares, the items share too: seeds differ more."""
    figures = {group: mutual_information(group, 30, 60) for group in (1, 5, 30)}
    mean = {group: float(values.mean()) for group, values in figures.items()}
    spread = {group: float(values.std()) for group, values in figures.items()}
    print({group: f"{mean[group]:.5f}, spread over seeds {spread[group]:.5f}" for group in mean})
    assert abs(mean[5] / mean[1] - 1) < 0.02
    assert abs(mean[30] / mean[1] - 1) < 0.06
    assert 1.3 < spread[5] / spread[1] < 3
    assert spread[30] > spread[5]
