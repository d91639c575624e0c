"""Flipout and its alternatives against naive weight sampling, closed forms, torch.distributions and bayesian-torch."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from core.layers import NoiseContext, keys_of, noise
from core.layers._posterior import FlipoutOptions, gaussian_kl, moped_rho, sigma_of
from core.layers.flipout import (
    FlipoutConv1d,
    FlipoutConv2d,
    FlipoutConv3d,
    FlipoutLayer,
    FlipoutLinear,
    same_padding,
)

KEYS = keys_of([f"{i:x}" * 64 for i in range(1, 9)])
ESTIMATORS = {
    "channel": FlipoutOptions(),
    "element": FlipoutOptions(signs="element"),
    "local": FlipoutOptions(estimator="local"),
    "sample": FlipoutOptions(estimator="sample"),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def filled(layer: nn.Module) -> Any:
    """The layer in float64 with normal weights from a generator of ours."""
    layer = layer.double()
    for index, parameter in enumerate(layer.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=generator(index), dtype=torch.float64) * 0.3
    return layer


def sources() -> dict[str, tuple[Any, type[Any], Tensor]]:
    """Deterministic layer, its twin, and one input without its batch axis."""
    wide = {"stride": 2, "padding": 1, "dilation": 2}
    found = {
        "linear": (nn.Linear(5, 3), FlipoutLinear, (5,)),
        "tokens": (nn.Linear(4, 3, bias=False), FlipoutLinear, (3, 4)),
        "conv1d": (nn.Conv1d(2, 3, 3, padding="same"), FlipoutConv1d, (2, 6)),
        "conv2d": (nn.Conv2d(4, 6, 3, groups=2, **wide), FlipoutConv2d, (4, 6, 5)),
        "depthwise": (nn.Conv2d(3, 3, 3, groups=3, padding=1, padding_mode="reflect"), FlipoutConv2d, (3, 4, 4)),
        "same": (Conv2dSame(4, 4, 3, stride=2, groups=2, bias=False), FlipoutConv2d, (4, 6, 5)),
        "conv3d": (nn.Conv3d(2, 2, 2, stride=(1, 2, 1)), FlipoutConv3d, (2, 3, 4, 2)),
    }
    return {
        name: (filled(layer), twin, torch.randn(shape, generator=generator(9), dtype=torch.float64))
        for name, (layer, twin, shape) in found.items()
    }


SOURCES = sources()


def twin_of(name: str, options: FlipoutOptions, rho: float = -0.5) -> tuple[FlipoutLayer, Any, Tensor]:
    source, twin, x = SOURCES[name]
    layer = twin.from_deterministic(source, name, replace(options, rho=rho, rho_spread=0.3), generator(5))
    return layer, source, x


def samples(layer: nn.Module, x: Tensor, draws: int, group: int = 1, items: int = 1) -> Tensor:
    """(draws, items, ...) outputs for copies of one input."""
    context = NoiseContext.fold(11, range(draws), KEYS[:items], group)
    with torch.no_grad(), noise(context):
        out = layer(x.expand(draws * items, *x.shape))
    return out.view(draws, items, *out.shape[1:])


def analytic(layer: FlipoutLayer, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each output under independent Gaussian weights."""
    with torch.no_grad():
        bias = None if layer.rho_bias is None else sigma_of(layer.rho_bias) ** 2
        mean = layer.apply_weights(x[None], layer.weight, layer.bias)[0]
        return mean, layer.apply_weights(x[None] ** 2, sigma_of(layer.rho_weight) ** 2, bias)[0]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", SOURCES)
def test_mean_and_variance_are_those_of_sampled_weights(name: str, estimator: str) -> None:
    layer, _, x = twin_of(name, ESTIMATORS[estimator])
    mean, variance = analytic(layer, x)
    out = samples(layer, x, 1500)[:, 0]
    assert float(((out.mean(0) - mean) / (variance / 1500).sqrt()).abs().max()) < 4.5
    assert float(((out.var(0) / variance - 1) / math.sqrt(2 / 1500)).abs().max()) < 4.8


