"""The baseline: its loss, what trains, and one draw whatever is asked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from core.methods import deterministic
from core.methods._contract import Batch, FitContext, parameters_of
from tests.fitting import Stepper
from tests.tiny import as_labels, keys_for, pictures, tiny, vectors


def init(task: Any = "multiclass", **options: Any) -> deterministic.State:
    context = FitContext(task, 3, 100, seed=0)
    return deterministic.init(deterministic.Config(**options), tiny(), context, torch.Generator())


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_loss_is_the_mean_of_minus_log_p(task: Any) -> None:
    state = init(task, scope="network", dropout=False, statistics=False)
    inputs, labels = pictures(12)
    labels = as_labels(labels, 3, task)
    logits = state.model(inputs).detach().double()
    if task == "multiclass":
        expected = -sum(float(logits[i].softmax(0)[labels[i]].log()) for i in range(12)) / 12
    else:
        p = logits.sigmoid()
        expected = -float((labels * p.log() + (1 - labels) * (1 - p).log()).mean())
    step = Stepper(state)
    deterministic.update(state, Batch(inputs, labels, keys_for(12)), torch.Generator(), step)
    assert step.losses[0] == pytest.approx(expected, rel=1e-5)


def test_a_head_trains_alone_and_a_network_as_a_whole() -> None:
    source = tiny()
    assert len(parameters_of(init(scope="head"))) == len(list(source.head.parameters()))
    assert len(parameters_of(init(scope="network"))) == len(list(source.parameters()))


@pytest.mark.parametrize("scope", ["head", "network"])
def test_the_answer_is_the_network_without_noise_in_one_draw(scope: Any) -> None:
    state = init(scope=scope)
    inputs = (vectors if scope == "head" else pictures)(5)[0]
    found = deterministic.predict(state, inputs, keys_for(5), draws=20, seed=3).probs
    assert found.shape == (1, 5, 3)
    with torch.no_grad():
        torch.testing.assert_close(found[0], state.model(inputs).softmax(-1))


@pytest.mark.parametrize("dropout", [True, False])
def test_dropout_regularises_only_if_asked(dropout: bool) -> None:
    state = init(scope="head", dropout=dropout)
    inputs, labels = vectors(12)
    step = Stepper(state, rate=0.0)
    for _ in range(2):
        state = deterministic.update(state, Batch(inputs, labels, keys_for(12)), torch.Generator(), step)
    assert (step.losses[0] != step.losses[1]) is dropout


@pytest.mark.parametrize("statistics", [True, False])
def test_batch_statistics_move_by_torchs_own_rule(statistics: bool) -> None:
    state, source = init(scope="network", statistics=statistics, dropout=False), tiny()
    inputs, labels = pictures(12)
    deterministic.update(state, Batch(inputs, labels, keys_for(12)), torch.Generator(), Stepper(state, rate=0.0))
    reference: Any = source.stem[1]
    if statistics:
        reference.train()
        nn.Sequential(*source.stem)(inputs)
    found: Any = state.model.stem[1]  # type: ignore[index]
    torch.testing.assert_close(found.running_mean, reference.running_mean)
    torch.testing.assert_close(found.running_var, reference.running_var)
