"""Variational inference with Gaussian weights, sampled by Flipout.

Equation:
    L = (1/B) sum_n -log p(y_n | x_n, w_n)  +  (w_t a / N) KL(q || p),      w_n ~ q(w) = N(mu, softplus(rho)^2)
    KL(q || p) = sum_i log(s_p / s_i) + (s_i^2 + (mu_i - m_p)^2) / (2 s_p^2) - 1/2

mu, rho    what is fitted: the mean of each weight, and s = log(1 + e^rho), its standard deviation
m_p, s_p   the prior's mean and standard deviation
N, B       training items, and those of a mini-batch (with C labels an item the loss is a mean over them, so N C)
a          ``kl_factor``; 1 is the bound itself, below 1 a colder posterior
w_t        rises from 0 to 1 over the first ``warmup`` steps
w_n        the weights of item n: Flipout gives every item of a batch its own, see core/layers/flipout.py

``kl="mean"`` averages over each tensor instead of summing, as bayesian-torch does: it all but switches the prior off,
and is here to compare. Wen et al. 2018, https://arxiv.org/abs/1803.04386; VI-PANN https://arxiv.org/abs/2401.05531
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import Generator, Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope
from core.layers import noise
from core.layers._posterior import FlipoutOptions
from core.layers.surgery import to_flipout
from core.methods import _elbo, _folding, _training
from core.methods._contract import Batch, FitContext, Method, Step
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("network", "random weights in the head only, or below it too", choices=("network", "head"))
    where: str = knob("all", "layers with random weights: all, first N, last N, every N, or stage NAME ...")
    mean: Literal["source", "random"] = knob(
        "source", "start the means at the network's weights, or at N(0, 0.1^2)", choices=("source", "random")
    )
    rho: float = knob(-3.0, "where every rho starts; -3 is a standard deviation of 0.049", least=-30.0, most=3.0)
    rho_spread: float = knob(0.1, "standard deviation of the starting rhos", least=0.0, most=2.0)
    prior_mean: float = knob(0.0, "mean of the prior", least=-10.0, most=10.0)
    prior_sigma: float = knob(1.0, "standard deviation of the prior", least=1e-3, most=1e3)
    moped: bool = knob(False, "start each standard deviation at delta |w| of the network's weight (MOPED)")
    delta: float = knob(0.5, "delta of MOPED", least=1e-4, most=10.0)
    moped_prior: Literal["centered", "zero"] = knob(
        "centered", "MOPED's prior: around the network's weights, or around prior_mean", choices=("centered", "zero")
    )
    kl: Literal["sum", "mean"] = knob(
        "sum", "sum is the evidence bound's, mean is bayesian-torch's", choices=("sum", "mean")
    )
    kl_factor: float = knob(1.0, "weight of the KL beside 1 / training items", least=0.0, most=1e6)
    warmup: int = knob(0, "steps over which the KL comes in", least=0)
    signs: Literal["channel", "element"] = knob(
        "channel",
        "signs of convolutions: one a channel, or one a pixel as bayesian-torch",
        choices=("channel", "element"),
    )
    estimator: Literal["flipout", "local", "sample"] = knob(
        "flipout",
        "Flipout, local reparameterisation, or one weight sample a draw",
        choices=("flipout", "local", "sample"),
    )
    group: int = knob(5, "draws that share one sample of weight noise", least=1)
    dropout: bool = knob(True, "let the dropout that the network carries act while it is fitted")
    statistics: bool = knob(True, "let batch normalisations follow the data while a whole network is fitted")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    model: nn.Module  # a head, or a network
    resting: _training.Rates  # dropout sites, which act only while fitting
    steps: int = 0


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    source = _training.part_of(network, config.scope)
    prefix = "head" if config.scope == "head" else ""
    model = to_flipout(source, options_of(config), where=config.where, generator=generator, prefix=prefix)
    resting = _training.rest(model)
    return State(config, context, model.eval().requires_grad_(True), resting if config.dropout else ())


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    config = state.config
    drawn = _training.step_noise(state.context, state.steps, batch.keys)
    awake = _training.awake(state.model, state.resting)
    weight = _elbo.kl_weight(state.context, config.kl_factor, config.warmup, state.steps)
    moving = config.statistics and config.scope == "network"
    with noise(drawn), awake, _training.batch_statistics(state.model, moving):
        logits = _training.logits_of(config.scope, state.model, batch.inputs)
        step(*_elbo.negative_elbo(state.model, logits, batch.labels, state.context, weight, config.kl))
    return replace(state, steps=state.steps + 1)


def predict(
    state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None
) -> Predictive:
    return _folding.predictive(_fold(state, rows), inputs, keys, draws=draws, seed=seed)


def moments(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None) -> Moments:
    return _folding.moments(_fold(state, rows), inputs, keys, draws=draws, seed=seed)


def options_of(config: Config) -> FlipoutOptions:
    """The layers' part of a Config."""
    return FlipoutOptions(
        signs=config.signs,
        estimator=config.estimator,
        mean=config.mean,
        rho=config.rho,
        rho_spread=config.rho_spread,
        prior_mean=config.prior_mean,
        prior_sigma=config.prior_sigma,
        moped=config.delta if config.moped else None,
        moped_prior=config.moped_prior,
    )


def _fold(state: State, rows: int | None) -> _folding.Fold:
    config = state.config
    return _folding.fold_of(config.scope, state.context, state.model, rows=rows, group=config.group)


METHOD = Method(
    key="flipout",
    title="Flipout",
    paper="https://arxiv.org/abs/1803.04386",
    version=1,
    scopes=("network", "head"),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    moments=moments,
)
