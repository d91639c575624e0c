"""Laplace against sums written out, dense algebra, and draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.contracts import Task
from core.errors import UserFacingError
from core.methods import laplace
from core.methods._contract import FitContext
from tests.fitting import fit
from tests.tiny import as_labels, keys_for, tiny, vectors


def fitted(task: Task = "multiclass", items: int = 40, size: int = 16, **options) -> laplace.State:
    features, labels = vectors(items, noise=1.0)
    data = (features, as_labels(labels, 3, task), keys_for(items))
    context = FitContext(task, 3, items, seed=0)
    return fit(laplace.METHOD, laplace.Config(**options), tiny(), context, data, size=size)[0]


def hidden_of(features: Tensor) -> Tensor:
    h = tiny().head[:3](features).double()
    return torch.cat([h, torch.ones(len(h), 1)], dim=1)


def dense_curvature(task: Task, items: int = 40) -> Tensor:
    """(3 x 13)^2, weights ordered class by class, item by item from the definition."""
    features, _ = vectors(items, noise=1.0)
    logits, h = tiny().head(features).double(), hidden_of(features)
    total = torch.zeros(39, 39, dtype=torch.float64)
    for z, row in zip(logits, h, strict=True):
        p = z.softmax(0) if task == "multiclass" else z.sigmoid()
        curvature = torch.diag(p) - torch.outer(p, p) if task == "multiclass" else torch.diag(p * (1 - p))
        total += torch.kron(curvature, torch.outer(row, row))
    return total


def jacobian(features: Tensor) -> Tensor:
    """(items, 3, 39)"""
    return torch.stack([torch.kron(torch.eye(3, dtype=torch.float64), row[None]) for row in hidden_of(features)])


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("prior", [0.05, 3.0])
def test_the_logits_covariance_is_that_of_the_dense_posterior(task: Task, prior: float) -> None:
    state, new = fitted(task, prior=prior, size=7), vectors(6, seed=3, noise=2.0)[0]
    precision = dense_curvature(task) + prior * torch.eye(39)
    j = jacobian(new)
    mean, covariance = laplace.logit_moments(state, new)
    torch.testing.assert_close(covariance, j @ torch.linalg.inv(precision) @ j.mT, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(mean.float(), tiny().head(new), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_evidence_is_its_dense_formula_and_the_prior_maximises_it(task: Task) -> None:
    state = fitted(task)
    features, labels = vectors(40, noise=1.0)
    logits, y = tiny().head(features).double(), as_labels(labels, 3, task)
    if task == "multiclass":
        likelihood = float(logits.log_softmax(1)[torch.arange(40), labels].sum())
    else:
        p = logits.sigmoid()
        likelihood = float((y * p.log() + (1 - y) * (1 - p).log()).sum())
    last = tiny().head[3]
    norm = float(last.weight.double().square().sum() + last.bias.double().square().sum())
    dense = dense_curvature(task)

    def evidence(prior: float) -> float:
        log_det = float(torch.linalg.slogdet(dense + prior * torch.eye(39))[1])
        return likelihood - 0.5 * (prior * norm + log_det - 39 * math.log(prior))

    for prior in (1e-3, 0.7, 50.0):
        assert laplace.log_evidence(state, prior) == pytest.approx(evidence(prior), rel=1e-6)
    assert state.log_evidence == pytest.approx(evidence(state.prior), rel=1e-6)
    around = [evidence(state.prior * factor) for factor in (0.98, 1.02, 0.1, 10.0)]
    assert state.log_evidence > max(around)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_kron_is_exact_where_the_curvature_is_a_product(task: Task) -> None:
    """A last layer of weight 0 gives all items the same probabilities, so that H = A (x) G."""
    features, labels = vectors(40, noise=1.0)
    network = tiny()
    last = network.head[3]
    last.weight.zero_()
    last.bias.copy_(torch.tensor([0.5, -1.0, 0.2]))
    data = (features, as_labels(labels, 3, task), keys_for(40))
    new = vectors(6, seed=3, noise=2.0)[0]
    found = []
    for structure in ("full", "kron"):
        config = laplace.Config(structure=structure, prior=0.3)  # type: ignore[arg-type]
        state, _ = fit(laplace.METHOD, config, network, FitContext(task, 3, 40, seed=0), data)
        found.append((laplace.logit_moments(state, new)[1], state.log_evidence))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-5, atol=1e-7)
    assert found[1][1] == pytest.approx(found[0][1])


def test_kron_is_a_product_of_its_two_sums() -> None:
    state, new = fitted(structure="kron", prior=0.3), vectors(6, seed=3, noise=2.0)[0]
    features, _ = vectors(40, noise=1.0)
    h, p = hidden_of(features), tiny().head(features).double().softmax(1)
    g = (torch.diag_embed(p) - p[:, :, None] * p[:, None, :]).mean(0)
    precision = torch.kron(g, h.T @ h) + 0.3 * torch.eye(39)
    j = jacobian(new)
    found = laplace.logit_moments(state, new)[1]
    torch.testing.assert_close(found, j @ torch.linalg.inv(precision) @ j.mT, rtol=1e-4, atol=1e-6)


def test_more_data_leave_less_variance() -> None:
    new = vectors(6, seed=3, noise=2.0)[0]
    traces = [
        laplace.logit_moments(fitted(items=items, prior=1.0), new)[1].diagonal(dim1=1, dim2=2).sum(1)
        for items in (10, 40, 160)
    ]
    assert bool((traces[0] > traces[1]).all())
    assert bool((traces[1] > traces[2]).all())


def test_without_data_to_speak_of_the_prior_is_what_remains() -> None:
    """A prior far stronger than the data: covariance |h|^2 / d, independent between classes."""
    state, new = fitted(prior=1e8), vectors(6, seed=3)[0]
    covariance = laplace.logit_moments(state, new)[1]
    expected = hidden_of(new).square().sum(1)[:, None, None] * torch.eye(3) / 1e8
    torch.testing.assert_close(covariance, expected, rtol=1e-4, atol=1e-11)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_draws_have_these_moments(task: Task) -> None:
    state, new, draws = fitted(task, prior=3.0), 0.3 * vectors(2, seed=3)[0], 20_000
    probs = laplace.predict(state, new, keys_for(2), draws=draws, seed=0).probs.double()
    mean, covariance = laplace.logit_moments(state, new)
    if task == "multilabel":
        found, spread = torch.logit(probs), covariance
    else:  # logits are known up to what they share
        found = probs.log() - probs.log().mean(-1, keepdim=True)
        centre = torch.eye(3, dtype=torch.float64) - 1 / 3
        mean, spread = mean @ centre, centre @ covariance @ centre
    for item in range(2):
        scale = spread[item].diagonal().sqrt()
        assert bool(((found[:, item].mean(0) - mean[item]).abs() < 4.5 * scale / math.sqrt(draws)).all())
        estimate = torch.from_numpy(np.cov(found[:, item].numpy().T))
        bound = 6 * torch.outer(scale, scale) / math.sqrt(draws)
        assert bool(((estimate - spread[item]).abs() < bound).all())


def test_a_layer_without_bias_and_a_large_shared_logit() -> None:
    network = tiny()
    network.head = nn.Linear(12, 3, bias=False).requires_grad_(False)
    features, labels = vectors(40)
    data = (features, labels, keys_for(40))
    config = laplace.Config(prior=1e-8)
    state, _ = fit(laplace.METHOD, config, network, FitContext("multiclass", 3, 40, seed=0), data)
    probs = laplace.predict(state, 100 * features, keys_for(40), draws=5, seed=0).probs
    assert bool(probs.isfinite().all())


def test_what_is_too_large_is_refused_and_kron_takes_it() -> None:
    network = tiny(400)
    context = FitContext("multiclass", 400, 10, seed=0)
    with pytest.raises(UserFacingError, match="kron"):
        laplace.init(laplace.Config(), network, context, torch.Generator())
    assert laplace.init(laplace.Config(structure="kron"), network, context, torch.Generator()).items == 0
    with pytest.raises(UserFacingError, match="no items"):
        laplace.finish(laplace.init(laplace.Config(structure="kron"), network, context, torch.Generator()))
