"""How far a surface may be off: a logistic sphere knows it, and a shifted one is caught."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.shapes.solids import Box
from core.shapes.surface import MOST, admitted_of, lines_of, play_of, read, surface_of

BOX = Box((1.0, -2.0, 3.0), (40.0, 44.0, 36.0))
SHAPE = (41, 45, 37)


def ball(scale: float, shift: float = 0.0, dim: int = 3) -> np.ndarray:
    """A ball of 10 mm whose probability falls as a logistic of the distance to its surface."""
    box, shape = Box(BOX.centre[:dim], BOX.size[:dim]), SHAPE[:dim]
    away = box.nodes(shape) - np.array(box.centre)
    away[:, 0] -= shift
    return (1.0 / (1.0 + np.exp((np.linalg.norm(away, axis=1) - 10.0) / scale))).reshape(shape)


@pytest.mark.parametrize("scale", [0.7, 2.0])
@pytest.mark.parametrize("dim", [2, 3])
def test_play_is_where_nine_tenths_of_a_logistic_lie(scale: float, dim: int) -> None:
    box = Box(BOX.centre[:dim], BOX.size[:dim])
    probs, affine = ball(scale, dim=dim), box.affine(SHAPE[:dim])
    points = surface_of(probs, affine)
    np.testing.assert_allclose(np.linalg.norm(points - np.array(box.centre), axis=1), 10.0, atol=0.1)
    found = read(play_of(probs, (1.0,) * dim), points, affine)
    np.testing.assert_allclose(found, scale * math.log(19.0), rtol=0.06)


def test_a_field_that_says_nothing_of_a_surface_has_the_most_play() -> None:
    assert (play_of(np.full((4, 4), 0.3), (1.0, 1.0)) == MOST).all()
    assert surface_of(np.full((4, 4), 0.3), np.eye(3)).shape == (0, 2)
    assert lines_of(np.zeros((4, 4)), np.eye(3)) == []


def test_a_surface_in_its_place_is_not_off() -> None:
    found = admitted_of(ball(1.0), ball(0.1) > 0.5, BOX.affine(SHAPE), 3.0)
    assert (found.off, found.admitted, found.missed, found.feared, found.held) == (0.0, None, 0.0, None, 1.0)


def test_who_is_off_admits_it_only_with_play_enough() -> None:
    truth, affine = ball(0.1) > 0.5, BOX.affine(SHAPE)
    sure, unsure = (admitted_of(ball(scale, shift=6.0), truth, affine, 3.0) for scale in (0.3, 3.0))
    assert sure.off == pytest.approx(unsure.off, abs=0.03)
    assert 0.3 < sure.off < 0.7  # type: ignore[operator]
    assert (sure.admitted, unsure.admitted) == (0.0, 1.0)
    assert sure.missed == pytest.approx(sure.off, abs=0.05)
    assert (sure.feared, unsure.feared) == (0.0, 1.0)
    assert sure.held < 0.5  # type: ignore[operator]
    nothing = admitted_of(np.zeros(SHAPE), truth, affine, 3.0)
    assert (nothing.off, nothing.admitted, nothing.missed, nothing.held) == (None, None, None, None)
