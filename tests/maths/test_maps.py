"""Maps against scikit-learn, against what was put in, and against themselves."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from core.errors import UserFacingError
from core.maps import draw as drawing
from core.maps import trust as trusting
from core.maps.density import bounds_of, density
from core.maps.draw import MapOptions, draw, neighbour_graph
from core.maps.place import place
from core.maps.trust import agreement, trust

GROUPS, EACH, DIM = 4, 40, 70


def groups(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four directions with items around each."""
    generator = np.random.default_rng(seed)
    centres = np.linalg.qr(np.random.default_rng(1).normal(size=(DIM, GROUPS)))[0].T
    labels = np.arange(GROUPS * EACH) % GROUPS
    return (centres[labels] + 0.05 * generator.normal(size=(len(labels), DIM))).astype(np.float32), labels


@pytest.fixture(scope="module")
def drawn() -> drawing.Drawing:
    return draw(groups()[0])


def test_a_map_keeps_groups_together(drawn: drawing.Drawing) -> None:
    labels = groups()[1]
    near = NearestNeighbors(n_neighbors=6).fit(drawn.points).kneighbors(return_distance=False)
    assert drawn.method == "umap"
    assert (labels[near] == labels[:, None]).mean() > 0.99


def test_a_seed_draws_one_map_and_another_seed_another(drawn: drawing.Drawing) -> None:
    vectors = groups()[0]
    assert np.array_equal(draw(vectors).points, drawn.points)
    assert not np.array_equal(draw(vectors, MapOptions(seed=1)).points, drawn.points)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_exact_neighbours_are_those_of_scikit_learn(metric: Any) -> None:
    points = np.random.default_rng(0).normal(size=(200, 12)).astype(np.float32)
    indices, distances = neighbour_graph(points, MapOptions(neighbours=10, metric=metric))
    expected = NearestNeighbors(n_neighbors=9, metric=metric).fit(points).kneighbors()
    assert np.array_equal(indices[:, 0], np.arange(200))
    assert np.array_equal(indices[:, 1:], expected[1])
    np.testing.assert_allclose(distances[:, 1:], expected[0], rtol=1e-3, atol=1e-4)


def test_of_equal_items_each_is_nearest_to_itself() -> None:
    points = np.ones((9, 3), np.float32)
    for metric in ("cosine", "euclidean"):
        indices, distances = neighbour_graph(points, MapOptions(neighbours=4, metric=metric))
        assert np.array_equal(indices[:, 0], np.arange(9))
        assert np.allclose(distances, 0.0, atol=1e-3)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_trustworthiness_is_that_of_scikit_learn(metric: Any) -> None:
    generator = np.random.default_rng(3)
    vectors, points = generator.normal(size=(90, 6)), generator.normal(size=(90, 2))
    found = trust(vectors, points, metric=metric, k=7)
    expected = trustworthiness(drawing.directions(vectors), points, n_neighbors=7)
    if metric == "euclidean":
        expected = trustworthiness(vectors, points, n_neighbors=7)
    assert found.trustworthiness == pytest.approx(float(expected), abs=1e-9)
    truth = NearestNeighbors(n_neighbors=7, metric=metric).fit(vectors).kneighbors(return_distance=False)
    near = NearestNeighbors(n_neighbors=7).fit(points).kneighbors(return_distance=False)
    kept = np.mean([len(np.intersect1d(a, b)) / 7 for a, b in zip(truth, near, strict=True)])
    assert found.kept == pytest.approx(float(kept))


def test_asking_some_items_comes_near_asking_all(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = groups()
    points = vectors[:, :2]
    whole = trust(vectors, points)
    monkeypatch.setattr(trusting, "EVERY", 80)
    some = trust(vectors, points)
    assert (whole.asked, some.asked) == (160, 80)
    assert some.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.05)


