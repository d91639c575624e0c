"""Cross-validation: what is chosen never sees the fold that is scored, and every figure is that of a plain loop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.checkpoints.saved import load_model
from core.cli import main
from core.contracts import Dataset
from core.errors import DataError
from core.pipeline import crossval as module
from core.pipeline import ready as ready_module
from core.pipeline.crossval import CrossValidation, crossval, paired
from core.settings import Settings
from core.training.plan import Plan
from core.training.schedule import Schedule
from tests.fits import assert_same_bits, tensors
from tests.toy_models import few_digits

FOLDS = (1, 2, 3, 4)
CANDIDATES = (("schedule.rate=1e-5",), ("schedule.rate=0.02",), ("schedule.rate=0.02", "schedule.epochs=1"))
PLAN = Plan(
    data="digits",
    backbone="toy",
    network=("kind=image", "hidden=16"),
    start="published",  # its features are fixed anyway
    fit="fixed",
    schedule=Schedule(epochs=5, batch=24),
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("folds")
    return Settings(home=root / "home", checkpoints=root / "checkpoints", device="cpu", offline=True)


@pytest.fixture(scope="module")
def digits(here: Settings) -> Dataset:
    """Four classes in four folds; pairs of pictures count as one recording."""
    few = few_digits(here, 6, classes=4)
    by_class: dict[int | None, int] = {}
    items = []
    for item in few.items[:96]:
        place = by_class[item.label] = by_class.get(item.label, -1) + 1
        group = f"{item.label}-{place // 2}"
        items.append(replace(item, fold=FOLDS[place // 2 % 4], group=group, split=None))
    return replace(few, items=tuple(items))


@contextmanager
def given(dataset: Dataset) -> Iterator[None]:
    """In place of the set that the plan names."""
    with pytest.MonkeyPatch.context() as patch:
        for place in (module, ready_module):
            patch.setattr(place, "open_source", lambda *_: dataset)
        yield


def run(dataset: Dataset, settings: Settings, name: str, plan: Plan = PLAN, **options: Any) -> CrossValidation:
    with given(dataset):
        return crossval(plan, options.pop("candidates", CANDIDATES), settings, name=name, **options)


@pytest.fixture(scope="module")
def whole(digits: Dataset, here: Settings) -> CrossValidation:
    return run(digits, here, "whole")


def test_every_item_is_scored_once_by_a_model_that_never_saw_its_fold(whole: CrossValidation, digits: Dataset) -> None:
    fold = {item.id: item.fold for item in digits.items}
    assert sorted(id_ for one in whole.folds for id_ in one.answers.ids) == sorted(fold)
    for one in whole.folds:
        assert {fold[id_] for id_ in one.answers.ids} == {one.number}
        assert {fold[id_] for id_ in one.ready.examples["train"].ids} == set(FOLDS) - {one.number}
    assert whole.pooled.n == len(digits.items)


def test_out_of_fold_answers_cover_each_training_item_once(whole: CrossValidation, digits: Dataset) -> None:
    fold, label = ({item.id: getattr(item, name) for item in digits.items} for name in ("fold", "label"))
    for one in whole.folds:
        assert one.inside is not None
        assert one.inside_labels is not None
        assert sorted(one.inside.ids) == sorted(id_ for id_ in fold if fold[id_] != one.number)
        assert [label[id_] for id_ in one.inside.ids] == one.inside_labels.tolist()


def test_the_candidate_of_the_lowest_loss_wins_whatever_temperature_it_asks_for(whole: CrossValidation) -> None:
    """Against the lowest loss that any of many temperatures gives to the same answers."""
    for one in whole.folds:
        assert one.candidate == CANDIDATES[int(np.argmin(one.losses))] == CANDIDATES[1]
        assert one.inside is not None
        logs = np.log(one.inside.probs)
        lowest = min(naive_nll(logs / t, one.inside_labels) for t in np.geomspace(0.05, 20, 400))
        assert min(one.losses) == pytest.approx(lowest, abs=1e-4)


def naive_nll(logs: np.ndarray, labels: np.ndarray | None) -> float:
    assert labels is not None
    total = 0.0
    for row, label in zip(logs, labels, strict=True):
        total -= row[label] - np.log(np.exp(row).sum())
    return total / len(labels)


def test_nothing_of_the_scored_fold_reaches_the_choice(whole: CrossValidation, digits: Dataset, here: Settings) -> None:
    """Its labels are turned, and its pictures are those of other items: all that was chosen and fitted is the same."""
    first = whole.folds[0]
    mine = [item for item in digits.items if item.fold == first.number]
    turned = {item.id: replace(item, label=(item.label or 0) ^ 1) for item in mine}
    strange = {item.id: other for item, other in zip(mine, [*mine[5:], *mine[:5]], strict=True)}
    planted = replace(
        digits,
        items=tuple(turned.get(item.id, item) for item in digits.items),
        read=lambda item: digits.read(strange.get(item.id, item)),
    )
    again = run(planted, here, "planted", only=[first.number]).folds[0]
    assert (again.candidate, again.losses) == (first.candidate, first.losses)
    assert again.inside is not None
    assert first.inside is not None
    np.testing.assert_array_equal(again.inside.probs, first.inside.probs)
    assert_same_bits(tensors(again.model.state), tensors(first.model.state))
    assert again.evaluation.figures["accuracy"].value != first.evaluation.figures["accuracy"].value
    other = first.number % 4 + 1
    moved = replace(
        digits,
        items=tuple(replace(i, label=(i.label or 0) ^ 1) if i.fold == other else i for i in digits.items),
    )
    assert run(moved, here, "moved", only=[first.number]).folds[0].losses != first.losses


@pytest.mark.parametrize("scope", ["head", "network"])
def test_the_choice_is_written_down_before_the_fold_is_looked_at(
    digits: Dataset, here: Settings, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    plan = PLAN if scope == "head" else replace(PLAN, start="drawn", fit="fine-tuned")
    place, seen = here.runs / f"{scope}-crossval", []
    answers = module.answers

    def watching(model: Any, examples: Any, **options: Any) -> Any:
        said = answers(model, examples, **options)
        fold = {item.id: item.fold for item in digits.items}
        seen.append((fold[examples.ids[0]], sorted(path.name for path in place.glob("fold-*.json"))))
        return said

    monkeypatch.setattr(module, "answers", watching)
    found = run(digits, here, scope, plan, only=[2, 3], candidates=CANDIDATES[:2])
    inner = 2 * 3
    assert [names for _, names in seen[:inner]] == [[]] * inner, "all inner fits come before"
    assert seen[inner] == (2, ["fold-2.json"])
    assert [names for _, names in seen[inner + 1 : -1]] == [["fold-2.json"]] * inner
    assert seen[-1] == (3, ["fold-2.json", "fold-3.json"])
    for one in found.folds:
        told = json.loads((place / f"fold-{one.number}.json").read_text())
        assert tuple(told["chosen"]) == one.candidate
        assert told["losses"] == list(one.losses)


def test_without_a_choice_and_a_temperature_nothing_is_fitted_out_of_fold(digits: Dataset, here: Settings) -> None:
    plain = run(digits, here, "plain", candidates=(), calibrated=False, only=[1])
    assert (plain.folds[0].losses, plain.folds[0].inside, plain.folds[0].candidate) == ((), None, ())
    warm = run(digits, here, "warm", candidates=(), only=[1]).folds[0]
    assert_same_bits(tensors(plain.folds[0].model.state), tensors(warm.model.state))
    assert (warm.answers.probs.argmax(axis=1) == plain.folds[0].answers.probs.argmax(axis=1)).all()
    assert not np.allclose(warm.answers.probs, plain.folds[0].answers.probs)


def by_id(found: CrossValidation) -> dict[str, np.ndarray]:
    return {id_: row for one in found.folds for id_, row in zip(one.answers.ids, one.answers.probs, strict=True)}


def test_a_difference_and_its_interval_are_those_of_a_naive_bootstrap(
    whole: CrossValidation, digits: Dataset, here: Settings
) -> None:
    other = run(digits, here, "other", replace(PLAN, seed=3, schedule=Schedule(epochs=1, batch=16)), candidates=())
    found = paired(whole, other)
    label = {item.id: item.label or 0 for item in digits.items}
    group = {item.id: item.group for item in digits.items}
    one, two = by_id(whole), by_id(other)
    ids = list(label)

    def of(rows: list[str]) -> tuple[float, float]:
        losses = [np.log(two[i][label[i]]) - np.log(one[i][label[i]]) for i in rows]
        right = [float(one[i].argmax() == label[i]) - float(two[i].argmax() == label[i]) for i in rows]
        return float(np.mean(losses)), float(np.mean(right))

    assert found["nll"][0] == pytest.approx(of(ids)[0], abs=1e-9)
    assert found["accuracy"][0] == pytest.approx(of(ids)[1], abs=1e-9)
    members: dict[str | None, list[str]] = {}
    for id_ in ids:
        members.setdefault(group[id_], []).append(id_)
    rng, groups = np.random.default_rng(7), list(members)
    drawn = []
    for _ in range(1500):
        chosen = rng.choice(len(groups), len(groups))
        drawn.append(of([id_ for place in chosen for id_ in members[groups[place]]]))
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    for place, name in enumerate(("nll", "accuracy")):
        width = high[place] - low[place]
        assert found[name][1] == pytest.approx(low[place], abs=0.12 * width)
        assert found[name][2] == pytest.approx(high[place], abs=0.12 * width)
    same = paired(whole, whole)
    assert set(same.values()) == {(0.0, 0.0, 0.0)}


def test_too_few_folds_for_a_choice_are_refused(digits: Dataset, here: Settings) -> None:
    two = replace(digits, items=tuple(item for item in digits.items if (item.fold or 0) < 3))
    with pytest.raises(DataError, match="has 2 folds, and cross-validation with a nested choice needs three") as caught:
        run(two, here, "two")
    assert caught.value.code == "no-fold"


def test_the_command_keeps_the_model_that_was_scored_with_its_out_of_fold_calibration(
    digits: Dataset, here: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in here.environ().items():
        monkeypatch.setenv(name, value)
    changes = {
        "data": "digits", "backbone": "toy", "network.kind": "image", "network.hidden": "16", "schedule.epochs": "6",
        "schedule.batch": "16", "views": "1", "head": "own", "augment.flip": "no", "augment.shift": "0",
        "augment.colour": "0",
    }  # fmt: skip
    words = ["crossval", "toybox", "--name", "digits-kept", "--json"]
    words += [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    words += ["--candidate", "schedule.rate=1e-5", "--candidate", "schedule.rate=0.02 schedule.warmup=0.1"]
    with given(digits):
        assert main((*words, "--folds", "2", "--keep", "3")) == 2
        assert "only [2] are scored; add it to --folds" in capsys.readouterr().err
        assert main((*words, "--folds", "2", "--keep", "2")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folds"][0]["chosen"] == ["schedule.rate=0.02", "schedule.warmup=0.1"]
    model = load_model("digits-kept", here)
    assert (model.card.data.test_fold, model.card.data.train_folds) == (2, (1, 3, 4))
    outside = sum(item.fold != 2 for item in digits.items)
    assert model.card.posthoc["items"] == outside
    assert model.card.posthoc["of"] == f"{outside} out-of-fold answers of the training folds"
    assert model.card.metrics["accuracy"]["value"] == pytest.approx(told["pooled"]["accuracy"])
    assert "--candidate 'schedule.rate=0.02 schedule.warmup=0.1'" in model.card.command
