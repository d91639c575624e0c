"""``compare`` gives differences of the same items with intervals, and refuses what cannot be paired."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.checkpoints import heldout
from core.checkpoints.answering import answers
from core.checkpoints.saved import Model, save_model
from core.cli import main
from core.errors import UserFacingError
from core.metrics import scoring
from core.metrics.ranks import auroc
from core.pipeline.compare import AGREEMENT, LOWER_IS_BETTER, Outsiders, Side, compare, oracle, paired
from core.pipeline.evaluate import Wanted, evaluate
from core.settings import Settings
from core.training.prepared import prepare
from tests.toy_models import few_digits, other_pictures, part_of, trained

QUICK = Wanted(samples=4, resamples=40)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("compare")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


@pytest.fixture(scope="module")
def pair(here: Settings) -> tuple[Model, Model]:
    digits = few_digits(here, 12)
    short = trained(digits, here, "mc_dropout", name="short", epochs=1)[0]
    return trained(digits, here, "mc_dropout", name="long", epochs=8)[0], short


def kept(here: Settings, model: Model, drop: int = 0, reverse: bool = False) -> None:
    """Store answers to the test items, less the first ones, in either order."""
    digits = few_digits(here, 12)
    prepared = prepare(digits, model.network, here, digits.task)
    examples, items = part_of(prepared, "test")
    rows = torch.arange(drop, len(items))
    rows = rows.flip(0) if reverse else rows
    examples, items = examples.part(rows), tuple(items[row] for row in rows.tolist())
    said = answers(model, examples, draws=4)
    told = heldout.held_out(said, examples.labels.numpy(), items=items, density=model.density)
    save_model(here.models / model.name, model, {heldout.PART: told.tensors()})


def side(name: str, probs: np.ndarray, labels: np.ndarray, doubt: np.ndarray, **more: Any) -> Side:
    from core.checkpoints.answers import Answers

    ids = tuple(map(str, range(len(labels))))
    given = Answers(ids, "multiclass", 1, probs, {"score": doubt}, right_neighbour=np.ones(len(labels)))
    return Side(name, "score", given, labels, tuple(range(len(labels))), **more)


def test_differences_are_those_of_the_formulas_on_the_same_items() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(3, size=80)
    probs = [rng.dirichlet(np.ones(3), size=80), 0.7 * np.eye(3)[labels] + 0.1]
    doubts, truth = [rng.normal(size=80), rng.normal(size=80)], rng.dirichlet(np.ones(3), size=80)
    truth[:7] = np.nan
    sides = [side(name, p, labels, d, truth=truth) for name, p, d in zip("ab", probs, doubts, strict=True)]
    outside = Outsiders("far", (doubts[0][:30] + 1, doubts[1][:30]), tuple(range(30)))
    found = paired(sides[0], sides[1], [outside], resamples=60)
    for key, formula in (("accuracy", scoring.accuracy), ("nll", scoring.nll)):
        want = formula(probs[0], labels).value - formula(probs[1], labels).value  # type: ignore[operator]
        assert found[key].value == pytest.approx(want)
        assert found[key].low <= want <= found[key].high  # type: ignore[operator]
    assert (found["accuracy"].high or 0.0) < 0  # the second is right everywhere
    labelled = np.repeat([0, 1], [80, 30])
    wanted = [auroc(np.concatenate([d, o]), labelled).value for d, o in zip(doubts, outside.doubts, strict=True)]
    assert [found["ood far"].first.value, found["ood far"].second.value] == wanted
    from scipy.stats import spearmanr

    entropy = -(truth[7:] * np.log(truth[7:])).sum(axis=1)
    assert found[AGREEMENT].first.value == pytest.approx(spearmanr(doubts[0][7:], entropy)[0])
    assert found["error_auroc"].value is None  # the second makes no error
    assert "positive" in (found["error_auroc"].second.reason or "")


def test_the_true_losses_are_the_doubt_that_no_other_can_beat() -> None:
    from scipy.stats import spearmanr
    from sklearn.metrics import log_loss, roc_auc_score

    rng = np.random.default_rng(4)
    labels, truth = rng.integers(3, size=60), rng.dirichlet(np.ones(3), size=60)
    probs = rng.dirichlet(np.ones(3), size=60)
    one = side("a", probs, labels, rng.normal(size=60), truth=truth)
    losses = [log_loss([label], [row], labels=[0, 1, 2]) for label, row in zip(labels, probs, strict=True)]
    found = oracle(one)
    assert found["error_auroc"].value == pytest.approx(roc_auc_score(probs.argmax(1) != labels, losses))
    assert found[AGREEMENT].value == pytest.approx(spearmanr(losses, -(truth * np.log(truth)).sum(axis=1))[0])
    for key, other in paired(one, one, resamples=10).items():
        better = (lambda a, b: a <= b) if key in LOWER_IS_BETTER else (lambda a, b: a >= b)
        assert key in (AGREEMENT, "r_auroc") or better(found[key].value, other.first.value), key
    assert oracle(replace(one, foreign="classes of another set")) == {}


def test_the_interval_of_a_difference_is_that_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models that are right on the same items but one: much narrower than either figure's own interval."""
    labels = np.zeros(200, np.int64)
    wrong = np.arange(200) < 60
    first = np.where(wrong[:, None], [[0.2, 0.8]], [[0.8, 0.2]])
    second = first.copy()
    second[0] = [0.8, 0.2]
    one, other = (side(name, probs, labels, np.arange(200.0)) for name, probs in (("a", first), ("b", second)))
    found = paired(one, other, resamples=400)
    assert found["accuracy"].value == pytest.approx(-1 / 200)
    assert -0.03 < found["accuracy"].low <= found["accuracy"].high <= 0  # type: ignore[operator]


