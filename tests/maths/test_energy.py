"""Energy against its definition, written out."""

from __future__ import annotations

import math

import pytest
import torch

from core.contracts import Task
from core.methods import energy
from core.methods._contract import FitContext
from tests.tiny import keys_for, tiny, vectors


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("temperature", [1.0, 2.5, 0.3])
def test_energy_is_its_definition(task: Task, temperature: float) -> None:
    network, (features, _) = tiny(), vectors(9)
    config = energy.Config(temperature=temperature)
    state = energy.init(config, network, FitContext(task, 3, 9, seed=0), torch.Generator())
    answer = energy.predict(state, features, keys_for(9), draws=5, seed=0)
    assert answer.score is not None
    for found, logits in zip(answer.score.tolist(), network.head(features).tolist(), strict=True):
        powers = [math.exp(z / temperature) for z in logits]
        if task == "multiclass":
            expected = -temperature * math.log(sum(powers))
        else:
            expected = -temperature * sum(math.log(1 + power) for power in powers)
        assert found == pytest.approx(expected, rel=1e-5)
    logits = network.head(features)
    torch.testing.assert_close(answer.probs[0], logits.softmax(-1) if task == "multiclass" else logits.sigmoid())


def test_louder_logits_are_less_doubtful_and_large_ones_do_not_overflow() -> None:
    network, (features, _) = tiny(), vectors(4)
    state = energy.init(energy.Config(temperature=0.01), network, FitContext("multiclass", 3, 4, 0), torch.Generator())
    quiet = energy.predict(state, features, keys_for(4), draws=1, seed=0).score
    with torch.no_grad():
        state.head[3].weight *= 1e4
        state.head[3].bias += 1e4
    loud = energy.predict(state, features, keys_for(4), draws=1, seed=0).score
    assert quiet is not None
    assert loud is not None
    assert bool(loud.isfinite().all())
    assert bool((loud < quiet).all())
