"""Conversions of whole networks: the source untouched, the copy equal without noise, refusals that help."""

from __future__ import annotations

import copy as copy_module
from typing import Any

import pytest
import timm
import torch
from timm.layers.std_conv import StdConv2d
from torch import Tensor, nn

from core.errors import UserFacingError
from core.layers import NoiseContext, keys_of, layer_id_of, noise
from core.layers._posterior import FlipoutOptions
from core.layers.bayesnorm import BayesNorm
from core.layers.flipout import FlipoutLayer, FlipoutLinear
from core.layers.masks import MaskedDropout, MemberMask
from core.layers.surgery import mask_shapes, to_bayesnorm, to_flipout, to_masked_dropout, to_member, total_kl

KEYS = keys_of(["ab" * 32, "cd" * 32])
MOPED = FlipoutOptions(moped=0.2)


class Small(nn.Module):
    """Three normalised stages and a head, in the shape of a Network."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()) for c in (3, 8, 8)
        )
        self.drop = nn.Dropout2d(0.3)
        self.stages = (("low", self.trunk[0]), ("middle", self.trunk[1]), ("high", self.trunk[2]))
        self.head = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4))

    def forward(self, x: Tensor) -> Tensor:
        for _, stage in self.stages:
            x = self.drop(stage(x))
        return self.head(x.mean((2, 3)))


def small() -> Small:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Small().eval().requires_grad_(False)


def pictures(size: int = 6, items: int = 2) -> Tensor:
    return torch.randn(items, 3, size, size, generator=torch.Generator().manual_seed(1))


def spread(network: nn.Module, x: Tensor, draws: int = 4) -> float:
    with torch.no_grad(), noise(NoiseContext.fold(0, range(draws), KEYS[: len(x)])):
        return float(network(x.repeat(draws, 1, 1, 1)).view(draws, len(x), -1).std(0).min())


def names(network: nn.Module, kind: type[nn.Module]) -> list[str]:
    return [name for name, layer in network.named_modules() if isinstance(layer, kind)]


CONVERSIONS: dict[str, Any] = {
    "flipout": lambda network, **more: to_flipout(network, MOPED, **more),
    "bayesnorm": lambda network, **more: to_bayesnorm(network, alpha=0.2, **more),
    "dropout": lambda network, **more: to_masked_dropout(network, **more),
}


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("name", CONVERSIONS)
def test_the_source_stays_and_the_copy_equals_it_without_noise(name: str, share: bool) -> None:
    network, x = small(), pictures()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    layers, expected, random = list(network.modules()), network(x), torch.get_rng_state()
    copy = CONVERSIONS[name](network, share=share)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(copy(x), expected)
    assert spread(copy, x) > 0
    assert list(network.modules()) == layers
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    shared = {id(p) for p in network.parameters()} & {id(p) for p in copy.parameters()}
    assert bool(shared) == share
    trained = [key for key, parameter in copy.named_parameters() if parameter.requires_grad]
    assert bool(trained) == (name != "dropout")


def test_training_a_sharing_copy_leaves_the_source() -> None:
    network = small()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    copy = to_bayesnorm(network, alpha=0.2, share=True).train()
    steps = torch.optim.SGD([p for p in copy.parameters() if p.requires_grad], lr=0.1)
    with noise(NoiseContext.fold(0, [0], KEYS)):
        copy(pictures()).square().sum().backward()
    steps.step()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not torch.equal(copy(pictures()), network(pictures()))


def test_what_still_trains_is_never_shared() -> None:
    network = small()
    network.head[2].requires_grad_(True)
    network.trunk[2].train()
    copy = to_bayesnorm(network, where="first", share=True)
    assert copy.head[0].weight is network.head[0].weight
    assert copy.head[2].weight is not network.head[2].weight
    assert copy.trunk[1][1].running_mean is network.trunk[1][1].running_mean
    assert copy.trunk[2][1].running_mean is not network.trunk[2][1].running_mean


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("all", [0, 1, 2]),
        ("first", [0]),
        ("first 2", [0, 1]),
        ("last", [2]),
        ("last 2", [1, 2]),
        ("every 2", [0, 2]),
        ("stage low high", [0, 2]),
    ],
)
def test_where_chooses_layers(where: str, chosen: list[int]) -> None:
    copy = to_bayesnorm(small(), where=where)
    assert names(copy, BayesNorm) == [f"trunk.{index}.1" for index in chosen]
    assert len(names(copy, nn.BatchNorm2d)) == 3  # a converted layer holds its copy


def test_the_head_is_a_stage_and_parts_keep_their_names() -> None:
    whole = to_flipout(small(), MOPED, where="stage head")
    assert names(whole, FlipoutLayer) == ["head.0", "head.2"]
    part = to_flipout(small().head, MOPED, prefix="head")
    x, context = torch.randn(4, 8, generator=torch.Generator().manual_seed(3)), NoiseContext.fold(1, [0, 1], KEYS)
    with noise(context):
        assert torch.equal(part(x), whole.head(x))
    alone = to_flipout(nn.Linear(2, 2), MOPED, prefix="head.fc")
    assert isinstance(alone, FlipoutLinear)
    assert alone.layer_id == layer_id_of("head.fc")


@pytest.mark.parametrize("where", ["", "last -1", "every", "stage", "some", "first two", "all 3"])
def test_a_where_that_means_nothing_is_refused(where: str) -> None:
    with pytest.raises(UserFacingError, match="first N"):
        to_flipout(small(), MOPED, where=where)


def test_an_unknown_stage_is_refused_with_the_stages_there_are() -> None:
    with pytest.raises(UserFacingError, match="low, middle, high, head"):
        to_bayesnorm(small(), where="stage top")
    with pytest.raises(UserFacingError, match="hold no layer"):
        to_bayesnorm(small(), where="stage head")


def test_networks_without_the_layers_are_refused_with_an_alternative() -> None:
    plain = nn.Sequential(nn.Flatten(), nn.ReLU())
    with pytest.raises(UserFacingError, match=r"linear or convolutional.*ensemble"):
        to_flipout(plain)
    with pytest.raises(UserFacingError, match=r"normalisation.*MC dropout"):
        to_bayesnorm(plain)
    with pytest.raises(UserFacingError, match=r"dropout sites.*ensemble"):
        to_member(plain, {}, 0, 0)
    with pytest.raises(UserFacingError, match=r"0 \(StdConv2d\)"):
        to_flipout(nn.Sequential(StdConv2d(3, 4, 3)), MOPED)
    with pytest.raises(ValueError, match="not defined"):
        total_kl(plain)


def test_what_attention_holds_inside_stays() -> None:
    """torch's attention reads its parts' weights and never calls them: noise there would silently do nothing."""
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    assert names(to_flipout(block, MOPED), FlipoutLayer) == ["linear1", "linear2"]


def test_total_kl_adds_layers() -> None:
    copy = to_flipout(small(), FlipoutOptions(rho_spread=0.0))
    layers = [layer for layer in copy.modules() if isinstance(layer, FlipoutLayer)]
    assert len(layers) == 5
    for reduction in ("sum", "mean"):
        expected = sum(float(layer.kl(reduction).detach()) for layer in layers)
        assert float(total_kl(copy, reduction).detach()) == pytest.approx(expected, rel=1e-6)


def test_in_training_the_kl_is_that_of_what_trains() -> None:
    copy = to_flipout(small(), FlipoutOptions(rho_spread=0.0))
    first, *others = [layer for layer in copy.modules() if isinstance(layer, FlipoutLayer)]
    first.requires_grad_(False)
    expected = sum(float(layer.kl().detach()) for layer in others)
    assert float(total_kl(copy, training=True).detach()) == pytest.approx(expected, rel=1e-6)
    whole = float(first.kl().detach()) + expected
    assert float(total_kl(copy).detach()) == pytest.approx(whole, rel=1e-6)
    copy.requires_grad_(False)
    assert float(total_kl(copy, training=True)) == pytest.approx(whole, rel=1e-6), "of a frozen one, all"


def test_layers_that_are_random_already_stay_as_they_are() -> None:
    once = to_flipout(small(), FlipoutOptions(rho=-1.0, rho_spread=0.0))
    mixed = copy_module.deepcopy(once)
    twice = to_flipout(mixed, FlipoutOptions(rho=-5.0, rho_spread=0.0))
    assert names(twice, FlipoutLayer) == names(once, FlipoutLayer)
    assert rhos(twice) == [-1.0] * 5
    place = names(once, FlipoutLayer)[-1]
    layer = once.get_submodule(place)
    assert isinstance(layer, nn.Linear)
    mixed.set_submodule(place, nn.Linear(layer.in_features, layer.out_features))
    again = to_flipout(mixed, FlipoutOptions(rho=-5.0, rho_spread=0.0))
    assert rhos(again) == [-1.0] * 4 + [-5.0]


def rhos(module: nn.Module) -> list[float]:
    found = [layer.rho_weight.detach().mean() for layer in module.modules() if isinstance(layer, FlipoutLayer)]
    return [float(mean) for mean in found]


def test_a_shared_layer_is_converted_once() -> None:
    layer = nn.Linear(4, 4)
    copy = to_flipout(nn.Sequential(layer, nn.ReLU(), layer), MOPED)
    assert copy[0] is copy[2]
    assert float(total_kl(copy).detach()) == pytest.approx(float(copy[0].kl().detach()))


def test_members_take_their_shapes_from_one_pass() -> None:
    dropping, x = to_masked_dropout(small()), pictures()
    shapes = mask_shapes(dropping, lambda: dropping(x))
    assert shapes == {"drop": (8, 1, 1)}
    members = [to_member(dropping, shapes, member, seed=5, share=True) for member in range(3)]
    assert names(members[0], MaskedDropout) == []
    assert isinstance(members[0].drop, MemberMask)
    answers = [member(x) for member in members]
    assert all(torch.equal(member(x), answer) for member, answer in zip(members, answers, strict=True))
    assert len(torch.unique(torch.stack(answers), dim=0)) == 3
    assert isinstance(dropping.drop, MaskedDropout)
    assert not dropping.drop._forward_pre_hooks


@pytest.mark.parametrize(
    ("key", "size"),
    [("tf_efficientnet_lite0", 32), ("resnet10t", 32), ("convnext_atto", 64), ("test_vit", 160), ("densenet121", 64)],
)
def test_networks_of_timm_convert(key: str, size: int) -> None:
    """Depthwise and "same" convolutions, normalisations with activations inside, layers of tokens."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(key, pretrained=False, num_classes=3).eval().requires_grad_(False)
    x = pictures(size, 1)
    with torch.no_grad():
        for copy in (to_flipout(network, MOPED, share=True), to_bayesnorm(network, alpha=0.2, share=True)):
            assert torch.equal(copy(x), network(x))
            assert spread(copy, x, draws=3) > 0
