"""k-NN distances against scikit-learn, and a sample that no order changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from core.errors import UserFacingError
from core.methods import _sample, knn
from core.methods._contract import FitContext
from tests.fitting import fit
from tests.tiny import keys_for, tiny, vectors

CONTEXT = FitContext("multiclass", 3, 60, seed=0)


def fitted(features: Tensor, keys: Tensor, *, size: int = 16, seed: int = 0, **options) -> knn.State:
    labels = torch.arange(len(features)) % 3
    state, _ = fit(knn.METHOD, knn.Config(**options), tiny(), CONTEXT, (features, labels, keys), size=size, seed=seed)
    return state


def score_of(state: knn.State, features: Tensor, keys: Tensor) -> np.ndarray:
    answer = knn.predict(state, features, keys, draws=1, seed=0)
    assert answer.score is not None
    return answer.score.numpy()


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("k", [1, 7])
def test_distances_are_scikit_learns(unit: bool, k: int) -> None:
    known, new = vectors(60)[0], vectors(25, seed=2, noise=1.0)[0]
    found = score_of(fitted(known, keys_for(60), k=k, unit=unit), new, keys_for(25, 100))
    a, b = (x.double().numpy() / (np.linalg.norm(x, axis=1, keepdims=True) if unit else 1) for x in (known, new))
    expected = NearestNeighbors(n_neighbors=k).fit(a).kneighbors(b)[0][:, k - 1]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_near_copies_are_told_apart_by_their_exact_distance() -> None:
    """A distance far below what the rounding of a product of float32 vectors resolves."""
    known = torch.full((30, 12), 100.0) + torch.arange(30.0)[:, None]
    new = known[4:5] + 1e-3 * torch.eye(12)[:1]
    found = score_of(fitted(known, keys_for(30), k=1, unit=False), new, keys_for(1, 100))
    np.testing.assert_allclose(found, float((new - known[4:5]).double().norm()), rtol=1e-6)


def test_an_item_is_not_its_own_neighbour() -> None:
    known = vectors(60)[0]
    state = fitted(known, keys_for(60), k=3)
    unit = torch.nn.functional.normalize(known, dim=1).double().numpy()
    expected = NearestNeighbors(n_neighbors=4).fit(unit).kneighbors(unit)[0][:, 3]
    np.testing.assert_allclose(score_of(state, known, keys_for(60)), expected, rtol=1e-5, atol=1e-6)
    stranger = score_of(state, known, keys_for(60, 500))  # the same vectors under other names
    assert np.all(stranger < expected)


def test_the_kept_sample_depends_on_neither_order_nor_batches() -> None:
    known, keys, new = vectors(60)[0], keys_for(60), vectors(5, seed=2)[0]
    first = fitted(known, keys, size=16, keep=20, k=2)
    other = fitted(known, keys, size=7, seed=9, keep=20, k=2)
    assert first.known.items == 20
    assert torch.equal(first.known.keys[0], other.known.keys[0])
    assert np.array_equal(score_of(first, new, keys_for(5, 100)), score_of(other, new, keys_for(5, 100)))
    assert set(first.known.keys[0].tolist()) < set(keys.tolist())


def test_a_sample_takes_every_item_with_the_same_chance() -> None:
    keys, numbers = keys_for(40), torch.arange(40.0)[:, None]
    counts = torch.zeros(40)
    for seed in range(300):
        sample = _sample.settled(_sample.added(_sample.Sample(10, seed), keys, numbers))
        counts[sample.features[0][:, 0].long()] += 1
    chi_square = float(((counts - 75) ** 2 / (75 * 0.75)).sum())  # variance of a draw without replacement
    assert chi_square < 75  # 39 degrees of freedom, p < 0.0005


def test_too_few_items_are_refused_in_words() -> None:
    with pytest.raises(UserFacingError, match="more than 10"):
        fitted(vectors(10)[0], keys_for(10), k=10)
