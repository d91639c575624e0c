"""Rates against closed forms, class weights against loops over single items, and what decays."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.contracts import Task
from core.methods._contract import Batch, FitContext, parameters_of
from core.training._steps import Stepper
from core.training.balance import balancing, class_weights, weighed
from core.training.loop import fabric_of
from core.training.schedule import Schedule, rate_at
from tests.fits import CLASSES, METHODS, examples, wanted
from tests.tiny import tiny

GRADIENT = [(key, scope) for key, method in METHODS.items() if not method.single_pass for scope in method.scopes]
TASKS: tuple[Task, ...] = ("multiclass", "multilabel")


def test_the_rate_rises_evenly_and_falls_as_half_a_cosine() -> None:
    schedule = Schedule(warmup=0.1, shape="cosine")
    rates = [rate_at(schedule, step, 200) for step in range(200)]
    assert rates[:20] == [(step + 1) / 20 for step in range(20)]
    assert rates[20] == 1.0
    assert rates[20 + 90] == pytest.approx(0.5)
    assert rates[20 + 45] == pytest.approx(0.5 + math.sqrt(0.5) / 2)
    assert 0.0 < rates[-1] == pytest.approx(math.sin(math.pi / 360) ** 2)


def test_the_rate_falls_on_a_line_or_stays() -> None:
    falling = [rate_at(Schedule(shape="linear"), step, 50) for step in range(50)]
    assert falling == pytest.approx([1.0 - step / 50 for step in range(50)])
    assert {rate_at(Schedule(shape="constant", warmup=0.5), step, 10) for step in range(5, 10)} == {1.0}
    assert rate_at(Schedule(warmup=0.9), 0, 1) == 1.0, "a single step is a whole one"


def test_the_optimiser_is_given_these_rates() -> None:
    state = started("deterministic", "network")
    schedule = Schedule(rate=0.1, head_rate=0.5, warmup=0.5, shape="linear", optimiser="sgd")
    stepper, seen = Stepper(state, schedule, 10, fabric_of(schedule)), []
    assert stepper.optimiser is not None
    for _ in range(10):
        stepper(sum((p.sum() for p in parameters_of(state)), torch.zeros(())), {})
        head, rest = sorted({group["lr"] for group in stepper.optimiser.param_groups}, reverse=True)
        seen.append(rest)
        assert head == pytest.approx(5 * rest)
    assert seen == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.08, 0.06, 0.04, 0.02])


def started(key: str, scope: str, *, task: Task = "multiclass", weights: tuple[float, ...] = (), **config: Any) -> Any:
    method = METHODS[key]
    names = method.Config.__dataclass_fields__
    quiet = {name: False for name in ("dropout", "statistics") if name in names}
    found = method.Config(scope=scope, **{**quiet, **config})
    context = FitContext(task, CLASSES, 44, seed=3, class_weights=weights)
    return method.init(found, tiny(CLASSES), context, torch.Generator().manual_seed(0))


def task_part(key: str, state: Any, batch: Batch) -> tuple[float, float]:
    """The loss that depends on labels, and what else there is in the loss that is stepped on."""
    seen: list[tuple[float, dict[str, float]]] = []
    METHODS[key].update(
        state, batch, torch.Generator(), lambda loss, parts: seen.append((float(loss.detach()), dict(parts)))
    )
    ((loss, parts),) = seen
    members = [value for name, value in parts.items() if name.startswith("member ")]
    if members:
        return sum(members), loss - sum(members)
    own = parts.get("task", parts.get("classifier", parts["loss"]))
    return own, loss - own


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("key", "scope"), GRADIENT)
def test_class_weights_multiply_the_losses_of_single_items(key: str, scope: str, task: Task) -> None:
    """Each item is asked alone, and then weighed by hand. The prior's part of a loss stays what it was.

    With several labels an item the weights are those of its yes-or-noes; a single weight at a time finds their parts.
    """
    found = examples(scope, items=12, task=task)
    batch = Batch(found.inputs.take(torch.arange(12), 0), found.labels, found.keys)
    weights = (3.0, 0.5, 1.25)
    config = {"train_classifier": True} if key == "loss_prediction" else {}
    plain, weighted = (started(key, scope, task=task, weights=given, **config) for given in ((), weights))
    total = 0.0
    for row in range(12):
        # ranking compares pairs, so that every item comes twice
        one = Batch(*(part[[row, row]] for part in (batch.inputs, batch.labels, batch.keys)))
        if task == "multiclass":
            total += weights[int(batch.labels[row])] * task_part(key, plain, one)[0]
        else:
            for number, weight in enumerate(weights):
                alone = tuple(float(number == other) for other in range(3))
                total += weight * task_part(key, started(key, scope, task=task, weights=alone, **config), one)[0]
    mine, rest = task_part(key, weighted, batch)
    assert mine == pytest.approx(total / 12, rel=2e-4)
    assert rest == pytest.approx(task_part(key, plain, batch)[1], rel=1e-4, abs=5e-5)
    assert mine != pytest.approx(task_part(key, plain, batch)[0], rel=1e-2)


def test_class_weights_are_inverse_to_shares_and_1_on_average() -> None:
    labels = torch.tensor([0] * 6 + [1] * 3 + [3])
    found = class_weights(labels, 4)
    assert found == pytest.approx((10 / 18, 10 / 9, 0.0, 10 / 3))
    assert sum(found[label] for label in labels.tolist()) / 10 == pytest.approx(1.0)
    several = torch.tensor([[1.0, 0, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]])
    assert class_weights(several, 3) == pytest.approx((1 / 3, 4 / 3, 4 / 3))
    context = FitContext("multiclass", 4, 10, seed=0)
    assert weighed(context, labels, Schedule()) is context
    assert weighed(context, labels, Schedule(class_weights=True)).class_weights == found


def test_items_are_drawn_as_often_as_their_rarest_class_is_rare() -> None:
    chances = balancing(torch.tensor([0, 0, 0, 1, 2, 2]))
    assert chances.tolist() == pytest.approx([1 / 3] * 3 + [1.0] + [0.5] * 2)
    several = torch.tensor([[1.0, 0], [1, 0], [1, 1], [0, 0]])
    assert balancing(several).tolist() == pytest.approx([1 / 3, 1 / 3, 1.0, 1 / 3]), "one without a label counts least"


def decayed(state: Any, **settings: Any) -> dict[str, float]:
    """The weight decay of every parameter by its name."""
    schedule = Schedule(decay=0.1, **settings)
    stepper = Stepper(state, schedule, 1, fabric_of(schedule))
    assert stepper.optimiser is not None
    rates = {id(p): group["weight_decay"] for group in stepper.optimiser.param_groups for p in group["params"]}
    module = next(getattr(state, name) for name in ("model", "heads", "head") if getattr(state, name, None) is not None)
    return {name: rates[id(p)] for name, p in module.named_parameters()}


@pytest.mark.parametrize(
    ("key", "scope", "still"),
    [
        ("deterministic", "network", ("bias", "bn1.weight", "stem.1.weight", "widen.2.weight")),
        ("ensemble", "head", ("bias",)),  # stacked: a bias has two axes there
        ("flipout", "head", ("bias", "rho_weight")),  # a spread that decays to rho = 0 would be 0.7
    ],
)
def test_only_matrices_decay_unless_all_shall(key: str, scope: str, still: tuple[str, ...]) -> None:
    found = decayed(started(key, scope))
    assert {name for name, rate in found.items() if rate == 0.0} == {name for name in found if name.endswith(still)}
    assert set(found.values()) == {0.0, 0.1}
    assert set(decayed(started(key, scope), decayed="all").values()) == {0.1}


def test_a_gradient_is_cut_to_its_longest_length_and_no_shorter() -> None:
    lengths = []
    for clip in (0.5, 1e6, 0.0):
        state, schedule = started("deterministic", "head"), Schedule(clip=clip, optimiser="sgd")
        stepper = Stepper(state, schedule, 1, fabric_of(schedule))
        found = parameters_of(state)
        stepper(sum((p.sum() for p in found), torch.zeros(())), {})
        lengths.append(float(torch.cat([g.flatten() for p in found if (g := p.grad) is not None]).norm()))
    whole = math.sqrt(sum(p.numel() for p in parameters_of(started("deterministic", "head"))))
    assert lengths == pytest.approx([0.5, whole, whole], rel=1e-4)


def test_settings_and_optimisers_are_torchs_own() -> None:
    """Ten steps of AdamW and of SGD with Nesterov's momentum against torch's optimisers on a plain layer."""
    for name, make in (
        ("adamw", lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1)),
        ("sgd", lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1)),
        ("amsgrad", lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True, weight_decay=0.1)),
    ):
        schedule = Schedule(optimiser=name, rate=0.05, decay=0.1, decayed="all", shape="constant", batch=8)  # type: ignore[arg-type]
        case = wanted("deterministic", "head", schedule=schedule, config={"dropout": False})
        state = case.method.init(case.config, case.network, case.context, torch.Generator())
        plain: nn.Module = tiny(CLASSES).head.requires_grad_(True)
        stepper, optimiser = Stepper(state, case.schedule, 10, fabric_of(schedule)), make(plain.parameters())
        rows = torch.arange(8)
        batch = Batch(case.train.inputs.take(rows, 0), case.train.labels[rows], case.train.keys[rows])
        for _ in range(10):
            state = case.method.update(state, batch, torch.Generator(), stepper)
            optimiser.zero_grad()
            loss: Tensor = nn.functional.cross_entropy(plain(batch.inputs), batch.labels)
            loss.backward()
            optimiser.step()
        for mine, theirs in zip(state.model.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    assert replace(case.schedule).batch == 8
