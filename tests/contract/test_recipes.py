"""Every recipe, with each of its choices, becomes a plan, takes steps on a small copy of its data and answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from core import registry
from core.checkpoints.answering import answers
from core.checkpoints.saved import Model, begun, load_model
from core.configs import with_settings
from core.data import open_dataset, toybox
from core.errors import StoreError, UserFacingError
from core.metrics import scoring
from core.pipeline.evaluate import evaluate
from core.pipeline.keep import keep
from core.pipeline.train import Trained, save
from core.settings import Settings
from core.training.divide import narrowed
from core.training.plan import Plan, plan_of
from core.training.recipes import pick, recipes
from tests.recipe_world import NET, World, assert_answers, world_in
from tests.shipped import commands
from tests.small_sets import few_sounds, shrink

LITE = ("backbone=efficientnet_lite", "start=published", "head=standard", "fit=fixed", "network.size=32")
SMALL = ("backbone=resnet32", "head=own", "network.blocks=1", "network.width=4")
HEADS = ("mc_dropout", "flipout", "det_flip", "laplace", "ensemble", "dropsembles", "loss_prediction", "knn", "abnn")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("recipes")) as made:
        yield made


def test_a_head_on_a_network_that_should_be_fine_tuned_is_refused_with_what_to_do(world: World) -> None:
    with pytest.raises(UserFacingError, match=r"Set settled to yes.*or set fit to fixed") as caught:
        world.train("soundbox", "no", "method=laplace", *NET)
    assert caught.value.code == "setting"


@pytest.mark.parametrize("method", HEADS)
def test_every_kind_of_head_is_fitted_on_the_first_models_features(world: World, method: str) -> None:
    trained = world.train("soundbox-heads", f"sb-{method}".replace("_", "-"), f"method={method}", *NET)
    assert trained.model.card.scope == ("network" if method == "abnn" else "head")
    save(trained, world.settings)
    assert_answers(trained, world.settings)


@pytest.mark.parametrize("ewc", [False, True])
def test_dropsembles_take_steps_with_and_without_an_anchor(world: World, ewc: bool) -> None:
    choices = ("config.ewc=100", "anchor=soundbox") if ewc else ()
    trained = world.train("dropsembles", f"drop-{ewc}".lower(), *choices, *NET)
    members = trained.model.state.members
    assert len(members) == 4
    assert not torch.equal(members[0].fc1.weight, members[1].fc1.weight)
    save(trained, world.settings)
    assert_answers(trained, world.settings)


def test_an_anchor_of_other_classes_is_refused(world: World) -> None:
    with pytest.raises(UserFacingError, match="which has other classes than the new data") as caught:
        world.train("dropsembles", "no", "config.ewc=1", "anchor=soundbox", "division.by=fold", *NET, data="esc10")
    assert caught.value.code == "anchor"
    with pytest.raises(UserFacingError, match="Give these data, or set ewc to 0"):
        world.train("dropsembles", "no", "config.ewc=1", *NET)


def test_abnn_begins_with_a_trained_network_and_trains_its_normalisations_alone(world: World) -> None:
    trained = world.train("abnn", "abnn", *NET)
    before = load_model("soundbox-deterministic", world.settings).state.model.state_dict()
    for member in trained.model.state.members:
        assert torch.equal(member.state_dict()["block1.conv1.weight"], before["block1.conv1.weight"])
        assert torch.equal(member.state_dict()["head.fc1.weight"], before["head.fc1.weight"])
    first, second, third = (member.block1.bn1.norm.weight for member in trained.model.state.members)
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    save(trained, world.settings)
    assert_answers(trained, world.settings)


@pytest.fixture(scope="module")
def toys(world: World) -> Iterator[World]:
    """With a part of Toybox and a small network that is trained on it."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, toybox, few_sounds)
        plain = ("start=drawn", "fit=fine-tuned", "head=own")
        save(world.train("toybox", "toybox-deterministic", *plain, *SMALL), world.settings)
        yield world


def test_toys_are_learned_on_imagenets_features(toys: World) -> None:
    trained = toys.train("toybox", "lite", "views=2", "augment.cutout=0", *LITE)
    assert (trained.model.card.start.weights, trained.model.card.start.head) == ("published", "standard")
    keep(trained, toys.settings)
    assert_answers(trained, toys.settings)


@pytest.mark.parametrize("loss", ["ranking", "squared"])
@pytest.mark.parametrize("stop", ["yes", "no"])
@pytest.mark.parametrize("fit", ["fixed", "fine-tuned"])
def test_loss_prediction_takes_steps_in_each_of_its_ways(toys: World, loss: str, stop: str, fit: str) -> None:
    choices = (f"fit={fit}", f"config.loss={loss}", f"config.stop_gradient={stop}", "views=2", "target_folds=2", *SMALL)
    if fit == "fine-tuned":
        choices = (*choices, "target_folds=0")
    trained = toys.train("loss-prediction", f"loss-{loss}-{stop}-{fit}", *choices)
    state = trained.model.state
    assert (state.config.loss, state.config.stop_gradient) == (loss, stop == "yes")
    assert (state.config.scope, state.config.train_classifier) == (
        ("head", False) if fit == "fixed" else ("network", True)
    )
    assert (state.targets is None) == (fit == "fine-tuned")
    save(trained, toys.settings)
    model = assert_answers(trained, toys.settings)
    assert answers(model, trained.ready.prepared.examples).score_name == "predicted loss"


