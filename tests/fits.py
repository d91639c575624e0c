"""Small fits of every method for the real training loop, on the tiny network and data it can learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from core import registry
from core.contracts import Task
from core.methods import dropsembles, loss_prediction
from core.methods._contract import FitContext, Method
from core.methods._held import held_by
from core.training.augment import Augment
from core.training.examples import Examples, InMemory
from core.training.loop import Fit, batches_of
from core.training.schedule import Schedule
from tests.tiny import as_labels, keys_for, pictures, tiny, vectors

METHODS = registry.discover("core.methods", "METHOD")
CLASSES, ITEMS = 3, 44
SCHEDULE = Schedule(epochs=3, batch=8, rate=0.01)  # 5 steps an epoch, 4 items left over


def examples(scope: str, *, items: int = ITEMS, seed: int = 1, task: Task = "multiclass", start: int = 0) -> Examples:
    inputs, labels = (vectors if scope == "head" else pictures)(items, CLASSES, seed=seed)
    return Examples(InMemory(inputs), as_labels(labels, CLASSES, task), keys_for(items, start))


def wanted(
    key: str,
    scope: str,
    *,
    task: Task = "multiclass",
    schedule: Schedule = SCHEDULE,
    augment: Augment | None = None,
    config: dict[str, Any] | None = None,
    **more: Any,
) -> Fit:
    """A fit without validation; ``more`` are further fields of Fit."""
    method: Method[Any, Any] = METHODS[key]
    train = more.pop("train", None) or examples(scope, task=task)
    context = more.pop("context", FitContext(task, CLASSES, len(train), seed=3))
    found = method.Config(scope=scope, **(config or {}))
    network = more.pop("network", None) or tiny(CLASSES)
    return Fit(method, found, network, context, train, schedule, augment or Augment(), **more)


def tensors(state: Any) -> dict[str, Tensor]:
    """Copies of every number of a State."""
    return {name: tensor.clone() for name, tensor in held_by(state).tensors.items()}


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def validation(scope: str) -> Examples:
    return examples(scope, items=20, seed=5, start=1000)


def anchored(state: Any) -> Any:
    """The Fisher information of other pictures of the same classes."""
    others = examples(state.config.scope, items=24, seed=8, start=2000)
    return dropsembles.anchored(state, batches_of(others, 8), torch.Generator().manual_seed(1))


def with_targets(state: Any) -> Any:
    return loss_prediction.with_targets(state, keys_for(ITEMS), torch.linspace(0.0, 2.0, ITEMS))


def resumable() -> dict[str, Callable[[], Fit]]:
    """What a fit may have to carry over a sudden end, each at least once."""
    adam, amsgrad = (replace(SCHEDULE, optimiser=name) for name in ("adam", "amsgrad"))
    sgd = replace(SCHEDULE, optimiser="sgd", batch=4)  # made of 8
    patient = replace(SCHEDULE, epochs=4, rate=0.05, patience=2, shape="constant")
    mixed = Augment(mixup=1.0, shift=1, flip=True)
    return {
        "deterministic, early stopping": lambda: wanted(
            "deterministic", "network", schedule=patient, validation=validation("network")
        ),
        "deterministic, sgd, mixup": lambda: wanted("deterministic", "network", schedule=sgd, augment=mixed),
        "flipout, amsgrad": lambda: wanted("flipout", "network", schedule=amsgrad, config={"rho_spread": 0.1}),
        "mc dropout, balanced": lambda: wanted("mc_dropout", "head", schedule=replace(SCHEDULE, balance=True)),
        "abnn": lambda: wanted("abnn", "network", schedule=adam, config={"alpha": 0.1}),
        "dropsembles with ewc": lambda: wanted(
            "dropsembles", "network", config={"ewc": 1.0, "members": 2}, prepare=anchored
        ),
        "loss prediction with targets": lambda: wanted("loss_prediction", "head", prepare=with_targets),
        "ensemble": lambda: wanted("ensemble", "head", config={"bootstrap": True, "members": 3}),
        "det-flip that settles": lambda: wanted("det_flip", "head", config={"settle": 7}),
    }
