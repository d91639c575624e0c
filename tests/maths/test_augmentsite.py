"""A site is nothing until training says otherwise, and then it is in the right place."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core import registry
from core.backbones._network import StagedNetwork
from core.fingerprint import torch_generator
from core.layers.augmentsite import AugmentSite, augmenting, has_site
from core.media import spectrogram
from core.methods import _folding
from core.methods._contract import Batch, FitContext
from core.training.augment import LECTURE, PANNS, Augment, augmented
from tests.fitting import Stepper
from tests.tiny import keys_for

CLASSES = 4
WITH = {
    "panns": {"name": "cnn10", "width": 0.125, "seconds": 1.0},
    "convnet": {"seconds": 1.0, "widths": (4, 8), "hidden": 8},
    "sfx": {"seconds": 1.0},
    "lecture_convnet": {"seconds": 1.0},
}
WITHOUT = {"lecture_lstm": {}, "toy": {}, "efficientnet_lite": {"size": 64, "kind": "audio"}, "resnet32": {}}
every_site = pytest.mark.parametrize("key", WITH)


@cache
def network_of(key: str) -> StagedNetwork:
    spec = registry.pick("core.backbones", "BACKBONE", key)
    return spec.build(CLASSES, torch_generator(key), config=spec.Config(**{**WITH, **WITHOUT}[key]))


def waves(key: str, items: int = 4) -> Tensor:
    samples = getattr(network_of(key).entry, "samples")  # noqa: B009
    return 0.1 * torch.randn(items, samples, generator=torch_generator("waves", key))


def batch_of(key: str, items: int) -> Batch:
    return Batch(waves(key, items), torch.arange(items) % CLASSES, keys_for(items))


def prepared(key: str, items: int, augment: Augment, seed: object = 0) -> tuple[Batch, Any]:
    return augmented(
        batch_of(key, items),
        augment,
        kind="audio",
        task="multiclass",
        classes=CLASSES,
        site=True,
        generator=torch_generator("augment", seed),
    )


class Spy:
    """A transform that changes nothing and keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[Tensor, AugmentSite]] = []

    def __call__(self, x: Tensor, site: AugmentSite) -> Tensor:
        self.seen.append((x, site))
        return x


def negative(x: Tensor, site: AugmentSite) -> Tensor:
    return -x


def test_a_site_is_the_identity_outside_the_block_and_after_an_error() -> None:
    site, x = AugmentSite(0.0), torch.randn(2, 1, 3, 3, generator=torch_generator(0))
    assert site(x) is x
    with augmenting(negative):
        assert torch.equal(site(x), -x)
        with augmenting(None):
            assert site(x) is x
        assert torch.equal(site(x), -x)
    assert site(x) is x
    with pytest.raises(RuntimeError, match="broken"), augmenting(negative):
        raise RuntimeError("broken")
    assert site(x) is x


def test_other_threads_are_not_augmented() -> None:
    site, x = AugmentSite(0.0), torch.ones(1, 1, 2, 2)
    with ThreadPoolExecutor(1) as pool, augmenting(negative):
        assert torch.equal(pool.submit(site, x).result(), x)
        assert torch.equal(site(x), -x)


def test_which_networks_have_a_site() -> None:
    assert [key for key in WITH if not has_site(network_of(key))] == []
    assert [key for key in WITHOUT if has_site(network_of(key))] == []


@every_site
def test_a_site_adds_no_weights_no_stages_and_no_rounding(key: str) -> None:
    network = network_of(key)
    assert not [name for name in network.state_dict() if "site" in name or name.startswith("logmel.")]
    assert network.stages[0][0] == "logmel"
    bare = copy.deepcopy(network)
    removed = [remove_sites(stage) for _, stage in bare.stages]
    assert sum(removed) == 1
    assert bare.state_dict().keys() == network.state_dict().keys()
    with torch.no_grad():
        assert torch.equal(network(waves(key)), bare(waves(key)))


def remove_sites(module: nn.Module) -> int:
    found = [(part, name) for part in module.modules() for name, child in part.named_children()
             if isinstance(child, AugmentSite)]  # fmt: skip
    for part, name in found:
        setattr(part, name, nn.Identity())
    return len(found)


@every_site
def test_a_site_stays_among_what_runs_once_for_all_draws(key: str) -> None:
    chain = _folding.chain_of("network", network_of(key))
    assert any(isinstance(part, AugmentSite) for link in chain.fixed for part in link.modules())
    assert chain.random, "this network has dropout behind the site"