def test_doubt_is_judged_on_classes_and_sets_that_the_network_never_saw(toys: World) -> None:
    """And the classifier below the doubt is trained: it knows its training items better than what it began with."""
    few = ("division.held=2", "start=drawn", "fit=fine-tuned", "schedule.rate=0.01", *SMALL)
    save(toys.train("zero-shot", "six", *few), toys.settings)
    begins = ("division.held=2", "start=six", *SMALL)
    settled = ("settling.epochs=200", "settling.batch=32", "settling.rate=0.02", "schedule.epochs=2", "target_folds=2")
    doubting = toys.train("zero-shot", "six-doubts", "method=loss_prediction", *begins, *settled)
    keep(doubting, toys.settings)
    model = load_model("six-doubts", toys.settings)
    assert model.card.classes == ("bird", "cat", "deer", "dog", "frog", "horse")
    known = doubting.ready.examples["train"]
    first = Model(model.card, model.network, doubting.ready.method, begun_state(doubting))
    said, before = (answers(one, known, embedded=True).probs for one in (model, first))
    assert (
        scoring.log_losses(said, known.labels.numpy()).mean() < scoring.log_losses(before, known.labels.numpy()).mean()
    )
    whole = open_dataset("cifar10", toys.settings, toys.copies["cifar10"])
    others = narrowed(whole, ("airplane", "automobile", "ship", "truck"))
    found = evaluate(model, others, toys.settings)
    assert found.figures["r_auroc"].value is not None
    assert (found.measure, found.n) == ("score", sum(item.split == "test" for item in others.items))
    elsewhere = evaluate(model, toybox.DATASET.open(None, toys.settings), toys.settings)
    assert elsewhere.figures["r_at_1"].value is not None


def begun_state(trained: Trained) -> Any:
    return begun(trained.ready.method, trained.model.card, trained.ready.network)


@pytest.mark.parametrize(
    ("recipe", "choices"),
    [
        ("esc10-probe", ()),
        ("esc10", ("views=2",)),
        ("esc10", ("views=2", "method=det_flip")),
        ("esc10", ("method=abnn", "config.members=1", "config.draws=1")),
        ("vi-pann-scratch", NET),
        ("vi-pann-scratch", ("method=flipout", *NET)),
        ("cifar10", ("division.held=2", "network.size=32", "schedule.batch=50")),
    ],
)
def test_the_apps_own_recipes_take_steps(world: World, recipe: str, choices: tuple[str, ...]) -> None:
    if recipe.startswith("esc10"):
        choices = (*choices, "network.seconds=0.2", "schedule.batch=20")
    trained = world.train(recipe, "own", *choices)
    save(trained, world.settings)
    assert_answers(trained, world.settings)


@pytest.mark.parametrize("key", list(recipes()))
def test_every_case_of_a_recipe_is_a_plan_whose_settings_exist(key: str) -> None:
    recipe = recipes()[key]
    for condition in ("", *(condition for condition, _ in recipe.cases)):
        plan = plan_of(recipe, tuple(condition.split("&")) if condition else ())
        assert_settings_exist(plan)
    for candidate in recipe.candidates:
        assert_settings_exist(plan_of(recipe, candidate))


def test_every_shipped_model_has_a_command_whose_settings_exist() -> None:
    for _, words in commands():
        parts = words.split()
        given = tuple(parts[place + 1] for place, word in enumerate(parts) if word == "--set")
        assert_settings_exist(plan_of(pick(parts[1]), given))


def assert_settings_exist(plan: Plan) -> None:
    method = registry.pick("core.methods", "METHOD", plan.method)
    with_settings(method.Config(), plan.config)
    with_settings(registry.pick("core.backbones", "BACKBONE", plan.backbone).Config(), plan.network)
    registry.pick("core.data", "DATASET", plan.data)


def test_what_a_recipe_says_of_another_method_or_backbone_is_forgotten() -> None:
    assert plan_of(pick("abnn")).config == pick("abnn").plan.config != ()
    assert plan_of(pick("abnn"), ("method=ensemble", "config.members=2")).config == ("members=2",)
    other = plan_of(pick("vi-pann-pretrain"), ("backbone=panns", "network.seconds=1"))
    assert other.network == ("seconds=1",)
    pretrain = pick("vi-pann-pretrain")
    assert plan_of(pretrain, ("backbone=convnet",)).network == pretrain.plan.network


def test_the_users_choices_win_over_those_of_a_case() -> None:
    recipe = pick("vi-pann-transfer")
    assert plan_of(recipe, ("method=flipout",)).start == "scenes-flipout"
    mine = plan_of(recipe, ("method=flipout", "start=scenes-deterministic"))
    assert mine.start == "scenes-deterministic"
    assert mine.schedule.epochs == 200, "fixed features that can be kept, for which this case is"
    assert plan_of(recipe, ("method=flipout", "schedule.epochs=3")).schedule.epochs == 3


def test_what_a_beginning_was_is_known_by_its_weights(world: World) -> None:
    """A model that another one began with is trained again: the other one is refused rather than changed."""
    settings = Settings(home=world.settings.home.parent / "apart", checkpoints=world.settings.home / "models")
    apart = World(settings, world.copies)
    first = apart.train("soundbox", "first", *NET)
    save(first, settings)
    second = apart.train("soundbox-heads", "second", "start=first", *NET)
    save(second, settings)
    assert_answers(second, settings)
    save(apart.train("soundbox", "first", "seed=1", *NET), settings)
    with pytest.raises(StoreError, match="'first' was trained again since") as caught:
        load_model("second", settings)
    assert caught.value.code == "changed"
    (settings.models / "first").rename(settings.models / "elsewhere")
    save(first, Settings(home=settings.home, checkpoints=settings.checkpoints), shipped=True)
    assert_answers(second, settings)
