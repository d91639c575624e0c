"""The models that come with the app: small, whole, listed with the command that makes them, and as good as they say."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from core.checkpoints import heldout
from core.checkpoints.folders import find, is_whole
from core.checkpoints.saved import load_model
from core.errors import UserFacingError
from core.pipeline.evaluate import Wanted, evaluate_stored
from core.settings import Settings, load
from core.training.plan import plan_of
from core.training.recipes import pick
from tests import shipped

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "checkpoints"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/card.json"))
MIB = 1 << 20
every_model = pytest.mark.parametrize("name", NAMES)


def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_the_files_are_small() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) <= 15 * MIB
    assert sum(path.stat().st_size for path in files) <= 40_000_000


def test_every_model_is_one_of_those_that_make_models_makes() -> None:
    assert set(NAMES) <= {name for name, _ in shipped.commands()}


def test_every_command_names_a_recipe_and_known_settings() -> None:
    for name, words in shipped.commands():
        _, recipe, *options = shlex.split(words)
        given = tuple(options[at + 1] for at, word in enumerate(options) if word == "--set")
        assert plan_of(pick(recipe), given).data.split("_")[0] in {"soundbox", "toybox", "esc10", "cifar10"}, name


@every_model
def test_a_model_has_a_full_card(name: str) -> None:
    card = json.loads((FOLDER / name / "card.json").read_text())
    assert card["name"] == name
    assert card["command"].startswith("python -m core ")
    assert f"--name {name}" in card["command"]
    assert card["data"]["fingerprint"]
    assert card["data"]["train"] > 0
    assert card["cost"]["seconds"] is not None
    assert card["cost"]["stored"] > 0 or card["method"] == "energy"  # which reads what is there
    assert card["metrics"]["n"]["value"] > 0


@every_model
def test_the_stored_answers_give_the_figures_of_the_card(name: str, tmp_path: Path) -> None:
    card = json.loads((FOLDER / name / "card.json").read_text())
    found = evaluate_stored(name, settings(tmp_path), wanted=Wanted(resamples=2))
    if len(heldout.load_heldout(name, settings(tmp_path)).labels) < card["metrics"]["n"]["value"]:
        pytest.skip("a part of the answers is stored")
    for key in ("accuracy", "map", "nll", "augrc"):
        value = card["metrics"][key]["value"]
        if value is None:
            assert found.figures[key].value is None
        else:
            room = 3e-2 if key == "nll" else 2e-3  # float16 has nothing between 0 and 6e-8
            assert found.figures[key].value == pytest.approx(value, abs=room)


@every_model
def test_a_model_loads_and_its_network_is_the_one_that_it_began_with(name: str) -> None:
    """In the home where published weights may be; without them the sentence names the one command that fetches them."""
    own, card = load(), json.loads((FOLDER / name / "card.json").read_text())
    if card["start"]["backbone"] == "sfx" and not (own.home / "weights" / "sfx.safetensors").is_file():
        with pytest.raises(UserFacingError, match="weights fetch sfx"):
            load_model(name, own)
        return
    if not is_whole(find(name, own)):
        with pytest.raises(UserFacingError, match="make them with python -m core"):
            load_model(name, own)
        return
    model = load_model(name, own)
    assert model.card.classes
    assert model.method.key == model.card.method
