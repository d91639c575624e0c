"""Mahalanobis: how far features are from the nearest class, in the units of how features vary inside classes.

Equation:
    d(x) = min_c (f - m_c)^T S^-1 (f - m_c)                          the score
    d(x) - (f - m)^T S_0^-1 (f - m)                                  the score with ``relative``

f       features of x, divided by their length with ``unit``
m_c, S  means of the training classes, and the shrunk covariance that they share
m, S_0  the mean and the shrunk covariance of all training items together

Where items have several labels, classes overlap and have no means of their own: d is then the distance to the one mean
m, and ``relative`` is refused. The probabilities are the given head's. Lee et al. 2018, https://arxiv.org/abs/1807.03888;
relative: Ren et al. 2021, https://arxiv.org/abs/2106.09022; unit: Mueller and Hein 2025, https://arxiv.org/abs/2505.18032
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from core.contracts import Network, Predictive, Scope
from core.errors import UserFacingError
from core.methods import _gaussian
from core.methods._contract import Batch, FitContext, Method, Step
from core.methods._given import answered, given_head
from core.methods._knobs import check, knob
from core.methods._losses import one_hot


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "read from the features of a fixed network", choices=("head",))
    shrinkage: float | None = knob(None, "how round the covariance is made; none: estimated", least=0.0, most=1.0)
    relative: bool = knob(False, "leave out how far the features are from all classes together")
    unit: bool = knob(False, "compare directions only")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    head: nn.Module
    sums: _gaussian.Sums | None
    classes: _gaussian.Gaussian | None = None
    everything: _gaussian.Gaussian | None = None


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    several = context.task == "multilabel"
    if several and config.relative:
        raise UserFacingError(
            "The relative distance compares classes with all of them together; items with several labels have no class "
            "of their own. Switch relative off.",
            code="setting",
        )
    sums = _gaussian.nothing(1 if several else context.classes, network.dim)
    return State(config, context, given_head(network), sums)


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    assert state.sums is not None, "a finished State takes no more data"
    alone = torch.ones(len(batch.inputs), 1)
    shares = alone if state.context.task == "multilabel" else one_hot(batch.labels, state.context.classes)
    return replace(state, sums=_gaussian.gathered(state.sums, _placed(state.config, batch.inputs), shares))


def finish(state: State) -> State:
    sums, config = state.sums, state.config
    assert sums is not None, "a State is finished once"
    everything = None
    if config.relative:
        together = replace(sums, counts=sums.counts.sum(0, keepdim=True), sums=sums.sums.sum(0, keepdim=True))
        everything = _gaussian.fitted(together, config.shrinkage)
    return replace(state, sums=None, classes=_gaussian.fitted(sums, config.shrinkage), everything=everything)


def predict(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Predictive:
    """One draw, whatever ``draws`` asks for."""
    assert state.classes is not None, "finish comes before predict"
    points = _placed(state.config, inputs)
    with torch.no_grad():
        score = _gaussian.squared_distances(state.classes, points).amin(dim=1)
        if state.everything is not None:
            score = score - _gaussian.squared_distances(state.everything, points)[:, 0]
        return answered(state.head(inputs), state.context.task, score, "Mahalanobis distance")


def _placed(config: Config, features: Tensor) -> Tensor:
    features = features.detach()
    return nn.functional.normalize(features.double(), dim=1) if config.unit else features


METHOD = Method(
    key="mahalanobis",
    title="Mahalanobis distance (last layers)",
    paper="https://arxiv.org/abs/1807.03888",
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
