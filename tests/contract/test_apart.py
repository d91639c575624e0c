"""A model whose weights are too large to come with the app: its answers come, and its weights with one command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.checkpoints import saved
from core.checkpoints.folders import is_whole, mark_of
from core.checkpoints.listed import ModelRow, models
from core.checkpoints.saved import load_model
from core.cli import main
from core.errors import UserFacingError
from core.pipeline._atlas_heldout import of_heldout
from core.pipeline.evaluate import Wanted, evaluate_stored
from core.settings import Settings

PLAN = (
    *("method=ensemble", "config.scope=network", "config.members=2", "config.fresh=head", "backbone=resnet32"),
    *("network.blocks=1", "network.width=4", "start=drawn", "fit=fine-tuned", "head=own", "augment.colour=0"),
    *("augment.cutout=0", "schedule.epochs=1", "schedule.batch=8"),
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two greys: eight of each to train on, four to be judged on."""
    root, drawn = tmp_path / "greys", np.random.default_rng(3)
    for side, count in (("train", 8), ("test", 4)):
        for name, grey in (("dark", 80), ("light", 160)):
            (root / side / name).mkdir(parents=True)
            for place in range(count):
                noisy = drawn.normal(grey, 25, (32, 32, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(root / side / name / f"{place}.png")
    return root


def shipped(pictures: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    words = [word for setting in PLAN for word in ("--set", setting)]
    code = main(("train", "toybox", "--name", "large", "--data", str(pictures), *words, "--ship", "--json"))
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return json.loads(printed.out)


def row(settings: Settings) -> ModelRow:
    return next(one for one in models(settings) if one.name == "large")


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    return settings


def test_what_is_small_ships_whole_and_leaves_no_copy(
    here: Settings, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shipped(pictures, capsys)["trained"]
    assert is_whole(here.checkpoints / "large")
    assert not (here.models / "large").exists()
    assert row(here).ready


def test_a_large_one_ships_its_answers_and_says_how_its_weights_are_made(
    here: Settings, pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "MOST_SHIPPED", 1000)
    assert shipped(pictures, capsys)["trained"]
    ours, own = here.checkpoints / "large", here.models / "large"
    assert {path.name for path in ours.iterdir()} == {p.name for p in own.iterdir()} - {"model.safetensors"}

    assert (row(here).own, row(here).ready) == (True, True)  # with its weights it answers here
    assert load_model("large", here).method.key == "ensemble"
    assert not shipped(pictures, capsys)["trained"]

    whole = mark_of(own)
    live = evaluate_stored("large", here, wanted=Wanted(resamples=2)).figures
    shutil.rmtree(own)  # as in a clone
    assert mark_of(ours) != whole
    assert not row(here).ready
    assert "weights are not in the repository; make them with python -m core train toybox" in (row(here).why_not or "")
    assert "--ship" not in (row(here).why_not or "")
    with pytest.raises(UserFacingError, match="cannot be asked: its weights are not in the repository; make them with"):
        load_model("large", here)
    kept = evaluate_stored("large", here, wanted=Wanted(resamples=2)).figures
    assert {key: figure.value for key, figure in kept.items()} == {key: figure.value for key, figure in live.items()}

    assert len(of_heldout("large", here).ids) == 8  # what the pages draw

    assert shipped(pictures, capsys)["trained"]  # asked for again, its weights are made
    assert row(here).ready