def test_a_map_agrees_with_itself_turned_and_not_with_noise() -> None:
    points = np.random.default_rng(0).normal(size=(100, 2))
    turned = points @ np.array([[0.6, -0.8], [0.8, 0.6]]) * 3.0 + 5.0
    assert agreement(points, turned) == 1.0
    shuffled = agreement(points, np.random.default_rng(1).normal(size=(100, 2)))
    assert shuffled is not None
    assert shuffled < 0.3
    assert agreement(points[:1], points[:1]) is None


def test_a_new_item_lies_among_its_own_group(drawn: drawing.Drawing) -> None:
    vectors, labels = groups()
    fresh, kinds = groups(seed=9)
    placed = place(fresh[:40], vectors, drawn.points)
    assert (labels[placed.neighbours] == kinds[:40, None]).mean() > 0.99
    nearest = NearestNeighbors(n_neighbors=1).fit(drawn.points).kneighbors(placed.points, return_distance=False)[:, 0]
    assert (labels[nearest] == kinds[:40]).all()
    assert (np.diff(placed.similarity, axis=1) <= 0).all()


def test_an_item_of_the_map_is_its_own_first_neighbour(drawn: drawing.Drawing) -> None:
    vectors, _ = groups()
    assert np.array_equal(place(vectors[:9], vectors, drawn.points).neighbours[:, 0], np.arange(9))


def test_an_item_between_two_groups_is_put_into_one_and_not_between() -> None:
    """Five neighbours at each end, nothing in the middle of the map."""
    vectors = np.array([[1.0, 0.02 * n] for n in range(5)] + [[0.02 * n, 1.0] for n in range(5)])
    points = np.array([[0.0, 0.1 * n] for n in range(5)] + [[10.0, 0.1 * n] for n in range(5)])
    placed = place(np.array([[1.0, 1.0]]), vectors, points, k=10)
    assert min(abs(placed.points[0, 0]), abs(placed.points[0, 0] - 10.0)) < 0.5
    assert placed.spread[0] > 0.3


def test_counts_are_those_of_a_plain_loop() -> None:
    points = np.random.default_rng(0).normal(size=(300, 2))
    found = density(points, 7, 5, bounds=(-1.0, 1.0, -2.0, 2.0))
    expected = np.zeros((5, 7), np.int64)
    for x, y in points:
        if -1.0 <= x < 1.0 and -2.0 <= y < 2.0:
            expected[int((y + 2.0) / 4.0 * 5), int((x + 1.0) / 2.0 * 7)] += 1
    assert np.array_equal(found.counts, expected)
    assert found.left_out == 300 - expected.sum()
    assert density(points).left_out == 0
    assert density(points).shade().max() == 1.0
    assert density(points[:0]).shade().max() == 0.0
    assert bounds_of(np.ones((1, 2))) == (0.5, 1.5, 0.5, 1.5)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 20])
def test_few_items_have_a_map_too(count: int) -> None:
    found = draw(groups()[0][:count])
    assert found.points.shape == (count, 2)
    assert np.isfinite(found.points).all()
    assert found.method == ("pca" if count < 8 else "umap")
    assert bool(found.notes) == (count < 8)


def test_items_that_are_all_alike_have_a_map_too() -> None:
    for vectors in (np.ones((30, 5)), np.zeros((30, 5))):
        assert np.isfinite(draw(vectors.astype(np.float32)).points).all()


def test_without_umap_the_principal_directions_are_drawn_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        if name.split(".")[0] == "umap":
            raise ImportError(name)
        return whole(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", without)
    vectors, _ = groups()
    found = draw(vectors)
    assert (found.method, len(found.notes)) == ("pca", 1)
    rows = drawing.directions(vectors).astype(np.float64)
    left, values, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found.points), np.abs(left * values)[:, :2], atol=1e-4)


@pytest.mark.parametrize(
    "change", [{"neighbours": 1}, {"min_dist": 2.0}, {"metric": "hamming"}, {"seed": -1}, {"min_dist": float("nan")}]
)
def test_odd_options_are_refused_in_a_sentence(change: dict[str, Any]) -> None:
    with pytest.raises(UserFacingError):
        replace(MapOptions(), **change)
