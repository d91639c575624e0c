"""The Train page: forms from the code's own knobs, recipes that say what they need, refusals before anything starts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.cli import forms as forms_command
from core.cli import main
from core.data import open_source
from core.errors import UserFacingError
from core.jobs import Job, Launch, cancel, list_jobs, submit
from core.pipeline import forms as asked
from core.pipeline import offers as offered
from core.pipeline import selected
from core.pipeline.atlas import Atlas, open_atlas
from core.settings import Settings
from core.training.divide import divided
from core.training.plan import Division, plan_of
from core.training.recipes import pick, recipes
from core.ui import _cached_atlas, _cached_train, _train_data, _train_form, _train_start, cached
from tests import visits
from tests.jobbing import end_all
from tests.small_sets import esc

HANGS = "import time; time.sleep(600)"
ROOT = Path(__file__).resolve().parent.parent.parent
FACTS = {
    "key": "digits", "title": "Digits", "kind": "image", "task": "multiclass", "classes": ["0", "1"], "items": 90,
    "labels": {"0": 40, "1": 40}, "folds": {"1": 45, "2": 45}, "splits": {"train": 60, "test": 30}, "groups": 0,
    "licence": "free", "notes": ["Some were lost."],
}  # fmt: skip


@pytest.fixture(autouse=True)
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The page in a home of its own; what it would ask of other processes is answered at once, by the same code."""
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PENUMBRA_CHECKPOINTS", str(ROOT / "checkpoints"))
    monkeypatch.setattr(asked, "_asked", answered)
    for kept in (cached.settings, _cached_train._forms, _cached_train._timm, _cached_train._facts):
        kept.clear()
    yield settings
    for kept in (cached.settings, _cached_train._forms, _cached_train._timm, _cached_train._facts):
        kept.clear()


def answered(words: Any, settings: Settings) -> dict[str, Any]:
    if words[:1] == ("forms",):
        options = SimpleNamespace(what=words[1] if len(words) > 1 else "all")
        if options.what == "timm":
            return {"timm": ["convnext_tiny", "resnet18", "resnet50"]}
        return json.loads(json.dumps(forms_command._run(options, settings).document))  # type: ignore[arg-type]
    if words[:2] == ("data", "show"):
        return dict(FACTS)
    raise AssertionError(words)


def opened(tab: str | None = None, **kept: Any) -> AppTest:
    session = {key.replace("_", "-"): value for key, value in kept.items()}
    return visits.opened("6_Train", session | ({} if tab is None else {"train-tab": tab}))


def pressed(app: AppTest, key: str) -> None:
    next(button for button in app.button if button.key == key).click().run()
    assert not app.exception, app.exception


def said(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error)
    return "\n".join(str(element.value) for elements in kinds for element in elements).replace("\\", "")


def box(app: AppTest, label: str) -> Any:
    return next(one for one in (*app.selectbox, *app.number_input, *app.toggle) if one.label == label)


@pytest.mark.parametrize("key", ["first", "toybox", "toybox-heads", "zero-shot", "loss-prediction"])
def test_a_recipe_that_is_opened_in_the_form_is_itself_until_something_is_changed(key: str) -> None:
    app = opened("Your own", train_base=key, train_way="A set")
    (command,) = [code.value for code in app.code]
    plan = pick(key).plan
    changes = [word.partition("=")[0] for word in command.split() if "=" in word]
    allowed = {"division.by", "division.held"} | ({"start", "fit"} if plan.start != "drawn" else set())
    assert set(changes) <= allowed, command
    assert command.startswith(f"python -m core train {key} --name {plan.data}-")


def test_every_knob_of_a_method_is_a_widget_with_its_sentence_and_its_bounds() -> None:
    app = opened("Your own", train_base="first")
    for name, label in (("rho", "Rho"), ("prior_sigma", "Prior sigma"), ("kl_factor", "Kl factor")):
        knob = next(one for one in asked.forms(cached.settings()).methods["flipout"].settings if one.name == name)
        widget = box(app, label)
        assert (widget.min, widget.max) == (knob.least, knob.most)
        assert knob.help[1:] in widget.help
    assert box(app, "Rho").value == -4.0, "as the recipe sets it"
    box(app, "Rho").set_value(-5.0).run()
    box(app, "Moped").set_value(True).run()
    box(app, "Epochs").set_value(3).run()
    (command,) = [code.value for code in app.code]
    assert command.endswith("--set config.rho=-5 --set config.moped=yes --set schedule.epochs=3")
    plan = plan_of(pick("first"), tuple(word for word in command.split() if "=" in word))
    assert (plan.schedule.epochs, "rho=-5" in plan.config, "moped=yes" in plan.config) == (3, True, True)


