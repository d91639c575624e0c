"""Draws folded into the batch: what is not random runs once an item, the rest once a (draw, item).

A network is a chain of links. Those before the first random one make a tensor for each item, which is repeated for
several draws (draw-major) and goes through the others as one batch of at most ``rows`` rows. With several members,
draw s is answered by member s mod M, so any number of draws uses them as evenly as it can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope, Task
from core.errors import UserFacingError
from core.layers import NoiseContext, noise
from core.layers.bayesnorm import BayesNorm
from core.layers.flipout import FlipoutLayer
from core.layers.masks import MaskedDropout
from core.methods._contract import FitContext, probabilities

ROWS = 256  # (draw, item) pairs in one pass of a network
HEAD_ROWS = 4096  # the same for a head, whose rows are short vectors
NO_MORE = "no-more-draws"
GROUP = 5  # draws that share one sample of Flipout's weight noise


@dataclass(frozen=True, slots=True)
class _Passes:
    rows: int | None = None
    on_pass: Callable[[], None] | None = None
    first: int = 0


_ALL = _Passes()
_PASSES: ContextVar[_Passes] = ContextVar("passes", default=_ALL)


@dataclass(frozen=True, slots=True)
class Chain:
    """The links of a network in order, cut before the first that is random."""

    fixed: tuple[nn.Module, ...]
    random: tuple[nn.Module, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """What answers, and how many (draw, item) rows go through it at once. Answers do not depend on ``rows``."""

    chains: tuple[Chain, ...]  # one a member
    context: FitContext
    rows: int = ROWS
    group: int = GROUP


def fold_of(
    scope: Scope, context: FitContext, *members: nn.Module, rows: int | None = None, group: int = GROUP
) -> Fold:
    """Members of one scope: heads, or whole networks."""
    rows = rows or (HEAD_ROWS if scope == "head" else ROWS)
    rows = min(rows, _PASSES.get().rows or rows)
    return Fold(tuple(chain_of(scope, member) for member in members), context, rows, group)


@contextmanager
def passes(rows: int | None = None, on_pass: Callable[[], None] | None = None, first: int = 0) -> Iterator[None]:
    """For what answers in this block, in this thread: at most so many rows at once, and a call after each pass.

    A device without memory for more needs the first; who must know that it goes on is told by the second. Draws
    before ``first`` are left out: they were made before.
    """
    token = _PASSES.set(_Passes(rows, on_pass, first))
    try:
        yield
    finally:
        _PASSES.reset(token)


def chain_of(scope: Scope, member: nn.Module) -> Chain:
    """From features to logits for a head, from inputs to logits for a network."""
    if scope == "head":
        return _cut([member])
    network = cast(Network, member)
    return _cut([*(stage for _, stage in network.stages), network.head])


def still(chain: Chain) -> Chain:
    """The same network with its randomness left off."""
    return Chain((*chain.fixed, *chain.random), ())


def is_random(module: nn.Module) -> bool:
    """Does this module or a part of it answer differently from draw to draw?"""
    return any(_draws(part) for part in module.modules())


def predictive(fold: Fold, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Predictive:
    """Every draw of every item: (draws, items, classes) float32 where the inputs are."""
    _check(fold, inputs, keys, draws)
    first = _PASSES.get().first
    probs = torch.empty(draws - first, len(inputs), fold.context.classes, device=inputs.device)
    with torch.no_grad():
        for items in _blocks(len(inputs), fold.rows):
            for numbers, answers in _answers(fold, inputs[items], keys[items], draws, seed):
                probs[[number - first for number in numbers], items] = answers
    return Predictive(probs, fold.context.task)


def moments(fold: Fold, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Moments:
    """The facts of ``predictive`` in memory that does not grow with the draws: float64, on the CPU."""
    _check(fold, inputs, keys, draws)
    found: list[Moments] = []
    with torch.no_grad():
        for items in _blocks(len(inputs), fold.rows):
            block = _nothing(items.stop - items.start, fold.context)
            for _, answers in _answers(fold, inputs[items], keys[items], draws, seed):
                block = _with_more(block, answers.cpu().double())
            found.append(block)
    found = found or [_nothing(0, fold.context)]
    mean, entropy, m2 = (
        torch.cat([getattr(block, name) for block in found]) for name in ("mean", "mean_entropy", "m2")
    )
    return Moments(draws - _PASSES.get().first, mean, entropy, m2, fold.context.task)


def summary(answer: Predictive) -> Moments:
    """The moments of draws that were kept."""
    probs = answer.probs.detach().cpu().double()
    deviation = probs - probs.mean(dim=0)
    entropy = _entropy(probs, answer.task).mean(dim=0)
    return Moments(
        len(probs), probs.mean(0), entropy, deviation.square().sum(0), answer.task, answer.score, answer.score_name
    )


def _answers(fold: Fold, inputs: Tensor, keys: Tensor, draws: int, seed: int) -> Iterator[tuple[range, Tensor]]:
    """Numbers of draws and their probabilities (draws, items, classes) for a few items, each draw once."""
    count, group = len(inputs), fold.group
    most = max(1, fold.rows // count)
    most -= most % group if most > group else 0  # so that few passes begin inside a group
    keys = keys.to(inputs.device)
    links: tuple[nn.Module, ...] | None = None
    hidden = inputs
    told, members = _PASSES.get(), len(fold.chains)
    for member, chain in enumerate(fold.chains[:draws]):
        numbers = range(member + members * max(0, -((member - told.first) // members)), draws, members)
        if not numbers:
            continue
        if chain.fixed != links:  # members that share their fixed links share what these made
            links, hidden = chain.fixed, _through(chain.fixed, inputs, None)
        for start in range(0, len(numbers), most):
            some = numbers[start : start + most]
            logits = hidden
            if chain.random:
                folded = hidden.repeat(len(some), *[1] * (hidden.dim() - 1))
                logits = _through(chain.random, folded, NoiseContext.fold(seed, some, keys, group))
            answers = probabilities(logits, fold.context.task).unflatten(0, (-1, count))
            if told.on_pass is not None:
                told.on_pass()
            yield some, answers.expand(len(some), -1, -1)


def _through(links: Sequence[nn.Module], x: Tensor, context: NoiseContext | None) -> Tensor:
    with noise(context):
        for link in links:
            x = link(x)
    return x


def _cut(stages: Sequence[nn.Module]) -> Chain:
    links = [link for stage in stages for link in _links(stage)]
    first = next((number for number, link in enumerate(links) if is_random(link)), len(links))
    return Chain(tuple(links[:first]), tuple(links[first:]))


def _links(stage: nn.Module) -> Iterator[nn.Module]:
    """A plain sequence is its parts, so that the cut may fall inside it."""
    if type(stage) is nn.Sequential:
        for part in stage:
            yield from _links(part)
    else:
        yield stage


def _draws(part: nn.Module) -> bool:
    if isinstance(part, MaskedDropout):
        return part.p > 0
    if isinstance(part, BayesNorm):
        return part.alpha != 0
    return isinstance(part, FlipoutLayer)


def _blocks(items: int, rows: int) -> Iterator[slice]:
    for start in range(0, items, rows):
        yield slice(start, min(start + rows, items))


def _nothing(items: int, context: FitContext) -> Moments:
    zeros = torch.zeros(items, context.classes, dtype=torch.float64)
    entropy = zeros.clone() if context.task == "multilabel" else zeros.sum(dim=1)
    return Moments(0, zeros, entropy, zeros.clone(), context.task)


def _with_more(known: Moments, probs: Tensor) -> Moments:
    """Welford's update by a few draws at a time (Chan, Golub and LeVeque 1979)."""
    more = len(probs)
    n = known.n + more
    mean = probs.mean(dim=0)
    distance = mean - known.mean
    entropy = _entropy(probs, known.task).mean(dim=0)
    return Moments(
        n,
        known.mean + distance * (more / n),
        known.mean_entropy + (entropy - known.mean_entropy) * (more / n),
        known.m2 + (probs - mean).square().sum(dim=0) + distance.square() * (known.n * more / n),
        known.task,
    )


def _entropy(probs: Tensor, task: Task) -> Tensor:
    """In nats: one an item, or one an item and class where each class is a yes or no."""
    entropy = torch.special.entr(probs)
    return entropy + torch.special.entr(1.0 - probs) if task == "multilabel" else entropy.sum(dim=-1)


def _check(fold: Fold, inputs: Tensor, keys: Tensor, draws: int) -> None:
    if not fold.chains or draws < 1 or fold.rows < 1:
        raise ValueError(f"an answer needs a member, a draw and a row, got {len(fold.chains)}, {draws}, {fold.rows}")
    if keys.shape != (len(inputs),):
        raise ValueError(f"{len(inputs)} items need as many keys, got {tuple(keys.shape)}")
    if _PASSES.get().first >= draws:
        raise UserFacingError(f"This model has {draws} draws, and all of them were told.", code=NO_MORE)
