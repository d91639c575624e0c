"""The distance from everything known, against scikit-learn's parts and the formula item by item."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from core.checkpoints import density


def features(items: int, dim: int, seed: int, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Classes around centres of their own, wider along some directions than along others."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(items) % classes
    centres = 2.0 * torch.randn(classes, dim, generator=torch.Generator().manual_seed(1))
    spread = torch.linspace(3.0, 0.2, dim)
    return centres[labels] + spread * torch.randn(items, dim, generator=generator), labels


def naive(train: np.ndarray, labels: np.ndarray | None, asked: np.ndarray) -> np.ndarray:
    """By its definition, with scikit-learn's principal directions and shrunk covariance."""
    from sklearn.covariance import OAS
    from sklearn.decomposition import PCA

    directions = max(1, min(64, train.shape[1] // 2, (len(train) - 1) // 4))
    pca = PCA(directions, svd_solver="full").fit(train)
    inside = pca.transform(train)
    groups = [np.arange(len(train))] if labels is None else [np.flatnonzero(labels == c) for c in np.unique(labels)]
    means = np.stack([inside[rows].mean(axis=0) for rows in groups])
    rest = np.concatenate([inside[rows] - mean for rows, mean in zip(groups, means, strict=True)])
    inverse = np.linalg.inv(OAS(assume_centered=True).fit(rest).covariance_)
    outside = train - pca.inverse_transform(inside)
    variance = (outside**2).sum() / len(train) / (train.shape[1] - directions)
    found = []
    for x in asked:
        projected = pca.transform(x[None])
        near = min(float((projected[0] - mean) @ inverse @ (projected[0] - mean)) for mean in means)
        beyond = x - pca.inverse_transform(projected)[0]
        found.append(near + float(beyond @ beyond) / variance)
    return np.array(found)


@pytest.mark.parametrize(("items", "dim"), [(120, 10), (40, 30), (900, 150)])
@pytest.mark.parametrize("several", [False, True])
def test_the_distance_is_its_formula(items: int, dim: int, several: bool) -> None:
    """Few items, many features, and more features than directions that are kept."""
    x, labels = (part.double() if part.is_floating_point() else part for part in features(items, dim, 0))
    asked, _ = features(20, dim, 5)
    given = torch.nn.functional.one_hot(labels).float() if several else labels
    found = density.distance(density.fitted(x, given), asked.double())
    want = naive(x.numpy(), None if several else labels.numpy(), asked.double().numpy())
    np.testing.assert_allclose(found.numpy(), want, rtol=1e-8)


def test_what_was_never_seen_is_further_than_what_was_held_out() -> None:
    x, labels = features(300, 40, 0)
    fitted = density.fitted(x, labels)
    held = density.distance(fitted, features(100, 40, 7)[0])
    aside, _ = features(100, 40, 7)
    aside[:, -1] += 12.0  # along a direction in which nothing that was seen went far
    assert float(density.distance(fitted, aside).quantile(0.05)) > float(held.quantile(0.95))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_it_is_kept_in_few_bytes_at_any_scale(scale: float) -> None:
    """Directions are stored in float16, which holds neither a small variance nor the inverse of one."""
    x, labels = features(300, 40, 0)
    fitted = density.fitted(x * scale, labels)
    back = density.of_tensors({name: tensor.numpy() for name, tensor in fitted.tensors().items()})
    asked = features(50, 40, 3)[0] * scale
    torch.testing.assert_close(density.distance(back, asked), density.distance(fitted, asked), rtol=1e-2, atol=1e-3)
    wide = density.fitted(features(300, 128, 0)[0], labels)
    assert (
        sum(tensor.numel() * tensor.element_size() for tensor in wide.tensors().values()) < 128 * 64 * 2 + 64 * 64 * 5
    )


def test_features_that_fill_fewer_directions_than_there_are_have_a_finite_distance() -> None:
    x = torch.zeros(40, 12)
    x[:, :2] = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(Exception, match="covariance"):
        density.fitted(torch.zeros(40, 12), torch.arange(40) % 2)
    found = density.distance(density.fitted(x, torch.arange(40) % 2), x)
    assert bool(found.isfinite().all())
