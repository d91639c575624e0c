"""The PANNs family computes what the authors' code computes, under the authors' names."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import librosa
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from core.backbones import panns
from core.backbones._panns_layers import Head
from core.backbones._size import describe
from core.errors import UserFacingError
from core.fingerprint import torch_generator
from core.layers import NoiseContext, keys_of, noise
from core.layers.masks import MaskedDropout
from tests.maths.panns_golden import FRONT_END, GOLDEN, chirp, is_weight, numbers, weigh

CLOSE = 1e-4


def built(name: str, classes: int = 527, **options: object) -> panns.Panns:
    return panns.build(classes, torch_generator(0), config=panns.Config(name=name, **options))  # type: ignore[arg-type]


def small(classes: int = 5, **options: object) -> panns.Panns:
    return built("resnet22", classes, width=0.125, seconds=1.0, **options)


def far(text: str, mean_std: tuple[float, float], got: Tensor) -> float:
    """The largest distance of the first numbers and of mean and deviation."""
    first = numbers(text)
    facts = torch.stack([got.mean(), got.std(correction=0)]) - torch.tensor(mean_std)
    return float(torch.cat([got[: len(first)] - first, facts]).abs().max())


@pytest.fixture(scope="module")
def resnet54() -> panns.Panns:
    return built("resnet54")


@pytest.mark.parametrize("name", ["cnn6", "cnn10", "cnn14", "resnet22", "resnet38", "resnet54"])
def test_names_shapes_and_answers_are_the_authors(name: str, request: pytest.FixtureRequest) -> None:
    network = request.getfixturevalue("resnet54") if name == "resnet54" else built(name)
    golden = GOLDEN[name]
    state = network.state_dict()
    shapes = sorted([key, list(tensor.shape)] for key, tensor in state.items() if is_weight(key))
    assert hashlib.sha256(json.dumps(shapes).encode()).hexdigest() == golden.names
    assert sum(weight.numel() for weight in network.parameters()) == golden.weights
    weigh(state)
    assert isinstance(network.head, Head)
    with torch.no_grad():
        features = network.embed(chirp()[None])
        hidden, logits = network.head.hidden(features)[0], network.head(features)[0]
    assert features.shape == (1, network.dim)
    assert far(golden.embedding, golden.embedding_mean_std, hidden) < CLOSE
    assert far(golden.clipwise, golden.clipwise_mean_std, logits.sigmoid()) < CLOSE
    if name == "resnet54":  # VI-PANN's "embedding" is the logits
        other = GOLDEN["vi-pann"]
        assert far(other.embedding, other.embedding_mean_std, logits) < CLOSE
        assert far(other.clipwise, other.clipwise_mean_std, logits.sigmoid()) < CLOSE


def test_resnet54_has_the_published_size(resnet54: panns.Panns) -> None:
    """104,318,159 weights; 26.13 G MACs for 10 s.

    VI-PANN calls its classifier twice, which gives the 26.127, 12.964 and 10.408 G derived from its code. The 54.563 G
    of the PANNs paper are operations, with normalisation and pooling.
    """
    sizes = {seconds: describe(resnet54, torch.zeros(1, seconds * 32_000)) for seconds in (10, 5, 4)}
    assert {size.params for size in sizes.values()} == {104_318_159}
    assert sizes[10].macs == 26_125_764_608 == by_hand(1001)
    twice = [round((size.macs + 2048 * 527) / 1e9, 3) for size in sizes.values()]
    assert twice == [26.127, 12.964, 10.408]
    assert 54.563e9 / sizes[10].macs == pytest.approx(2.0, rel=0.05)


def by_hand(frames: int) -> int:
    """MACs of ResNet54, layer by layer from the table of the paper."""
    mels, channels = 64, 64
    total = frames * mels * 9 * (64 + 64 * 64)
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        frames, mels = frames // 2, mels // 2  # the first time by the pool of conv_block1
        for block in range(blocks):
            inside = channels * width + 9 * width * width + width * 4 * width
            total += frames * mels * (inside + (channels * 4 * width if block == 0 else 0))
            channels = 4 * width
    frames, mels = frames // 2, mels // 2
    return total + frames * mels * 2 * 9 * 2048 * 2048 + 2048 * 2048 + 2048 * 527


@pytest.mark.parametrize(("rate", "size", "top"), [(32_000, 1024, 14_000), (16_000, 512, 8_000)])
def test_the_front_end_is_in_the_state_dict_and_no_weight(rate: int, size: int, top: int) -> None:
    network = small(rate=rate)
    front = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(FRONT_END)}
    assert {name: tuple(tensor.shape) for name, tensor in front.items()} == {
        "spectrogram_extractor.stft.conv_real.weight": (size // 2 + 1, 1, size),
        "spectrogram_extractor.stft.conv_imag.weight": (size // 2 + 1, 1, size),
        "logmel_extractor.melW": (size // 2 + 1, 64),
    }
    assert not [name for name, _ in network.named_parameters() if name.startswith(FRONT_END)]
    bank = librosa.filters.mel(sr=rate, n_fft=size, n_mels=64, fmin=50, fmax=top)
    torch.testing.assert_close(front["logmel_extractor.melW"], torch.from_numpy(bank.T.copy()))


def test_the_named_kernels_compute_the_spectrogram_that_the_network_sees() -> None:
    network = small()
    state, hiss = network.state_dict(), torch.rand(1, 32_000, generator=torch_generator("hiss"))
    wave = 0.1 * hiss + chirp()[None, :32_000]  # no band so quiet that float32 kernels show their rounding
    padded = F.pad(wave[:, None], (512, 512), mode="reflect").double()
    parts = [
        F.conv1d(padded, state[f"spectrogram_extractor.stft.conv_{part}.weight"].double(), stride=320)
        for part in ("real", "imag")
    ]
    power = parts[0].square() + parts[1].square()
    level = 10 * torch.log10((power.transpose(1, 2) @ state["logmel_extractor.melW"].double()).clamp(min=1e-10))
    torch.testing.assert_close(network.stages[0][1](wave)[:, 0].double(), level, atol=1e-3, rtol=0)


def test_weights_of_another_rate_or_network_are_refused_with_the_reason(tmp_path: Path) -> None:
    network, path = small(), tmp_path / "weights.safetensors"
    state = dict(network.state_dict())
    state["logmel_extractor.melW"] = state["logmel_extractor.melW"] * 1.01
    save_file(state, path)
    with pytest.raises(UserFacingError, match="another spectrogram"):
        panns.build(5, torch_generator(0), config=network.config, weights=path)
    save_file(dict(built("resnet18", 5, width=0.125, seconds=1.0).state_dict()), path)
    with pytest.raises(UserFacingError, match="is missing"):
        panns.build(5, torch_generator(0), config=network.config, weights=path)
    save_file(dict(small(rate=16_000).state_dict()), path)
    with pytest.raises(UserFacingError, match="choose the other rate"):
        panns.build(5, torch_generator(0), config=network.config, weights=path)


def test_dropout_sits_where_vi_pann_keeps_it_at_test_time() -> None:
    """Behind conv_block1, behind the pool of the residual layers, behind the last block, and twice in the head."""
    network = built("resnet54", 4, width=0.125, seconds=1.0)
    met: list[tuple[str, float]] = []
    shapes: dict[str, tuple[int, ...]] = {}
    for site in network.modules():
        if isinstance(site, MaskedDropout):
            site.register_forward_pre_hook(
                lambda site, given: (met.append((site.name, site.p)), shapes.update({site.name: given[0].shape}))[0]
            )
    with torch.no_grad():
        network(chirp()[None, :32_000])
    used = [(name, p) for name, p in met if p > 0]
    expected = [("drop1", 0.2), ("drop2", 0.2), ("drop3", 0.2), ("drop_fc1", 0.5), ("drop_logits", 0.5)]
    assert used == expected
    assert shapes["drop1"] == (1, 8, 50, 32)  # conv_block1 halves 101 frames and 64 mels
    assert shapes["drop2"] == (1, 256, 3, 2)  # 50 frames halved by three layers and the pool
    assert shapes["drop3"] == (1, 256, 3, 2)
    assert shapes["drop_fc1"] == shapes["drop_logits"] == (1, 256)


def test_bottleneck_sites_are_there_when_asked_for() -> None:
    context = NoiseContext.fold(0, range(1), keys_of(["a" * 64]))
    options = {"block_dropout": 0.0, "fc1_dropout": 0.0, "logit_dropout": 0.0}
    wave = chirp()[None, :32_000]
    for rate, differs in ((0.0, False), (0.1, True)):
        network = built("resnet54", 4, width=0.125, seconds=1.0, bottleneck_dropout=rate, **options)
        for block in network.modules():  # residual branches start silent, so give them a voice
            if isinstance(block, panns.Bottleneck):
                torch.nn.init.ones_(block.bn3.weight)
        inside = [m for m in network.modules() if isinstance(m, MaskedDropout) and m.name.startswith("resnet.layer")]
        assert len(inside) == 16
        with torch.no_grad(), noise(context):
            noisy = network(wave)
        with torch.no_grad():
            assert torch.equal(noisy, network(wave)) is not differs


def test_the_small_resnets_count_their_layers_as_their_names_say() -> None:
    for name, layers in (("resnet18", 18), ("resnet34", 34)):
        network = built(name, 10)
        main = [
            part
            for path, part in network.named_modules()
            if isinstance(part, (torch.nn.Conv2d, torch.nn.Linear)) and "downsample" not in path
        ]
        assert len(main) == layers
        assert network.dim == 512
        assert built(name, 10, width=0.5).dim == 256


def test_a_fresh_network_starts_as_glorot_with_silent_branches() -> None:
    network = small()
    layer = network.conv_block_after1.conv2.weight
    bound = (6 / (layer.shape[0] * 9 + layer.shape[1] * 9)) ** 0.5
    assert 0.99 * bound < float(layer.abs().max()) <= bound
    assert float(layer.var()) == pytest.approx(bound**2 / 3, rel=0.02)
    for name, tensor in network.state_dict().items():
        if name.startswith("resnet.") and name.endswith("bn2.weight"):
            assert not tensor.any()
        if name.endswith("bias"):
            assert not tensor.any()
