"""Spectrograms kept for a training: the same batches and the same weights as without, each sound transformed once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from core.backbones import convnet
from core.backbones._frontends import FrontEnd
from core.backbones._network import StagedNetwork
from core.layers import NoiseContext, noise
from core.layers.flipout import FlipoutConv2d
from core.layers.masks import MaskedDropout
from core.media.spectrogram import MelConfig
from core.methods import flipout
from core.methods._contract import FitContext
from core.training import heard as module
from core.training.augment import PANNS, Augment
from core.training.examples import Examples, InMemory
from core.training.heard import front_of, heard
from core.training.loop import Fit, fit
from core.training.schedule import Schedule
from tests.fits import tensors

ITEMS = 6
GENTLE = Augment(mixup=0.4, mix="partners", time_stripes=1, time_width=4, roll=0.5)


@dataclass
class Counted:
    of: InMemory
    rows: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.of)

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        self.rows += rows.tolist()
        return self.of.take(rows, epoch)


@pytest.fixture(scope="module")
def network() -> StagedNetwork:
    config = convnet.Config(seconds=0.25, mel=MelConfig(rate=8000, hop=320, f_max=3500.0), widths=(4, 6), hidden=5)
    return convnet.build(3, torch.Generator().manual_seed(0), config=config)


@pytest.fixture
def sounds() -> Examples:
    waves = torch.randn(ITEMS, 2000, generator=torch.Generator().manual_seed(1))
    return Examples(Counted(InMemory(waves)), torch.arange(ITEMS) % 3, torch.arange(ITEMS) + 11)


def fitted(network: StagedNetwork, train: Examples, augment: Augment) -> dict[str, Tensor]:
    config: Any = flipout.Config(scope="network")
    context = FitContext("multiclass", 3, ITEMS, 5)
    schedule = Schedule(epochs=3, batch=4, rate=0.01)
    return tensors(fit(Fit(flipout.METHOD, config, network, context, train, schedule, augment)).state)


@pytest.mark.parametrize("augment", [Augment(), GENTLE])
def test_a_network_learns_the_same_from_kept_spectrograms(
    network: StagedNetwork, sounds: Examples, augment: Augment
) -> None:
    plain = fitted(network, sounds, augment)
    kept = heard(sounds, network, augment)
    assert kept is not sounds
    sounds.inputs.rows.clear()  # type: ignore[attr-defined]
    found = fitted(network, kept, augment)
    assert sorted(sounds.inputs.rows) == list(range(ITEMS))  # type: ignore[attr-defined]  once, in three epochs
    assert found.keys() == plain.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=2e-5)


def test_rows_come_as_they_are_asked_for_and_twice_if_need_be(network: StagedNetwork, sounds: Examples) -> None:
    front = front_of(network)
    assert isinstance(front, FrontEnd)
    rows = torch.tensor([4, 0, 4])
    waves = sounds.inputs.take(rows, 0)
    torch.testing.assert_close(heard(sounds, network, Augment()).inputs.take(rows, 0), front(waves))


@pytest.mark.parametrize("augment", [Augment(gain_db=3.0), Augment(snr_least=10.0)])
def test_sounds_that_training_changes_are_heard_anew(
    network: StagedNetwork, sounds: Examples, augment: Augment
) -> None:
    assert heard(sounds, network, augment) is sounds
    assert heard(sounds, network, PANNS) is not sounds


def test_where_a_network_has_no_place_for_it_waves_are_mixed(network: StagedNetwork, sounds: Examples) -> None:
    bare = StagedNetwork("bare", "audio", network.dim, network.entry)
    bare.arrange(tuple(stage for stage in network.stages if stage[0] != "bn0"), network.head)
    for augment in (Augment(mixup=1.0), Augment(roll=0.1)):
        assert heard(sounds, bare, augment) is sounds
    assert heard(sounds, bare, Augment()) is not sounds


def test_too_many_for_the_memory_are_heard_anew(
    network: StagedNetwork, sounds: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST", 1000)
    assert heard(sounds, network, Augment()) is sounds


def test_noise_is_the_same_in_either_memory_order() -> None:
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(2))
    turned = x.contiguous(memory_format=torch.channels_last)
    rows = torch.arange(2)
    with noise(NoiseContext(3, torch.zeros_like(rows), rows)):
        mask = MaskedDropout(0.4, "here")
        assert torch.equal(mask(turned), mask(x))


def test_a_layer_of_one_channel_keeps_the_order_of_its_network() -> None:
    """Else all that follows, gradients too, is copied from one order to the other in every step."""
    source = torch.nn.Conv2d(1, 4, 3, padding=1)
    options = replace(flipout.options_of(flipout.Config()), rho_spread=0.0)
    layer = FlipoutConv2d.from_deterministic(source, "first", options)
    x = torch.randn(2, 1, 6, 5, generator=torch.Generator().manual_seed(4))
    rows = torch.arange(2)
    with noise(NoiseContext(3, torch.zeros_like(rows), rows)):
        plain = layer(x)
        layer.to(memory_format=torch.channels_last)
        inputs = x.clone().requires_grad_()  # as a spectrogram comes, in either order at once
        seen: list[bool] = []
        before = layer.apply_weights

        def spied(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            out = before(x, weight, bias)
            seen.append(out.is_contiguous(memory_format=torch.channels_last))
            return out

        layer.apply_weights = spied  # type: ignore[method-assign]
        with torch.autocast("cpu", torch.bfloat16):
            layer(inputs)
        out = layer(inputs)
    torch.testing.assert_close(out, plain, rtol=0, atol=1e-6)
    assert seen == [True] * 4
