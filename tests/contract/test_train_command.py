"""python -m core train: a name is trained once, what is stopped goes on, and what cannot be is one sentence."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.checkpoints.saved import load_model
from core.cli import main
from core.settings import Settings
from core.store import artifacts
from core.training.stopping import stopped_gently
from tests.fits import assert_same_bits, tensors

PLAIN = {
    "backbone": "resnet32",
    "network.blocks": "1",
    "network.width": "4",
    "start": "drawn",
    "fit": "fine-tuned",
    "head": "own",
    "augment.colour": "0",
    "schedule.epochs": "3",
    "schedule.batch": "8",
}
STEPS = 9  # three epochs of 24 pictures
Told = Callable[..., tuple[int, dict[str, Any]]]


def words(name: str, *more: str, **changed: str) -> tuple[str, ...]:
    settings = {**PLAIN, **{key.replace("_", ".", 1): value for key, value in changed.items()}}
    return ("train", "toybox", "--name", name, *more, *[w for k, v in settings.items() for w in ("--set", f"{k}={v}")])


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Stripes across and along: twelve of each to train on, four to be judged on."""
    root, drawn = tmp_path / "stripes", np.random.default_rng(3)
    for side, count in (("train", 12), ("test", 4)):
        for number, name in enumerate(("across", "along")):
            (root / side / name).mkdir(parents=True)
            for place in range(count):
                wave = np.sin(np.mgrid[:32, :32][number] * 0.8 + drawn.uniform(0, 6.3)) * 60 + 128
                noisy = (wave + drawn.normal(0, 25, (32, 32))).clip(0, 255).astype(np.uint8)
                Image.fromarray(np.stack([noisy] * 3, axis=-1)).save(root / side / name / f"{place}.png")
    return root


@pytest.fixture
def told(here: Settings, capsys: pytest.CaptureFixture[str]) -> Told:
    def run(*given: str) -> tuple[int, dict[str, Any]]:
        code = main((*given, "--json"))
        printed = capsys.readouterr()
        lines = printed.err.strip().splitlines()
        return code, json.loads(printed.out) if code == 0 else {"lines": lines, "error": lines[-1]}

    return run


