"""What is trained plainly first: a network that every method on top of it shares, in every fold by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.contracts import Dataset
from core.pipeline import crossval as module
from core.pipeline import ready as ready_module
from core.pipeline.crossval import crossval
from core.pipeline.ready import ready
from core.settings import Settings
from core.training.plan import Division, Plan
from core.training.schedule import Schedule
from tests.toy_models import few_digits

PLAIN = Plan(
    data="digits",
    backbone="toy",
    network=("kind=image", "hidden=8"),
    division=Division(by="fold", test_fold=1),
    schedule=Schedule(epochs=4, batch=16, rate=0.01),
    settling=Schedule(epochs=4, batch=16, rate=0.01),  # as a recipe of both has it
)
RANDOM = replace(
    PLAIN,
    method="flipout",
    config=("moped=yes", "delta=0.1"),
    settled=True,
    schedule=Schedule(epochs=1, batch=16, rate=1e-4),
)


@pytest.fixture
def here(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(home=tmp_path / "home", checkpoints=tmp_path / "checkpoints", device="cpu", offline=True)
    few = few_digits(settings, 8, classes=3)
    dataset: Dataset = replace(
        few, items=tuple(replace(i, fold=n % 3 + 1, split=None) for n, i in enumerate(few.items))
    )
    for place in (module, ready_module):
        monkeypatch.setattr(place, "open_source", lambda *_: dataset)
    return settings


def test_a_random_network_begins_with_the_plain_one_of_its_own_fold(here: Settings) -> None:
    plain = crossval(PLAIN, (), here, name="plain", calibrated=False)
    before = {path: path.stat().st_mtime_ns for path in here.runs.glob("plain-*/checkpoint/*")}
    assert before
    for fold in plain.folds:
        plan = replace(RANDOM, division=Division(by="fold", test_fold=fold.number))
        given = ready(plan, here).given.state_dict()
        trained = fold.model.state.model.state_dict()
        assert all(torch.equal(tensor, trained[name]) for name, tensor in given.items())
    after = {path: path.stat().st_mtime_ns for path in here.runs.glob("plain-*/checkpoint/*")}
    assert after == before, "a network was trained again that was there"


def test_folds_and_settings_have_plain_networks_of_their_own(here: Settings) -> None:
    ready(RANDOM, here)
    ready(replace(RANDOM, config=("moped=yes", "delta=0.2")), here)
    assert len(list(here.runs.glob("plain-*"))) == 1
    ready(replace(RANDOM, division=Division(by="fold", test_fold=2)), here)
    ready(replace(RANDOM, settling=replace(RANDOM.settling, epochs=3)), here)
    assert len(list(here.runs.glob("plain-*"))) == 3


def test_a_random_network_is_saved_once(here: Settings) -> None:
    found = ready(RANDOM, here)
    assert found.start.weights == "drawn", "its weights are the method's, and are not stored beside them"
    assert sum(path.is_dir() for path in here.runs.iterdir()) == 1
