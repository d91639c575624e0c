"""Every method of the registry keeps the contract: pure, seeded, blind to batches, in one shape."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core import registry
from core.contracts import Moments, Predictive
from core.errors import UserFacingError
from core.methods._contract import FitContext, Method, modules_of, task_loss
from core.metrics.uncertainty import decompose
from tests.fitting import Stepper, fit
from tests.tiny import TinyNetwork, as_labels, keys_for, pictures, tiny, vectors

CLASSES, ITEMS, DRAWS = 3, 48, 7
N_TRAIN = 100 * ITEMS  # what a prior is weighed against: the items stand for a larger set
METHODS = registry.discover("core.methods", "METHOD")
CASES = [
    (key, scope, task)
    for key, method in METHODS.items()
    for scope in method.scopes
    for task in ("multiclass", "multilabel")
]
every_case = pytest.mark.parametrize(("key", "scope", "task"), CASES, ids=["-".join(case) for case in CASES])


def data_for(scope: str, task: str, *, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    inputs, labels = (vectors if scope == "head" else pictures)(ITEMS, CLASSES, seed=seed)
    return inputs, as_labels(labels, CLASSES, task), keys_for(ITEMS)


@dataclasses.dataclass(frozen=True)
class Fitted:
    method: Method[Any, Any]
    state: Any
    step: Stepper
    network: TinyNetwork
    untouched: dict[str, Tensor]
    global_before: Tensor
    global_after: Tensor

    def predict(self, inputs: Tensor, keys: Tensor, draws: int = DRAWS, seed: int = 0, **options: Any) -> Predictive:
        return self.method.predict(self.state, inputs, keys, draws=draws, seed=seed, **options)


@functools.cache
def trained(task: str) -> TinyNetwork:
    """A network that has seen other pictures of the same classes, though not for long: some methods start from one."""
    network, (inputs, labels, _) = tiny(CLASSES).requires_grad_(True), data_for("network", task, seed=7)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(12):
        optimiser.zero_grad()
        task_loss(network(inputs), labels, "multilabel" if task == "multilabel" else "multiclass").backward()
        optimiser.step()
    return network.requires_grad_(False)


@functools.cache
def fitted(key: str, scope: str, task: str) -> Fitted | None:
    """None where the method refuses the task, which has to be a sentence for people."""
    method: Method[Any, Any] = METHODS[key]
    network = trained(task)
    before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    context = FitContext(task, CLASSES, N_TRAIN, seed=5)  # type: ignore[arg-type]
    try:
        found, step = fit(method, method.Config(scope=scope), network, context, data_for(scope, task), epochs=20)
    except UserFacingError as refusal:
        if refusal.code != "task":
            raise
        return None
    return Fitted(method, found, step, network, before, state, torch.get_rng_state())


def answer_of(key: str, scope: str, task: str) -> tuple[Fitted, Tensor, Tensor]:
    case = fitted(key, scope, task)
    if case is None:
        pytest.skip(f"{key} says that it does not answer {task}")
    inputs, _, keys = data_for(scope, task, seed=2)
    return case, inputs, keys


def assert_same(one: Predictive | Moments, other: Predictive | Moments, atol: float = 1e-5) -> None:
    for field in dataclasses.fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, Tensor):
            torch.testing.assert_close(mine.double(), theirs.double(), rtol=1e-5, atol=atol, msg=field.name)
        else:
            assert mine == theirs, field.name


def picked(answer: Predictive, rows: Tensor | slice) -> Predictive:
    score = None if answer.score is None else answer.score[rows]
    return dataclasses.replace(answer, probs=answer.probs[:, rows], score=score)


@every_case
def test_answers_have_the_one_shape(key: str, scope: str, task: str) -> None:
    case, inputs, keys = answer_of(key, scope, task)
    answer = case.predict(inputs, keys)
    assert answer.task == task
    draws, items, classes = answer.probs.shape
    assert draws >= 1
    assert (items, classes) == (ITEMS, CLASSES)
    assert answer.probs.dtype == torch.float32
    assert not answer.probs.requires_grad
    assert 0 <= float(answer.probs.min()) <= float(answer.probs.max()) <= 1
    if task == "multiclass":
        torch.testing.assert_close(answer.probs.sum(-1), torch.ones(draws, items))
    assert (answer.score is not None) or case.method.fills == "probs"
    if answer.score is not None:
        assert answer.score.shape == (ITEMS,)
        assert bool(answer.score.isfinite().all())
        assert answer.score_name


@every_case
def test_an_answer_depends_on_no_other_item(key: str, scope: str, task: str) -> None:
    """The same for one item alone, for few, in another order, and in passes of any size."""
    case, inputs, keys = answer_of(key, scope, task)
    whole = case.predict(inputs, keys, seed=3)
    order = torch.randperm(ITEMS, generator=torch.Generator().manual_seed(1))
    assert_same(case.predict(inputs[order], keys[order], seed=3), picked(whole, order))
    for few in (slice(0, 1), slice(5, 12)):
        assert_same(case.predict(inputs[few], keys[few], seed=3), picked(whole, few))
    if "rows" in inspect.signature(case.method.predict).parameters:
        for rows in (1, 10, 10_000):
            assert_same(case.predict(inputs, keys, seed=3, rows=rows), whole)


@every_case
def test_the_seed_decides_and_nothing_else(key: str, scope: str, task: str) -> None:
    case, inputs, keys = answer_of(key, scope, task)
    first = case.predict(inputs, keys, seed=1)
    torch.rand(3)  # somebody else uses the global generator
    again = case.predict(inputs, keys, seed=1)
    assert torch.equal(first.probs, again.probs)
    varies = float(first.probs.std(dim=0).max()) > 0 if len(first.probs) > 1 else False
    members = case.predict(inputs, keys, seed=2)
    assert torch.equal(first.probs, members.probs) in ((False, True) if varies else (True,))


@every_case
def test_more_draws_extend_fewer(key: str, scope: str, task: str) -> None:
    case, inputs, keys = answer_of(key, scope, task)
    one, many = case.predict(inputs, keys, draws=1), case.predict(inputs, keys, draws=DRAWS)
    assert len(one.probs) <= len(many.probs)
    torch.testing.assert_close(one.probs, many.probs[: len(one.probs)], rtol=1e-5, atol=1e-5)


@every_case
def test_predicting_changes_nothing(key: str, scope: str, task: str) -> None:
    case, inputs, keys = answer_of(key, scope, task)
    kept = [(m, copy.deepcopy(m.state_dict()), m.training) for m in modules_of(case.state)]
    tensors = {name: value.clone() for name, value in tensors_of(case.state).items()}
    mine, ours = inputs.clone(), torch.get_rng_state()
    case.predict(inputs, keys)
    if case.method.moments is not None:
        case.method.moments(case.state, inputs, keys, draws=2, seed=0)
    assert torch.equal(torch.get_rng_state(), ours)
    assert torch.equal(inputs, mine)
    for module, before, training in kept:
        assert module.training == training
        assert not any(p.requires_grad for p in module.parameters())
        after = module.state_dict()
        assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(torch.equal(value, tensors[name]) for name, value in tensors_of(case.state).items())


def tensors_of(state: Any) -> dict[str, Tensor]:
    found = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}


@every_case
def test_fitting_leaves_the_network_and_the_global_generator_alone(key: str, scope: str, task: str) -> None:
    case, _, _ = answer_of(key, scope, task)
    assert torch.equal(case.global_before, case.global_after)
    assert not any(p.requires_grad for p in case.network.parameters())
    assert not any(m.training for m in case.network.modules())
    after = case.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in case.untouched.items())


@every_case
def test_two_threads_agree(key: str, scope: str, task: str) -> None:
    case, inputs, keys = answer_of(key, scope, task)
    inputs, keys = inputs[:6], keys[:6]
    alone = {seed: case.predict(inputs, keys, draws=4, seed=seed).probs for seed in (0, 1)}
    wrong: list[object] = []

    def ask(seed: int) -> None:
        for _ in range(8):
            try:
                if not torch.equal(case.predict(inputs, keys, draws=4, seed=seed).probs, alone[seed]):
                    wrong.append(seed)
            except Exception as error:  # a thread's error would pass unseen
                wrong.append(error)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in (0, 1)]
    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # let them interrupt each other often
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(patience)
    assert wrong == []


@every_case
def test_information_is_within_zero_and_the_total(key: str, scope: str, task: str) -> None:
    case, inputs, keys = answer_of(key, scope, task)
    doubt = decompose(case.predict(inputs, keys))
    assert np.all(doubt.epistemic >= -1e-9)
    assert np.all(doubt.epistemic <= doubt.total + 1e-9)


@every_case
def test_moments_are_those_of_the_draws(key: str, scope: str, task: str) -> None:
    case, inputs, keys = answer_of(key, scope, task)
    summarise = case.method.moments
    if summarise is None:
        assert scope == "head" or case.method.fills == "score", "a network's draws may be too many to keep"
        return
    kept, streamed = case.predict(inputs, keys), summarise(case.state, inputs, keys, draws=DRAWS, seed=0)
    probs = kept.probs.double()
    entropy = torch.special.entr(probs)
    entropy = entropy.sum(-1) if task == "multiclass" else entropy + torch.special.entr(1 - probs)
    expected = Moments(
        len(probs),
        probs.mean(0),
        entropy.mean(0),
        ((probs - probs.mean(0)) ** 2).sum(0),
        kept.task,
        kept.score,
        kept.score_name,
    )
    assert_same(streamed, expected)
    np.testing.assert_allclose(decompose(streamed).epistemic, decompose(kept).epistemic, atol=1e-5)


@every_case
def test_it_learns_what_can_be_told_apart(key: str, scope: str, task: str) -> None:
    """On unseen items of separable classes, and with a falling loss (its part without a prior) where there is one."""
    case, inputs, keys = answer_of(key, scope, task)
    losses = [parts.get("task", loss) for parts, loss in zip(case.step.parts, case.step.losses, strict=True)]
    if losses and case.method.fills == "score":  # what a score should order, the tests of its method say
        assert np.all(np.isfinite(losses))
    elif losses:
        assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[:3])
    elif not case.method.single_pass:
        pytest.fail("a method that fits by steps took none")
    if case.method.fills == "probs":
        said = case.predict(inputs, keys, draws=10).probs.mean(0)
        labels = data_for(scope, task, seed=2)[1]
        if case.method.single_pass:  # it trains nothing: what it can know is what the given head knows
            logits = case.network.head(inputs)
            labels = logits.argmax(1) if task == "multiclass" else (logits > 0).float()
        right = said.argmax(1) == labels if task == "multiclass" else (said > 0.5) == (labels > 0.5)
        assert float(right.float().mean()) > 0.75


def test_the_registry_is_not_empty() -> None:
    assert {"deterministic", "mc_dropout", "flipout", "det_flip", "abnn"} <= set(METHODS)
