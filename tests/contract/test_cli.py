"""The command line keeps its contract: stdout is for the document, exit codes are 0, 2 and 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import registry
from core.cli import PACKAGE, main
from core.cli.doctor import checks
from core.settings import Settings
from tests.patience import SECONDS

ROOT = Path(__file__).resolve().parent.parent.parent


def core(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_json_is_the_only_thing_on_stdout(tmp_path: Path) -> None:
    done = core("data", "list", "--json", PENUMBRA_HOME=str(tmp_path))
    keys = [row["key"] for row in json.loads(done.stdout)["datasets"]]
    assert done.returncode == 0
    assert keys == list(registry.keys("core.data"))


def test_refused_input_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    for words in (("data", "show", "soundbix"), ("data", "show", "./nowhere/at/all"), ("data", "prepare", "esc50")):
        done = core(*words, PENUMBRA_HOME=str(tmp_path))
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert len(done.stderr.strip().splitlines()) == 1
        assert "Traceback" not in done.stderr
    assert core("data", "list", PENUMBRA_OFFLINE="perhaps").returncode == 2
    assert core("nonsense").returncode == 2


def test_a_folder_becomes_a_collection_and_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second run stores nothing again; the refused file is a row of problems and no failure."""
    import numpy as np
    import soundfile

    def here(*words: str) -> tuple[int, str]:
        code = main(words)
        return code, capsys.readouterr().out

    monkeypatch.setenv("PENUMBRA_HOME", str(tmp_path / "home"))
    for label, frequency in (("high", 2000), ("low", 200)):
        (tmp_path / "set" / label).mkdir(parents=True)
        for take in range(2):
            tone = 0.1 * (take + 1) * np.sin(2 * np.pi * frequency * np.arange(8000) / 16000)
            soundfile.write(tmp_path / "set" / label / f"{take}.wav", tone, 16000)
    (tmp_path / "set" / "low" / "bad.wav").write_bytes((tmp_path / "set" / "low" / "0.wav").read_bytes()[:30])
    first = json.loads(here("index", str(tmp_path / "set"), "--collection", "tones", "--json")[1])
    again = json.loads(here("index", str(tmp_path / "set"), "--collection", "tones", "--json")[1])
    assert (first["given"], first["stored"], first["problems"], first["already"]) == (5, 4, 1, 0)
    assert (again["given"], again["stored"], again["already"]) == (5, 4, 4)
    assert [row["id"] for row in first["refused"]] == ["low/bad.wav"]
    assert json.loads(here("export", "tones", "--to", str(tmp_path / "out.csv"), "--json")[1])["rows"] == 4
    assert (tmp_path / "out.csv").read_text().count("high") >= 2
    assert here("export", "tones", "--to", str(tmp_path / "out.xls")) == (2, "")
    assert here("index", str(tmp_path / "set"), "--collection", "../up") == (2, "")


def test_models_lists_what_runs_and_says_why_another_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENUMBRA_CHECKPOINTS", str(tmp_path))
    cards = {
        "whole": '{"kind": "audio", "method": "abnn", "classes": ["a", "b"]}',
        "bare": '{"kind": "image"}',
        "bad": "[",
    }
    for name, card in cards.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.json").write_text(card)
    (tmp_path / "whole" / "model.safetensors").write_bytes(b"")
    assert main(("models", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["name"]: row["why_not"] for row in told["models"]} == {
        "bad": "its card.json is damaged",
        "bare": "model.safetensors is missing",
        "whole": None,
    }
    assert [row["ready"] for row in told["models"]] == [False, False, True]
    assert told["methods"] == list(registry.keys("core.methods"))
    assert told["backbones"] == list(registry.keys("core.backbones"))
    assert told["datasets"] == list(registry.keys("core.data"))


def test_a_published_set_is_read_from_the_copy_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np
    import soundfile

    (tmp_path / "audio").mkdir()
    (tmp_path / "meta").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for target, category in ((0, "dog"), (1, "rooster")):
        name = f"1-{100 + target}-A-{target}.wav"
        soundfile.write(tmp_path / "audio" / name, np.zeros(800), 16000)
        rows.append(f"{name},1,{target},{category},True,{100 + target},A")
    (tmp_path / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n")
    assert main(("data", "show", "esc50", "--data", str(tmp_path), "--json")) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["items"], shown["labels"]) == (2, {"dog": 1, "rooster": 1})
    assert main(("data", "show", "esc50", "--data", str(tmp_path / "nowhere"))) == 2


def test_every_command_is_registered_under_its_file_name_and_says_what_it_does() -> None:
    for key, command in registry.discover(PACKAGE, "COMMAND").items():
        assert command.key == key
        assert core(key, "--help").returncode == 0
        assert command.summary


def test_doctor_names_every_part_and_what_to_do(settings: Settings) -> None:
    found = {check.name: check for check in checks(settings)}
    assert set(found) == {"python", "packages", "device", "memory", "disk", "decoder", "weights", "port"}
    assert found["decoder"].state == "ok"
    assert found["packages"].state == "ok", found["packages"].found
    assert all(check.advice for check in found.values() if check.state != "ok")


def test_doctor_fails_where_something_is_wrong(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.cli import doctor

    lock = tmp_path / "requirements.txt"
    lock.write_text("numpy==0.0.1 \\\n    --hash=sha256:00\nnot-there==1 ; sys_platform == 'nowhere' \\\n")
    assert "numpy" in doctor._packages(lock).found
    assert "not-there" not in doctor._packages(lock).found
    (settings.checkpoints / "broken").mkdir(parents=True)
    (settings.checkpoints / "broken" / "card.json").write_text("{")
    assert doctor._weights(settings.checkpoints).state == "fail"
    monkeypatch.setattr(doctor, "_DISK_WANTED", 1 << 62)
    assert doctor._disk(settings.home).state == "fail"