def test_stored_answers_are_paired_by_item_whatever_their_order(here: Settings, pair: tuple[Model, Model]) -> None:
    long, short = pair
    kept(here, long)
    kept(here, short)
    plain = compare((long.name, short.name), here, wanted=QUICK)
    kept(here, short, reverse=True)
    turned = compare((long.name, short.name), here, wanted=QUICK)
    assert {k: d.value for k, d in turned.differences.items()} == pytest.approx(
        {k: d.value for k, d in plain.differences.items()}, abs=1e-9
    )
    kept(here, short, drop=9)
    assert compare((long.name, short.name), here, wanted=QUICK).n == plain.n - 9
    assert plain.differences["nll"].value < 0  # type: ignore[operator]


def test_fresh_answers_give_what_evaluate_gives(
    here: Settings, pair: tuple[Model, Model], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digits, others = few_digits(here, 12), other_pictures(here)
    found = compare(("long", "short"), here, dataset=digits, ood=[others], wanted=QUICK, measures=("novelty", "total"))
    for model, measure, chosen in ((pair[0], "novelty", "first"), (pair[1], "total", "second")):
        alone = evaluate(model, digits, here, ood=others, wanted=replace(QUICK, measure=measure))
        for key in ("accuracy", "nll", "ece", "augrc", "error_auroc", "r_auroc"):
            assert getattr(found.differences[key], chosen).value == pytest.approx(alone.figures[key].value), key
        assert alone.ood is not None
        told = getattr(found.differences[f"ood {others.title}"], chosen).value
        assert told == pytest.approx(alone.ood.detection.auroc.value)


def test_two_measures_of_one_model(
    here: Settings, pair: tuple[Model, Model], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(here, pair[0])
    for name, value in here.environ().items():
        monkeypatch.setenv(name, value)
    words = ("compare", "long", "--measures", "novelty,max_softmax", "--resamples", "30")
    assert main((*words, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["first"]["measure"], told["second"]["measure"]) == ("novelty", "max_softmax")
    assert set(told["differences"]) == {"aurc", "augrc", "error_auroc", "r_auroc"}  # the answers are the same
    row = told["differences"]["augrc"]
    assert row["difference"] == pytest.approx(row["first"] - row["second"])
    assert row["interval"][0] <= row["difference"] <= row["interval"][1]
    assert told["oracle"]["error_auroc"] >= max(told["differences"]["error_auroc"][key] for key in ("first", "second"))
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "(lower is better)" in out
    assert "knew every loss" in out
    assert main(("compare", "long")) == 2
    assert main(("compare", "long", "nobody")) == 2
    assert main(("compare", "long", "--measures", "total,nothing")) == 2


def test_models_without_a_common_item_are_refused(here: Settings, pair: tuple[Model, Model]) -> None:
    kept(here, pair[0])
    kept(here, pair[1])
    other = heldout.load_heldout("short", here)
    renamed = replace(other.answers, ids=tuple(f"x{id_}" for id_ in other.answers.ids))
    save_model(here.models / "short", pair[1], {heldout.PART: replace(other, answers=renamed).tensors()})
    with pytest.raises(UserFacingError, match="no item in common"):
        compare(("long", "short"), here, wanted=QUICK)
