"""``evaluate`` keeps its contract: every key, any method, and no item that the model was trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core import registry
from core.cli import main
from core.contracts import Dataset, Predictive, Scope, no_progress
from core.errors import UserFacingError
from core.media.door import open_media
from core.media.views import views
from core.metrics.uncertainty import decompose
from core.pipeline._asking import asked_of
from core.pipeline.evaluate import Wanted, document, evaluate
from core.settings import Settings
from core.training.examples import keys_of_items
from tests.toy_models import aspects, few_digits, other_pictures, part_of, trained

KEYS = {
    "model", "data", "n", "task", "accuracy", "map", "nll", "brier", "ece", "aurc", "augrc", "r_at_1", "r_auroc",
    "measure", "error_auroc", "measures", "intervals", "undefined", "retention", "ood", "params", "macs",
    "seconds_per_item",
}  # fmt: skip
CURVES = {"total", "aleatoric", "epistemic", "score", "max_softmax", "random", "oracle"}
QUICK = Wanted(samples=4, resamples=10)
METHODS = registry.discover("core.methods", "METHOD")
CASES = [(key, scope) for key, method in METHODS.items() for scope in method.scopes]
OPTIONS: dict[str, dict[str, Any]] = {"dropsembles": {"members": 2}, "ensemble": {"members": 2}, "abnn": {"members": 2}}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("evaluate")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


def assert_contract(told: dict[str, Any]) -> None:
    assert set(told) >= KEYS
    assert set(told["retention"]) >= CURVES
    json.dumps(told, allow_nan=False)
    for key in ("accuracy", "map", "nll", "brier", "ece", "aurc", "augrc", "r_at_1", "r_auroc", "error_auroc"):
        assert (told[key] is None) == (key in told["undefined"]), key
        assert key not in told["intervals"] or told["intervals"][key][0] <= told[key] <= told["intervals"][key][1]
    for row in told["measures"].values():
        assert set(row) == {"aurc", "augrc", "error_auroc", "r_auroc"}
    for name, points in told["retention"].items():
        assert points or told["undefined"][f"retention.{name}"]
    assert told["measures"][told["measure"]]["aurc"] == told["aurc"]


@pytest.mark.parametrize(("key", "scope"), CASES, ids=["-".join(case) for case in CASES])
def test_every_method_can_be_judged(here: Settings, key: str, scope: Scope) -> None:
    digits = few_digits(here, 12)
    model, _ = trained(digits, here, key, scope, epochs=1, **OPTIONS.get(key, {}))
    told = document(evaluate(model, digits, here, ood=other_pictures(here), wanted=QUICK))
    assert_contract(told)
    assert told["n"] == sum(item.split == "test" for item in digits.items)
    assert told["measure"] == ("score" if METHODS[key].fills == "score" else "total")
    assert told["retention"]["total"][0] == [1.0, pytest.approx(told["accuracy"])]
    assert (told["data"], told["title"], told["ood"]["data"]) == ("digits", "Digits", "Others")
    assert told["ood"]["measure"] == "novelty"
    assert set(told["ood"]["measures"]) == set(told["measures"])
    assert told["ood"]["outside"] == 24
    assert told["seconds_per_item"] > 0
    assert (told["params"], told["macs"]) == (1234, 5678)


def test_several_labels_are_judged_by_average_precision(here: Settings) -> None:
    several = aspects(here, 12)
    model, _ = trained(several, here, "mc_dropout", name="several")
    told = document(evaluate(model, several, here, wanted=QUICK))
    assert_contract(told)
    assert told["task"] == "multilabel"
    assert told["map"] is not None
    assert told["r_at_1"] is None
    assert told["retention"]["total"][0] == [1.0, pytest.approx(told["map"])]
    assert told["ood"] is None


def test_figures_are_those_of_the_test_items_alone(here: Settings) -> None:
    digits = few_digits(here, 12)
    model, prepared = trained(digits, here, name="plain", epochs=4)
    examples, items = part_of(prepared, "test")
    found = evaluate(model, digits, here, wanted=QUICK)
    features = model.network.embed(examples.inputs.take(torch.arange(len(items)), 0))
    said = model.method.predict(model.state, features, examples.keys, draws=1, seed=0).probs[0].argmax(1)
    right = np.mean([int(answer) == item.label for answer, item in zip(said, items, strict=True)])
    assert found.figures["accuracy"].value == pytest.approx(right)


def test_views_are_further_draws_of_the_same_items(here: Settings) -> None:
    digits = few_digits(here, 12)
    model, _ = trained(digits, here, "mc_dropout", name="views", epochs=2)
    asked = asked_of(model, digits, here, None, replace(QUICK, views=3), no_progress)
    assert asked.notes[-1] == "each item is seen in 3 views"
    for row in (0, len(asked.items) - 1):
        raw = digits.read(asked.items[row])
        media = open_media(raw, kind="image")
        keys = keys_of_items((media.sha256,))
        parts = []
        for number, view in enumerate(views(media, 3, QUICK.seed)):
            features = model.network.embed(model.network.prepare(view.media).tensor[None])
            parts.append(model.method.predict(model.state, features, keys, draws=4, seed=QUICK.seed + number).probs)
        assert not torch.equal(parts[0], parts[1])
        doubt = decompose(Predictive(torch.cat(parts)))
        assert asked.answers.draws == 12
        assert asked.answers.probs[row] == pytest.approx(torch.cat(parts).mean(0)[0].numpy(), abs=1e-3)  # of bytes
        for name in ("total", "aleatoric", "epistemic"):
            assert asked.answers.doubts[name][row] == pytest.approx(getattr(doubt, name)[0], abs=2e-3)


@pytest.fixture(scope="module")
def folded(here: Settings) -> tuple[Any, Dataset]:
    digits = few_digits(here, 12)
    folds = sorted({item.fold for item in digits.items if item.fold})
    model, _ = trained(digits, here, name="folded", test_fold=folds[1], validation_fold=folds[0], epochs=1)
    return model, digits


def test_a_fold_of_the_training_is_refused(here: Settings, folded: tuple[Any, Dataset]) -> None:
    model, digits = folded
    test = model.card.data.test_fold
    for fold in model.card.data.train_folds:
        with pytest.raises(UserFacingError, match=f"trained on fold {fold}.*fold {test}"):
            evaluate(model, digits, here, fold=fold, wanted=QUICK)
    with pytest.raises(UserFacingError, match="chose how"):
        evaluate(model, digits, here, fold=model.card.data.validation_fold, wanted=QUICK)
    with pytest.raises(UserFacingError, match="no fold 99"):
        evaluate(model, digits, here, fold=99, wanted=QUICK)
    held = sum(item.fold == test for item in digits.items)
    assert evaluate(model, digits, here, wanted=QUICK).n == held
    assert evaluate(model, digits, here, fold=test, wanted=QUICK).n == held


def test_a_model_of_splits_has_no_fold_to_judge(here: Settings) -> None:
    digits = few_digits(here, 12)
    model, _ = trained(digits, here, name="splits", epochs=1)
    with pytest.raises(UserFacingError, match="not trained by folds"):
        evaluate(model, digits, here, fold=1, wanted=QUICK)
    everything = replace(digits, items=tuple(replace(item, split="train") for item in digits.items))
    with pytest.raises(UserFacingError, match="no part of it was set aside"):
        evaluate(model, everything, here, wanted=QUICK)


def test_training_items_are_known_under_any_name(here: Settings) -> None:
    """A copy in a folder of another name, with other ids and no splits, holds the same bytes."""
    digits = few_digits(here, 12)
    model, prepared = trained(digits, here, name="copied", epochs=1)
    learned = [item for item in digits.items if item.split == "train"]
    fresh = [item for item in digits.items if item.split == "test"]

    def renamed(items: Sequence[Any]) -> Dataset:
        source = {f"copy-{place}": item for place, item in enumerate(items)}
        named = tuple(replace(item, id=name, split=None, fold=None) for name, item in source.items())
        return replace(
            digits, key="folder", title="A copy", items=named, read=lambda item: digits.read(source[item.id])
        )

    with pytest.raises(UserFacingError, match=f"{len(learned)} of the {len(learned)} items of A copy"):
        evaluate(model, renamed(learned), here, wanted=QUICK)
    with pytest.raises(UserFacingError, match="10 of the"):
        evaluate(model, renamed([*fresh, *learned[:10]]), here, ood=None, wanted=QUICK)
    with pytest.raises(UserFacingError, match="learned from"):
        evaluate(model, digits, here, ood=renamed(learned), wanted=QUICK)
    assert evaluate(model, renamed(fresh), here, wanted=QUICK).n == len(fresh)
    assert prepared.fingerprint == model.card.data.fingerprint


def test_a_set_of_other_classes_is_judged_by_retrieval_only(here: Settings) -> None:
    model, _ = trained(few_digits(here, 12), here, name="elsewhere", epochs=1)
    told = document(evaluate(model, other_pictures(here), here, wanted=QUICK))
    assert told["accuracy"] is None
    assert "classes" in told["undefined"]["accuracy"]
    assert told["r_at_1"] is not None
    assert told["measures"]["novelty"]["r_auroc"] is not None
    assert told["measures"]["novelty"]["aurc"] is None
    assert set(told["intervals"]) <= {"r_at_1", "r_auroc"}
    nameless = other_pictures(here)
    nameless = replace(nameless, items=tuple(replace(item, label=None) for item in nameless.items))
    bare = document(evaluate(model, nameless, here, wanted=QUICK))
    assert bare["r_at_1"] is None
    assert bare["undefined"]["r_at_1"] == "no item has a label"


def test_classes_are_found_by_name_in_any_order(here: Settings) -> None:
    digits = few_digits(here, 12)
    model, _ = trained(digits, here, name="ordered")
    order = list(reversed(range(10)))
    turned = replace(
        digits,
        classes=tuple(digits.classes[number] for number in order),
        items=tuple(replace(item, label=order.index(item.label or 0)) for item in digits.items),
    )
    one, other = evaluate(model, digits, here, wanted=QUICK), evaluate(model, turned, here, wanted=QUICK)
    assert one.figures == other.figures


def test_classes_it_never_learned_are_left_out_and_lie_outside(here: Settings) -> None:
    """Trained on some classes of a set: the others of its test part are its --ood."""
    model, _ = trained(few_digits(here, 12, classes=7), here, name="seven")
    digits = few_digits(here, 12)
    aside = [item for item in digits.items if item.split == "test"]
    found = evaluate(model, digits, here, ood=digits, wanted=QUICK)
    unknown = sum((item.label or 0) >= 7 for item in aside)
    assert found.n == len(aside) - unknown
    assert found.ood is not None
    assert found.ood.detection.outside == unknown
    assert any(f"{unknown} items of classes that it never learned" in note for note in found.notes)
    whole, _ = trained(digits, here, name="ten", epochs=1)
    with pytest.raises(UserFacingError, match="nothing of it lies outside"):
        evaluate(whole, digits, here, ood=digits, wanted=QUICK)


def test_the_measure_that_is_named_stands_behind_both(here: Settings) -> None:
    digits, others = few_digits(here, 12), other_pictures(here)
    model, _ = trained(digits, here, "mc_dropout", name="measured", epochs=1)
    told = document(evaluate(model, digits, here, ood=others, wanted=replace(QUICK, measure="max_softmax")))
    assert told["measure"] == told["ood"]["measure"] == "max_softmax"
    assert told["ood"]["auroc"] == told["ood"]["measures"]["max_softmax"]["auroc"]
    with pytest.raises(UserFacingError, match="no measure called 'score'"):
        evaluate(model, digits, here, wanted=replace(QUICK, measure="score"))


def test_another_kind_of_data_is_refused(here: Settings) -> None:
    model, _ = trained(few_digits(here, 12), here, name="seeing", epochs=1)
    sounds = replace(few_digits(here, 12), key="sounds", title="Sounds", kind="audio")
    with pytest.raises(UserFacingError, match="takes the kind image"):
        evaluate(model, sounds, here, wanted=QUICK)


def test_the_command_prints_one_document_and_refuses_in_one_sentence(
    here: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in here.environ().items():
        monkeypatch.setenv(name, value)
    few = few_digits(here, 12)
    monkeypatch.setattr("core.cli.evaluate.open_source", lambda *_: few)  # all of them would take long
    trained(few, here, "det_flip", name="told")
    assert main(("evaluate", "--model", "told", "--data", "digits", "--samples", "3", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert_contract(told)
    assert told["draws"] == 3
    assert main(("evaluate", "--model", "told", "--data", "digits", "--samples", "3")) == 0
    lines = capsys.readouterr().out
    assert f"{told['accuracy']:.3f}" in lines
    assert f"{told['measures']['novelty']['error_auroc']:.3f}" in lines
    for words in (
        ("--model", "tolled", "--data", "digits"),
        ("--model", "told", "--data", "digits", "--fold", "1"),
        ("--model", "told", "--data", "digits", "--samples", "0"),
        ("--model", "told", "--data", "digits", "--measure", "guess"),
        ("--model", "told", "--fold", "1"),
        ("--model", "told", "--ood-copy", "."),
        ("--model", "told"),
    ):
        assert main(("evaluate", *words)) == 2, words
        refused = capsys.readouterr()
        assert refused.out == ""
        assert refused.err.splitlines()[-1].endswith(".")
        assert "Traceback" not in refused.err
