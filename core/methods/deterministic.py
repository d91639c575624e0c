"""One network, one answer: the baseline of all others.

Equation:
    p(y | x) = softmax(h(f(x))),      L = (1/B) sum_n -log p(y_n | x_n)

f  the network up to the vector that enters the head
h  the head: logits, one a class (with several labels an item, a sigmoid each)
B  items in a mini-batch

Scope head: f is fixed and only h is fitted. Scope network: both are fine-tuned. There is one draw, so all its doubt is
aleatoric. Hendrycks and Gimpel 2017, https://arxiv.org/abs/1610.02136
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Generator, Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope
from core.layers import noise
from core.methods import _folding, _training
from core.methods._contract import Batch, FitContext, Method, Step, task_loss
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "fit the head alone, or fine-tune the network", choices=("head", "network"))
    dropout: bool = knob(True, "let the dropout that the network carries act while it is fitted")
    statistics: bool = knob(True, "let batch normalisations follow the data while a whole network is fitted")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    model: nn.Module  # a head, or a network
    steps: int = 0


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    return State(config, context, _training.trainable_copy(_training.part_of(network, config.scope)))


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    drops = _training.step_noise(state.context, state.steps, batch.keys) if state.config.dropout else None
    moving = state.config.statistics and state.config.scope == "network"
    with noise(drops), _training.batch_statistics(state.model, moving):
        logits = _training.logits_of(state.config.scope, state.model, batch.inputs)
        loss = task_loss(logits, batch.labels, state.context.task, state.context.class_weights)
        step(loss, {"loss": float(loss.detach())})
    return replace(state, steps=state.steps + 1)


def predict(
    state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None
) -> Predictive:
    """One draw, whatever ``draws`` asks for."""
    fold = _folding.fold_of(state.config.scope, state.context, state.model, rows=rows)
    quiet = replace(fold, chains=tuple(_folding.still(chain) for chain in fold.chains))
    return _folding.predictive(quiet, inputs, keys, draws=1, seed=seed)


def moments(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None) -> Moments:
    return _folding.summary(predict(state, inputs, keys, draws=draws, seed=seed, rows=rows))


METHOD = Method(
    key="deterministic",
    title="Deterministic",
    paper="https://arxiv.org/abs/1610.02136",
    version=1,
    scopes=("head", "network"),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    moments=moments,
    own_draws=lambda config: 1,
)
