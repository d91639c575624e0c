"""How unlike anything trained on: the density of training features, kept small.

Equation:
    d(f) = min_c |W (B^T (f - m) - m_c)|^2 + |(f - m) - B B^T (f - m)|^2 / v

m, B   mean and leading directions (columns) of the training features
m_c    means of the classes along B; W^T W the inverse of their shared, shrunk covariance
v      mean variance in the other directions: what shrinking them to a sphere leaves
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.methods import _gaussian

_MOST = 64  # directions
_FLOOR = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    centre: Tensor  # (dim,)
    basis: Tensor  # (dim, directions), orthonormal columns
    means: Tensor  # (classes, directions)
    whiten: Tensor  # (directions, directions)
    rest: Tensor  # () v

    def tensors(self) -> dict[str, Tensor]:
        """Directions, which are most of it, in float16: they are of length 1. Nothing else is sure to fit there."""
        found = {name: getattr(self, name).detach().cpu().float() for name in self.__dataclass_fields__}
        return {**found, "basis": found["basis"].half()}


def fitted(features: Tensor, labels: Tensor) -> Density:
    """Of training features (items, dim) with labels (items,), or (items, classes) where they overlap."""
    x = features.double()
    centre = x.mean(dim=0)
    x = x - centre
    directions = max(1, min(_MOST, x.shape[1] // 2, (len(x) - 1) // 4))
    _, values, rows = torch.linalg.svd(x, full_matrices=False)
    basis = rows[:directions].T
    left = values[directions:].square().sum() / len(x) / max(1, x.shape[1] - directions)
    inside = x @ basis
    alone = torch.ones(len(x), 1)
    shares = alone if labels.ndim == 2 else torch.nn.functional.one_hot(labels.long()).double()
    sums = _gaussian.gathered(_gaussian.nothing(shares.shape[1], directions), inside, shares)
    found = _gaussian.fitted(sums, None)
    return Density(centre, basis, found.means, found.whiten, left.clamp(min=_FLOOR))


def of_tensors(tensors: dict[str, Any]) -> Density:
    return Density(**{name: torch.as_tensor(tensor).double() for name, tensor in tensors.items()})


def distance(density: Density, features: Tensor) -> Tensor:
    """(items,) float64; higher is less familiar."""
    x = features.double().cpu() - density.centre.double()
    basis = density.basis.double()
    inside = x @ basis
    outside = (x - inside @ basis.T).square().sum(dim=1) / density.rest.double()
    white = density.whiten.double()
    near = torch.cdist(inside @ white.T, density.means.double() @ white.T).square().amin(dim=1)
    return near + outside
