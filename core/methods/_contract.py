"""What a method is: init and update fit a State, predict answers from it in one shape.

    state = method.init(config, network, context, generator)
    for batch in batches:
        state = method.update(state, batch, generator, step)
    state = frozen(method.finish(state))
    predictive = method.predict(state, inputs, keys, draws=50, seed=0)

A State is a frozen dataclass whose first field is ``config``. It may hold torch modules: their parameters with
``requires_grad`` are what the training loop optimises, until ``frozen``. ``predict`` never changes anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope, Task

if TYPE_CHECKING:
    from torch import Generator

C = TypeVar("C")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class FitContext:
    """What a method must know of the data before it sees any."""

    task: Task
    classes: int
    n_train: int  # items, for the weight of a prior
    seed: int
    class_weights: tuple[float, ...] = ()  # of the task's loss; none: all classes alike


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Inputs are features (items, dim) for head scope, network inputs for network scope."""

    inputs: Tensor
    labels: Tensor  # (items,) int64, or (items, classes) float for multilabel and mixed labels
    keys: Tensor  # (items,) int64, see core.layers: an item's noise follows its key


Step = Callable[[Tensor, Mapping[str, float]], None]  # zero_grad, backward, optimiser step; the parts are logged


class Predict(Protocol):
    def __call__(self, state: Any, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Predictive: ...


class Summarise(Protocol):
    def __call__(self, state: Any, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Moments: ...


def unchanged(state: S) -> S:
    """The finish of a method that has nothing left to solve."""
    return state


def usual_draws(config: Any) -> int:
    """How many draws are taken where neither the caller nor the method's authors say."""
    return 50


@dataclass(frozen=True, slots=True)
class Method(Generic[C, S]):
    """What a module of core/methods exports as METHOD."""

    key: str
    title: str  # says the scope in words where it has one only: "... (last layers)"
    paper: str  # link
    version: int
    scopes: tuple[Scope, ...]  # what Config.scope may be
    Config: type[C]  # frozen dataclass; field metadata: min, max, help, choices
    State: type[S]
    init: Callable[[C, Network, FitContext, Generator], S]
    update: Callable[[S, Batch, Generator, Step], S]
    predict: Predict
    fills: Literal["probs", "score"] = "probs"  # score: the doubt stands in Predictive.score
    single_pass: bool = False  # True: update only accumulates statistics, one epoch is all
    finish: Callable[[S], S] = unchanged  # after the last update: solve what was accumulated
    moments: Summarise | None = None  # network scope: the same facts without keeping draws
    own_draws: Callable[[C], int] = usual_draws  # what a page asks for unless it is told


def scope_of(config: Any) -> Scope:
    return config.scope


def modules_of(state: Any) -> Iterator[nn.Module]:
    """Every module a State holds, also inside tuples and nested dataclasses."""
    if isinstance(state, nn.Module):
        yield state
    elif isinstance(state, (tuple, list)):
        for part in state:
            yield from modules_of(part)
    elif dataclasses.is_dataclass(state) and not isinstance(state, type):
        for field in dataclasses.fields(state):
            yield from modules_of(getattr(state, field.name))


def parameters_of(state: Any) -> tuple[nn.Parameter, ...]:
    """What the optimiser moves: each parameter once."""
    found = {id(p): p for module in modules_of(state) for p in module.parameters() if p.requires_grad}
    return tuple(found.values())


def frozen(state: S) -> S:
    """The same State with every module in eval and no gradient; done once, before the first predict."""
    for module in modules_of(state):
        module.eval().requires_grad_(False)
    return state


def task_loss(logits: Tensor, labels: Tensor, task: Task, weights: tuple[float, ...] = ()) -> Tensor:
    """Mean over the batch. Multiclass: cross-entropy in nats. Multilabel: mean over classes of the binary one.

    ``weights`` are those of the classes. The weighted sum is divided by the number of items, not by that of the
    weights: items of a rare class count more and the others less.
    """
    logits = whole(logits)
    each = logits.new_tensor(weights) if weights else None
    if task == "multilabel":
        return nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), weight=each)
    if each is None:
        return nn.functional.cross_entropy(logits, labels)
    targets = labels if labels.is_floating_point() else nn.functional.one_hot(labels, len(weights)).to(logits)
    return -(targets * each * logits.log_softmax(dim=-1)).sum(dim=-1).mean()


def whole(logits: Tensor) -> Tensor:
    """Float32 of the short numbers that mixed precision computes with: a loss needs all its digits."""
    return logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits


def probabilities(logits: Tensor, task: Task) -> Tensor:
    """Float32 probabilities along the last axis, or a class at a time."""
    return torch.sigmoid(logits.float()) if task == "multilabel" else torch.softmax(logits.float(), dim=-1)