def forbid_training(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("core.pipeline.train.fit", lambda *given, **more: pytest.fail("it was trained again"))


def test_the_document_is_the_card_whose_command_makes_the_model_again(
    told: Told, here: Settings, pictures: Path
) -> None:
    code, document = told(*words("stripes", "--data", str(pictures), schedule_rate="0.02"))
    assert (code, document["model"], document["trained"]) == (0, "stripes", True)
    card = document["card"]
    assert card == {key: value for key, value in card_file(here, "stripes").items() if key != "files"}
    assert (card["data"]["train"], card["data"]["test"], card["n_train"]) == (24, 8, 24)
    assert card["metrics"]["n"]["value"] == 8
    assert card["cost"]["seconds"] > 0
    first = tensors(load_model("stripes", here).state)
    command = shlex.split(card["command"])
    assert command[:3] == ["python", "-m", "core"]
    assert told(*command[3:], "--again")[1]["trained"]
    assert_same_bits(first, tensors(load_model("stripes", here).state))


def card_file(here: Settings, name: str) -> dict[str, Any]:
    return json.loads((here.models / name / artifacts.CARD).read_text())


def test_a_finished_name_has_nothing_left_to_do(
    told: Told, here: Settings, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = told(*words("stripes", "--data", str(pictures)))
    run = here.runs / "stripes"
    assert sorted(path.name for path in run.iterdir()) == ["about.json", "metrics.jsonl", "plan.json"], "no checkpoint"
    measured = (run / "metrics.jsonl").read_text()
    with pytest.MonkeyPatch.context() as patch:
        forbid_training(patch)
        for more in ((), ("--resume",), ("--again", "--resume")):
            code, second = told(*words("stripes", "--data", str(pictures), *more))
            assert (code, second["trained"]) == (0, False)
            assert second["card"] == first["card"]
    assert (run / "metrics.jsonl").read_text() == measured
    before = (here.models / "stripes" / "model.safetensors").stat().st_mtime_ns
    code, third = told(*words("stripes", "--data", str(pictures), "--again"))
    assert (code, third["trained"]) == (0, True)
    assert (here.models / "stripes" / "model.safetensors").stat().st_mtime_ns > before


def test_a_name_is_not_given_to_another_training(
    told: Told, here: Settings, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(*words("stripes", "--data", str(pictures)))
    with pytest.MonkeyPatch.context() as patch:
        forbid_training(patch)
        code, refused = told(*words("stripes", "--data", str(pictures), schedule_epochs="4"))
        assert (code, "There is a model called stripes already" in refused["error"]) == (2, True)
        one = pictures / "train" / "along" / "3.png"
        kept = one.read_bytes()
        one.write_bytes((pictures / "train" / "along" / "4.png").read_bytes())
        assert told(*words("stripes", "--data", str(pictures)))[0] == 2, "other data"
        one.write_bytes(kept)
        assert told(*words("stripes", "--data", str(pictures)))[0] == 0
    code, anew = told(*words("stripes", "--data", str(pictures), "--again", schedule_epochs="4"))
    assert (code, anew["card"]["recipe"]["schedule"]["epochs"]) == (0, 4)


def test_a_head_is_trained_anew_where_its_network_was(told: Told, here: Settings, pictures: Path) -> None:
    told(*words("base", "--data", str(pictures)))
    head = words("head", "--data", str(pictures), start="base", fit="fixed", views="1")
    assert told(*head)[0] == 0
    assert told(*head)[1]["trained"] is False
    assert told(*words("base", "--data", str(pictures), "--again", seed="1"))[0] == 0
    code, refused = told(*head)
    assert (code, "from another network" in refused["error"]) == (2, True)
    assert told(*head, "--again")[1]["trained"] is True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("again", [(), ("--again", "--resume")])
def test_a_training_that_is_asked_to_stop_saves_and_goes_on_there(
    told: Told,
    here: Settings,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    again: tuple[str, ...],
) -> None:
    given, before = words("stopped", "--data", str(pictures)), signal.getsignal(number)
    steps: list[int] = []

    def watching(done: int, total: int, stage: str) -> None:
        if stage == "train":
            steps.append(done)
            if done == 4 and len(steps) == 4:
                os.kill(os.getpid(), number)

    monkeypatch.setattr("core.cli.train.report", watching)
    code, ended = told(*given)
    assert code == 1
    assert ended["error"].startswith("Stopped. What was finished is kept")
    assert steps == [1, 2, 3, 4]
    assert (here.runs / "stopped" / "checkpoint" / artifacts.CARD).is_file()
    assert not (here.models / "stopped").exists()
    steps.clear()
    code, done = told(*given, *again)
    assert (code, done["trained"], steps) == (0, True, [5, 6, 7, 8, 9])
    assert signal.getsignal(number) is before
    told(*words("whole", "--data", str(pictures)))
    assert_same_bits(*(tensors(load_model(name, here).state) for name in ("stopped", "whole")))


def test_one_that_was_begun_anew_is_not_taken_for_the_model_before(
    told: Told, here: Settings, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = words("twice", "--data", str(pictures))
    told(*given)
    steps: list[int] = []

    def watching(done: int, total: int, stage: str) -> None:
        if stage == "train":
            steps.append(done)
            if len(steps) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("core.cli.train.report", watching)
    assert told(*given, "--again")[0] == 1
    assert told(*given)[1]["trained"] is True
    assert steps == list(range(1, STEPS + 1)), "from where it was stopped"


def test_asked_twice_it_stops_at_once() -> None:
    heard = ask_while_it_works(signal.SIGTERM, signal.SIGTERM)
    assert heard == [False, True], "the second time it did not come so far as to look"


def test_what_nobody_heard_in_time_ends_the_work_all_the_same() -> None:
    assert ask_while_it_works(signal.SIGINT) == [False, True]


def ask_while_it_works(*signals: signal.Signals) -> list[bool]:
    heard = []

    def work() -> None:
        with stopped_gently() as asked:
            heard.append(asked())
            for number in signals:
                os.kill(os.getpid(), number)
                heard.append(asked())

    with pytest.raises(KeyboardInterrupt):
        work()
    return heard


def test_what_no_training_can_be_is_one_sentence_that_says_what_to_do(
    told: Told, here: Settings, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    for side in ("train", "test"):
        for name in ("a", "b"):
            for place in range(3):
                (broken / side / name).mkdir(parents=True, exist_ok=True)
                (broken / side / name / f"{place}.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    data = ("--data", str(pictures))
    cases = {
        "There is no recipe called 'toyboxx'; did you mean": ("train", "toyboxx"),
        "There is no setting 'schedule.epoch' here; did you mean epochs?": words("no", *data, schedule_epoch="3"),
        "The setting epochs was given as 0": words("no", *data, schedule_epochs="0"),
        "'epochs' is no setting; write name=value": (*words("no", *data), "--set", "epochs"),
        "did you mean": words("no", *data, backbone="resnet33"),
        "There is no file or folder": words("no", "--data", "./nowhere/at all"),
        "None of the 12 items of": words("no", "--data", str(broken)),
        "is of the kind image, and convnet takes the kind audio": ("train", "soundbox", *data),
        "There is no device 'cuda:7' here; use auto or one of": (*words("no", *data), "--device", "cuda:7"),
        "cannot name an artifact": words("../no", *data),
        "never learned anything": words("no", *data, fit="fixed"),
        "There is no model called 'nobody'": words("no", *data, start="nobody"),
        "has no class 'sideways'": words("no", *data, division_classes="sideways,along"),
        "has no fold 1; it has no folds": words("no", *data, division_by="fold"),
    }
    for sentence, given in cases.items():
        code, refused = told(*given)
        assert (code, sentence in refused["error"]) == (2, True), (sentence, refused)
        assert not any("Traceback" in line for line in refused["lines"])
    assert not here.models.exists()


@pytest.mark.parametrize("flag", ["--devices", "--nodes", "--threads"])
def test_counts_are_from_one(here: Settings, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(("train", "toybox", flag, "0"))
    assert ended.value.code == 2
    assert "it takes a whole number from 1" in capsys.readouterr().err


def test_the_recipes_are_listed(told: Told) -> None:
    from core.training.recipes import recipes

    rows = told("train")[1]["recipes"]
    assert [row["key"] for row in rows] == [*recipes(), "dropsembles-toy"]
    assert all(row["summary"].endswith(".") and row["source"] for row in rows)


def test_dropsembles_in_the_plane_print_figures_and_keep_nothing(told: Told, here: Settings) -> None:
    small = {"steps": 20, "later_steps": 10, "points": 60, "test": 50, "validation": 20, "side": 4, "strengths": "0,10"}
    given = [word for name, value in small.items() for word in ("--set", f"{name}={value}")]
    code, found = told("train", "dropsembles-toy", *given, "--set", "seeds=2", "--set", "members=2")
    assert (code, found["seeds"], found["members"], found["config"]["points"]) == (0, [0, 1], 2, 60)
    assert {"truth", "before", "single", "mc_dropout", "dropsembles", "ensemble"} <= {
        r["key"] for r in found["results"]
    }
    assert not here.models.exists()
    assert told("train", "dropsembles-toy", "--name", "mine")[0] == 2
    assert told("train", "dropsembles-toy", "--set", "sides=3")[0] == 2
    assert told("train", "dropsembles-toy", "--set", "seeds=none")[0] == 2
