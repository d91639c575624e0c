"""Bayesian normalisation against its source, its equation and its moments."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from timm.layers.norm import LayerNorm2d
from timm.layers.norm_act import BatchNormAct2d, GroupNormAct, LayerNormAct2d
from torch import Tensor, nn

from core.errors import UserFacingError
from core.layers import NoiseContext, keys_of, noise
from core.layers.bayesnorm import BayesNorm

KEYS = keys_of([f"{i:x}" * 64 for i in range(1, 9)])
SHAPES: tuple[Any, ...] = ("channel", "element", "sample_channel")


def filled(norm: Any) -> Any:
    """The layer in evaluation mode with affine parameters and running statistics that are not the defaults."""
    maker = torch.Generator().manual_seed(2)
    norm = norm.double().eval()
    for tensor in [*norm.parameters(), *norm.buffers()]:
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=maker, dtype=torch.float64) + 0.5
    return norm


def picture(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


NORMS = {
    "batch1d": (nn.BatchNorm1d(6, eps=1e-3, momentum=0.3), (6,), 1),
    "batch2d": (nn.BatchNorm2d(6), (6, 4, 3), 1),
    "batch3d": (nn.BatchNorm3d(6), (6, 2, 3, 2), 1),
    "plain batch": (nn.BatchNorm2d(6, affine=False), (6, 4, 3), 1),
    "layer": (nn.LayerNorm(6), (5, 6), -1),
    "layer of pictures": (nn.LayerNorm((6, 4, 3)), (6, 4, 3), None),
    "layer without shift": (nn.LayerNorm(6, bias=False), (5, 6), -1),
    "instance": (nn.InstanceNorm2d(6, affine=True), (6, 4, 3), 1),
    "tracking instance": (nn.InstanceNorm1d(6, track_running_stats=True), (6, 9), 1),
    "group": (nn.GroupNorm(3, 6), (6, 4, 3), 1),
    "root mean square": (nn.RMSNorm(6), (5, 6), -1),
    "timm layer2d": (LayerNorm2d(6), (6, 4, 3), 1),
    "timm batch + act": (BatchNormAct2d(6, act_layer=nn.SiLU), (6, 4, 3), 1),
    "timm group + act": (GroupNormAct(6, 3), (6, 4, 3), 1),
    "timm layer2d + act": (LayerNormAct2d(6), (6, 4, 3), 1),
}


def bare(source: nn.Module) -> BayesNorm:
    """A twin with alpha 1 and its activation removed, for looking at moments."""
    twin = BayesNorm(source, "n", alpha=1.0)
    twin.act = nn.Identity()
    return twin


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NORMS)
def test_without_noise_or_alpha_it_is_the_source_bit_for_bit(name: str, shape: Any) -> None:
    source, size, _ = NORMS[name]
    source = filled(source)
    x = picture(8, *size)
    expected = source(x.clone())
    assert torch.equal(BayesNorm(source, "n", alpha=0.3, noise=shape)(x), expected)
    silent = BayesNorm(source, "n", alpha=0.0, noise=shape)
    loud = BayesNorm(source, "n", alpha=0.3, noise=shape)
    with noise(NoiseContext.fold(0, [0], KEYS)):
        assert torch.equal(silent(x), expected)
        assert not torch.equal(loud(x), expected)


@pytest.mark.parametrize("name", NORMS)
def test_the_moments_are_those_of_the_equation(name: str) -> None:
    """E = o and Var = alpha^2 (gamma x_hat)^2, alpha = 0.2; gamma x_hat is the source's output without its shift."""
    source, size, axis = NORMS[name]
    source = filled(source)
    twin = bare(source)
    twin.alpha = 0.2
    x = picture(1, *size)
    plain = twin(x).detach()
    shift = getattr(source, "bias", None)
    if shift is not None and axis is not None:
        shift = shift.view(*[len(shift) if i == axis % x.dim() else 1 for i in range(x.dim())])
    scaled = (plain if shift is None else plain - shift.detach())[0]
    with torch.no_grad(), noise(NoiseContext.fold(3, range(3000), KEYS[:1])):
        out = twin(x.expand(3000, *size))
    assert float(((out.mean(0) - plain[0]) / (0.2 * scaled.abs()) * math.sqrt(3000)).abs().max()) < 4.5
    assert float(((out.var(0) / (0.2 * scaled).square() - 1) / math.sqrt(2 / 3000)).abs().max()) < 4.8