def test_settings_that_cannot_be_are_one_sentence_and_start_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(words: Any, settings: Settings) -> Any:
        raise UserFacingError("Digits has no fold 9; its folds are 1, 2.", code="refused")

    monkeypatch.setattr(_train_form.asked, "check", refused)
    app = opened("Your own", train_base="first")
    pressed(app, "train-own")
    assert [error.value.replace("\\", "") for error in app.error] == ["Digits has no fold 9; its folds are 1, 2."]
    assert list_jobs(cached.settings()) == ()


def test_a_recipe_that_is_pressed_twice_is_one_training_and_a_later_one_has_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Job] = []

    def submitted(words: Any, title: str) -> Job:
        started.append(submit(cached.settings(), words, title=title, launch=Launch((sys.executable, "-c", HANGS), 1.0)))
        return started[-1]

    monkeypatch.setattr(_train_start.jobs, "start", submitted)
    try:
        app = opened()
        pressed(app, "recipe-first")
        assert "first" in app.query_params["run"]
        pressed(app, "recipe-first")
        other = opened()
        pressed(other, "recipe-first")
        assert [job.words for job in started] == [("train", "first", "--name", "first")]
        cancel(started[0], wait=20)
        pressed(other, "recipe-first")
        assert started[-1].words == ("train", "first", "--name", "first-2")
    finally:
        end_all(cached.settings())


def test_timms_names_are_a_box_to_search() -> None:
    app = opened("Your own", train_base="first", train_network_first_image="timm_vision")
    names = next(one for one in app.selectbox if "timm" in one.label)
    assert names.options == ["convnext_tiny", "resnet18", "resnet50"]
    names.set_value("convnext_tiny").run()
    assert "--set network.name=convnext_tiny" in app.code[0].value


def test_folds_and_splits_are_offered_where_the_data_have_them() -> None:
    way = box(opened("Your own", train_base="first"), "Who trains, who judges")
    assert len(way.options) == 4
    bare = _train_data.Data("/x", "x", {**FACTS, "folds": {}, "splits": {}})
    assert [name for name in _train_form._DIVISIONS if _train_form._allowed(name, bare)] == ["drawn"]


# ---- recipes ----


def test_every_recipe_is_an_offer_that_says_what_it_needs(settings: Settings) -> None:
    known = {offer.recipe.key: offer for offer in offered.offers(settings)}
    assert set(known) == set(recipes()) - {"own"}
    assert next(iter(known)) == "first"
    assert known["first"].why_not is None
    assert "PENUMBRA_OFFLINE" in (known["vi-pann-scratch"].why_not or "")
    assert known["soundbox-heads"].why_not == (
        "It begins with the model soundbox-deterministic, which is not here; train that one first."
    )
    shipped = replace(settings, checkpoints=ROOT / "checkpoints")
    ready = {offer.recipe.key: offer for offer in offered.offers(shipped)}
    assert ready["soundbox-heads"].why_not is None
    assert {"deterministic", "flipout", "ensemble"} <= set(ready["soundbox-heads"].methods)
    took = offered.took(shipped)[offered.mark_of(recipes()["soundbox"].plan)]
    assert took.seconds > 60


def test_data_that_are_put_in_place_make_their_recipe_ready(settings: Settings, tmp_path: Path) -> None:
    for name, raw in esc(tuple(range(50)), folds=2).items():
        path = tmp_path / "data" / "esc50" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    known = {offer.recipe.key: offer.why_not for offer in offered.offers(replace(settings, data=tmp_path / "data"))}
    assert known["vi-pann-scratch"] is None
    assert "python -m core weights fetch sfx" in (known["esc10"] or "")


