"""Dropout kept on when answering: every draw is a thinner network.

Equation:
    p(y | x) = (1/S) sum_s softmax(f(x; W, z_s)),      z_s,l ~ Bernoulli(1 - p_l),  kept units scaled by 1 / (1 - p_l)

f    the network (scope network) or its head on fixed features (scope head)
W    its weights, fitted with the same dropout on; weight decay is their prior
z_s  the masks of draw s, one decision a unit at each site l, anew for every item
p_l  the rate of site l
S    draws

Scope network drops at the sites that the network carries, and at no other. As in VI-PANN's ``mcd`` those inside
residual blocks act while fitting and rest when answering, unless ``blocks`` says otherwise. Scope head uses the head's
own sites; a head without any gets one of ``rate`` before each linear layer. Gal and Ghahramani 2016,
https://arxiv.org/abs/1506.02142; VI-PANN https://arxiv.org/abs/2401.05531
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import Generator, Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope
from core.errors import UserFacingError
from core.layers import noise
from core.layers.masks import MaskedDropout
from core.layers.surgery import to_masked_dropout
from core.methods import _folding, _training
from core.methods._contract import Batch, FitContext, Method, Step, task_loss
from core.methods._knobs import check, knob

_SHORTCUTS = ("downsample", "shortcut")  # what a residual block calls its other path


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "drop in the last layers only, or below them too", choices=("head", "network"))
    rate: float = knob(0.5, "rate of the sites added to a head that has none", least=0.01, most=0.95)
    blocks: Literal["off", "fitting", "on"] = knob(
        "fitting", "sites inside residual blocks: never, while fitting, or always", choices=("off", "fitting", "on")
    )
    statistics: bool = knob(True, "let batch normalisations follow the data while a whole network is fitted")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    model: nn.Module  # a head, or a network
    resting: _training.Rates  # sites that act only while fitting
    steps: int = 0


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    source = _training.part_of(network, config.scope)
    model = to_masked_dropout(source, prefix="head" if config.scope == "head" else "")
    if config.scope == "head":
        if not _training.sites_of(model):
            model = _with_sites(model, config.rate)
        return State(config, context, model.eval().requires_grad_(True), ())
    inside = set() if config.blocks == "on" else _inside_blocks(model)
    rates = _training.rest(model, inside)
    if not _training.sites_of(model):
        raise _no_sites(config, bool(inside))
    resting = rates if config.blocks == "fitting" else ()
    return State(config, context, model.eval().requires_grad_(True), resting)


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    drops = _training.step_noise(state.context, state.steps, batch.keys)
    moving = state.config.statistics and state.config.scope == "network"
    awake = _training.awake(state.model, state.resting)
    with noise(drops), awake, _training.batch_statistics(state.model, moving):
        logits = _training.logits_of(state.config.scope, state.model, batch.inputs)
        loss = task_loss(logits, batch.labels, state.context.task, state.context.class_weights)
        step(loss, {"loss": float(loss.detach())})
    return replace(state, steps=state.steps + 1)


def predict(
    state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None
) -> Predictive:
    return _folding.predictive(_fold(state, rows), inputs, keys, draws=draws, seed=seed)


def moments(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None) -> Moments:
    return _folding.moments(_fold(state, rows), inputs, keys, draws=draws, seed=seed)


def _fold(state: State, rows: int | None) -> _folding.Fold:
    return _folding.fold_of(state.config.scope, state.context, state.model, rows=rows)


def _with_sites(head: nn.Module, rate: float) -> nn.Module:
    """A head of ours with a site before each linear layer, or before all of it where there is none."""
    found = [name for name, layer in head.named_modules() if type(layer) is nn.Linear]
    for name in found or [""]:
        site = MaskedDropout(rate, f"head.{name}.drop".replace("..", "."))
        guarded = nn.Sequential(site, head.get_submodule(name))
        if not name:
            return guarded
        parent, _, child = name.rpartition(".")
        setattr(head.get_submodule(parent), child, guarded)
    return head


def _inside_blocks(model: nn.Module) -> set[str]:
    """Names of the sites in residual blocks: those with a shortcut around them."""
    blocks = [part for part in model.modules() if any(hasattr(part, name) for name in _SHORTCUTS)]
    return {site.name for block in blocks for site in _training.sites_of(block)}


def _no_sites(config: Config, inside: bool) -> UserFacingError:
    if inside:
        return UserFacingError(
            "All dropout layers of this network are inside its residual blocks, and these are switched off. "
            "Choose blocks=on, or the scope head.",
            code="layer",
        )
    return UserFacingError(
        "MC dropout over a whole network needs dropout layers, and this network has none that drop anything. "
        "Choose the scope head, which adds some, or use Flipout, ABNN or an ensemble.",
        code="layer",
    )


METHOD = Method(
    key="mc_dropout",
    title="MC dropout",
    paper="https://arxiv.org/abs/1506.02142",
    version=1,
    scopes=("head", "network"),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    moments=moments,
    own_draws=lambda config: 30,
)