@every_site
def test_a_site_is_called_once_and_knows_its_axes(key: str) -> None:
    network, spy = network_of(key), Spy()
    with torch.no_grad(), augmenting(spy):
        network(waves(key))
    [(x, site)] = spy.seen
    lengths = {"panns": (101, 64), "convnet": (101, 64), "sfx": (44, 96), "lecture_convnet": (32, 128)}
    assert x.shape[:2] == (4, 1)
    assert (x.shape[site.time], x.shape[site.bands]) == lengths[key]


def test_a_panns_site_sees_what_bn0_returns() -> None:
    network, spy = copy.deepcopy(network_of("panns")), Spy()
    norm = network.get_submodule("bn0")
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        norm.running_mean.fill_(-40.0)  # type: ignore[union-attr]
        norm.running_var.fill_(25.0)  # type: ignore[union-attr]
        with augmenting(spy):
            network(waves("panns"))
    level = spectrogram.log_mel_torch(waves("panns"), spectrogram.PANNS)
    assert torch.allclose(spy.seen[0][0][:, 0], (level + 40.0) / 5.0, atol=1e-4)


@pytest.mark.parametrize("key", ["sfx", "lecture_convnet"])
def test_a_blank_place_is_silence(key: str) -> None:
    """The quiet half of a clip and a masked one look alike."""
    network, spy, clip = network_of(key), Spy(), waves(key, 1)
    clip[:, clip.shape[1] // 2 :] = 0.0
    with torch.no_grad(), augmenting(spy):
        network(clip)
    x, site = spy.seen[0]
    quiet = x.narrow(site.time, x.shape[site.time] - 10, 10)
    assert torch.equal(quiet, torch.full_like(quiet, site.blank))
    assert (x != site.blank).any()


@every_site
def test_a_network_gives_one_answer_a_pair_and_the_same_to_every_member(key: str) -> None:
    network = network_of(key)
    batch, change = prepared(key, 6, PANNS)
    with torch.no_grad(), augmenting(change):
        first, second = network(batch.inputs), network(batch.inputs)
    assert len(batch.inputs) == 6
    assert first.shape == (3, CLASSES) == batch.labels.shape
    assert torch.equal(first, second)


def test_the_lecture_notes_blank_nothing_when_they_move_nothing() -> None:
    """Their slice [:, 0:] blanked the whole clip whenever the move was 0, 3.2 times in a hundred."""
    network = network_of("lecture_convnet")
    before, after = Spy(), Spy()
    batch, change = prepared("lecture_convnet", 200, LECTURE)
    with torch.no_grad():
        with augmenting(before):
            network.stages[0][1](batch.inputs)
        with augmenting(lambda x, site: after(change(x, site), site)):
            network.stages[0][1](batch.inputs)
    old, new = before.seen[0][0], after.seen[0][0]
    frames = old.shape[3]
    still = [n for n in range(200) if torch.equal(new[n], old[n])]
    assert 15 < len(still) < 55  # 32 frames: a move of 0 to 6, so 1 / 6.4 of them stay
    most = int(0.2 * frames)
    for n in set(range(200)) - set(still):
        fits = [k for k in range(-most, most + 1) if k and torch.equal(new[n], moved(old[n], k))]
        assert len(fits) == 1, n


def moved(x: Tensor, k: int) -> Tensor:
    out = torch.full_like(x, -80.0)
    for frame in range(x.shape[2]):
        if 0 <= frame - k < x.shape[2]:
            out[:, :, frame] = x[:, :, frame - k]
    return out


@pytest.mark.parametrize("key", ["deterministic", "abnn", "dropsembles"])
def test_methods_learn_from_pairs(key: str) -> None:
    """Twice as many waveforms as labels enter; ABNN's noise in bn0 comes before the mixture."""
    method = registry.pick("core.methods", "METHOD", key)
    options: dict[str, Any] = {"scope": "network"} if key == "deterministic" else {"members": 2}
    network = network_of("convnet")
    context = FitContext("multiclass", CLASSES, 8, 0)
    state = method.init(method.Config(**options), network, context, torch_generator("init"))
    step = Stepper(state)
    before = [p.detach().clone() for group in step.optimiser.param_groups for p in group["params"]]  # type: ignore[union-attr]
    batch, change = prepared("convnet", 8, PANNS)
    with augmenting(change):
        state = method.update(state, batch, torch_generator("step"), step)
    after = [p for group in step.optimiser.param_groups for p in group["params"]]  # type: ignore[union-attr]
    assert len(batch.labels) == len(batch.keys) == 4
    assert len(step.losses) == 1
    assert torch.isfinite(torch.tensor(step.losses)).all()
    assert not all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
