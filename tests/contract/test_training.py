"""The loop: what stops a fit, what it refuses to go on with, what it may not touch, and what it measures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from core.errors import UserFacingError
from core.methods import deterministic
from core.methods._contract import modules_of
from core.training import loop
from core.training._run import METRICS
from core.training.augment import Augment
from core.training.examples import InMemory
from core.training.loop import fit
from tests.fits import METHODS, SCHEDULE, assert_same_bits, examples, tensors, validation, wanted

GRADIENT = [(key, scope) for key, method in METHODS.items() if not method.single_pass for scope in method.scopes]


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]


class Poisoned(InMemory):
    """Inputs that are no numbers from an epoch on."""

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        return super().take(rows, epoch) * (float("nan") if epoch >= 1 else 1.0)


def test_a_loss_that_is_no_number_stops_with_a_sentence_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    good = examples("network")
    bad = good.with_inputs(Poisoned(good.inputs.tensor))  # type: ignore[attr-defined]
    case = wanted("deterministic", "network", train=bad)
    with pytest.raises(UserFacingError, match=r"loss was nan at step 6, so the training was stopped") as caught:
        fit(case, tmp_path / "run", save_seconds=0.0)
    assert caught.value.code == "not-finite"
    healed = fit(replace(case, train=good), tmp_path / "run", save_seconds=0.0)
    assert healed.steps == 15
    assert all(bool(tensor.isfinite().all()) for tensor in tensors(healed.state).values())
    assert_same_bits(tensors(healed.state), tensors(fit(replace(case, train=good)).state))


def test_a_gradient_that_is_no_number_never_reaches_the_weights(tmp_path: Path, monkeypatch: Any) -> None:
    """The loss is finite, and its derivative is not: the root of 0."""

    def rooted(state: Any, batch: Any, generator: Any, step: Any) -> Any:
        logits = state.model(batch.inputs)
        step((logits.sum() * 0.0).sqrt() + 1.0, {"loss": 1.0})
        return replace(state, steps=state.steps + 1)

    case = wanted("deterministic", "head")
    with pytest.raises(UserFacingError, match="length of the gradient was nan at step 1") as caught:
        fit(replace(case, method=replace(case.method, update=rooted)), tmp_path / "run")
    assert caught.value.code == "not-finite"


def test_a_rate_that_throws_weights_away_is_told_at_the_latest_when_they_would_be_saved(tmp_path: Path) -> None:
    case = wanted(
        "deterministic", "head", schedule=replace(SCHEDULE, optimiser="sgd", rate=10.0, decay=10.0, epochs=60)
    )
    with pytest.raises(UserFacingError, match="Lower the learning rate") as caught:
        fit(case, tmp_path / "run", save_seconds=0.0)
    assert caught.value.code in ("not-finite", "diverged")


def test_a_penalty_that_comes_in_and_outgrows_the_task_is_no_divergence() -> None:
    """As the KL of many weights does over a warm-up; what the data cost is watched where it is told."""

    def warming(state: Any, batch: Any, generator: Any, step: Any) -> Any:
        task = 1.0 if state.steps < 100 else growing
        penalty = 1000.0 if state.steps > 60 else 0.0
        step(state.model(batch.inputs).sum() * 0.0 + task + penalty, {"loss": 0.0, "task": task})
        return replace(state, steps=state.steps + 1)

    case = wanted("deterministic", "head", schedule=replace(SCHEDULE, epochs=60))
    case = replace(case, method=replace(case.method, update=warming))
    growing = 1.0
    assert fit(case).steps == 300
    growing = 1000.0
    with pytest.raises(UserFacingError, match="loss rose"):
        fit(case)


def test_a_loss_that_runs_away_stops_with_a_sentence() -> None:
    """Of an update that does not learn: the loss is 1 for a hundred steps, then 1000."""

    def rising(state: Any, batch: Any, generator: Any, step: Any) -> Any:
        value = 1.0 if state.steps < 100 else 1000.0
        step(state.model(batch.inputs).sum() * 0.0 + value, {"loss": value})
        return replace(state, steps=state.steps + 1)

    case = wanted("deterministic", "head", schedule=replace(SCHEDULE, epochs=60))
    with pytest.raises(UserFacingError, match=r"loss rose to \d+\.?\d* after it had been 1, so") as caught:
        fit(replace(case, method=replace(case.method, update=rising)))
    assert caught.value.code == "diverged"


CHANGES: dict[str, dict[str, Any]] = {
    "the data": {"identity": "others"},
    "the method's settings": {"config": deterministic.Config(scope="head", dropout=False)},
    "the schedule": {"schedule": replace(SCHEDULE, rate=0.02)},
    "the augmentation": {"augment": Augment(label_smoothing=0.1)},
    "the items": {"train": examples("head", start=7)},
    "the labels": {"train": replace(examples("head"), labels=examples("head").labels.flip(0))},
    "the validation": {"validation": validation("head")},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_fit_of_anything_else_is_not_continued(tmp_path: Path, change: str) -> None:
    case = wanted("deterministic", "head")
    fit(case, tmp_path / "run", save_seconds=0.0)
    with pytest.raises(UserFacingError, match="had other settings or other data") as caught:
        fit(replace(case, **CHANGES[change]), tmp_path / "run")
    assert caught.value.code == "other-run"


def test_what_was_measured_without_a_checkpoint_is_forgotten_when_it_begins_again(tmp_path: Path) -> None:
    case = wanted("deterministic", "head")
    for _ in range(2):
        fit(case, tmp_path / "run")  # ends long before its first checkpoint
    epochs = [
        line["epoch"] for line in lines_of(tmp_path / "run") if "epoch" in line and isinstance(line["epoch"], int)
    ]
    assert epochs == [1, 2, 3]


@pytest.mark.parametrize(("key", "scope"), GRADIENT)
def test_validation_changes_nothing_of_the_training(key: str, scope: str) -> None:
    case = wanted(key, scope, schedule=replace(SCHEDULE, epochs=2))
    before = torch.get_rng_state()
    plain, watched = fit(case), fit(replace(case, validation=validation(scope)))
    assert_same_bits(tensors(plain.state), tensors(watched.state))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("key", "scope"), GRADIENT)
def test_short_numbers_give_a_loss_in_whole_ones(key: str, scope: str) -> None:
    case = wanted(key, scope, schedule=replace(SCHEDULE, epochs=1, precision="bfloat16"))
    seen: list[torch.dtype] = []
    update = case.method.update

    def watching(state: Any, batch: Any, generator: Any, step: Any) -> Any:
        def noting(loss: Tensor, parts: Any) -> None:
            seen.append(loss.dtype)
            step(loss, parts)

        return update(state, batch, generator, noting)

    fitted = fit(replace(case, method=replace(case.method, update=watching)))
    assert set(seen) == {torch.float32}
    assert {p.dtype for module in modules_of(fitted.state) for p in module.parameters()} == {torch.float32}


def test_dropsembles_held_to_a_network_need_the_data_that_it_knows() -> None:
    with pytest.raises(UserFacingError, match="Give these data, or set ewc to 0") as caught:
        fit(wanted("dropsembles", "network", config={"ewc": 1.0}))
    assert caught.value.code == "anchor"


def test_early_stopping_returns_the_best_epoch(tmp_path: Path) -> None:
    patient = replace(SCHEDULE, epochs=40, rate=0.1, shape="constant", patience=3)
    case = wanted("deterministic", "head", schedule=patient, validation=validation("head"))
    fitted = fit(case, tmp_path / "run")
    losses = [line["validation loss"] for line in lines_of(tmp_path / "run") if "validation loss" in line]
    assert fitted.best_epoch == losses.index(min(losses)) + 1
    assert len(losses) == fitted.best_epoch + 3 < 40
    plain = replace(patient, epochs=fitted.best_epoch, patience=0)
    assert_same_bits(tensors(fitted.state), tensors(fit(replace(case, schedule=plain)).state))


def test_early_stopping_of_predicted_losses_asks_how_they_order_the_items(tmp_path: Path) -> None:
    """The classifier's own loss never changes there, and would choose the first epoch."""
    patient = replace(SCHEDULE, epochs=12, patience=12, rate=0.003)
    case = wanted("loss_prediction", "head", schedule=patient, validation=validation("head"))
    fitted = fit(case, tmp_path / "run")
    found = [line for line in lines_of(tmp_path / "run") if "validation loss" in line]
    ranks = [line["validation rank correlation"] for line in found]
    assert fitted.best_epoch == ranks.index(max(ranks)) + 1
    assert len({line["validation loss"] for line in found}) == 1


