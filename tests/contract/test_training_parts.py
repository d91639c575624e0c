"""What of a network trains, and which items every step is made from."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.contracts import Task
from core.errors import UserFacingError
from core.methods._contract import parameters_of
from core.training import loop
from core.training.augment import Augment
from core.training.examples import Examples, InMemory
from core.training.loop import Fit, fit
from core.training.worked import Worked
from tests.fits import CLASSES, ITEMS, METHODS, SCHEDULE, assert_same_bits, examples, tensors, wanted
from tests.tiny import keys_for

NETWORK = [key for key, method in METHODS.items() if not method.single_pass and "network" in method.scopes]


@pytest.mark.parametrize("key", NETWORK)
def test_a_fixed_network_does_not_change_by_one_bit(key: str) -> None:
    """No weight, no running statistic; what trains is in the head, or beside the network."""
    config = {"members": 2} if key in ("abnn", "dropsembles", "ensemble") else {}
    case = wanted(key, "network", frozen_below=True, config=config)
    start = loop.torch_generator("init", case.context.seed)
    before = case.method.init(case.config, case.network, case.context, start)
    if key == "abnn":  # its normalisations are all below the head
        with pytest.raises(UserFacingError, match="Nothing of this method trains"):
            fit(case)
        return
    old, new = tensors(before), tensors(fit(case).state)
    moved = [name for name in new if not torch.equal(old[name], new[name])]
    assert moved, "nothing was trained"
    assert [name for name in moved if ".head." not in name and not name.startswith("doubt.")] == []
    assert any("running_mean" in name for name in new) or key == "dropsembles"


def test_the_network_of_a_fixed_fit_is_what_it_was() -> None:
    case = wanted("deterministic", "network", frozen_below=True)
    before = {name: tensor.clone() for name, tensor in case.network.state_dict().items()}  # type: ignore[attr-defined]
    fit(case)
    assert_same_bits(before, case.network.state_dict())  # type: ignore[attr-defined]


def test_a_frozen_classifier_stays_frozen_in_its_head_too() -> None:
    case = wanted("loss_prediction", "network", frozen_below=True, config={"train_classifier": False})
    before = tensors(case.method.init(case.config, case.network, case.context, torch.Generator().manual_seed(0)))
    after = tensors(fit(case).state)
    assert all(torch.equal(before[name], after[name]) for name in after if name.startswith("model."))


def test_without_freezing_running_statistics_do_move() -> None:
    """Otherwise the tests above would prove nothing."""
    case = wanted("deterministic", "network")
    before = tensors(case.method.init(case.config, case.network, case.context, torch.Generator()))
    after = tensors(fit(case).state)
    assert not torch.equal(before["model.stem.1.running_mean"], after["model.stem.1.running_mean"])


class Seen:
    """An update that only notes what it got."""

    def __init__(self, case: Fit) -> None:
        self.batches: list[Any] = []
        self.case = replace(case, method=replace(case.method, update=self._update))

    def _update(self, state: Any, batch: Any, generator: Any, step: Any) -> Any:
        self.batches.append(batch)
        step(sum(p.square().sum() for p in parameters_of(state)), {"loss": 1.0})
        return replace(state, steps=state.steps + 1)


def test_the_incomplete_batch_is_dropped_and_another_one_every_epoch() -> None:
    seen = Seen(wanted("deterministic", "head"))
    fit(seen.case)
    assert [len(batch.inputs) for batch in seen.batches] == [8] * 15
    left_out = []
    for epoch in range(3):
        found = torch.cat([batch.keys for batch in seen.batches[5 * epoch : 5 * epoch + 5]])
        assert len(found.unique()) == 40, "an item came twice in an epoch"
        left_out.append(frozenset(keys_for(ITEMS).tolist()) - frozenset(found.tolist()))
    assert len(set(left_out)) == 3


def test_few_items_are_one_batch() -> None:
    seen = Seen(wanted("deterministic", "head", train=examples("head", items=5)))
    fit(seen.case)
    assert [len(batch.inputs) for batch in seen.batches] == [5] * 3


@pytest.mark.parametrize(("task", "items"), [("multiclass", 44), ("multilabel", 44), ("multiclass", 7)])
def test_mixup_reads_two_items_for_one(task: Task, items: int) -> None:
    """As many mixtures as a batch shall have, from twice as many items; an odd set completes its last pair."""
    train = examples("network", task=task, items=items)
    seen = Seen(wanted("deterministic", "network", task=task, train=train, augment=Augment(mixup=1.0)))
    fit(seen.case)
    steps, size = (2, 8) if items == 44 else (1, 4)
    assert [len(batch.inputs) for batch in seen.batches] == [size] * (3 * steps)
    labels = torch.cat([batch.labels for batch in seen.batches])
    assert labels.dtype == torch.float32
    if task == "multiclass":
        torch.testing.assert_close(labels.sum(1), torch.ones(len(labels)))
    assert bool(((labels > 0) & (labels < 1)).any())


def test_balanced_drawing_sees_every_class_as_often() -> None:
    labels = torch.tensor([0] * 300 + [1] * 30 + [2] * 6)
    train = Examples(InMemory(torch.randn(336, 12, generator=torch.Generator().manual_seed(0))), labels, keys_for(336))
    seen = Seen(wanted("deterministic", "head", train=train, schedule=replace(SCHEDULE, balance=True, epochs=20)))
    fit(seen.case)
    found = torch.cat([batch.labels for batch in seen.batches]).bincount(minlength=CLASSES)
    spread = (len(seen.batches) * 8 * (1 / 3) * (2 / 3)) ** 0.5
    assert bool(((found - len(seen.batches) * 8 / 3).abs() < 5 * spread).all()), found.tolist()


def test_a_pause_is_no_work_and_the_wall_clock_counts_beside_a_gpu() -> None:
    on_cpu, beside = Worked("cpu"), Worked("cuda")
    on_cpu.resume({"seconds": 100.0})  # of a checkpoint that knew no memory yet
    time.sleep(0.3)
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    assert 100.1 <= on_cpu.seconds() < 100.3
    assert beside.seconds() >= 0.4


def test_a_fit_that_is_resumed_remembers_the_most_memory(tmp_path: Path) -> None:
    """The process that ends it may do no more than judge, which says nothing of what the training took."""
    asked = iter([False] * 3 + [True])
    with pytest.raises(KeyboardInterrupt):
        fit(wanted("deterministic", "head"), tmp_path, stop=lambda: next(asked))
    card = tmp_path / "checkpoint" / "card.json"
    told = json.loads(card.read_text())
    own = told["position"]["memory"]
    assert 30 << 20 < own < 64 << 30
    told["position"]["memory"] = own * 1000
    card.write_text(json.dumps(told))
    assert fit(wanted("deterministic", "head"), tmp_path).memory == own * 1000
    fresh = fit(wanted("deterministic", "head"))
    assert own <= (fresh.memory or 0) < own * 1000
