"""Files of PANNs and VI-PANN, in their own layout, give the answers of their authors' code."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bayesian_torch.models.dnn_to_bnn import bnn_linear_layer, dnn_to_bnn
from torch import Tensor

from core.backbones import panns as family
from core.checkpoints.foreign import _model, panns, vi_pann
from core.checkpoints.foreign._asked import Asked, read_classes
from core.checkpoints.foreign._tensors import Opened
from core.checkpoints.saved import load_model
from core.errors import UserFacingError
from core.fingerprint import torch_generator
from core.layers import keys_of
from core.layers.flipout import FlipoutLayer
from core.layers.surgery import total_kl
from core.settings import Settings
from tests.hostile.weights_files import saved
from tests.maths.panns_golden import GOLDEN, chirp, numbers, weigh

CLOSE = 1e-4
KEY = keys_of(["ab" * 32])
PRIOR = {  # VI-PANN's own settings
    "prior_mu": 0.0,
    "prior_sigma": 1.0,
    "posterior_mu_init": 0.0,
    "posterior_rho_init": -3.0,
    "type": "Flipout",
    "moped_enable": False,
    "moped_delta": 0.5,
}
NAMES = tuple(f"sound {number}" for number in range(7))


def weighed(name: str, **options: Any) -> dict[str, Tensor]:
    """The golden weights of a network, under its authors' names."""
    config = family.Config(name=name, **options)  # type: ignore[arg-type]
    state = family.build(527, torch_generator(0), config=config).state_dict()
    weigh(state)
    return state


def authors_file(state: dict[str, Tensor], path: Path, *, legacy: bool) -> Path:
    """What PANNs' training leaves: the state dict under "model", and a sampler with NumPy's arrays."""
    sampler = {"indexes": np.arange(5), "pointer": 3, "queue": [1, 2]}
    return saved({"iteration": 600_000, "model": OrderedDict(state), "sampler": sampler}, path, legacy=legacy)


def small(classes: int = 527, seed: int = 0) -> family.Panns:
    return family.build(classes, torch_generator(seed), config=family.Config(name="resnet54", width=0.125, seconds=1.0))


