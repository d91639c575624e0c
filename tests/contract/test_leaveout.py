"""Classes left out of a training are strange to it: they are never learned, and what tells them apart is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from core.cli import main
from core.errors import UserFacingError
from core.metrics.bootstrap import resampled
from core.metrics.ranks import auroc
from core.pipeline import leaveout
from core.pipeline.leaveout import NAMED, SEED, TRIPLES, Piece, combined, drawn, leave_out, without
from core.pipeline.ready import ready
from core.settings import Settings
from core.training.plan import Division, Plan
from core.training.schedule import Schedule
from tests.toy_models import few_digits, trained

PLAN = Plan(
    data="digits",
    backbone="toy",
    network=("kind=image", "hidden=16"),
    division=Division(by="fold", test_fold=1),
    schedule=Schedule(epochs=2, batch=64, rate=1e-2),
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("leaveout")
    found = Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)
    trained(few_digits(found, 3), found, name="start")
    return found


@pytest.fixture(scope="module", autouse=True)
def few(here: Settings) -> Iterator[None]:
    """A third of the digits: what is asked here needs no more."""
    whole = leaveout.open_source
    patch = pytest.MonkeyPatch()
    for module in ("core.pipeline.leaveout", "core.pipeline.ready"):
        patch.setattr(f"{module}.open_source", lambda *given: replace(whole(*given), items=few_digits(here, 3).items))
    yield
    patch.undo()


def test_the_committed_triples_are_what_the_seed_draws() -> None:
    assert drawn(10, SEED) == TRIPLES
    assert {number for three in TRIPLES for number in three} == set(range(10))
    for classes in (4, 6, 11, 12):
        found = drawn(classes, 5)
        assert {number for three in found for number in three} == set(range(classes))
        assert all(len(set(three)) == 3 for three in found)


@pytest.mark.parametrize("start", ["drawn", "start"])
def test_what_is_left_out_is_never_learned(here: Settings, start: str) -> None:
    plan = PLAN if start == "drawn" else replace(PLAN, start=start, fit="fixed", head="standard", settled=True)
    whole = ready(plan, here)
    names = ("2", "5", "9")
    some = without(whole, names, here)
    assert some.dataset.classes == tuple(name for name in whole.dataset.classes if name not in names)
    train, test = some.examples["train"], some.examples["test"]
    label_of = {item.id: whole.dataset.classes[item.label or 0] for item in whole.prepared.items}
    kept = [id_ for id_ in whole.examples["train"].ids if label_of[id_] not in names]
    assert list(train.ids) == kept
    assert [some.dataset.classes[label] for label in train.labels.tolist()] == [label_of[id_] for id_ in kept]
    assert test.ids == whole.examples["test"].ids
    for id_, label in zip(test.ids, test.labels.tolist(), strict=True):
        assert (label == -1) == (label_of[id_] in names), id_
        assert label == -1 or some.dataset.classes[label] == label_of[id_]
    assert not set(train.ids) & set(test.ids)
    if start == "start":  # the scale too is that of the items that are left
        import torch

        features = train.inputs.take(torch.arange(len(train)), 0).double()
        scaled = some.network.head[0](features)  # type: ignore[index]
        if not some.network.head[0].given:  # type: ignore[index]
            assert scaled.mean(dim=0).abs().max() < 1e-6


def test_strangers_are_told_apart_better_than_by_chance(here: Settings) -> None:
    plan = replace(PLAN, schedule=replace(PLAN.schedule, epochs=8))
    found = leave_out(plan, here, triples=((0, 1, 2), (3, 7, 9)), only=(1, 2), resamples=40)
    assert [(piece.fold, piece.left_out) for piece in found.pieces] == [
        (fold, names) for fold in (1, 2) for names in (("0", "1", "2"), ("3", "7", "9"))
    ]
    for name in ("max_softmax", "total", "novelty", NAMED):
        one = found.measures[name]
        assert one.mean > 0.6, name
        assert one.interval[0] <= one.mean <= one.interval[1]
        each = [auroc(piece.doubts[name], piece.outside).value or 0.0 for piece in found.pieces]
        assert one.mean == pytest.approx(np.mean(each))
        assert one.spread == pytest.approx(np.std(each, ddof=1))
        assert one.above == pytest.approx(one.mean - found.measures["max_softmax"].mean)
    assert found.measures["max_softmax"].above_interval == (0.0, 0.0)


def test_recordings_are_drawn_whole_for_every_choice_at_once() -> None:
    """Two choices on the same items against a plain loop over the same draws."""
    rng = np.random.default_rng(1)
    groups = [f"g{place // 2}" for place in range(12)]
    places = np.arange(12)
    pieces = [
        Piece(1, (name,), places, places % step == 0, {"max_softmax": rng.normal(size=12), "x": rng.normal(size=12)})
        for name, step in (("a", 2), ("b", 3))
    ]
    found = leaveout.measured(pieces, groups, 50)
    means = {"max_softmax": [], "x": []}
    for rows in resampled(12, leaveout.numpy_generator("leave out", SEED), 50, groups):
        for name, values in means.items():
            each = [auroc(piece.doubts[name][rows], piece.outside[rows]).value for piece in pieces]
            values.append(np.mean([value for value in each if value is not None]))
    difference = np.array(means["x"]) - np.array(means["max_softmax"])
    assert found["x"].interval == pytest.approx(tuple(np.quantile(means["x"], [0.025, 0.975])))
    assert found["x"].above_interval == pytest.approx(tuple(np.quantile(difference, [0.025, 0.975])))


def test_the_named_measure_is_entropy_and_novelty() -> None:
    doubts = {"total": np.array([0.0, np.log(7)]), "novelty": np.array([np.e, 1.0]), "max_softmax": np.zeros(2)}
    assert combined(doubts, 7)[NAMED].tolist() == pytest.approx([1.0, 1.0])
    assert set(combined({"total": np.zeros(2)}, 7)) == {"total"}


def test_the_command_tells_all_and_refuses_in_a_sentence(
    here: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in here.environ().items():
        monkeypatch.setenv(name, value)
    quick = ["--set", "data=digits", "--set", "backbone=toy", "--set", "network.kind=image", "--set", "fit=fine-tuned"]
    quick += ["--set", "division.by=fold", "--set", "schedule.epochs=1", "--set", "start=drawn", "--set", "settled=no"]
    quick += ["--set", "schedule.precision=float32"]
    words = ("leaveout", "lecture-convnet", *quick, "--set", "division.classes=", "--folds", "1", "--resamples", "20")
    assert main((*words, "--triples", "0,3,7", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["left_out"] == [["0", "3", "7"]]
    assert set(told["measures"]["novelty"]) == set(told["measures"]["max_softmax"])
    assert told["pieces"][0]["inside"] + told["pieces"][0]["outside"] == told["items"]
    for wrong in ("0,x", "0,0,1", "0,1,12", "0,1,2,3,4,5,6,7,8"):
        assert main((*words, "--triples", wrong)) == 2, wrong
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert main(("leaveout", "soundbox-scenes-nowhere")) == 2


def test_sets_without_folds_are_refused(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = few_digits(here, 3)
    plain = replace(digits, items=tuple(replace(item, fold=None) for item in digits.items))
    monkeypatch.setattr("core.pipeline.leaveout.open_source", lambda *given: plain)
    with pytest.raises(UserFacingError, match="no folds"):
        leave_out(PLAN, here)
