"""Weights and MACs beside published figures and hand counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.backbones import convnet, efficientnet_lite, resnet32, sfx, timm_vision
from core.backbones._size import Size, describe
from core.fingerprint import torch_generator


@pytest.mark.parametrize(
    ("layer", "shape", "params", "macs"),
    [
        (nn.Linear(7, 5), (3, 7), 7 * 5 + 5, 7 * 5),
        (nn.Linear(7, 5), (3, 11, 7), 7 * 5 + 5, 11 * 7 * 5),
        (nn.Conv2d(6, 4, (3, 5), stride=(2, 1), padding=(1, 2)), (3, 6, 9, 8), 6 * 4 * 15 + 4, 5 * 8 * 6 * 4 * 15),
        (nn.Conv2d(6, 6, 3, groups=6, bias=False), (1, 6, 10, 10), 6 * 9, 8 * 8 * 6 * 9),
        (nn.Conv1d(2, 3, 4, dilation=2), (5, 2, 20), 2 * 3 * 4 + 3, 14 * 2 * 3 * 4),
        (nn.Conv3d(2, 3, 2), (1, 2, 4, 4, 4), 2 * 3 * 8 + 3, 27 * 2 * 3 * 8),
        (nn.LSTM(9, 4, batch_first=True), (2, 6, 9), 4 * 4 * (9 + 4) + 2 * 16, 6 * 4 * 4 * (9 + 4)),
        (nn.BatchNorm2d(3), (1, 3, 2, 2), 6, 0),
    ],
    ids=["linear", "linear over time", "strided", "grouped", "dilated", "3-d", "lstm", "norm"],
)
def test_one_layer_counts_as_by_hand(layer: nn.Module, shape: tuple[int, ...], params: int, macs: int) -> None:
    assert describe(layer, torch.zeros(shape)) == Size(params, macs)


def test_counting_leaves_the_network_as_it_was() -> None:
    layer = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    describe(layer, torch.ones(4, 3))
    assert all(torch.equal(tensor, before[name]) for name, tensor in layer.state_dict().items())
    assert not any(part._forward_hooks for part in layer.modules())


def test_a_network_with_unset_weights_is_not_described() -> None:
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.bias, float("nan"))
    with pytest.raises(ValueError, match="bias was never set"):
        describe(layer, torch.zeros(1, 2))


def test_a_batch_is_counted_per_item() -> None:
    network = convnet.build(4, torch_generator(0))
    assert describe(network, torch.zeros(3, 160_000)) == describe(network, torch.zeros(1, 160_000))


@pytest.mark.parametrize(
    ("name", "params", "gmacs"),
    [
        ("resnet18", 11_689_512, 1.814),  # torchvision's table, 1.81
        ("vit_tiny_patch16_224", 5_717_416, 1.075),  # 1.26 with the attention's products, which are not counted
        ("mobilenetv2_100", 3_504_872, 0.301),  # the paper's 300 M
    ],
)
def test_published_picture_networks(name: str, params: int, gmacs: float) -> None:
    network = timm_vision.build(1000, torch_generator(0), config=timm_vision.Config(name=name))
    size = describe(network, torch.zeros(1, 3, 224, 224))
    assert size.params == params
    assert size.macs / 1e9 == pytest.approx(gmacs, abs=6e-4)


def test_our_networks_are_as_large_as_told() -> None:
    generator = torch_generator(0)
    lite = describe(efficientnet_lite.build(1000, generator), torch.zeros(1, 3, 224, 224))
    assert lite.params == 4_652_008
    assert lite.macs / 1e9 == pytest.approx(0.385, abs=1e-3)
    effects = sfx.build(10, generator)
    size = describe(effects, torch.zeros(1, 5 * 44_100))
    assert size.params - (512 * 10 + 10) == 4_686_144
    assert size.macs / 1e9 == pytest.approx(4.22, abs=0.005)
    little = describe(convnet.build(10, generator), torch.zeros(1, 5 * 32_000))
    assert 300_000 < little.params < 1_200_000
    assert little.macs < 1.5e9
    cifar = describe(resnet32.build(10, generator), torch.zeros(1, 3, 32, 32))
    assert cifar.params == 464_154 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)  # He's 0.46 M and two shortcuts
    assert cifar.macs / 1e6 == pytest.approx(69, abs=0.5)  # He's 69 M
