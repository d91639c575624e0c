"""Loss prediction: a small network learns how wrong the classifier will be (Pretrained Visual Uncertainties).

Equation:
    u(e) = s (softplus(g(e)) + 1e-6),      l_i = -log softmax(b z_i)[y_i]
    ranking: L_u = (2/B) sum_k max(0, -s_k (u_2k - u_2k+1) + m),   s_k = 1 if l_2k > l_2k+1 else -1,
                                                                   0 if |l_2k - l_2k+1| < r
    squared: L_u = (1/B) sum_i (u_i - l_i)^2
    L = c (1/B) sum_i l_i + w L_u

e       what enters the head, cut from the gradient with ``stop_gradient``, so that u cannot bend what it reads
g       ``depth`` linear layers of ``width`` with leaky ReLU (0.01) between, and one to a number
s       1; or what makes the first batch's mean u equal to ``start_value`` (the authors: the first ten batches')
z, y    logits and label; b the inverse temperature; l is cut from the gradient where it is a target
m, r    margin and leeway: a pair within r has the loss m and no gradient, a tie with r = 0 asks for u_2k < u_2k+1
c       1 where the classifier is trained as well, else 0; w the weight; B items in a mini-batch, even for pairs

The score is u. It sees mostly aleatoric doubt, and says little about what lies outside the classes. Training items'
losses are smaller than those of new items; ``with_targets`` takes losses from classifiers that did not see the item,
as ``cross_fitted`` makes them. Kirchhof et al. 2024, https://arxiv.org/abs/2402.16569
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, cast

import torch
from torch import Generator, Tensor, nn

from core.contracts import Network, Predictive, Scope, Task
from core.errors import UserFacingError
from core.methods import _training
from core.methods._contract import Batch, FitContext, Method, Step, whole
from core.methods._fresh import redraw
from core.methods._given import answered
from core.methods._knobs import check, knob
from core.methods._losses import item_losses


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "read the features of a fixed network, or train with it", choices=("head", "network"))
    loss: Literal["ranking", "squared"] = knob(
        "ranking", "order pairs by their losses, or predict the loss itself", choices=("ranking", "squared")
    )
    width: int = knob(512, "numbers in a hidden layer", least=1, most=65_536)
    depth: int = knob(2, "hidden layers", least=1, most=100)
    margin: float = knob(0.1, "how far apart a pair is asked to be (m)", least=0.0, most=1e6)
    leeway: float = knob(0.0, "losses nearer than this make no pair (r)", least=0.0, most=1e6)
    weight: float = knob(1.0, "of this loss beside the classifier's (w)", least=0.0, most=1e6)
    inverse_temperature: float = knob(1.0, "the logits are multiplied by it in the loss (b)", least=1e-6, most=1e6)
    stop_gradient: bool = knob(True, "keep the gradient of this loss out of the network")
    train_classifier: bool = knob(False, "train head (and network, in its scope) with the task's loss as well")
    zero: bool = knob(False, "start from weights of 0, so that all doubts begin equal")
    start_value: float = knob(0.0, "scale the doubts so that they begin here; 0: do not", least=0.0, most=1e6)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Losses of items by their keys."""

    keys: Tensor  # sorted
    losses: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    model: nn.Module  # a head, or a network
    doubt: UncertaintyNetwork
    scale: float = 1.0  # s
    targets: Targets | None = None
    steps: int = 0


class UncertaintyNetwork(nn.Sequential):
    """(items, dim) -> (items,) above 0, also for a single item."""

    def __init__(self, dim: int, width: int, depth: int) -> None:
        sizes = [dim, *[width] * depth]
        layers: list[nn.Module] = []
        for inner, outer in pairwise(sizes):
            layers += [nn.utils.skip_init(nn.Linear, inner, outer), nn.LeakyReLU(0.01)]
        super().__init__(*layers, nn.utils.skip_init(nn.Linear, width, 1), nn.Softplus())

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        return super().forward(input)[:, 0] + 1e-6


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    model = _training.trainable_copy(_training.part_of(network, config.scope))
    bends = config.scope == "network" and not config.stop_gradient
    model.requires_grad_(config.train_classifier or bends)
    doubt = UncertaintyNetwork(network.dim, config.width, config.depth)
    redraw(doubt, generator)
    if config.zero:
        for parameter in doubt.parameters():
            nn.init.zeros_(parameter)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return State(config, context, model, doubt.to(device).eval())


