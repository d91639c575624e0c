"""Laplace against laplace-torch, which takes long to import: by itself in one file."""

from __future__ import annotations

import importlib
import warnings

import pytest
import torch
from torch import nn

from core.methods import laplace
from core.methods._contract import FitContext
from tests.fitting import fit
from tests.tiny import TinyNetwork, keys_for, tiny, vectors


@pytest.fixture(scope="module")
def peer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("laplace")


def network_of(bias: bool) -> TinyNetwork:
    """laplace-torch gives a bias a factor of its own in "kron", where ours is one more weight: compared without."""
    network = tiny()
    if not bias:
        last = nn.Linear(12, 3, bias=False)
        last.weight.data.copy_(network.head[3].weight)  # type: ignore[index]
        network.head[3] = last.requires_grad_(False)  # type: ignore[index,operator]
    return network


def theirs(peer, structure: str, prior: float, bias: bool):
    """laplace-torch on the same head; it changes its model, so it gets one of its own."""
    features, labels = vectors(60, noise=1.0)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(features, labels), batch_size=60)
    head = network_of(bias).head
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = peer.Laplace(
            nn.Sequential(head[1], head[2], head[3]).requires_grad_(True),  # type: ignore[index]
            "classification",
            subset_of_weights="last_layer",
            hessian_structure=structure,
            prior_precision=prior,
            last_layer_name="2",
        )
        found.fit(data)
    return found


def ours(structure: str, prior: float | None, bias: bool) -> laplace.State:
    features, labels = vectors(60, noise=1.0)
    config = laplace.Config(structure=structure, prior=prior)  # type: ignore[arg-type]
    context = FitContext("multiclass", 3, 60, seed=0)
    return fit(laplace.METHOD, config, network_of(bias), context, (features, labels, keys_for(60)))[0]


@pytest.mark.parametrize(("structure", "bias"), [("full", True), ("full", False), ("kron", False)])
@pytest.mark.parametrize("prior", [0.07, 2.0])
def test_mean_covariance_and_evidence_are_laplace_torchs(peer, structure: str, bias: bool, prior: float) -> None:
    new = vectors(8, seed=3, noise=2.0)[0]
    reference, state = theirs(peer, structure, prior, bias), ours(structure, prior, bias)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean, covariance = reference._glm_predictive_distribution(new)
        evidence = float(reference.log_marginal_likelihood().detach())
    my_mean, my_covariance = laplace.logit_moments(state, new)
    torch.testing.assert_close(my_mean.float(), mean.detach().float(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(my_covariance.float(), covariance.detach().float(), rtol=2e-3, atol=1e-4)
    assert state.log_evidence == pytest.approx(evidence, rel=1e-4)


def test_the_most_probable_prior_is_laplace_torchs(peer) -> None:
    reference, state = theirs(peer, "full", 1.0, True), ours("full", None, True)
    log_prior = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([log_prior], lr=0.1)
    for _ in range(150):
        optimiser.zero_grad()
        loss = -reference.log_marginal_likelihood(log_prior.exp())
        loss.backward()
        optimiser.step()
    assert state.prior == pytest.approx(float(log_prior.exp().detach()), rel=0.005)
