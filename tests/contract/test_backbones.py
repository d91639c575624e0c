"""Every backbone keeps the promises that methods, caches and threads rely on."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from core import registry
from core.backbones._contract import BackboneSpec
from core.backbones._network import StagedNetwork
from core.contracts import Kind, Media, Receipt
from core.errors import UserFacingError
from core.fingerprint import numpy_generator, sha256_of, torch_generator
from core.layers import NoiseContext, keys_of, noise
from core.layers.bayesnorm import BayesNorm, is_normalisation
from core.layers.flipout import FlipoutLayer
from core.layers.masks import MaskedDropout
from core.layers.surgery import to_bayesnorm, to_flipout

CLASSES = 5
# small variants, so that all of them run in seconds; a backbone not named here is tested as its Config() says
SMALL: dict[str, tuple[dict[str, Any], ...]] = {
    "panns": (
        {"name": "resnet54", "width": 0.125, "seconds": 1.0},
        {"name": "resnet18", "width": 0.25, "seconds": 1.0, "rate": 16_000},
        {"name": "cnn10", "width": 0.125, "seconds": 1.0},
    ),
    "sfx": ({"seconds": 1.0},),
    "convnet": ({"seconds": 1.0},),
    "lecture_convnet": ({"seconds": 2.0},),
    "efficientnet_lite": ({"size": 64}, {"size": 64, "kind": "audio"}),
    "timm_vision": ({"name": "test_resnet"}, {"name": "test_vit"}, {"name": "test_convnext", "kind": "audio"}),
    "toy": ({}, {"kind": "image"}),
}
CASES = [(key, number) for key in registry.keys("core.backbones") for number in range(len(SMALL.get(key, ({},))))]
every_backbone = pytest.mark.parametrize(("key", "number"), CASES, ids=lambda value: str(value))


def spec_of(key: str) -> BackboneSpec:
    return registry.pick("core.backbones", "BACKBONE", key)


def fresh(
    key: str, number: int, seed: object = 0, classes: int = CLASSES, weights: Path | None = None
) -> StagedNetwork:
    spec = spec_of(key)
    config = spec.Config(**SMALL.get(key, ({},))[number])
    return spec.build(classes, torch_generator(key, seed), config=config, weights=weights)


@cache
def network_of(key: str, number: int) -> StagedNetwork:
    return fresh(key, number)


def sound(seconds: float, rate: int, *seed: object) -> Media:
    """Coloured noise whose level and colour move."""
    count = max(1, round(seconds * rate))
    white = numpy_generator("sound", *seed).standard_normal(count)
    wave = 0.1 * np.convolve(white, [0.5, 0.3, 0.2], mode="same") * np.linspace(0.2, 1.0, count)
    return made("audio", wave.astype(np.float32), rate)


def picture(height: int, width: int, *seed: object) -> Media:
    return made("image", numpy_generator("picture", *seed).integers(0, 256, (height, width, 3), dtype=np.uint8), None)


def made(kind: Kind, samples: np.ndarray, rate: int | None) -> Media:
    samples.flags.writeable = False
    return Media(kind, samples, rate, sha256_of(samples.tobytes()), Receipt("wav", "PCM", 1, rate=rate))


def ordinary(network: StagedNetwork, *seed: object) -> Media:
    return sound(1.5, 22_050, *seed) if network.kind == "audio" else picture(70, 90, *seed)


@cache
def inputs_of(key: str, number: int, count: int = 3) -> Tensor:
    network = network_of(key, number)
    return torch.stack([network.prepare(ordinary(network, index)).tensor for index in range(count)])


def near(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= 1e-5 * max(1.0, float(other.abs().max())))


def test_every_backbone_says_what_it_is() -> None:
    for key, spec in registry.discover("core.backbones", "BACKBONE").items():
        assert spec.key == key
        assert spec.kind in ("audio", "image", None)
        assert spec.title
        assert spec.summary.endswith(".")
        assert spec.Config() == spec.Config()
        hash(spec.Config())


@every_backbone
def test_shapes_and_types(key: str, number: int) -> None:
    network, inputs = network_of(key, number), inputs_of(key, number)
    assert network.key == key
    assert spec_of(key).kind in (network.kind, None)
    assert inputs.dtype == torch.float32
    with torch.no_grad():
        features, logits = network.embed(inputs), network(inputs)
        chained = inputs
        for _, stage in network.stages:
            chained = stage(chained)
    assert features.shape == (3, network.dim)
    assert logits.shape == (3, CLASSES)
    assert features.dtype == logits.dtype == torch.float32
    assert features.isfinite().all()
    assert logits.isfinite().all()
    assert torch.equal(chained, features)
    assert torch.equal(network.head(features), logits)
    assert len(dict(network.stages)) == len(network.stages)
    assert near(torch.cat([network(item[None]).detach() for item in inputs]), logits)
    assert not near(features[0], features[1])


@every_backbone
def test_a_built_network_is_frozen_and_whole(key: str, number: int) -> None:
    network = network_of(key, number)
    assert not any(part.training for part in network.modules())
    assert not any(weight.requires_grad for weight in network.parameters())
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
    known = set(network.modules())
    for part in (*(stage for _, stage in network.stages), network.head):
        for name, layer in part.named_modules():
            has_own = next(layer.parameters(recurse=False), None) is not None
            assert layer in known or not (has_own or isinstance(layer, MaskedDropout)), name


@every_backbone
def test_building_draws_from_its_generator_and_from_nothing_else(key: str, number: int) -> None:
    before = torch.get_rng_state()
    same, other = fresh(key, number), fresh(key, number, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    state = network_of(key, number).state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in same.state_dict().items())
    classifier = [module for module in network_of(key, number).head.modules() if isinstance(module, nn.Linear)][-1]
    twin = [module for module in other.head.modules() if isinstance(module, nn.Linear)][-1]
    assert not torch.equal(classifier.weight, twin.weight)


@every_backbone
def test_two_threads_get_their_own_answers(key: str, number: int) -> None:
    network, inputs = network_of(key, number), inputs_of(key, number)
    before = torch.get_rng_state()

    def answer(index: int) -> Tensor:
        with torch.no_grad():
            return network(inputs[index][None])

    alone = [answer(index) for index in (0, 1, 2)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(answer, [0, 1, 2] * 3))
    assert all(near(got, alone[index % 3]) for index, got in enumerate(together))
    assert torch.equal(torch.get_rng_state(), before)


@every_backbone
def test_the_second_half_matters(key: str, number: int) -> None:
    network = network_of(key, number)
    if network.kind == "audio":
        seconds = network.prepare(sound(0.5, 16_000)).tensor.shape[0] / getattr(network.entry, "rate")  # noqa: B009
        whole = sound(seconds, 22_050, "whole").samples.copy()
        other = sound(seconds, 22_050, "other").samples
    else:
        whole, other = picture(64, 64, "whole").samples.copy(), picture(64, 64, "other").samples
    changed = whole.copy()
    start = len(whole) * 2 // 3  # a third is enough, and the filters of the first half do not reach it
    changed[start:] = other[start:]
    rate = 22_050 if network.kind == "audio" else None
    prepared = torch.stack([network.prepare(made(network.kind, samples, rate)).tensor for samples in (whole, changed)])
    with torch.no_grad():
        features = network.embed(prepared)
    assert not near(features[0], features[1])


@every_backbone
def test_odd_media_become_ordinary_inputs_with_a_receipt(key: str, number: int) -> None:
    network = network_of(key, number)
    if network.kind == "audio":
        silence = made("audio", np.zeros(40_000, np.float32), 8_000)
        odd = [(sound(0.1, 8_000), "padded"), (sound(12.0, 48_000), "cropped"), (silence, "resampled")]
    else:
        grey = made("image", np.full((50, 60, 3), 128, np.uint8), None)
        odd = [(picture(1, 1), "resized"), (picture(2, 200), "cropped"), (grey, "resized")]
    shape = inputs_of(key, number).shape[1:]
    for media, code in odd:
        before = media.samples.copy()
        prepared = network.prepare(media)
        assert prepared.tensor.shape == shape
        assert prepared.tensor.dtype == torch.float32
        assert prepared.receipt.has(code), code
        assert (media.samples == before).all()
        prepared.tensor.add_(0)  # its own memory, which may be written to
        with torch.no_grad():
            assert network(prepared.tensor[None]).isfinite().all()


@every_backbone
def test_media_of_the_other_kind_are_refused(key: str, number: int) -> None:
    network = network_of(key, number)
    other = picture(40, 40) if network.kind == "audio" else sound(1.0, 16_000)
    with pytest.raises(UserFacingError, match="choose a model for"):
        network.prepare(other)


@every_backbone
def test_dropout_waits_for_noise(key: str, number: int) -> None:
    network, inputs = network_of(key, number), inputs_of(key, number)
    names = [site.name for site in network.modules() if isinstance(site, MaskedDropout)]
    assert names
    assert len(set(names)) == len(names)
    context = NoiseContext.fold(0, range(1), keys_of(["a" * 64, "b" * 64, "c" * 64]))
    with torch.no_grad():
        quiet = network(inputs)
        with noise(context):
            noisy = network(inputs)
        assert torch.equal(network(inputs), quiet)
    assert not near(noisy, quiet)


@every_backbone
def test_a_copy_is_a_network_of_its_own(key: str, number: int) -> None:
    network, inputs = network_of(key, number), inputs_of(key, number)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        features, logits = network.embed(inputs), network(inputs)
        assert torch.equal(twin.embed(inputs), features)
        for weight in twin.parameters():
            weight.mul_(1.5)
        assert torch.equal(network(inputs), logits)
        assert not near(twin(inputs), logits)


@every_backbone
def test_converted_layers_are_those_that_stages_and_head_use(key: str, number: int) -> None:
    network, inputs = network_of(key, number), inputs_of(key, number)
    with torch.no_grad():
        logits = network(inputs)
        flip = to_flipout(network, where="last 1", generator=torch_generator(0))
        assert any(isinstance(layer, FlipoutLayer) for layer in flip.head.modules())
        assert flip(inputs).shape == logits.shape
    if any(map(is_normalisation, network.modules())):
        normal = to_bayesnorm(network, alpha=0.5)
        parts = [layer for _, stage in normal.stages for layer in stage.modules()]
        assert {id(m) for m in normal.modules() if isinstance(m, BayesNorm)} == {
            id(layer) for layer in parts if isinstance(layer, BayesNorm)
        }
        with torch.no_grad():
            assert near(normal(inputs), logits)
    else:
        with pytest.raises(UserFacingError, match="has none"):
            to_bayesnorm(network)


@every_backbone
def test_saved_weights_come_back_and_another_class_count_keeps_the_body(key: str, number: int, tmp_path: Path) -> None:
    network, inputs, path = network_of(key, number), inputs_of(key, number), tmp_path / "weights.safetensors"
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, path)
    again, wider = fresh(key, number, 7, weights=path), fresh(key, number, 7, classes=9, weights=path)
    with torch.no_grad():
        assert torch.equal(again(inputs), network(inputs))
        assert torch.equal(wider.embed(inputs), network.embed(inputs))
        assert wider(inputs).shape == (3, 9)
        assert wider(inputs).isfinite().all()
    assert not any(weight.requires_grad for weight in again.parameters())
    for tensors, reason in (
        ({"stranger": torch.zeros(2)}, "missing"),
        ({**state, "stranger": torch.zeros(2)}, "known"),
    ):
        save_file(tensors, path)
        with pytest.raises(UserFacingError, match=f"weights are of another network: .*{reason}"):
            fresh(key, number, weights=path)
    path.write_bytes(b"\x80\x04 not tensors")
    with pytest.raises(UserFacingError, match="not a whole safetensors file"):
        fresh(key, number, weights=path)