def test_a_fit_that_is_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    case, asked = wanted("flipout", "head"), iter([False] * 7 + [True])
    with pytest.raises(KeyboardInterrupt):
        fit(case, tmp_path / "run", stop=lambda: next(asked))
    steps: list[int] = []
    again = fit(case, tmp_path / "run", progress=lambda done, total, stage: steps.append(done))
    assert steps[0] == 8
    assert_same_bits(tensors(again.state), tensors(fit(case).state))


@pytest.mark.parametrize("key", [key for key, method in METHODS.items() if method.single_pass and key != "energy"])
def test_gathering_goes_on_where_it_was(tmp_path: Path, key: str) -> None:
    case, asked = wanted(key, "head", train=examples("head", items=700)), iter([False, True])
    with pytest.raises(KeyboardInterrupt):
        fit(case, tmp_path / "run", stop=lambda: next(asked))
    done: list[int] = []
    again = fit(case, tmp_path / "run", progress=lambda now, total, stage: done.append(now))
    assert done == [700], "the first 512 items were gathered already"
    assert_same_bits(tensors(again.state), tensors(fit(case).state))


def test_a_measurement_that_is_no_number_is_null(tmp_path: Path) -> None:
    case = wanted("deterministic", "head")
    update = case.method.update

    def undefined(state: Any, batch: Any, generator: Any, step: Any) -> Any:
        return update(state, batch, generator, lambda loss, parts: step(loss, {**parts, "ratio": float("nan")}))

    fit(replace(case, method=replace(case.method, update=undefined)), tmp_path / "run")
    assert {line["ratio"] for line in lines_of(tmp_path / "run")} == {None}


def test_checkpoints_come_at_least_every_minute_in_epochs_of_any_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock on which a step takes ten seconds and a validation a hundred."""
    now = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    saved: list[float] = []
    save = loop.RunFolder.save
    monkeypatch.setattr(loop.RunFolder, "save", lambda *given: (saved.append(now[0]), save(*given))[1])
    measure = loop._validation.measure

    def slowly(*given: Any) -> Any:
        now[0] += 100.0
        return measure(*given)

    def progress(done: int, total: int, stage: str) -> None:
        now[0] += 10.0

    monkeypatch.setattr(loop._validation, "measure", slowly)
    case = wanted("deterministic", "head", schedule=replace(SCHEDULE, batch=2, epochs=2), validation=validation("head"))
    fit(case, tmp_path / "run", progress=progress)
    gaps = [later - earlier for earlier, later in zip([0.0, *saved], saved, strict=False)]
    assert len(saved) > 8
    assert max(gap for gap in gaps if gap < 100.0) <= 60.0
    assert [gap for gap in gaps if gap >= 100.0] == [gap for gap in gaps if 100.0 <= gap <= 160.0]
