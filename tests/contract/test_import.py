"""python -m core import: a stranger's file becomes a model that answers; refusals write nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from core.backbones import panns
from core.checkpoints.saved import load_model
from core.cli import main
from core.fingerprint import sha256_of_file, torch_generator
from core.settings import Settings
from tests.hostile.weights_files import saved

NAMES = ("dog", "cat", "rain")


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    monkeypatch.setenv("PENUMBRA_CHECKPOINTS", str(settings.checkpoints))
    monkeypatch.setenv("PENUMBRA_OFFLINE", "1")
    return settings


def narrow(seed: int) -> dict[str, torch.Tensor]:
    config = panns.Config(name="cnn10", width=0.0625)
    return panns.build(3, torch_generator(seed), config=config).state_dict()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return saved({"iteration": 1, "model": narrow(0)}, tmp_path / "Cnn10.pth")


@pytest.fixture
def names(tmp_path: Path) -> Path:
    (path := tmp_path / "names.txt").write_text("\n".join(NAMES))
    return path


def told(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    assert main((*map(str, words), "--json")) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([str(word) for word in words]) == 2
    message = capsys.readouterr().err.strip()
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_a_file_becomes_a_model_with_its_notes_on_the_card(
    home: Settings, file: Path, names: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sha256_of_file(file)
    answer = told(capsys, "import", file, "--format", "panns", "--name", "mine", "--classes", names)
    assert (answer["kind"], answer["method"], answer["classes"]) == ("model", "deterministic", 3)
    assert answer["config"]["name"] == "cnn10"
    assert answer["report"]["matched"] == len(narrow(0))
    assert not answer["report"]["missing"] + answer["report"]["unexpected"] + answer["report"]["shapes"]
    assert sha256_of_file(file) == before == answer["sha256"]
    model = load_model("mine", home)
    assert model.card.classes == NAMES
    assert before in model.card.notes[0]
    assert any("32 kHz" in note for note in model.card.notes)
    expected = panns.build(3, torch_generator(0), config=panns.Config(name="cnn10", width=0.0625))
    wave = torch.rand(1, 32_000, generator=torch_generator("wave"))
    with torch.no_grad():
        assert torch.equal(model.network(wave), expected(wave))


def test_looking_writes_nothing(home: Settings, file: Path, names: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = told(capsys, "import", file, "--format", "panns", "--name", "mine", "--classes", names, "--check")
    assert answer["written"] is False
    assert not home.home.exists()


def test_two_files_under_one_name_never_mix(
    home: Settings, file: Path, names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    other = saved({"model": narrow(1)}, tmp_path / "other" / file.name)
    words = ("--format", "panns", "--name", "mine", "--classes", names)
    first = told(capsys, "import", file, *words)["sha256"]
    assert "taken" in refused(capsys, "import", other, *words)
    assert load_model("mine", home).card.start.sha256 == first
    second = told(capsys, "import", other, *words, "--replace")["sha256"]
    assert second != first
    assert load_model("mine", home).card.start.sha256 == second


def test_refusals_are_one_sentence_and_leave_nothing(
    home: Settings, file: Path, names: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--format" in refused(capsys, "import", file, "--name", "mine")
    assert "small letters" in refused(capsys, "import", file, "--format", "panns", "--name", "../x")
    assert "3 names" in refused(capsys, "import", file, "--format", "panns", "--name", "mine")
    assert "--arch" in refused(capsys, "import", file, "--format", "timm", "--name", "mine")
    assert "aisfx" in refused(capsys, "import", file, "--format", "aisfx", "--name", "mine")
    assert "URL" in refused(capsys, "import", file, "--format", "url", "--name", "mine", "--arch", "test_resnet")
    assert "no readable file" in refused(capsys, "import", tmp_path / "x.pth", "--format", "url", "--name", "mine")
    assert "weights fetch sfx" in refused(capsys, "import", "sfx", "--name", "mine")
    spoiled = saved({"model": {**narrow(0), "fc1.bias": torch.full((32,), float("nan"))}}, tmp_path / "nan.pth")
    assert "fc1.bias" in refused(capsys, "import", spoiled, "--format", "panns", "--name", "mine", "--classes", names)
    assert not home.home.exists()


def test_a_network_without_its_head_becomes_weights(
    home: Settings, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = told(capsys, "import", file, "--format", "panns", "--name", "ground", "--backbone-only")
    assert (answer["kind"], answer["method"]) == ("weights", None)
    path = home.home / "weights" / "ground.safetensors"
    network = panns.build(9, torch_generator(3), config=panns.Config(name="cnn10", width=0.0625), weights=path)
    assert torch.equal(network.fc1.weight, narrow(0)["fc1.weight"])
    assert network.fc_audioset.weight.shape[0] == 9