def with_targets(state: State, keys: Tensor, losses: Tensor) -> State:
    """Learn these losses instead of the classifier's own on what it was trained on."""
    order = keys.argsort()
    return replace(state, targets=Targets(keys[order], losses.detach()[order]))


def cross_fitted(
    features: Tensor,
    labels: Tensor,
    folds: Tensor,
    fit: Callable[[Tensor], Callable[[Tensor], Tensor]],
    task: Task,
    inverse_temperature: float = 1.0,
) -> Tensor:
    """(items,) each item's loss under a classifier fitted on the other folds alone.

    ``fit`` takes the rows of the training items and returns what maps features to logits.
    """
    numbers = folds.unique()
    if len(numbers) < 2:
        raise ValueError("out-of-fold losses need two folds or more")
    losses = torch.full((len(features),), torch.nan)
    for number in numbers:
        held = folds == number
        classify = fit((~held).nonzero()[:, 0])
        with torch.no_grad():
            logits = classify(features[held])
            losses[held] = item_losses(inverse_temperature * logits, labels[held], task).float().to(losses.device)
    if not bool(losses.isfinite().all()):
        raise ValueError("an out-of-fold loss is not finite; is each class in every fold's training part?")
    return losses


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    config, items = state.config, len(batch.inputs)
    if config.loss == "ranking" and items % 2:
        raise UserFacingError(
            f"Ranking compares pairs of items, and a batch has {items}; choose an even batch size.", code="setting"
        )
    graph = torch.enable_grad() if any(p.requires_grad for p in state.model.parameters()) else torch.no_grad()
    with graph:
        features, logits = _read(state, batch.inputs)
        logits = config.inverse_temperature * logits
        own = item_losses(logits, batch.labels, state.context.task)
        classifier = item_losses(logits, batch.labels, state.context.task, state.context.class_weights).mean()
    losses = own.detach() if state.targets is None else _looked_up(state.targets, batch.keys).to(own)
    raw = whole(state.doubt(features.detach() if config.stop_gradient else features))
    scale = state.scale
    if config.start_value and state.steps == 0:
        scale = config.start_value / float(raw.detach().mean())
    doubt = scale * raw
    if config.loss == "ranking":
        part = ranking_loss(doubt, losses, config.margin, config.leeway)
    else:
        part = (doubt - losses).square().mean()
    total = config.weight * part + (classifier if config.train_classifier else 0.0)
    names = {"loss": total, "doubt": part, "classifier": classifier}
    step(total, {name: float(value.detach()) for name, value in names.items()})
    return replace(state, scale=scale, steps=state.steps + 1)


def predict(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Predictive:
    """One draw, whatever ``draws`` asks for."""
    with torch.no_grad():
        features, logits = _read(state, inputs)
        return answered(logits, state.context.task, state.scale * state.doubt(features), "predicted loss")


def ranking_loss(doubt: Tensor, losses: Tensor, margin: float, leeway: float) -> Tensor:
    """Mean hinge over the pairs (0, 1), (2, 3) ..."""
    one, other = losses[0::2], losses[1::2]
    sign = torch.where(one > other, 1.0, -1.0).masked_fill((one - other).abs() < leeway, 0.0)
    return torch.relu(margin - sign.to(doubt) * (doubt[0::2] - doubt[1::2])).mean()


def _read(state: State, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """What enters the head, and the logits."""
    if state.config.scope == "head":
        return inputs, state.model(inputs)
    network = cast(Network, state.model)
    features = network.embed(inputs)
    return features, network.head(features)


def _looked_up(targets: Targets, keys: Tensor) -> Tensor:
    places = torch.searchsorted(targets.keys, keys.to(targets.keys.device)).clamp(max=len(targets.keys) - 1)
    if not torch.equal(targets.keys[places], keys.to(targets.keys.device)):
        raise ValueError("an item has no out-of-fold loss; give one for every training item")
    return targets.losses[places]


METHOD = Method(
    key="loss_prediction",
    title="Loss prediction",
    paper="https://arxiv.org/abs/2402.16569",
    version=1,
    scopes=("head", "network"),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    fills="score",
    own_draws=lambda config: 1,
)
