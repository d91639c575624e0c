"""Det-Flip: a deterministic network under a head with Gaussian weights that start around the trained ones (MOPED).

Equation:
    q(w) = N(mu, softplus(rho)^2) starts at mu = w*, softplus(rho) = delta |w*|;   p(w) = N(w*, s_p^2) or N(0, s_p^2)
    L = (1/B) sum_n -log softmax(h(f(x_n); w_n))[y_n]  +  (w_t a / N) KL(q || p)

w*     weights of the head as it was trained without noise
delta  how wide the posterior starts, relative to the size of each weight
s_p    standard deviation of the prior; its mean is w* ("centered", the paper's) or 0 ("zero")
f, h   the network below the head, fixed, and the head: every layer of it gets random weights
N, B   training items, and those of a mini-batch; a and w_t are ``kl_factor`` and its warm-up, as in flipout.py

The head that init receives is w*. Where it is new, ``settle`` steps train it plainly first; then its weights become w*.
VI-PANN https://arxiv.org/abs/2401.05531; MOPED, Krishnan et al. 2020, https://arxiv.org/abs/1906.05323
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope
from core.layers import noise
from core.layers._posterior import FlipoutOptions, start
from core.layers.flipout import FlipoutLayer
from core.layers.surgery import to_flipout
from core.methods import _elbo, _folding, _training
from core.methods._contract import Batch, FitContext, Method, Step, task_loss
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "random weights in the head", choices=("head",))
    delta: float = knob(0.5, "starting standard deviation relative to the size of each weight", least=1e-4, most=10.0)
    prior: Literal["centered", "zero"] = knob(
        "centered", "the prior's mean: the trained weights, or 0", choices=("centered", "zero")
    )
    prior_sigma: float = knob(1.0, "standard deviation of the prior", least=1e-3, most=1e3)
    settle: int = knob(0, "steps that train a new head without noise first; 0: the given head is trained", least=0)
    kl: Literal["sum", "mean"] = knob(
        "sum", "sum is the evidence bound's, mean is bayesian-torch's", choices=("sum", "mean")
    )
    kl_factor: float = knob(1.0, "weight of the KL beside 1 / training items", least=0.0, most=1e6)
    warmup: int = knob(0, "steps over which the KL comes in", least=0)
    group: int = knob(5, "draws that share one sample of weight noise", least=1)
    dropout: bool = knob(True, "let the dropout that the head carries act while it is fitted")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    head: nn.Module
    resting: _training.Rates  # dropout sites, which act only while fitting
    steps: int = 0


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    head = to_flipout(network.head, _options(config), prefix="head")
    resting = _training.rest(head)
    return State(config, context, head.eval().requires_grad_(True), resting if config.dropout else ())


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    config, steps = state.config, state.steps
    if steps < config.settle:
        with noise(None):
            loss = task_loss(state.head(batch.inputs), batch.labels, state.context.task, state.context.class_weights)
        step(loss, {"loss": float(loss.detach())})
        return replace(state, steps=steps + 1)
    if config.settle and steps == config.settle:
        _settle(state)
    drawn = _training.step_noise(state.context, steps, batch.keys)
    weight = _elbo.kl_weight(state.context, config.kl_factor, config.warmup, steps - config.settle)
    with noise(drawn), _training.awake(state.head, state.resting):
        logits = state.head(batch.inputs)
        step(*_elbo.negative_elbo(state.head, logits, batch.labels, state.context, weight, config.kl))
    return replace(state, steps=steps + 1)


def finish(state: State) -> State:
    """A run that ended while its head settled still gets its posterior."""
    if 0 < state.steps <= state.config.settle:
        _settle(state)
    return state


def predict(
    state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None
) -> Predictive:
    return _folding.predictive(_fold(state, rows), inputs, keys, draws=draws, seed=seed)


def moments(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None) -> Moments:
    return _folding.moments(_fold(state, rows), inputs, keys, draws=draws, seed=seed)


def _fold(state: State, rows: int | None) -> _folding.Fold:
    return _folding.fold_of("head", state.context, state.head, rows=rows, group=state.config.group)


def _options(config: Config) -> FlipoutOptions:
    return FlipoutOptions(moped=config.delta, moped_prior=config.prior, prior_sigma=config.prior_sigma)


def _settle(state: State) -> None:
    """The weights of now become w*: posterior and prior start from them."""
    options = _options(state.config)
    with torch.no_grad():
        for layer in state.head.modules():
            if not isinstance(layer, FlipoutLayer):
                continue
            for part in ("weight", "bias"):
                if (mean := getattr(layer, part)) is not None:
                    begin = start(mean, options, None)
                    getattr(layer, f"rho_{part}").copy_(begin.rho)
                    getattr(layer, f"prior_mean_{part}").copy_(begin.prior_mean)


METHOD = Method(
    key="det_flip",
    title="Det-Flip (last layers)",
    paper="https://arxiv.org/abs/2401.05531",
    version=1,
    scopes=("head",),
    Config=Config,
    State=State,
    init=init,
    update=update,
    finish=finish,
    predict=predict,
    moments=moments,
)
