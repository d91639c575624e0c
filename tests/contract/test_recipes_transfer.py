"""VI-PANN's transfer, in each of its ways on each of its sets: what stays, what moves and what is kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.checkpoints.answering import answers
from core.checkpoints.saved import load_model
from core.errors import UserFacingError
from core.layers.flipout import FlipoutLayer
from core.methods._held import held_by
from core.pipeline.keep import keep
from core.pipeline.train import save
from core.settings import Settings
from core.store import artifacts
from tests import small_sets
from tests.recipe_world import NET, World, assert_answers, world_in

CHOICES = tuple(itertools.product(("deterministic", "mc_dropout", "flipout", "det_flip"), ("fixed", "fine-tuned")))
HALF = {"esc10": 20, "esc50": 50, "urbansound8k": 10, "dcase2013": 10}  # of the items that train


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("recipes"), "deterministic", "mc_dropout", "flipout") as made:
        yield made


def tensors(state: Any, part: str) -> dict[str, Tensor]:
    return {name: t.clone() for name, t in held_by(state).tensors.items() if name.startswith(part)}


@pytest.mark.parametrize("data", sorted(small_sets.COPIES))
@pytest.mark.parametrize(("method", "fit"), CHOICES)
def test_every_way_of_transfer_takes_steps_on_every_set(world: World, data: str, method: str, fit: str) -> None:
    name = f"{data}-{method}-{fit}".replace("_", "-")
    steps = (f"schedule.batch={HALF[data]}", f"settling.batch={HALF[data]}", "views=2")
    trained = world.train("vi-pann-transfer", name, f"method={method}", f"fit={fit}", *steps, *NET, data=data)
    card = trained.model.card
    assert trained.fitted.steps == 2
    assert (card.method, card.recipe["fit"], card.data.key) == (method, fit, data)
    assert (card.data.test_fold, card.data.train_folds[:1]) == ((None, ()) if data == "dcase2013" else (1, (2,)))
    if data == "esc10":
        keep(trained, world.settings)
        assert load_model(name, world.settings).card.metrics["accuracy"]["value"] is not None
    else:
        save(trained, world.settings)
    assert_answers(trained, world.settings)


def test_a_flipout_network_stays_as_it_was_pretrained_under_its_new_head(world: World) -> None:
    """Gaussians and all: {Flip} x {fixed} of VI-PANN."""
    before = load_model("scenes-flipout", world.settings)
    trained = world.train("vi-pann-transfer", "flip-fixed", "method=flipout", *NET)
    assert (trained.model.card.start.keeps, trained.model.card.scope) == ("posteriors", "network")
    old, new = tensors(before.state, "model."), tensors(trained.model.state, "model.")
    below = [name for name in old if ".head." not in name]
    assert any("rho_weight" in name for name in below)
    assert [name for name in below if not torch.equal(old[name], new[name])] == []
    moved = [name for name in new if ".head." in name and not (name in old and torch.equal(old[name], new[name]))]
    assert {"model.head.fc1.rho_weight", "model.head.classifier.weight", "model.head.classifier.rho_weight"} <= set(
        moved
    )
    assert new["model.head.classifier.weight"].shape[0] == 10
    save(trained, world.settings)
    model = assert_answers(trained, world.settings)
    stored = artifacts.load(world.settings.models / "flip-fixed").tensors()
    assert [name for name in stored if ".head." not in name] == [], "what came from the other model is not stored again"
    with torch.no_grad():
        model.state.model.head.classifier.rho_weight.fill_(-30.0)
        model.state.model.head.fc1.rho_weight.fill_(-30.0)
    doubt = answers(model, trained.ready.examples["test"], draws=5).doubts["epistemic"]
    assert float(doubt.max()) > 1e-6, "the network below the head is random too"


def test_a_fine_tuned_flipout_network_begins_with_its_gaussians(world: World) -> None:
    before = load_model("scenes-flipout", world.settings)
    still = ("schedule.rate=0", "schedule.head_rate=0")
    trained = world.train("vi-pann-transfer", "flip-tuned", "method=flipout", "fit=fine-tuned", *still, *NET)
    old, new = tensors(before.state, "model."), tensors(trained.model.state, "model.")
    spreads = [name for name in old if "rho_weight" in name and "classifier" not in name]
    assert len(spreads) == 5  # two convolutions in each of two blocks, and the dense layer
    assert all(torch.equal(old[name], new[name]) for name in spreads)


def test_other_methods_begin_with_the_means_of_a_flipout_network(world: World) -> None:
    before = load_model("scenes-flipout", world.settings)
    trained = world.train("vi-pann-transfer", "means", "start=scenes-flipout", *NET)
    body = trained.ready.network
    assert not any(isinstance(part, FlipoutLayer) for part in body.modules())
    old, new = before.state.model.state_dict(), body.state_dict()
    assert all(torch.equal(old[name], new[name]) for name in new if not name.startswith("head.classifier"))


@pytest.mark.parametrize("method", ["deterministic", "mc_dropout"])
def test_a_fixed_network_does_not_move_and_a_fine_tuned_one_does(world: World, method: str) -> None:
    choices = ("start=scenes-deterministic", f"method={method}", "config.scope=network", *NET)
    before = load_model("scenes-deterministic", world.settings).state.model.state_dict()
    for fit, moves in (("fixed", False), ("fine-tuned", True)):
        trained = world.train("vi-pann-transfer", f"body-{fit}", f"fit={fit}", *choices)
        now = trained.model.state.model.state_dict()
        changed = {name for name in before if not name.startswith("head.") and not torch.equal(before[name], now[name])}
        assert ("block1.conv1.weight" in changed) is moves
        assert any("running_mean" in name for name in changed) is moves
        assert bool(changed) is moves
        assert not torch.equal(before["head.fc1.weight"], now["head.fc1.weight"])


def test_det_flip_below_which_all_was_fine_tuned_is_one_model_that_needs_no_other(world: World) -> None:
    choices = ("method=det_flip", "fit=fine-tuned", *NET)
    trained = world.train("vi-pann-transfer", "two-fits", *choices)
    start = load_model("scenes-deterministic", world.settings).state.model.state_dict()
    now = trained.ready.network.state_dict()
    assert not torch.equal(start["block1.conv1.weight"], now["block1.conv1.weight"])
    keep(trained, world.settings)
    assert trained.model.card.start.weights == "stored"
    alone = Settings(home=world.settings.home.parent / "alone", checkpoints=world.settings.checkpoints)
    alone.models.mkdir(parents=True)
    (world.settings.models / "two-fits").rename(alone.models / "two-fits")
    model = assert_answers(trained, alone)
    again = model.network.state_dict()
    assert all(torch.equal(now[name], again[name]) for name in now if not name.endswith("num_batches_tracked"))
    clips = trained.ready.prepared.examples
    of_sounds, of_features = answers(model, clips, draws=3), answers(trained.model, clips, draws=3)
    np.testing.assert_allclose(of_sounds.probs, of_features.probs, atol=2e-3)


def test_a_network_that_heard_in_another_way_is_no_beginning(world: World) -> None:
    """Its weights would fit, and mean something else."""
    for change in ("network.mel.hop=320", "network.mel.f_max=8000"):
        with pytest.raises(UserFacingError, match=r"came to it in another way \(network\.mel\)") as caught:
            world.train("vi-pann-transfer", "no", *NET, change)
        assert caught.value.code == "weights"
    with pytest.raises(UserFacingError, match="scenes-deterministic is a convnet, and the backbone was given as panns"):
        world.train("vi-pann-transfer", "no", "backbone=panns")
