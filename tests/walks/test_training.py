"""The walk from a folder of pictures to a model that answers: every method, small, through the ordinary way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core import registry
from core.checkpoints.answering import answers
from core.checkpoints.saved import load_model, save_model
from core.contracts import Scope
from core.errors import StoreError, UserFacingError
from core.pipeline.keep import keep
from core.pipeline.train import Trained, save, train
from core.settings import Settings
from core.training.augment import Augment
from core.training.plan import Plan
from core.training.schedule import Schedule

METHODS = registry.discover("core.methods", "METHOD")
EVERY: list[tuple[str, Scope]] = [(key, scope) for key, method in METHODS.items() for scope in method.scopes]
SIDES = {"train": 16, "validation": 8, "test": 8}
NETWORK = ("blocks=1", "width=4")
SCHEDULE = Schedule(epochs=6, batch=16, rate=0.01)
FEW = dict.fromkeys(("abnn", "ensemble", "dropsembles"), ("members=2",))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("walk")
    return Settings(home=root / "home", checkpoints=root / "checkpoints", device="cpu", offline=True)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of stripes; one file of the training side was cut short."""
    root = tmp_path_factory.mktemp("stripes") / "stripes"
    drawn = np.random.default_rng(3)
    for side, count in SIDES.items():
        for number, name in enumerate(("level", "slanted", "upright")):
            folder = root / side / name
            folder.mkdir(parents=True)
            for place in range(count):
                rows, columns = np.mgrid[:32, :32]
                along = {0: rows, 1: rows + columns, 2: columns}[number]
                wave = np.sin(along * 0.8 + drawn.uniform(0, 6.3)) * 60 + drawn.normal(0, 25, (32, 32))
                Image.fromarray(np.stack([wave + 128] * 3, axis=-1).clip(0, 255).astype(np.uint8)).save(
                    folder / f"{place:02d}.png"
                )
    cut = root / "train" / "level" / "03.png"
    cut.write_bytes(cut.read_bytes()[:400])
    return root


def plan_for(pictures: Path, key: str, scope: Scope, **changes: Any) -> Plan:
    fixed = scope == "head"
    plan = Plan(
        data=str(pictures),
        backbone="resnet32",
        network=NETWORK,
        start="base",
        method=key,
        config=FEW.get(key, ()),
        fit="fixed" if fixed else "fine-tuned",
        schedule=SCHEDULE,
        numbers="float32",
    )
    return replace(plan, **changes)


@pytest.fixture(scope="module")
def base(here: Settings, pictures: Path) -> Trained:
    """The network that all the others start from, trained from nothing."""
    plan = plan_for(pictures, "deterministic", "network", start="drawn", schedule=replace(SCHEDULE, epochs=15))
    found = train(plan, "base", here)
    keep(found, here)
    return found


def accuracy(trained: Trained, settings: Settings) -> float:
    """Of the model as it is loaded, on the test side, from its pictures on."""
    test = trained.ready.prepared.examples
    rows = [row for row, item in enumerate(trained.ready.prepared.items) if item.split == "test"]
    part = test.part(torch.tensor(rows))
    said = answers(load_model(trained.model.name, settings), part, draws=8)
    return float((said.probs.argmax(axis=1) == part.labels.numpy()).mean())


def test_the_network_learns_from_nothing_and_says_what_it_saw(base: Trained, here: Settings) -> None:
    card = load_model("base", here).card
    assert (card.data.train, card.data.validation, card.data.test) == (47, 24, 24)
    assert [problem.id for problem in base.ready.prepared.problems] == ["train/level/03.png"]
    assert card.method == "deterministic"
    assert card.metrics["n"]["value"] == 24
    assert card.posthoc
    assert card.cost.seconds
    assert accuracy(base, here) > 0.8


@pytest.mark.parametrize(("key", "scope"), EVERY)
def test_every_method_is_trained_saved_loaded_and_answers(
    base: Trained, here: Settings, pictures: Path, key: str, scope: Scope
) -> None:
    name = f"{key}-{scope}".replace("_", "-")
    trained = train(plan_for(pictures, key, scope), name, here)
    assert trained.model.card.scope == scope
    save(trained, here)
    model = load_model(name, here)
    side = trained.ready.examples["test"]
    before, after = (answers(one, side, draws=4, embedded=scope == "head") for one in (trained.model, model))
    np.testing.assert_array_equal(before.probs, after.probs)
    for measure, values in before.doubts.items():
        np.testing.assert_allclose(after.doubts[measure], values, rtol=2e-2, atol=1e-9, err_msg=measure)
    assert accuracy(trained, here) > (0.6 if key in ("flipout", "ensemble", "loss_prediction") else 0.75)


def test_views_of_fixed_features_and_a_standardised_head(base: Trained, here: Settings, pictures: Path) -> None:
    plan = plan_for(pictures, "deterministic", "head", head="standard", views=3, augment=Augment(flip=True, shift=2))
    trained = train(plan, "views", here)
    save(trained, here)
    assert accuracy(trained, here) > 0.75


def test_a_beginning_that_was_trained_again_is_not_confused_with_the_one_before(
    here: Settings, pictures: Path, tmp_path: Path
) -> None:
    """The same name and the same plan: neither its features nor its training are taken for those of the other."""
    other, seen = replace(here, home=tmp_path / "home"), []
    once, head = replace(SCHEDULE, epochs=1), plan_for(pictures, "deterministic", "head")
    for seed in (0, 1):
        begun = plan_for(pictures, "deterministic", "network", start="drawn", schedule=once, seed=seed)
        model = train(begun, f"seed-{seed}", other).model
        save_model(other.models / "base", replace(model, card=replace(model.card, name="base")), {})
        seen.append(train(head, f"head-{seed}", other))
        if seed == 0:
            asked = iter([False, True])
            with pytest.raises(KeyboardInterrupt):
                train(head, "cut-short", other, stop=asked.__next__)
    first, second = (found.ready.examples["train"].inputs.take(torch.arange(10), 0) for found in seen)
    assert not torch.allclose(first, second, atol=1e-2)
    ready = seen[1].ready
    rows = torch.tensor([ready.prepared.examples.ids.index(id_) for id_ in ready.examples["train"].ids[:10]])
    with torch.no_grad():
        own = ready.network.embed(ready.prepared.examples.inputs.take(rows, 0))
    torch.testing.assert_close(second, own, rtol=1e-4, atol=1e-5)
    with pytest.raises(UserFacingError, match="had other settings or other data"):
        train(head, "cut-short", other)


def test_a_name_that_cannot_be_a_folder_is_refused_before_anything_is_read(here: Settings) -> None:
    with pytest.raises(StoreError, match="cannot name an artifact"):
        train(Plan(data="nowhere"), "../elsewhere", here)
    assert not (here.home.parent / "elsewhere").exists()


def test_fixed_features_of_a_network_that_learned_nothing_are_refused(here: Settings, pictures: Path) -> None:
    with pytest.raises(UserFacingError, match="never learned anything"):
        train(plan_for(pictures, "deterministic", "head", start="drawn"), "nothing", here)
