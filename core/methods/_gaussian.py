"""Gaussians with one covariance for all classes, from sums that may be gathered batch by batch.

Equation:
    S = (1/N) sum_n (x_n - m_y(n)) (x_n - m_y(n))^T,      S* = (1 - rho) S + rho tr(S)/D I

rho is given, or the oracle approximating shrinkage of Chen et al. 2010 (https://doi.org/10.1109/TSP.2010.2053029) as
scikit-learn has it, which needs the traces of S and of S S alone. All in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import UserFacingError

MOST = 4096  # numbers in a feature: the matrix of their products has the square of it


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    items: int
    counts: Tensor  # (classes,)
    sums: Tensor  # (classes, dim)
    squares: Tensor  # (dim, dim), sum of x x^T


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """Squared distances to a mean are those of ``whiten @ x``."""

    means: Tensor  # (classes that have items, dim)
    whiten: Tensor  # (dim, dim) lower triangle: the inverse of the covariance's Cholesky factor
    shrinkage: float
    condition: float  # of the shrunk covariance


def nothing(classes: int, dim: int) -> Sums:
    if dim > MOST:
        raise UserFacingError(
            f"This method keeps the products of all pairs of features; {MOST} features are the most, and this network "
            f"has {dim}. Use k-NN distances, or a backbone that pools more.",
            code="dim",
        )
    zeros = torch.zeros(classes, dim, dtype=torch.float64)
    return Sums(0, zeros[:, 0].clone(), zeros, torch.zeros(dim, dim, dtype=torch.float64))


def gathered(known: Sums, features: Tensor, shares: Tensor) -> Sums:
    """``shares`` (items, classes) says how much of an item belongs to each class; each row sums to 1."""
    x, shares = features.detach().double(), shares.to(features.device, torch.float64)
    here = x.device
    return Sums(
        known.items + len(x),
        known.counts.to(here) + shares.sum(dim=0),
        known.sums.to(here) + shares.T @ x,
        known.squares.to(here) + x.T @ x,
    )


def fitted(sums: Sums, shrinkage: float | None) -> Gaussian:
    if sums.items < 2:
        raise UserFacingError(f"A covariance needs two items or more; {sums.items} arrived.", code="items")
    held = sums.counts > 0
    counts, totals = sums.counts[held], sums.sums[held]
    means = totals / counts[:, None]
    covariance = (sums.squares - totals.T @ means) / sums.items
    covariance = (covariance + covariance.T) / 2
    rho = oracle_shrinkage(covariance, sums.items) if shrinkage is None else shrinkage
    dim = len(covariance)
    shrunk = (1 - rho) * covariance
    shrunk.diagonal().add_(rho * covariance.trace() / dim)
    factor, failed = torch.linalg.cholesky_ex(shrunk)
    spectrum = torch.linalg.eigvalsh(shrunk)
    condition = float(spectrum[-1] / spectrum[0])
    if int(failed) or not 0 < condition < 1e14:
        raise UserFacingError(
            f"The covariance of {sums.items} items with {dim} features has no inverse. "
            "Give more items, or set the shrinkage above 0.",
            code="singular",
        )
    whiten = torch.linalg.solve_triangular(factor, torch.eye(dim).to(factor), upper=False)
    return Gaussian(means, whiten, float(rho), condition)


def oracle_shrinkage(covariance: Tensor, items: int) -> float:
    dim = len(covariance)
    mean_square, square_mean = float(covariance.square().mean()), float(covariance.trace() / dim) ** 2
    below = (items + 1) * (mean_square - square_mean / dim)
    return 1.0 if below <= 0 else min(1.0, (mean_square + square_mean) / below)


def squared_distances(gaussian: Gaussian, features: Tensor) -> Tensor:
    """(items, classes) float64."""
    whiten = gaussian.whiten.to(features.device)
    centres = gaussian.means.to(features.device) @ whiten.T
    points = features.detach().double() @ whiten.T
    return torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist").square()