def bayesian(network: family.Panns, *, head: bool) -> dict[str, Tensor]:
    """The network in bayesian-torch's own layers, changed as VI-PANN's script does it; with drawn means."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        for name in ("bn0", "conv_block1", "resnet", "conv_block_after1"):
            dnn_to_bnn(network.get_submodule(name), PRIOR)
        if head:
            for name in ("fc1", "fc_audioset"):
                layer = bnn_linear_layer(PRIOR, network.get_submodule(name))
                setattr(network, name, layer)
                setattr(network.head, name, layer)
    return dict(network.state_dict())


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_of_panns_answers_as_the_authors_code(tmp_path: Path, settings: Settings, legacy: bool) -> None:
    path = authors_file(weighed("cnn6"), tmp_path / "Cnn6.pth", legacy=legacy)
    found = _model.read(path, "panns", Asked())
    assert (found.foreign.network_config.name, found.foreign.network_config.rate) == ("cnn6", 32_000)
    assert found.foreign.report.fits
    assert found.foreign.task == "multilabel"
    assert any("32 kHz" in note for note in found.foreign.notes)
    _model.save(found, "cnn6-audioset", settings)
    model = load_model("cnn6-audioset", settings)
    with torch.no_grad():
        features = model.network.embed(chirp()[None])
    probs = model.method.predict(model.state, features, KEY, draws=1, seed=0).probs[0, 0]
    golden = GOLDEN["cnn6"]
    first = numbers(golden.clipwise)
    assert float((probs[: len(first)] - first).abs().max()) < CLOSE
    assert float(probs.mean()) == pytest.approx(golden.clipwise_mean_std[0], abs=CLOSE)
    assert model.card.start.sha256 == found.sha256
    assert model.card.task == "multilabel"


@pytest.mark.parametrize("name", panns.ARCHS)
def test_every_network_of_panns_is_told_by_its_names_and_shapes(name: str) -> None:
    config = family.Config(name=name, rate=16_000, width=0.25)  # type: ignore[arg-type]
    state = {key: torch.full(tensor.shape, 0.1) for key, tensor in panns.wanted(config, 527).items()}
    front = family.build(2, torch_generator(0), config=replace(config, width=0.0625)).state_dict()
    state |= {key: tensor for key, tensor in front.items() if key.startswith(panns.FRONT_END)}
    found = panns.read(Opened({"model": state}), Asked())
    assert (found.network_config.name, found.network_config.rate) == (name, 16_000)
    assert found.report.fits
    assert found.report.matched == len(state)
    without = {key: tensor for key, tensor in state.items() if not key.startswith(panns.FRONT_END)}
    assert panns.read(Opened({"model": without}), Asked(f"{name.title()}_16k")).network_config.name == name


def test_the_mean_of_full_flipout_files_is_the_authors_network() -> None:
    """ResNet54 at its full size, with the golden weights as means, and either head."""
    state = weighed("resnet54")
    rest = torch.tensor(-3.0)  # one number seen as many: deviations are not what is compared
    for head, weights in ((True, 208_574_750), (False, 203_298_575)):  # as VI-PANN's own networks have
        theirs: dict[str, Tensor] = {}
        for name, tensor in state.items():
            layer, _, part = name.rpartition(".")
            kind = "kernel" if tensor.dim() == 4 else part
            if (tensor.dim() == 4 and "stft" not in name) or (head and layer in ("fc1", "fc_audioset")):
                theirs |= {f"{layer}.mu_{kind}": tensor, f"{layer}.rho_{kind}": rest.expand(tensor.shape)}
            else:
                theirs[name] = tensor
        assert sum(tensor.numel() for name, tensor in theirs.items() if _trains(name)) == weights
        found = vi_pann.read(Opened({"model": theirs}), Asked())
        assert found.report.fits
        assert (found.method, found.method_config.signs) == ("flipout", "element")
        assert {name: tensor.data_ptr() for name, tensor in found.tensors.items()} == {
            n: t.data_ptr() for n, t in state.items()
        }
    with torch.device("meta"):
        network = family.Panns(found.network_config, 527)
    network.load_state_dict(dict(found.tensors), strict=False, assign=True)
    network.eval()
    with torch.no_grad():
        logits = network(chirp()[None])[0]
    golden = GOLDEN["vi-pann"]
    first = numbers(golden.embedding)  # VI-PANN's "embedding" is the logits
    assert float((logits[: len(first)] - first).abs().max()) < CLOSE
    assert float(logits.sigmoid().mean()) == pytest.approx(golden.clipwise_mean_std[0], abs=CLOSE)


def _trains(name: str) -> bool:
    return not name.startswith(panns.FRONT_END) and not name.endswith(("running_mean", "running_var", "tracked"))


@pytest.mark.parametrize("head", [False, True])
def test_a_file_of_bayesian_torchs_own_layers_is_read_with_either_head(
    tmp_path: Path, settings: Settings, head: bool
) -> None:
    theirs = small()
    state = bayesian(theirs, head=head)
    assert any(name.endswith("rho_kernel") for name in state)
    found = _model.read(authors_file(state, tmp_path / "flipout.pth", legacy=False), "vi-pann", Asked())
    assert found.foreign.network_config.width == 0.125
    assert any("no prior" in note for note in found.foreign.notes)
    found = replace(
        found, foreign=replace(found.foreign, network_config=replace(found.foreign.network_config, seconds=1.0))
    )
    _model.save(found, "flipout", settings)
    model = load_model("flipout", settings)
    ours = model.state.model
    gaussian = [part for part in ours.modules() if isinstance(part, FlipoutLayer)]
    assert len({id(part) for part in gaussian}) == 56 + 2 * head
    for name, tensor in state.items():  # every deviation arrived
        if ".rho_" in name:
            layer, _, part = name.rpartition(".")
            assert torch.equal(
                ours.get_submodule(layer).get_parameter("rho_bias" if part == "rho_bias" else "rho_weight"), tensor
            )
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if ".rho_" in name:
                parameter.fill_(-60.0)  # their layers know no mean: their noise is made too small to see
        wave = chirp()[None, :32_000]
        torch.testing.assert_close(ours(wave), theirs(wave), atol=CLOSE, rtol=0)
    probs = model.method.predict(model.state, wave, KEY, draws=4, seed=0).probs
    assert probs.shape == (4, 1, 527)
    assert float(probs.std(0).max()) > 1e-4, "the draws differ"


def test_a_deviation_of_nothing_is_floored_so_that_the_kl_is_finite(tmp_path: Path, settings: Settings) -> None:
    state = bayesian(small(), head=False)
    state["conv_block1.conv1.rho_kernel"] = torch.full_like(state["conv_block1.conv1.rho_kernel"], -1e9)
    found = vi_pann.read(Opened({"model": state}), Asked())
    told = [note for note in found.notes if "conv_block1.conv1" in note]
    assert told
    assert "72 deviations" in told[0]
    assert float(found.held["model.conv_block1.conv1.rho_weight"].max()) == -30.0
    path = saved({"model": state}, tmp_path / "x.pth")
    found_file = _model.read(path, "vi-pann", Asked())
    model = _model.model_of(found_file, "x", tmp_path)
    assert bool(total_kl(model.state.model).isfinite())


def test_gaussian_layers_in_odd_places_are_refused() -> None:
    state = bayesian(small(), head=False)
    one = "resnet.layer2.0.conv1"
    state[f"{one}.weight"] = state.pop(f"{one}.mu_kernel")
    del state[f"{one}.rho_kernel"]
    with pytest.raises(UserFacingError, match=one):
        vi_pann.read(Opened({"model": state}), Asked())
    with pytest.raises(
        UserFacingError, match=r"layer resnet\.layer2\.0\.conv1 has means and deviations that do not pair"
    ):
        vi_pann.read(Opened({"model": {**state, f"{one}.rho_kernel": torch.zeros(3)}}), Asked())


def test_a_deterministic_file_of_vi_pann_is_read_as_one(tmp_path: Path) -> None:
    path = authors_file(dict(small().state_dict()), tmp_path / "x.pth", legacy=False)
    found = _model.read(path, "vi-pann", Asked()).foreign
    assert (found.method, found.held) == ("deterministic", {})


def test_class_counts_are_checked_and_the_network_is_offered_without_its_head(tmp_path: Path) -> None:
    state = dict(small().state_dict())
    with pytest.raises(UserFacingError, match=r"fc_audioset\.weight is 527x256, not 7x256.*--backbone-only") as caught:
        panns.read(Opened({"model": state}), Asked(classes=NAMES))
    assert caught.value.code == "head"
    bare = panns.read(Opened({"model": state}), Asked(classes=NAMES, backbone_only=True))
    assert bare.method is None
    assert not [name for name in bare.tensors if name.startswith("fc_audioset")]
    seven = dict(small(7).state_dict())
    with pytest.raises(UserFacingError, match="7 classes and AudioSet has 527"):
        panns.read(Opened({"model": seven}), Asked())
    assert panns.read(Opened({"model": seven}), Asked(classes=NAMES)).classes == NAMES


def test_another_network_or_rate_is_refused_with_the_first_differences() -> None:
    state = dict(small().state_dict())
    with pytest.raises(
        UserFacingError,
        match=r"not those of PANNs cnn14: missing: conv_block2.*45 more; not known: resnet.*319 more.*--arch",
    ):
        panns.read(Opened({"model": state}), Asked("cnn14"))
    with pytest.raises(UserFacingError, match="no PANNs network called 'Wavegram'"):
        panns.read(Opened({"model": state}), Asked("Wavegram"))
    state["spectrogram_extractor.stft.conv_real.weight"] = torch.zeros(129, 1, 256)
    with pytest.raises(UserFacingError, match="window of 256 samples"):
        panns.read(Opened({"model": state}), Asked())


def test_audiosets_own_table_gives_the_names(tmp_path: Path) -> None:
    rows = [f'{n},/m/{n},"Speech, part {n}"' for n in range(527)]
    (tmp_path / "labels.csv").write_text("\n".join(["index,mid,display_name", *rows]))
    names = read_classes(tmp_path / "labels.csv")
    assert (len(names), names[3]) == (527, "Speech, part 3")
    (tmp_path / "plain.txt").write_text("dog\ncat\n\nbird, small\n")
    assert read_classes(tmp_path / "plain.txt") == ("dog", "cat", "bird, small")
    for text in ("one\n", "dog\ndog\n", "a\x1b[31m\nb\n", "x" * 300 + "\nb\n"):
        (tmp_path / "bad.txt").write_text(text)
        with pytest.raises(UserFacingError):
            read_classes(tmp_path / "bad.txt")
    assert json.dumps(names)
