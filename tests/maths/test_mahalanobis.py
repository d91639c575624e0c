"""Mahalanobis distances against scikit-learn's covariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.covariance import OAS, LedoitWolf, ShrunkCovariance, oas
from torch import Tensor

from core.contracts import Task
from core.errors import UserFacingError
from core.methods import _gaussian, mahalanobis
from core.methods._contract import FitContext
from core.methods._losses import one_hot
from tests.fitting import fit
from tests.tiny import as_labels, keys_for, tiny, vectors


def fitted(features: Tensor, labels: Tensor, task: Task = "multiclass", size: int = 16, **options):
    context = FitContext(task, 4, len(features), seed=0)  # a class more than there are items of
    data = (features, labels, keys_for(len(features)))
    return fit(mahalanobis.METHOD, mahalanobis.Config(**options), tiny(4), context, data, size=size)[0]


def score_of(state: mahalanobis.State, features: Tensor) -> np.ndarray:
    answer = mahalanobis.predict(state, features, keys_for(len(features)), draws=1, seed=0)
    assert answer.score is not None
    return answer.score.numpy()


def reference(train: np.ndarray, labels: np.ndarray, new: np.ndarray, shrinkage: float | None) -> np.ndarray:
    """Item by item, class by class, with scikit-learn's covariance of what is left when class means are gone."""
    means = {c: train[labels == c].mean(axis=0) for c in np.unique(labels)}
    left = np.stack([x - means[c] for x, c in zip(train, labels, strict=True)])
    model = (
        OAS(assume_centered=True) if shrinkage is None else ShrunkCovariance(assume_centered=True, shrinkage=shrinkage)
    )
    precision = np.linalg.inv(model.fit(left).covariance_)
    return np.array([min((x - m) @ precision @ (x - m) for m in means.values()) for x in new])


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("shrinkage", [None, 0.0, 0.4, 1.0])
def test_distances_are_those_of_scikit_learns_covariance(shrinkage: float | None, unit: bool) -> None:
    (train, labels), (new, _) = vectors(90, noise=1.0), vectors(20, seed=3, noise=2.0)
    found = score_of(fitted(train, labels, shrinkage=shrinkage, unit=unit, size=13), new)
    a, b = (x.double().numpy() / (np.linalg.norm(x, axis=1, keepdims=True) if unit else 1) for x in (train, new))
    np.testing.assert_allclose(found, reference(a, labels.numpy(), b, shrinkage), rtol=1e-5)


def test_the_relative_distance_takes_off_that_to_all_items() -> None:
    (train, labels), (new, _) = vectors(90, noise=1.0), vectors(20, seed=3, noise=2.0)
    found = score_of(fitted(train, labels, relative=True, shrinkage=0.2), new)
    a, b = train.double().numpy(), new.double().numpy()
    expected = reference(a, labels.numpy(), b, 0.2) - reference(a, 0 * labels.numpy(), b, 0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_items_with_several_labels_have_one_mean() -> None:
    (train, labels), (new, _) = vectors(90, noise=1.0), vectors(20, seed=3, noise=2.0)
    found = score_of(fitted(train, as_labels(labels, 4, "multilabel"), "multilabel"), new)
    expected = reference(train.double().numpy(), 0 * labels.numpy(), new.double().numpy(), None)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(UserFacingError, match="relative"):
        fitted(train, as_labels(labels, 4, "multilabel"), "multilabel", relative=True)


def test_mixed_labels_share_an_item() -> None:
    """Halves of an item in two classes are two half items."""
    train, labels = vectors(60, noise=1.0)
    hot = one_hot(labels, 4)
    mixed = 0.5 * hot + 0.5 * hot[:, [1, 2, 0, 3]]
    state = fitted(train, mixed.float())
    doubled = torch.cat([train, train]), torch.cat([labels, (labels + 2) % 3])
    twice = fitted(*doubled)
    torch.testing.assert_close(state.classes.means, twice.classes.means)


@pytest.mark.parametrize("items", [3, 8, 40, 400])
def test_the_shrinkage_is_scikit_learns_and_near_ledoit_and_wolfs(items: int) -> None:
    generator = np.random.default_rng(items)
    x = generator.normal(size=(items, 12)) @ generator.normal(size=(12, 12))
    sums = _gaussian.gathered(_gaussian.nothing(1, 12), torch.from_numpy(x - x.mean(axis=0)), torch.ones(items, 1))
    covariance, rho = oas(x - x.mean(axis=0), assume_centered=True)
    found = _gaussian.fitted(sums, None)
    assert found.shrinkage == pytest.approx(rho, rel=1e-9)
    np.testing.assert_allclose(np.linalg.inv(found.whiten.T @ found.whiten), covariance, rtol=1e-7, atol=1e-9)
    assert found.condition == pytest.approx(np.linalg.cond(covariance), rel=1e-6)
    if items >= 40:
        assert abs(rho - LedoitWolf(assume_centered=True).fit(x - x.mean(axis=0)).shrinkage_) < 0.1


def test_sums_far_from_the_origin_lose_little() -> None:
    train, labels = vectors(90, noise=1.0)
    near, far = (fitted(train.double() + offset, labels) for offset in (0.0, 1000.0))
    new = vectors(20, seed=3, noise=2.0)[0].double()
    a = _gaussian.squared_distances(near.classes, new)
    torch.testing.assert_close(_gaussian.squared_distances(far.classes, new + 1000), a, rtol=1e-6, atol=1e-6)


def test_what_has_no_inverse_or_is_too_long_is_refused_in_words() -> None:
    train, labels = vectors(8)
    with pytest.raises(UserFacingError, match="shrinkage above 0"):
        fitted(train, labels, shrinkage=0.0)
    with pytest.raises(UserFacingError, match="two items"):
        fitted(train[:1], labels[:1])
    with pytest.raises(UserFacingError, match="k-NN"):
        _gaussian.nothing(3, 5000)
