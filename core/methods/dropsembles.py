"""Dropsembles: one trained network with dropout becomes several thinned ones, each fine-tuned by itself.

Equation:
    h_l <- z_ml * h_l / (1 - p_l),      z_ml ~ Bernoulli(1 - p_l) once a member and unit
    L_m = (1/B) sum_n -log p(y_n | x_n, t_m, z_m) + (lambda / 2) sum_j F_j (t_mj - a_j)^2
    p(y | x) = (1/M) sum_m softmax(f(x; t_m, z_m))

z_m     member m's masks, fixed from the start: the same for every item, step and draw, and stored with the member
p_l     the rate of dropout site l. In feature maps a unit is a channel, so that a masked unit's weights get no
        gradient from the data; "element" masks single places instead
a       the parameters of the trained network, from which every member starts
F       diagonal Fisher information of the data it was trained on, see ``anchored``; lambda = 0 leaves the term out
M, B    members; items in a mini-batch

With ``frozen_stages`` the first stages keep what they know: they run once for all members, unthinned. Running
statistics never move. A masked weight has no gradient and stands on its anchor; the optimiser's weight decay would
still shrink it. There are M draws, whatever is asked for. https://arxiv.org/abs/2406.12082
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Generator, Tensor, nn

from core.contracts import Moments, Network, Predictive, Scope
from core.errors import UserFacingError
from core.fingerprint import seed_of
from core.layers.surgery import mask_shapes, to_member
from core.methods import _ewc, _folding, _training
from core.methods._contract import Batch, FitContext, Method, Step, task_loss
from core.methods._example import example_of
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("network", "thin the whole network, or its head alone", choices=("head", "network"))
    members: int = knob(4, "thinned copies (M)", least=1, most=100)
    ewc: float = knob(0.0, "strength of staying near the trained network (lambda); 0 is off", least=0.0, most=1e9)
    fisher: _ewc.Rule = knob("exact", "labels of the Fisher information", choices=("exact", "sampled", "empirical"))
    masks: Literal["channel", "element"] = knob(
        "channel", "mask whole channels of feature maps, or single places", choices=("channel", "element")
    )
    frozen_stages: int = knob(0, "how many of the first stages stay as they are (network scope)", least=0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    members: tuple[nn.Module, ...]
    source: nn.Module | None  # the trained network, until the members are done
    anchor: _ewc.Anchor | None = None
    steps: int = 0


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    source = _training.trainable_copy(_training.part_of(network, config.scope))
    prefix, tail = _cut(config, source)
    for module in prefix:
        module.requires_grad_(False)
    inputs = torch.zeros(1, network.dim) if config.scope == "head" else example_of(network)
    device = next((p.device for p in source.parameters()), inputs.device)
    shapes = _shapes(config, source, tail, inputs.to(device))
    seed = seed_of("members", context.seed)
    members = tuple(to_member(source, shapes, number, seed, share=True).to(device) for number in range(config.members))
    return State(config, context, members, source)


def anchored(state: State, batches: Iterable[Batch], generator: Generator) -> State:
    """Hold the members to the trained network by the Fisher information of the data that it was trained on.

    To be called between ``init`` and the first ``update`` when ``ewc`` is not 0. Dropout is off in this.
    """
    if state.source is None:
        raise ValueError("these members are finished; anchor them before the first update")
    anchor = _ewc.anchor_of(state.source, batches, state.context.task, state.config.fisher, generator)
    return replace(state, anchor=anchor)


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    """One step of every member: their parameters are disjoint, so the sum of their losses trains each by itself."""
    config = state.config
    if config.ewc and state.anchor is None:
        raise UserFacingError(
            "The setting ewc holds members to what the network learned before, and needs the data that it was trained "
            "on. Give these data, or set ewc to 0.",
            code="anchor",
        )
    with torch.no_grad():
        hidden = _through(_cut(config, state.members[0])[0], batch.inputs)
    tasks, pulls = [], []
    for member in state.members:
        logits = _through(_cut(config, member)[1], hidden)
        tasks.append(task_loss(logits, batch.labels, state.context.task, state.context.class_weights))
        if config.ewc and state.anchor is not None:
            pulls.append(config.ewc / 2 * _ewc.penalty(state.anchor, member))
    task = torch.stack(tasks).sum()
    pull = torch.stack(pulls).sum() if pulls else torch.zeros_like(task)
    parts = {f"member {number}": float(part.detach()) for number, part in enumerate(tasks, start=1)}
    means = {"task": float(task.detach()) / len(tasks), "ewc": float(pull.detach()) / len(tasks)}
    step(task + pull, {"loss": sum(means.values()), **means, **parts})
    return replace(state, steps=state.steps + 1)


def finish(state: State) -> State:
    return replace(state, source=None, anchor=None)


def predict(
    state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None
) -> Predictive:
    """One draw a member, whatever ``draws`` asks for."""
    return _folding.predictive(_fold(state, rows), inputs, keys, draws=len(state.members), seed=seed)


def moments(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int, rows: int | None = None) -> Moments:
    return _folding.moments(_fold(state, rows), inputs, keys, draws=len(state.members), seed=seed)


def _cut(config: Config, model: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """The links that stay as they are, and those that are thinned and train."""
    if config.scope == "head":
        return [], [model]
    network = cast(Network, model)
    stages = [stage for _, stage in network.stages]
    if config.frozen_stages > len(stages):
        names = ", ".join(name for name, _ in network.stages)
        raise UserFacingError(
            f"The setting frozen_stages was given as {config.frozen_stages}, and this network has {len(stages)}: "
            f"{names}. Choose at most {len(stages)}; then the head alone is thinned.",
            code="setting",
        )
    return stages[: config.frozen_stages], [*stages[config.frozen_stages :], network.head]


def _shapes(config: Config, source: nn.Module, tail: list[nn.Module], inputs: Tensor) -> dict[str, tuple[int, ...]]:
    """The masks' shapes at the sites that drop anything, in the part that is thinned."""
    run = mask_shapes(source, lambda: _training.logits_of(config.scope, source, inputs))
    sites = {site.name: site for module in tail for site in _training.sites_of(module)}
    found = {name: shape for name, shape in run.items() if name in sites}
    if config.masks == "element":
        return found
    axes = {name: site.axis % (len(found[name]) + 1) - 1 for name, site in sites.items() if name in found}
    return {
        name: tuple(size if place == axes[name] else 1 for place, size in enumerate(shape))
        for name, shape in found.items()
    }


def _through(links: list[nn.Module], x: Tensor) -> Tensor:
    for link in links:
        x = link(x)
    return x


def _fold(state: State, rows: int | None) -> _folding.Fold:
    """Nothing is random in a member. The frozen stages are one member's, and run once for all."""
    prefix = tuple(_cut(state.config, state.members[0])[0])
    tails = [tuple(_cut(state.config, member)[1]) for member in state.members]
    chains = [_folding.Chain(prefix, tail) if prefix else _folding.Chain(tail, ()) for tail in tails]
    fold = _folding.fold_of(state.config.scope, state.context, *state.members, rows=rows)
    return replace(fold, chains=tuple(chains))


METHOD = Method(
    key="dropsembles",
    title="Dropsembles",
    paper="https://arxiv.org/abs/2406.12082",
    version=1,
    scopes=("head", "network"),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    finish=finish,
    moments=moments,
    own_draws=lambda config: config.members,
)
