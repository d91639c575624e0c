"""k-NN: how far the nearest known items are.

Equation:
    r(x) = || u(x) - u(x_(k)) ||,      u(x) = f(x) / ||f(x)||

f      features; x_(k) the k-th nearest of the kept training items
u      features of length 1, or as they are with ``unit`` off

The score is r. At most ``keep`` items stay, chosen by their keys. An item is never its own neighbour, so that training
items may be scored too. The probabilities are the given head's. Sun et al. 2022, https://arxiv.org/abs/2204.06507
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from core.contracts import Network, Predictive, Scope
from core.errors import UserFacingError
from core.methods import _sample
from core.methods._contract import Batch, FitContext, Method, Step
from core.methods._given import answered, given_head
from core.methods._knobs import check, knob

_SPARE = 8  # candidates beside the k nearest: the fast product ranks near ties by its rounding
_PAIRS = 1 << 23  # (item, known item) pairs at a time


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "read from the features of a fixed network", choices=("head",))
    k: int = knob(10, "which neighbour's distance is taken", least=1, most=10_000)
    keep: int = knob(50_000, "training items that stay", least=2, most=1_000_000)
    unit: bool = knob(True, "compare directions only")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    head: nn.Module
    known: _sample.Sample


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    return State(config, context, given_head(network), _sample.Sample(config.keep, context.seed))


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    return replace(state, known=_sample.added(state.known, batch.keys, _placed(state.config, batch.inputs)))


def finish(state: State) -> State:
    known = _sample.settled(state.known)
    if known.items <= state.config.k:
        raise UserFacingError(
            f"The distance to neighbour {state.config.k} needs more than {state.config.k} items; {known.items} were "
            "kept. Choose a smaller k, or give more items.",
            code="items",
        )
    return replace(state, known=known)


def predict(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Predictive:
    """One draw, whatever ``draws`` asks for."""
    bank, names = state.known.features[0].to(inputs.device), state.known.keys[0].to(inputs.device)
    points, keys = _placed(state.config, inputs), keys.to(inputs.device)
    size = max(1, _PAIRS // len(bank))
    with torch.no_grad():
        parts = [
            _kth(some, bank, mine[:, None] == names, state.config.k)
            for some, mine in zip(points.split(size), keys.split(size), strict=True)
        ]
        return answered(state.head(inputs), state.context.task, torch.cat(parts), "k-NN distance")


def _placed(config: Config, features: Tensor) -> Tensor:
    features = features.detach().float()
    return nn.functional.normalize(features, dim=1) if config.unit else features


def _kth(points: Tensor, bank: Tensor, own: Tensor, k: int) -> Tensor:
    """Distance to the k-th nearest that is not the point itself: near ones by a product, then measured exactly."""
    near = bank.square().sum(dim=1) - 2 * points @ bank.T
    near = near.masked_fill(own, torch.inf)
    count = min(k + _SPARE, len(bank))
    values, places = near.topk(count, largest=False)
    exact = (points[:, None] - bank[places]).double().norm(dim=2).masked_fill(values.isinf(), torch.inf)
    return exact.kthvalue(k, dim=1).values


METHOD = Method(
    key="knn",
    title="k-NN distance (last layers)",
    paper="https://arxiv.org/abs/2204.06507",
    version=1,
    scopes=("head",),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    finish=finish,
    fills="score",
    single_pass=True,
    own_draws=lambda config: 1,
)
