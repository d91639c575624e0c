"""A State becomes tensors and facts, and the same State again."""

from __future__ import annotations

import json

import pytest
import torch

from core.contracts import Predictive
from core.methods._contract import FitContext, frozen
from core.methods._held import Held, held_by, restored
from tests.contract.test_methods import CLASSES, METHODS, N_TRAIN, data_for, every_case, fitted, trained


def fresh(key: str, scope: str, task: str) -> object:
    method = METHODS[key]
    context = FitContext(task, CLASSES, N_TRAIN, seed=5)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    return method.init(method.Config(scope=scope), trained(task), context, generator)


def answer(key: str, state: object, inputs: torch.Tensor, keys: torch.Tensor) -> Predictive:
    return METHODS[key].predict(state, inputs, keys, draws=5, seed=3)


@every_case
def test_a_restored_state_answers_bit_for_bit_as_the_fitted_one(key: str, scope: str, task: str) -> None:
    found = fitted(key, scope, task)
    if found is None:
        return
    held = held_by(found.state)
    copied = {name: tensor.clone() for name, tensor in held.tensors.items()}
    facts = json.loads(json.dumps(held.facts, allow_nan=False))
    state = frozen(restored(fresh(key, scope, task), Held(copied, facts)))
    inputs, _, keys = data_for(scope, task, seed=9)
    want, got = answer(key, found.state, inputs, keys), answer(key, state, inputs, keys)
    assert torch.equal(want.probs, got.probs)
    assert (want.score is None) == (got.score is None)
    assert want.score is None or torch.equal(want.score, got.score)  # type: ignore[arg-type]


def test_what_members_share_is_held_once() -> None:
    found = fitted("abnn", "network", "multiclass")
    assert found is not None
    held = held_by(found.state)
    convolutions = [name for name in held.tensors if "conv" in name and name.endswith("weight")]
    assert convolutions
    assert all(name.startswith("members.0.") for name in convolutions)


def test_a_tensor_of_another_state_is_refused() -> None:
    found = fitted("deterministic", "head", "multiclass")
    assert found is not None
    held = held_by(found.state)
    with pytest.raises(ValueError, match="another State"):
        restored(
            fresh("deterministic", "head", "multiclass"), Held({**held.tensors, "extra": torch.ones(1)}, held.facts)
        )


def test_a_tensor_of_another_shape_is_refused() -> None:
    found = fitted("deterministic", "head", "multiclass")
    assert found is not None
    held = held_by(found.state)
    name = next(iter(held.tensors))
    with pytest.raises(ValueError, match="not"):
        restored(
            fresh("deterministic", "head", "multiclass"), Held({**held.tensors, name: torch.ones(1, 1)}, held.facts)
        )
