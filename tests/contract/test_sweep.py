"""Sweeps: every training is made once, the choice sees validation items alone, and intervals are those of the units."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from core.checkpoints.answers import Answers
from core.cli import main
from core.contracts import Dataset
from core.errors import UserFacingError
from core.pipeline import _point, swept
from core.pipeline import ready as ready_module
from core.pipeline._point_given import Given, changed, parted
from core.pipeline.sweep import sweep
from core.pipeline.swept import Axis, Row, Swept, Wanted, axis_of
from core.settings import Settings
from core.training.plan import plan_of
from core.training.recipes import pick
from tests.toy_models import few_digits

FIXED = ("data=digits", "backbone=toy", "network.kind=image", "network.hidden=16", "schedule.epochs=4",
         "schedule.batch=24")  # fmt: skip
WANTED = Wanted("rates", "own", (axis_of("schedule.rate=1e-5,0.02"),), FIXED, seeds=2)


@pytest.fixture
def digits(settings: Settings) -> Dataset:
    """Four classes; a sixth of the items validates and a sixth tests."""
    few = few_digits(settings, 6, classes=4)
    sides = ("train", "train", "validation", "train", "train", "test")
    items = [replace(item, split=sides[place // 4 % 6], group=None) for place, item in enumerate(few.items[:96])]
    return replace(few, items=tuple(items))


@contextmanager
def given(dataset: Dataset) -> Iterator[None]:
    """In place of the set that the recipe names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ready_module, "open_source", lambda *_: dataset)
        yield


def spoilt(dataset: Dataset, side: str) -> Dataset:
    """The same with every label of one side turned to the next class."""
    wrong = [replace(i, label=((i.label or 0) + 1) % 4) if i.split == side else i for i in dataset.items]
    return replace(dataset, items=tuple(wrong))


def test_the_choice_never_sees_the_test_items(settings: Settings, digits: Dataset) -> None:
    with given(digits):
        found = sweep(WANTED, settings)
    with given(spoilt(digits, "test")):
        other = sweep(WANTED, settings)
    assert found.best() == other.best() == ("schedule.rate=0.02",)
    assert [row.validation for row in found.rows] == [row.validation for row in other.rows]
    assert all(one.test["nll"] != two.test["nll"] for one, two in zip(found.rows, other.rows, strict=True))
    with given(spoilt(digits, "validation")):
        assert sweep(WANTED, settings).best() == ("schedule.rate=1e-5",), "and it does see the validation items"


