"""The lasso against a plain loop, against matplotlib's path, and against shapes whose content is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.maps import lasso

SQUARE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


def crossings(outline: list[tuple[float, float]], x: float, y: float) -> int:
    """A ray to the right, edge by edge."""
    count = 0
    for (x0, y0), (x1, y1) in zip(outline, outline[1:] + outline[:1], strict=True):
        if (y0 <= y) != (y1 <= y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            count += 1
    return count


grid = st.integers(-4, 4).map(float)


@given(outline=st.lists(st.tuples(grid, grid), min_size=3, max_size=12), seed=st.integers(0, 10_000))
def test_every_point_agrees_with_a_loop_over_the_edges(outline: list[tuple[float, float]], seed: int) -> None:
    """Corners on whole numbers, so that points meet corners, edges, level edges and doubled corners."""
    generator = np.random.default_rng(seed)
    x, y = (generator.integers(-10, 11, 60) / 2 for _ in range(2))
    expected = [crossings(outline, a, b) % 2 == 1 for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    assert lasso.inside(outline, x, y).tolist() == expected


@pytest.mark.parametrize("corners", [3, 40, 400])
def test_random_points_in_a_star_agree_with_an_independent_library(corners: int) -> None:
    path = pytest.importorskip("matplotlib.path")
    generator = np.random.default_rng(corners)
    angles = np.sort(generator.uniform(0, 2 * np.pi, corners))
    radius = generator.uniform(0.3, 1.0, corners)
    outline = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)
    x, y = generator.uniform(-1.1, 1.1, (2, 20_000))
    expected = path.Path(outline, closed=False).contains_points(np.stack([x, y], axis=1))
    found = lasso.inside(outline, x, y)
    assert found.any()
    assert np.array_equal(found, expected)


def test_a_circle_holds_its_share_of_a_million_points() -> None:
    angles = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 1_000_000)).astype(np.float32)
    share = lasso.inside(np.stack([np.cos(angles), np.sin(angles)], axis=1), x, y).mean()
    assert share == pytest.approx(np.pi / 4, abs=0.002)


def test_the_crossing_of_a_figure_of_eight_is_left_out_where_it_is_covered_twice() -> None:
    twice = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0), (0.0, 0.0), (1.0, 1.0), (3.0, 1.0), (3.0, 3.0), (1.0, 3.0)]
    assert lasso.inside(twice, np.array([2.0, 3.5]), np.array([2.0, 3.5])).tolist() == [False, True]


def test_neighbouring_squares_share_no_point_of_their_border() -> None:
    x, y = np.full(5, 1.0), np.linspace(0.1, 0.9, 5)
    right = [(a + 1, b) for a, b in SQUARE]
    counts = lasso.inside(SQUARE, x, y).astype(int) + lasso.inside(right, x, y).astype(int)
    assert counts.tolist() == [1] * 5


def test_what_has_no_place_or_no_area_holds_nothing() -> None:
    x, y = np.array([0.5, np.nan, np.inf]), np.array([0.5, 0.5, np.nan])
    assert lasso.inside(SQUARE, x, y).tolist() == [True, False, False]
    for outline in ([], SQUARE[:2], [(0.0, 0.0), (np.nan, 1.0), (1.0, 0.0)]):
        assert not lasso.inside(outline, x, y).any()
    assert lasso.inside_any([], x, y).tolist() == [False] * 3


def test_several_outlines_hold_together() -> None:
    far = [(a + 5, b) for a, b in SQUARE]
    assert lasso.inside_any([SQUARE, far], np.array([0.5, 5.5, 3.0]), np.full(3, 0.5)).tolist() == [True, True, False]