@pytest.mark.parametrize("name", NORMS)
def test_channel_noise_is_a_random_gamma_shared_by_items_and_places(name: str) -> None:
    source, size, axis = NORMS[name]
    source = filled(source)
    twin = bare(source)
    x = picture(2, *size).repeat(3, *[1] * len(size))
    with torch.no_grad(), noise(NoiseContext.fold(3, range(3), KEYS[:2])):
        out = twin(x)
    shift = twin.shift
    if shift is not None and axis is not None:
        shift = shift.view(*[len(shift) if i == axis % x.dim() else 1 for i in range(x.dim())])
    factor = (out - (0.0 if shift is None else shift)) / (twin(x) - (0.0 if shift is None else shift))
    factor = factor.detach().unflatten(0, (3, 2))
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor))
    if axis is not None:
        per_channel = factor[:, 0].movedim(axis % x.dim(), 1).reshape(3, 6, -1)
        torch.testing.assert_close(per_channel, per_channel[..., :1].expand_as(per_channel))
        assert len(torch.unique(per_channel[..., 0].round(decimals=9))) == 18  # 3 draws x 6 channels


@pytest.mark.parametrize(("shape", "distinct"), [("channel", 6), ("sample_channel", 12), ("element", 144)])
def test_noise_shapes_draw_as_many_values_as_they_say(shape: Any, distinct: int) -> None:
    """2 items, 6 channels, 12 places, one draw."""
    twin = BayesNorm(filled(nn.BatchNorm2d(6, affine=False)), "n", alpha=0.5, noise=shape)
    x = picture(2, 6, 4, 3)
    with noise(NoiseContext.fold(3, [1], KEYS[:2])):
        factor = twin(x) / twin.norm(x)
    assert len(torch.unique(factor.round(decimals=6))) == distinct


def test_a_gamma_of_zero_has_no_noise() -> None:
    source = filled(nn.BatchNorm2d(6))
    source.weight.data[2] = 0.0
    with noise(NoiseContext.fold(0, [0], KEYS)):
        out = BayesNorm(source, "n", alpha=5.0)(picture(8, 6, 2, 2))
    assert torch.equal(out[:, 2], source.bias[2].expand(8, 2, 2))
    assert len(torch.unique(out[:, 1])) == 32


def test_running_statistics_stay_frozen_in_training() -> None:
    source = filled(nn.BatchNorm2d(6, eps=1e-3, momentum=0.7))
    twin = BayesNorm(source, "n").train()
    before = {name: tensor.clone() for name, tensor in twin.state_dict().items()}
    x = picture(8, 6, 2, 2)
    assert torch.equal(twin(x), source(x))
    assert all(torch.equal(tensor, before[name]) for name, tensor in twin.state_dict().items())
    assert (twin.norm.eps, twin.norm.momentum) == (1e-3, 0.7)
    assert int(twin.norm.num_batches_tracked) == int(source.num_batches_tracked)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_finite_differences(shape: Any) -> None:
    twin = BayesNorm(filled(nn.BatchNorm2d(3)).requires_grad_(False), "n", alpha=0.4, noise=shape)
    x = picture(2, 3, 2, 2).requires_grad_()
    parameters = [twin.scale, twin.shift]
    assert all(parameter is not None and parameter.requires_grad for parameter in parameters)
    with noise(NoiseContext.fold(0, [0], KEYS[:2])):
        assert torch.autograd.gradcheck(lambda *_: twin(x), [x, *parameters])


def test_the_activation_comes_after_the_noise() -> None:
    source = filled(BatchNormAct2d(6, act_layer=nn.ReLU))
    with torch.no_grad(), noise(NoiseContext.fold(0, range(20), KEYS)):
        out = BayesNorm(source, "n", alpha=3.0)(picture(160, 6, 2, 2))
    assert float(out.min()) == 0.0
    assert isinstance(source.act, nn.ReLU)


def test_a_row_does_not_know_its_batch() -> None:
    twin = BayesNorm(filled(nn.GroupNorm(2, 6)), "n", alpha=0.5)
    x = picture(24, 6, 2, 2)
    context = NoiseContext.fold(0, range(3), KEYS)
    with noise(context):
        whole = twin(x)
    with noise(context.chunk(7, 13)):
        torch.testing.assert_close(twin(x[7:13]), whole[7:13], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "words"),
    [(nn.BatchNorm2d(3, track_running_stats=False), "no running statistics"), (nn.ReLU(), "is a ReLU")],
)
def test_layers_that_cannot_are_refused_by_name(layer: nn.Module, words: str) -> None:
    with pytest.raises(UserFacingError, match=rf"stem\.bn.*{words}|stem\.bn {words}"):
        BayesNorm(layer, "stem.bn")


def test_a_noise_shape_that_does_not_exist_is_refused() -> None:
    wrong: Any = "pixel"
    with pytest.raises(ValueError, match="sample_channel"):
        BayesNorm(nn.BatchNorm2d(3), "n", noise=wrong)