@pytest.mark.parametrize("name", ["conv2d", "same", "conv3d", "tokens"])
def test_channel_signs_make_whole_kernels(name: str) -> None:
    """Not only each output's variance: the covariance between all outputs is that of one sampled weight."""
    layer, source, x = twin_of(name, ESTIMATORS["channel"])
    basis = torch.eye(layer.weight.numel(), dtype=torch.float64).view(-1, *layer.weight.shape)
    with torch.no_grad():
        jacobian = torch.stack([layer.apply_weights(x[None], one, None).flatten() for one in basis], 1)
        spread = sigma_of(layer.rho_weight).flatten()
        expected = (jacobian * spread) @ (jacobian * spread).T
        if layer.rho_bias is not None:
            shift = source(x[None]) * 0 + sigma_of(layer.rho_bias).view(-1, *[1] * (x.dim() - 1))
            one = torch.arange(shift.shape[1]).view(1, -1, *[1] * (x.dim() - 1)).expand(shift.shape).flatten()
            expected += torch.outer(shift.flatten(), shift.flatten()) * (one[:, None] == one[None])
    found = torch.cov(samples(layer, x, 3000)[:, 0].flatten(1).T)
    scale = expected.diagonal().sqrt()
    assert float(((found - expected) / torch.outer(scale, scale)).abs().max()) < 5.5 * math.sqrt(2 / 3000)


def test_element_signs_vanish_in_a_spatial_mean_and_channel_signs_do_not() -> None:
    """methods.md 1.4: after global pooling, signs a pixel leave more than 10 times less noise."""
    source = filled(nn.Conv2d(16, 16, 3, padding=1, bias=False))
    x = torch.rand(16, 16, 16, generator=generator(1), dtype=torch.float64)
    spread = {}
    for name in ("channel", "element", "local", "sample"):
        layer = FlipoutConv2d.from_deterministic(source, "c", replace(ESTIMATORS[name], rho_spread=0.0))
        out = samples(layer, x, 400)[:, 0]
        spread[name] = float(out.mean((2, 3)).std(0).mean())
        assert float(out.std(0).mean()) == pytest.approx(float(analytic(layer, x)[1].sqrt().mean()), rel=0.03)
    print({name: round(value, 4) for name, value in spread.items()})
    assert spread["channel"] == pytest.approx(spread["sample"], rel=0.05)
    assert spread["channel"] / spread["element"] > 10
    assert spread["channel"] / spread["local"] > 10


def test_two_items_of_a_draw_are_uncorrelated_though_they_share_the_weight_noise() -> None:
    layer, _, x = twin_of("linear", ESTIMATORS["channel"])
    naive, _, _ = twin_of("linear", ESTIMATORS["sample"])
    assert torch.equal(*samples(naive, x, 5, items=2).unbind(1))
    out = samples(layer, x, 2000, group=2000, items=2)
    centred = (out - out.mean(0)) / out.std(0)
    assert float((centred[:, 0] * centred[:, 1]).mean(0).abs().max()) < 4.5 / math.sqrt(2000)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", SOURCES)