def test_nothing_is_trained_twice(settings: Settings, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the same sweep nor by another one that shares points."""
    trained: list[str] = []
    fit = _point.fit

    def counted(wanted: object, folder: Path, **options: object) -> object:
        trained.append(folder.name)
        return fit(wanted, folder, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(_point, "fit", counted)
    with given(digits):
        first = sweep(WANTED, settings)
        assert len(set(trained)) == len(trained) == 4
        assert not list((settings.runs / "points").glob("*/*")), "no checkpoint is left"
        assert sweep(WANTED, settings).rows == first.rows
        assert len(trained) == 4
        more = sweep(replace(WANTED, name="more", over=(axis_of("schedule.rate=0.02,0.01"),)), settings)
    assert len(trained) == 6
    assert [r for r in more.rows if r.point == ("schedule.rate=0.02",)] == [
        r for r in first.rows if r.point == ("schedule.rate=0.02",)
    ]


def test_what_was_stopped_goes_on(settings: Settings, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    with given(digits):
        whole = sweep(WANTED, replace(settings, home=settings.home / "other"))
    made = _point._measured
    calls = iter((True, True, False))

    def failing(*args: object) -> object:
        if next(calls):
            return made(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(_point, "_measured", failing)
    with given(digits), pytest.raises(KeyboardInterrupt):
        sweep(WANTED, settings)
    assert len(list((settings.home / "points").glob("*.json"))) == 2
    monkeypatch.setattr(_point, "_measured", made)
    with given(digits):
        found = sweep(WANTED, settings)
    assert [(r.point, r.seed, r.validation, r.test) for r in found.rows] == [
        (r.point, r.seed, r.validation, r.test) for r in whole.rows
    ]


def test_folds_are_tested_in_turn_and_the_next_one_chooses(settings: Settings, digits: Dataset) -> None:
    folded = replace(digits, items=tuple(replace(i, fold=n // 4 % 4 + 1) for n, i in enumerate(digits.items)))
    wanted = replace(WANTED, over=(axis_of("schedule.rate=0.02"),), seeds=1, folds=(1, 4))
    with given(folded):
        found = sweep(wanted, settings)
        with pytest.raises(UserFacingError, match="its folds"):
            sweep(replace(wanted, folds=(7,)), settings)
    assert [row.fold for row in found.rows] == [1, 4]
    assert found.units == "2 folds"
    assert found.counts == {"train": 48, "validation": 24, "test": 24}


def test_training_items_are_taken_away_or_labelled_wrongly(settings: Settings, digits: Dataset) -> None:
    with given(digits):
        found = ready_module.ready(plan_of(pick("own"), FIXED), settings)
    whole = found.examples["train"]
    half, few = (changed(found, Given(kept=share)).examples["train"] for share in (0.5, 0.25))
    assert set(few.ids) < set(half.ids) < set(whole.ids)
    assert [int((half.labels == label).sum()) for label in range(4)] == [8, 8, 8, 8], "of 16 a class"
    wrong = changed(found, Given(wrong=0.4))
    spoilt = wrong.examples["train"].labels != whole.labels
    assert 0.2 < spoilt.float().mean() < 0.6
    assert wrong.examples["train"].ids == whole.ids
    assert wrong.examples["test"] is found.examples["test"]
    assert bool((changed(found, Given(wrong=1.0)).examples["train"].labels != whole.labels).all())
    assert parted(("given.kept=0.5", "schedule.epochs=2")) == (("schedule.epochs=2",), Given(kept=0.5))


def test_strangers_of_another_set_are_asked(settings: Settings, digits: Dataset, monkeypatch) -> None:
    """The test items themselves cannot be told from the test items."""
    monkeypatch.setattr(_point, "open_source", lambda *_: digits)
    with given(digits):
        wanted = replace(WANTED, over=(axis_of("given.kept=0.5"),), seeds=1, outside="others")
        found = sweep(wanted, settings)
        assert {v for k, v in found.rows[0].test.items() if k.startswith("ood_auroc")} == {0.5}
        assert found.answers(wanted)
        assert not found.answers(replace(wanted, outside=""))
        monkeypatch.setattr(_point, "open_source", lambda *_: replace(digits, kind="audio", title="Sounds"))
        with pytest.raises(UserFacingError, match="Sounds is of the kind audio"):
            sweep(wanted, settings)
        with pytest.raises(UserFacingError, match="set settled to no"):
            sweep(replace(wanted, settings=(*FIXED, "settled=yes", "method=laplace"), outside=""), settings)


def test_levels_slopes_and_parts_of_answers_are_plain_formulas() -> None:
    probs = np.array([[0.9, 0.1]] * 5)
    doubts = {"total": np.array([0.1, 0.2, 0.3, 0.4, 0.9]), "aleatoric": np.array([0.1, 0.2, 0.2, 0.2, 0.4]),
              "epistemic": np.array([0.0, 0.0, 0.1, 0.2, 0.5])}  # fmt: skip
    said = Answers(tuple("abcde"), "multiclass", 5, probs, doubts)
    found = _point.figures_of(said, np.array([0, 0, 0, 1, 1]), list("abcde"))
    assert found["level:epistemic"] == pytest.approx(0.16)
    assert found["slope:total"] == pytest.approx(3 / 4 - 3 / 5), "the most doubtful fifth is wrong"
    assert found["parts"] == pytest.approx(stats.spearmanr(doubts["aleatoric"], doubts["epistemic"])[0])


def table(values: dict[tuple[str, int, int | None], tuple[float, float]]) -> Swept:
    rows = [
        Row((f"a={point}",), seed, fold, {"nll": validation}, {"nll": test}, {"train_seconds": 1.0})
        for (point, seed, fold), (validation, test) in values.items()
    ]
    return Swept("made", "own", (), (Axis("a", ("1", "2")),), "nll", tuple(rows))


def test_intervals_are_students_over_seeds() -> None:
    one, two = [0.3, 0.5, 0.4], [0.9, 1.0, 1.4]
    found = table({(p, s, None): (v, v) for p, vs in (("1", one), ("2", two)) for s, v in enumerate(vs)})
    mean = found.mean(("a=2",), "test", "nll")
    assert mean is not None
    assert (mean.low, mean.high) == pytest.approx(stats.t.interval(0.95, 2, np.mean(two), stats.sem(two)))
    less = found.less(("a=1",), ("a=2",), "test", "nll")
    apart = np.subtract(one, two)
    assert less is not None
    assert (less.low, less.high) == pytest.approx(stats.t.interval(0.95, 2, apart.mean(), stats.sem(apart)))


def test_runs_of_one_fold_are_one_value() -> None:
    """Seeds of a fold are judged on the same items; counting them apart would claim too much."""
    found = table({("1", seed, fold): (0.0, 10.0 * fold + seed) for seed in range(3) for fold in (1, 2)})
    assert found.values(("a=1",), "test", "nll") == {1: 11.0, 2: 21.0}
    mean = found.mean(("a=1",), "test", "nll")
    assert mean is not None
    assert (mean.low, mean.high) == pytest.approx(stats.t.interval(0.95, 1, 16.0, 5.0))


def test_the_best_is_of_the_validation_mean_and_a_figure_may_be_better_high() -> None:
    found = table({("1", 0, None): (0.5, 0.1), ("2", 0, None): (0.4, 9.0)})
    assert found.best() == ("a=2",)
    assert replace(found, choose="accuracy").best() is None, "no point has that figure"
    assert swept.chosen({("a=1",): 0.5, ("a=2",): 0.4}, "error_auroc:score") == ("a=1",)
    assert swept.chosen({("a=1",): 0.5, ("a=2",): 0.4}, "augrc:total") == ("a=2",)


def test_a_table_is_read_as_it_was_kept_and_a_visitors_own_comes_first(settings: Settings) -> None:
    found = table({("1", 0, None): (0.5, 0.1)})
    swept.save(replace(found, data="shipped"), settings, shipped=True)
    assert swept.stored(settings) == {"made": replace(found, data="shipped")}
    swept.save(found, settings)
    assert swept.named("made", settings) == found
    (settings.home / "sweeps" / "made.json").write_text("{")
    assert swept.stored(settings)["made"].data == "shipped", "a broken one hides nothing"


@pytest.mark.parametrize(
    "words",
    [
        ("own", "--over", "schedule.rate"),
        ("own", "--over", "schedule.rate=1,1"),
        ("own", "--over", "schedule.haste=1,2"),
        ("own", "--over", "config.members=1,2"),
        ("nothing", "--over", "schedule.rate=1,2"),
        ("dropsembles-toy", "--over", "members=2", "--folds", "1"),
        ("dropsembles-toy", "--over", "haste=2"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is(
    words: tuple[str, ...], settings: Settings, digits: Dataset, monkeypatch, capsys
) -> None:
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    fixed = () if words[0] == "dropsembles-toy" else ("--set", "data=digits", "--set", "backbone=toy")
    with given(digits):
        assert main(("sweep", *words, *fixed, "--threads", "1")) == 2
    assert len(capsys.readouterr().err.strip().split("\n")) == 1
    assert not (settings.home / "points").exists()


def test_a_run_in_the_plane_has_a_row_a_method(settings: Settings, monkeypatch, capsys) -> None:
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    small = ["points=40", "test=20", "steps=20", "later_steps=15", "width=16", "validation=20", "strengths=0"]
    words = [word for one in small for word in ("--set", one)]
    assert main(("sweep", "dropsembles-toy", "--over", "members=2,3", "--seeds", "1", *words, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    kinds = {point["point"][1] for point in told["points"]}
    assert {"method=single", "method=mc_dropout", "method=dropsembles-0", "method=ensemble"} <= kinds
    assert len(told["points"]) == 2 * len(kinds)
    assert told["best"] == min(told["points"], key=lambda p: p["validation"]["nll"]["value"])["point"]
    assert swept.named(told["name"], settings) is not None
