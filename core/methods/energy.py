"""Energy: how little the logits say altogether.

Equation:
    E(x) = -T log sum_c exp(z_c / T)                       one class an item
    E(x) = -T sum_c log(1 + exp(z_c / T))                  several labels an item

z_c  logits of the given head on the features of x
T    temperature

The score is E itself: less evidence for every class is more doubt. Nothing is fitted; the probabilities are the head's.
Liu et al. 2020, https://arxiv.org/abs/2010.03759, and for several labels Wang et al. 2021,
https://arxiv.org/abs/2109.14162
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from core.contracts import Network, Predictive, Scope
from core.methods._contract import Batch, FitContext, Method, Step
from core.methods._given import answered, given_head
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "read from the features of a fixed network", choices=("head",))
    temperature: float = knob(1.0, "above 1 lets small logits count more (T)", least=0.01, most=1000.0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    head: nn.Module


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    return State(config, context, given_head(network))


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    """Nothing is learned from the data."""
    return state


def predict(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Predictive:
    """One draw, whatever ``draws`` asks for."""
    with torch.no_grad():
        logits, temperature = state.head(inputs), state.config.temperature
        scaled = logits.double() / temperature
        many = state.context.task == "multilabel"
        evidence = nn.functional.softplus(scaled).sum(dim=-1) if many else scaled.logsumexp(dim=-1)
    return answered(logits, state.context.task, -temperature * evidence, "energy")


METHOD = Method(
    key="energy",
    title="Energy (last layers)",
    paper="https://arxiv.org/abs/2010.03759",
    version=1,
    scopes=("head",),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    fills="score",
    single_pass=True,
    own_draws=lambda config: 1,
)