def test_the_check_of_the_command_line_says_what_would_be_trained_or_why_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(("train", "first", "--name", "mine", "--check", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["train"], told["validation"], told["test"]) == (1099, 363, 335)
    assert (told["steps"], told["scope"], told["there"]) == (510, "network", False)
    for words, sentence in (
        (("--set", "augment.roll=0.5"), "The setting roll is for sounds"),
        (("--set", "backbone=convnet"), "Digits is of the kind image, and convnet takes the kind audio"),
        (("--set", "division.by=fold", "--set", "division.test_fold=9"), "Digits has no fold 9"),
        (("--set", "method=laplace"), "Laplace (last layer) fits a head"),
        (("--set", "fit=fixed"), "Fixed features of a network that never learned anything say little"),
        (("--set", "config.rho=7"), "The setting rho was given as 7.0; it must be -30 to 3."),
    ):
        assert main(("train", "first", "--name", "mine", *words, "--check")) == 2
        assert sentence in capsys.readouterr().err


# ---- what the outline on the map holds ----


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    settings = Settings(home=tmp_path_factory.mktemp("home"), checkpoints=ROOT / "checkpoints", offline=True)
    return open_atlas("heldout", "toybox-ensemble", settings)


def some(atlas: Atlas, per_class: int, classes: int) -> list[str]:
    """As many recordings of each of the first classes."""
    names = sorted({name for name in atlas.label_names if name})[:classes]
    found = []
    for name in names:
        rows = [row for row, label in enumerate(atlas.label_names) if label == name]
        first = {int(atlas.groups[row]): row for row in rows}
        found += [atlas.ids[row] for row in list(first.values())[:per_class]]
    return found


def test_a_selection_becomes_a_manifest_that_training_divides(settings: Settings, pictures: Atlas) -> None:
    ids = some(pictures, 4, 2)
    manifest = selected.write(pictures, ids, settings)
    data = open_source(str(manifest), settings)
    label = dict(zip(pictures.ids, pictures.label_names, strict=True))
    told = {dict(item.extra)["id"]: data.classes[item.label or 0] for item in data.items}
    assert told == {id_: label[id_] for id_ in ids}
    assert all(data.read(item) for item in data.items)
    sides = divided(data, Division(by="drawn"))
    assert [len(side) for side in (sides.train, sides.validation, sides.test)] == [4, 2, 2]
    assert selected.write(pictures, ids, settings) == manifest


@pytest.mark.parametrize(
    ("per_class", "classes", "sentence"),
    [(5, 1, "a classifier needs two classes at least"), (2, 3, "each needs 3, one to learn from")],
)
def test_a_selection_that_nothing_can_learn_from_says_so(
    settings: Settings, pictures: Atlas, per_class: int, classes: int, sentence: str
) -> None:
    ids = some(pictures, per_class, classes)
    assert sentence in (selected.holding(pictures, ids).why_not or "")
    with pytest.raises(UserFacingError, match="needs"):
        selected.write(pictures, ids, settings)
    bare = replace(pictures, label_names=(None,) * len(pictures))
    assert "None of the selected items has a label" in (selected.holding(bare, ids).why_not or "")
    several = replace(pictures, labels=np.zeros((len(pictures), 2)))
    assert "several labels each" in (selected.holding(several, ids).why_not or "")


def test_the_page_takes_what_the_map_holds(monkeypatch: pytest.MonkeyPatch, pictures: Atlas) -> None:
    monkeypatch.setattr(_cached_atlas, "atlas", lambda choice: pictures)
    ids = tuple(some(pictures, 3, 2))
    app = opened("Your own", train_base="own", train_way="Map selection", map_held=(pictures.name, ids))
    assert "6 items of Toybox are selected" in said(app)
    assert f"--name {pictures.name}-selection-deterministic" in app.code[0].value
    assert "selection.csv" in app.code[0].value
    few = opened("Your own", train_base="own", train_way="Map selection", map_held=(pictures.name, ids[:2]))
    assert "a classifier needs two classes at least" in said(few)
    assert not few.code
    none = opened("Your own", train_base="own", train_way="Map selection")
    assert "Nothing is selected on the map" in said(none)
