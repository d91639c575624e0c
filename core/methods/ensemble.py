"""Ensembles: members that differ in where they started, asked one by one.

Equation:
    p(y | x) = (1/M) sum_m softmax(f_m(x))
    L = sum_m (1/B) sum_n w_mn * -log p_m(y_n | x_n)

M     members, each with weights drawn by itself
f_m   head scope: member m's head on the one fixed network; network scope: a network of its own
w_mn  1, or with ``bootstrap`` a Poisson(1) number that stays with its item and member
B     items in a mini-batch

There are M draws, whatever is asked for: drawing a member twice says nothing new. The members' parameters are
disjoint, so the one step on the sum trains each by itself; memory while fitting grows with M.
Lakshminarayanan et al. 2017, https://arxiv.org/abs/1612.01474
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Generator, Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope
from core.fingerprint import seed_of
from core.layers import NoiseContext, _noise, layer_id_of, noise
from core.layers.masks import MaskedDropout
from core.methods import _folding, _training
from core.methods._contract import Batch, FitContext, Method, Step, probabilities
from core.methods._fresh import redraw
from core.methods._knobs import check, knob
from core.methods._losses import item_losses
from core.methods._stacked import StackedHeads, in_blocks


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "several heads on one network, or several networks", choices=("head", "network"))
    members: int = knob(5, "how many (M)", least=1, most=100)
    fresh: Literal["all", "head"] = knob(
        "all", "what a member draws anew: all that it trains, or its head alone", choices=("all", "head")
    )
    bootstrap: bool = knob(False, "weigh items differently for each member, as resampling them would")
    dropout: bool = knob(True, "let the dropout that the network carries act while it is fitted")
    statistics: bool = knob(True, "let batch normalisations follow the data while whole networks are fitted")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    heads: StackedHeads | None  # head scope
    networks: tuple[nn.Module, ...]  # network scope
    steps: int = 0


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    members = []
    for _ in range(config.members):
        member = _training.trainable_copy(_training.part_of(network, config.scope))
        whole = config.scope == "head" or config.fresh == "all"
        redraw(member if whole else cast(Network, member).head, generator)
        members.append(member.eval())
    if config.scope == "head":
        return State(config, context, StackedHeads(members), ())
    return State(config, context, None, tuple(members))


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    weights = bootstrap_weights(state, batch.keys) if state.config.bootstrap else None
    losses = []
    for number, logits in enumerate(_member_logits(state, batch)):
        each = item_losses(logits, batch.labels, state.context.task, state.context.class_weights)
        losses.append((each if weights is None else each * weights[number]).mean())
    loss = torch.stack(losses).sum()
    parts = {f"member {number}": float(part.detach()) for number, part in enumerate(losses, start=1)}
    step(loss, {"loss": float(loss.detach()) / len(losses), **parts})
    return replace(state, steps=state.steps + 1)


def predict(
    state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None
) -> Predictive:
    """One draw a member, whatever ``draws`` asks for."""
    if state.heads is not None:
        with torch.no_grad():
            logits = in_blocks(state.heads, inputs, rows or _folding.HEAD_ROWS)
        return Predictive(probabilities(logits, state.context.task), state.context.task)
    return _folding.predictive(_fold(state, rows), inputs, keys, draws=len(state.networks), seed=seed)


def moments(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None) -> Moments:
    if state.heads is not None:
        return _folding.summary(predict(state, inputs, keys, draws=draws, seed=seed, rows=rows))
    return _folding.moments(_fold(state, rows), inputs, keys, draws=len(state.networks), seed=seed)


def bootstrap_weights(state: State, keys: Tensor) -> Tensor:
    """(members, items): how often each member's own sample of the data, drawn with replacement, would hold an item.

    Oza and Russell 2001: the count is Poisson(1) when there are many items.
    """
    members = range(state.config.members)
    context = NoiseContext.fold(seed_of("bootstrap", state.context.seed), members, keys)
    streams = context.by_item(layer_id_of("bootstrap"), "count")
    chances = torch.tensor([math.exp(-1) / math.factorial(count) for count in range(12)], device=keys.device)
    counts = torch.searchsorted(chances.cumsum(0), _noise.uniform(streams, 1)[:, 0].contiguous(), right=True)
    return counts.float().unflatten(0, (len(members), len(keys)))


def _member_logits(state: State, batch: Batch) -> Iterator[Tensor]:
    heads, config = state.heads, state.config
    if heads is not None and not (config.dropout and heads.has_random_parts(MaskedDropout)):
        yield from heads(batch.inputs)
        return
    for number in range(config.members):
        drops = _training.step_noise(state.context, state.steps, batch.keys, draw=number) if config.dropout else None
        with noise(drops):
            if heads is not None:
                yield heads.one(number, batch.inputs)
                continue
            member = state.networks[number]
            with _training.batch_statistics(member, config.statistics):
                yield _training.logits_of("network", member, batch.inputs)


def _fold(state: State, rows: int | None) -> _folding.Fold:
    """Members have no randomness left: their dropout acts while they are fitted only."""
    fold = _folding.fold_of("network", state.context, *state.networks, rows=rows)
    return replace(fold, chains=tuple(_folding.still(chain) for chain in fold.chains))


METHOD = Method(
    key="ensemble",
    title="Ensemble",
    paper="https://arxiv.org/abs/1612.01474",
    version=1,
    scopes=("head", "network"),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    moments=moments,
    own_draws=lambda config: config.members,
)
