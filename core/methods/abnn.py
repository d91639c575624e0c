"""ABNN: a trained network becomes a Bayesian one through its normalisation layers.

Equation:
    BNL(h) = (h - m) / sqrt(v + eps) * gamma * (1 + alpha e) + beta,      e ~ N(0, 1)
    L_k = (1/B) sum_n w_k[y_n] * -log p(y_n | x_n, gamma_k, beta_k, e),   w_k[c] = boost in max(1, floor(sqrt C))
                                                                          distinct random classes c, else 1
    p(y | x) = (1/(M L)) sum_k sum_l softmax(f(x; gamma_k, beta_k, e_kl))

m, v          running statistics of the trained network, frozen (a layer's own statistics where it keeps none)
gamma, beta   scale and shift: all that trains, each member k of M has its own; weight decay is their prior
alpha         size of the noise; 1 would wipe out a trained network
e             a value a channel and draw ("channel", a random gamma), or one an element as in the authors' code
w_k           class weights of member k, drawn once. The sum is never divided by the sum of the weights, which
              nn.CrossEntropyLoss(weight=...) would do
L             draws a member; C classes; B items in a mini-batch

Draw s of predict belongs to member s mod M. With several labels an item, w weighs each class's own term.
Franchi et al. 2024, https://arxiv.org/abs/2312.15297
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Generator, Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope, Task
from core.layers import noise
from core.layers.bayesnorm import BayesNorm, NoiseShape
from core.layers.surgery import to_bayesnorm
from core.methods import _folding, _training
from core.methods._contract import Batch, FitContext, Method, Step, whole
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("network", "normalisation layers of the whole network", choices=("network",))
    members: int = knob(3, "fine-tuned sets of scales and shifts (M)", least=1, most=100)
    draws: int = knob(3, "draws of the noise a member, where no other number is asked for (L)", least=1)
    alpha: float = knob(0.01, "size of the noise on the scales", least=0.0, most=1.0)
    noise: NoiseShape = knob(
        "channel",
        "one value a channel, an element, or a channel and item",
        choices=("channel", "element", "sample_channel"),
    )
    where: str = knob("all", "which normalisations: all, first N, last N, every N, or stage NAME ...")
    boost: float = knob(7.0, "weight of a member's chosen classes", least=0.0, most=1e3)
    dropout: bool = knob(False, "let the dropout that the network carries act while it is fitted")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    members: tuple[nn.Module, ...]  # networks that share all but their normalisations
    weights: Tensor  # (members, classes)
    resting: _training.Rates  # dropout sites, which act only while fitting, if at all
    steps: int = 0


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    source = _training.frozen_copy(cast(nn.Module, network))
    members, resting = [], ()
    for _ in range(config.members):
        member = to_bayesnorm(source, alpha=config.alpha, noise=config.noise, where=config.where, share=True)
        resting = _training.rest(member)
        members.append(member.eval())
    drawn = [class_weights(context.classes, config.boost, generator) for _ in members]
    return State(config, context, tuple(members), torch.stack(drawn), resting if config.dropout else ())


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    """One step of every member: their parameters are disjoint, so the sum of their losses trains each by itself."""
    losses = []
    for number, (member, weights) in enumerate(zip(state.members, state.weights, strict=True)):
        drawn = _training.step_noise(state.context, state.steps, batch.keys, draw=number)
        with noise(drawn), _training.awake(member, state.resting):
            logits = _training.logits_of("network", member, batch.inputs)
        both = weights * weights.new_tensor(state.context.class_weights) if state.context.class_weights else weights
        losses.append(weighted_loss(logits, batch.labels, both, state.context.task))
    loss = torch.stack(losses).sum()
    parts = {f"member {number}": float(part.detach()) for number, part in enumerate(losses, start=1)}
    step(loss, {"loss": float(loss.detach()) / len(losses), **parts})
    return replace(state, steps=state.steps + 1)


def predict(
    state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None
) -> Predictive:
    return _folding.predictive(_fold(state, rows), inputs, keys, draws=draws, seed=seed)


def moments(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None) -> Moments:
    return _folding.moments(_fold(state, rows), inputs, keys, draws=draws, seed=seed)


def class_weights(classes: int, boost: float, generator: Generator) -> Tensor:
    """(classes,): ``boost`` for max(1, floor(sqrt C)) distinct classes, 1 for the others."""
    chosen = torch.randperm(classes, generator=generator, device=generator.device)[: max(1, math.isqrt(classes))]
    weights = torch.ones(classes)
    weights[chosen.cpu()] = boost
    return weights


def weighted_loss(logits: Tensor, labels: Tensor, weights: Tensor, task: Task) -> Tensor:
    """The sum of the items' losses, each times its class's weight, over the number of items."""
    logits = whole(logits)
    weights = weights.to(logits)
    if task == "multilabel":
        each = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
        return (each * weights).mean()
    logs = logits.log_softmax(dim=-1)
    if labels.is_floating_point():
        return -(labels * weights * logs).sum(dim=-1).mean()
    return -(weights[labels] * logs.gather(1, labels[:, None])[:, 0]).mean()


def _fold(state: State, rows: int | None) -> _folding.Fold:
    """What runs before the first random layer is the same in every member, and runs once for all."""
    fold = _folding.fold_of("network", state.context, *state.members, rows=rows)
    first = fold.chains[0].fixed
    if any(isinstance(part, BayesNorm) for link in first for part in link.modules()):
        return fold  # alpha is 0: members differ in layers that draw nothing
    return replace(fold, chains=tuple(replace(chain, fixed=first) for chain in fold.chains))


METHOD = Method(
    key="abnn",
    title="ABNN",
    paper="https://arxiv.org/abs/2312.15297",
    version=1,
    scopes=("network",),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    moments=moments,
    own_draws=lambda config: config.members * config.draws,
)