def test_no_noise_and_no_sigma_are_the_source_bit_for_bit(name: str, estimator: str) -> None:
    layer, source, x = twin_of(name, ESTIMATORS[estimator])
    batch = torch.randn(6, *x.shape, generator=generator(3), dtype=torch.float64)
    assert torch.equal(layer(batch), source(batch))
    layer.requires_grad_(False)
    for rho in (layer.rho_weight, layer.rho_bias):
        if rho is not None:
            rho.fill_(-math.inf)
    context = NoiseContext.fold(0, range(3), KEYS[:2], 2)
    with noise(context):
        out = layer(batch)
        layer.rho_weight.fill_(-50.0)
        assert torch.allclose(layer(batch), out, rtol=0, atol=1e-18)
    if estimator != "sample":  # which convolves draw by draw: another batch size, other last bits
        assert torch.equal(out, source(batch))
    else:
        torch.testing.assert_close(out, source(batch), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", ["linear", "conv2d", "same"])
def test_gradients_are_those_of_finite_differences(name: str, estimator: str) -> None:
    layer, _, x = twin_of(name, ESTIMATORS[estimator])
    batch = torch.randn(4, *x.shape, generator=generator(3), dtype=torch.float64, requires_grad=True)
    inputs = [batch, *layer.parameters()]
    with noise(NoiseContext.fold(0, range(2), KEYS[:2], 1)):
        assert torch.autograd.gradcheck(lambda *_: layer(batch), inputs, fast_mode=True)
    assert torch.autograd.gradcheck(lambda *_: layer.kl(), inputs[1:])


def test_outputs_without_variance_have_finite_gradients() -> None:
    layer, _, x = twin_of("linear", ESTIMATORS["local"])
    layer.rho_bias.data.fill_(-math.inf)
    batch = torch.zeros(1, *x.shape, dtype=torch.float64, requires_grad=True)
    with noise(NoiseContext.fold(0, [0], KEYS[:1])):
        layer(batch).sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in (batch, layer.weight, layer.rho_weight))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_row_does_not_know_its_batch(estimator: str) -> None:
    """Chunks that cut groups and draws give the rows of the whole."""
    layer, _, x = twin_of("conv2d", ESTIMATORS[estimator])
    batch = torch.randn(8, *x.shape, generator=generator(3), dtype=torch.float64).repeat(7, 1, 1, 1)
    context = NoiseContext.fold(2, range(7), KEYS, 3)
    with noise(context):
        whole = layer(batch)
    for start, stop in ((0, 5), (20, 31), (55, 56)):
        with noise(context.chunk(start, stop)):
            torch.testing.assert_close(layer(batch[start:stop]), whole[start:stop], rtol=1e-10, atol=1e-12)


def test_draws_of_a_group_share_epsilon_and_groups_do_not() -> None:
    """With one feature in and out a draw is mean ± sigma epsilon x."""
    layer = FlipoutLinear.from_deterministic(filled(nn.Linear(1, 1, bias=False)), "l", FlipoutOptions(), generator())
    out = samples(layer, torch.ones(1, dtype=torch.float64), 30, group=5)[:, 0, 0]
    sizes = ((out - layer.weight.item()).abs()).view(6, 5)
    assert torch.allclose(sizes, sizes[:, :1].expand(6, 5))
    assert len(torch.unique(sizes[:, 0])) == 6


def test_windows_of_an_item_share_its_weights() -> None:
    """A (2 items x 3 windows) activation: equal windows get equal answers within an item, not across."""
    layer, _, x = twin_of("tokens", ESTIMATORS["channel"])
    with noise(NoiseContext.fold(0, range(7), KEYS[:2], 5)):
        out = layer(x.expand(42, *x.shape)).view(14, 3, 3, 3)
    torch.testing.assert_close(out, out[:, :1].expand_as(out))
    assert len(torch.unique(out[:, 0].flatten(1), dim=0)) > 10  # of 14; seven signs may coincide by chance


def test_kl_is_that_of_torch_distributions() -> None:
    layer, _, _ = twin_of("conv2d", FlipoutOptions(prior_mean=0.3, prior_sigma=0.7))
    parts = [
        kl_divergence(Normal(mu, F.softplus(rho)), Normal(0.3, 0.7))
        for mu, rho in ((layer.weight, layer.rho_weight), (layer.bias, layer.rho_bias))
        if rho is not None
    ]
    assert float(layer.kl().detach()) == pytest.approx(sum(float(part.detach().sum()) for part in parts), rel=1e-6)
    averaged = sum(float(part.detach().mean()) for part in parts)
    assert float(layer.kl("mean").detach()) == pytest.approx(averaged, rel=1e-6)


