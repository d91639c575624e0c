"""Laplace: a Gaussian around the last layer's weights, as wide as the data leave it.

Equation:
    H = sum_n J_n^T L_n J_n,    P = H + d I,    W ~ N(W*, P^-1),    z(x) ~ N(z*(x), J(x) P^-1 J(x)^T)
    log p(D | d) = log p(D | W*) - (1/2) (d ||W*||^2 + log det P - k log d)
    p(y | x) = (1/S) sum_s softmax(z_s)

W*   weights and biases of the given head's last linear layer, k numbers; z* its logits
J_n  derivative of item n's logits by them: what the layer sees, with a 1 for a bias, once a class
L_n  diag(p) - p p^T, or diag(p (1 - p)) with several labels an item: the generalised Gauss-Newton matrix is exact here
d    precision of the prior N(0, 1/d): fixed, or the one that makes the data most probable (log p(D | d) above)
S    draws of the logits, each item by itself: across items they are independent given W*

structure "full": H as it is, k x k, with several labels one block a class. "kron": H ~ A (x) G with A = sum_n h_n h_n^T
and G = (1/N) sum_n L_n, for layers whose k is too large. Nothing is trained.
Daxberger et al. 2021, https://arxiv.org/abs/2106.14806
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Generator, Tensor

from core.contracts import Moments, Network, Predictive, Scope, Task
from core.errors import UserFacingError
from core.layers import NoiseContext, _noise, layer_id_of
from core.methods import _folding
from core.methods._contract import Batch, FitContext, Method, Step, probabilities
from core.methods._knobs import check, knob
from core.methods._last_layer import LastLayer, last_layer
from core.methods._losses import item_losses, one_hot

MOST = 4096  # rows of the largest matrix that is decomposed
_SITE = layer_id_of("laplace")
_CELLS = 1 << 24  # numbers in a temporary matrix
_RANGE = (math.log(1e-8), math.log(1e8))  # where the prior precision is looked for


@dataclass(frozen=True, slots=True)
class Config:
    scope: Scope = knob("head", "the last linear layer of a fixed network", choices=("head",))
    structure: Literal["full", "kron"] = knob(
        "full", "all covariances of the weights, or a product of two small matrices", choices=("full", "kron")
    )
    prior: float | None = knob(None, "precision of the prior; none: the most probable", least=1e-8, most=1e8)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """H = V diag(values) V^T, in as many blocks as there are. For kron: of A, and of G."""

    values: Tensor  # (blocks, size), or (classes, inputs) for kron: the products of both spectra
    vectors: Tensor  # (blocks, size, size), or (inputs, inputs) for kron
    classes: Tensor | None = None  # kron: (classes, classes)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    config: Config
    context: FitContext
    layer: LastLayer
    curvature: Tensor  # full: (blocks, size, size); kron: (inputs, inputs)
    classes: Tensor  # kron: (classes, classes), a sum over items
    items: int = 0
    log_likelihood: float = 0.0
    spectrum: Spectrum | None = None
    prior: float = math.nan  # the precision in use
    log_evidence: float = math.nan


def init(config: Config, network: Network, context: FitContext, generator: Generator) -> State:
    layer = last_layer(network)
    classes, inputs = layer.weight.shape[0], layer.weight.shape[1] + int(layer.biased)
    blocks, size = _blocks(config, context.task, classes, inputs)
    if size > MOST:
        raise UserFacingError(
            f"All covariances of {classes} classes with {inputs} weights each need a matrix of {size} rows, and {MOST} "
            "are the most. Set structure to kron.",
            code="setting",
        )
    zeros = torch.zeros(blocks, size, size, dtype=torch.float64)
    kron = config.structure == "kron"
    sums = torch.zeros(classes, classes, dtype=torch.float64) if kron else torch.zeros(0, 0, dtype=torch.float64)
    return State(config, context, layer, zeros, sums)


def update(state: State, batch: Batch, generator: Generator, step: Step) -> State:
    task, classes = state.context.task, len(state.layer.bias)
    with torch.no_grad():
        hidden = state.layer.trunk(batch.inputs).double()
        logits = state.layer.logits(hidden)
        factor = task_factor(task, logits)
        h = _seen(state.layer, hidden)
        curvature = state.curvature.to(h.device, copy=True)
        if state.config.structure == "kron":
            curvature += h.T @ h
        elif task == "multilabel":
            curvature += torch.einsum("nc,ni,nj->cij", factor.diagonal(dim1=1, dim2=2).square(), h, h)
        else:
            for some in torch.arange(len(h)).split(max(1, _CELLS // (classes * curvature.shape[1]))):
                rows = torch.einsum("ni,nca->naic", h[some], factor[some]).reshape(len(some) * classes, -1)
                curvature[0] += rows.T @ rows
        spread = torch.einsum("nab,ncb->ac", factor, factor) if state.config.structure == "kron" else 0.0
        labels = batch.labels if task == "multilabel" else one_hot(batch.labels, classes)
        each = item_losses(logits, labels, task) * (classes if task == "multilabel" else 1)
    return replace(
        state,
        curvature=curvature,
        classes=state.classes.to(h.device) + spread,
        items=state.items + len(h),
        log_likelihood=state.log_likelihood - float(each.sum()),
    )


def finish(state: State) -> State:
    """Decompose once, so that any prior precision can be tried on the spectrum."""
    if not state.items:
        raise UserFacingError("The curvature of no items is not known; give data.", code="items")
    if state.config.structure == "kron":
        inner, vectors = torch.linalg.eigh(state.curvature[0])
        outer, sides = torch.linalg.eigh(state.classes / state.items)
        spectrum = Spectrum(outer.clamp(min=0)[:, None] * inner.clamp(min=0), vectors, sides)
    else:
        values, vectors = torch.linalg.eigh(state.curvature)
        spectrum = Spectrum(values.clamp(min=0), vectors)
    done = replace(state, spectrum=spectrum, curvature=state.curvature[:0], classes=state.classes[:0])
    prior = state.config.prior if state.config.prior is not None else _most_probable(done)
    return replace(done, prior=prior, log_evidence=log_evidence(done, prior))


def predict(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Predictive:
    task = state.context.task
    with torch.no_grad():
        mean, covariance = logit_moments(state, inputs)
        root = torch.linalg.cholesky(covariance)
        context = NoiseContext.fold(seed, range(draws), keys.to(inputs.device))
        normal = _noise.normal(context.by_item(_SITE, "logits"), mean.shape[1]).double()
        logits = mean + torch.einsum("ncd,snd->snc", root, normal.unflatten(0, (draws, len(mean))))
        if task == "multiclass":  # what all logits share says nothing, and may be large
            logits = logits - logits.amax(dim=-1, keepdim=True)
    return Predictive(probabilities(logits, task), task)


def moments(state: State, inputs: Tensor, keys: Tensor, *, draws: int, seed: int) -> Moments:
    return _folding.summary(predict(state, inputs, keys, draws=draws, seed=seed))


def logit_moments(state: State, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (items, classes) and covariance (items, classes, classes) of the logits, float64."""
    spectrum, classes = state.spectrum, len(state.layer.bias)
    assert spectrum is not None, "finish comes before predict"
    hidden = state.layer.trunk(inputs).double()
    mean, h = state.layer.logits(hidden), _seen(state.layer, hidden)
    values, vectors = spectrum.values.to(h.device), spectrum.vectors.to(h.device)
    if spectrum.classes is not None:
        sides = spectrum.classes.to(h.device)
        along = torch.einsum("ni,ci->nc", (h @ vectors).square(), 1 / (values + state.prior))
        return mean, torch.einsum("ab,nb,cb->nac", sides, along, sides)
    if state.context.task == "multilabel":
        along = torch.einsum("ni,cik->nck", h, vectors)
        return mean, torch.diag_embed((along.square() / (values + state.prior)).sum(dim=-1))
    blocks = vectors[0].unflatten(0, (h.shape[1], classes)) / (values[0] + state.prior).sqrt()
    parts = []
    for some in h.split(max(1, _CELLS // (classes * len(vectors[0])))):
        root = torch.einsum("ni,ick->nck", some, blocks)
        parts.append(root @ root.mT)
    return mean, torch.cat(parts) if parts else h.new_zeros(0, classes, classes)


def log_evidence(state: State, prior: float) -> float:
    """log p(D | d) in Laplace's approximation, in nats."""
    assert state.spectrum is not None, "finish decomposes"
    values = state.spectrum.values
    scatter = prior * float(state.layer.weight.double().square().sum() + state.layer.bias.double().square().sum())
    ratio = float(torch.log1p(values / prior).sum())
    return state.log_likelihood - 0.5 * (scatter + ratio)


def task_factor(task: Task, logits: Tensor) -> Tensor:
    """(items, classes, classes) R with R R^T the curvature of the loss by the logits."""
    if task == "multilabel":
        return torch.diag_embed((torch.sigmoid(logits) * torch.sigmoid(-logits)).sqrt())
    probs = torch.softmax(logits, dim=-1)
    return torch.diag_embed(probs.sqrt()) - probs[:, :, None] * probs.sqrt()[:, None, :]


def _most_probable(state: State) -> float:
    """A grid, because there may be several maxima, then golden section beside its best point."""
    low, high = _RANGE
    grid = [low + (high - low) * step / 64 for step in range(65)]
    best = max(range(65), key=lambda index: log_evidence(state, math.exp(grid[index])))
    low, high = grid[max(0, best - 1)], grid[min(64, best + 1)]
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if log_evidence(state, math.exp(left)) < log_evidence(state, math.exp(right)):
            low = left
        else:
            high = right
    return math.exp((low + high) / 2)


def _blocks(config: Config, task: Task, classes: int, inputs: int) -> tuple[int, int]:
    if config.structure == "kron":
        return 1, inputs
    return (classes, inputs) if task == "multilabel" else (1, classes * inputs)


def _seen(layer: LastLayer, hidden: Tensor) -> Tensor:
    """With a 1 for the bias, if there is one."""
    return torch.cat([hidden, torch.ones_like(hidden[:, :1])], dim=1) if layer.biased else hidden


METHOD = Method(
    key="laplace",
    title="Laplace (last layer)",
    paper="https://arxiv.org/abs/2106.14806",
    version=1,
    scopes=("head",),
    Config=Config,
    State=State,
    init=init,
    update=update,
    predict=predict,
    finish=finish,
    single_pass=True,
    moments=moments,
    own_draws=lambda config: 100,
)