def test_kl_is_zero_at_the_prior_and_finite_at_tiny_sigmas() -> None:
    one, zero = torch.ones(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    at_prior = gaussian_kl(zero + 0.2, one * math.log(math.expm1(0.5)), one * 0.2, one * 0.5, "sum")
    assert float(at_prior) == pytest.approx(0.0, abs=1e-12)
    tiny = gaussian_kl(zero, one * -46.0517, zero, one, "mean")
    assert float(tiny) == pytest.approx(46.0517 - 0.5, abs=1e-4)
    assert float(gaussian_kl(zero.float(), one.float() * -300, zero.float(), one.float(), "mean")) == 299.5


def test_moped_values_of_the_paper() -> None:
    """methods.md 1.5, delta 0.5; a weight of 0 gets the floor, ours or bayesian-torch's 1e-20."""
    weights = torch.tensor([0.1, 1.0, -1e-3, 0.0], dtype=torch.float64)
    published = [-2.970628, -0.432752, -7.600652, -46.0517]
    assert moped_rho(weights, 0.5, 1e-20).tolist() == pytest.approx(published, abs=1e-4)
    assert sigma_of(moped_rho(weights, 0.5)).tolist() == pytest.approx([0.05, 0.5, 5e-4, 1e-6], rel=1e-6)


@pytest.mark.parametrize(("prior", "centre"), [("centered", 1.0), ("zero", 0.0)])
def test_moped_moves_the_prior_or_not(prior: Any, centre: float) -> None:
    source = SOURCES["conv2d"][0]
    options = FlipoutOptions(moped=0.2, moped_prior=prior)
    layer = FlipoutConv2d.from_deterministic(source, "c", options)
    assert torch.equal(layer.weight, source.weight)
    assert torch.allclose(sigma_of(layer.rho_weight), 0.2 * source.weight.abs())
    torch.testing.assert_close(layer.prior_mean_weight.expand_as(layer.weight), centre * source.weight.detach())
    again = FlipoutConv2d.from_deterministic(filled(nn.Conv2d(4, 6, 3, groups=2)), "c", options)
    again.load_state_dict(layer.state_dict())  # the prior travels with the weights
    assert torch.equal(again.kl(), layer.kl())


@pytest.mark.parametrize("size", [5, 6, 7, 8, 13])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 3, 1), (2, 2, 1), (3, 2, 3)])
def test_same_padding_gives_size_over_stride_outputs(size: int, kernel: int, stride: int, dilation: int) -> None:
    before, after = same_padding((size,), (kernel,), (stride,), (dilation,))
    assert after - before in (0, 1)
    length = (size + before + after - (kernel - 1) * dilation - 1) // stride + 1
    assert length == math.ceil(size / stride)


def test_an_input_without_a_batch_axis_is_refused_under_noise() -> None:
    layer, source, x = twin_of("conv2d", FlipoutOptions())
    assert torch.equal(layer(x), source(x))
    with noise(NoiseContext.fold(0, [0], KEYS[:4])), pytest.raises(ValueError, match="batch axis"):
        layer(x)


@pytest.mark.parametrize(
    "change", [{"signs": "pixel"}, {"estimator": "x"}, {"prior_sigma": 0.0}, {"moped": 0.1, "mean": "random"}]
)
def test_options_that_mean_nothing_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is one of|above 0|source"):
        FlipoutOptions(**change)


def test_random_starts_come_from_the_generator_alone() -> None:
    source = SOURCES["linear"][0]
    options = FlipoutOptions(mean="random")
    before = torch.get_rng_state()
    made = [FlipoutLinear.from_deterministic(source, "l", options, generator(seed)) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(made[0].rho_weight, made[1].rho_weight)
    assert not torch.equal(made[0].weight, made[2].weight)
    with pytest.raises(ValueError, match="generator"):
        FlipoutLinear.from_deterministic(source, "l", options)
