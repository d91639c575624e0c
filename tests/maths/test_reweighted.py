"""Resampling by counting against resampling by drawing: the same items, the same figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.fingerprint import numpy_generator
from core.metrics import reweighted, selective
from core.metrics.bootstrap import resampled
from core.metrics.retention import PERCENTS, on_grid, retention


def made(items: int, ties: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[int]]:
    generator = numpy_generator("reweighted", items, ties, seed)
    doubt = generator.integers(0, ties, items) / ties
    right = (generator.uniform(size=items) > 0.6 * doubt).astype(float)
    return doubt, right, generator.integers(0, max(1, items // 3), items).tolist()


@given(st.integers(1, 60), st.integers(1, 80), st.booleans(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_every_resample_has_the_curve_and_the_areas_of_its_drawn_items(
    items: int, ties: int, whole: bool, seed: int
) -> None:
    doubt, right, recordings = made(items, ties, seed)
    groups = recordings if whole else None
    one = reweighted.ordered(doubt, right)
    drawn = resampled(items, numpy_generator("same", seed), 3, groups)
    for rows, weight in zip(drawn, reweighted.weights(items, numpy_generator("same", seed), 3, groups), strict=True):
        assert weight.tolist() == np.bincount(rows, minlength=items).tolist()
        expected = on_grid(retention(doubt[rows], right[rows]), PERCENTS).value
        np.testing.assert_allclose(reweighted.values(one, weight, PERCENTS), expected, atol=1e-12)
        found, errors = reweighted.areas(one, weight, 0.1), 1 - right[rows]
        assert found.aurc == pytest.approx(selective.aurc(doubt[rows], errors).value)
        assert found.augrc == pytest.approx(selective.augrc(doubt[rows], errors).value)
        coverage = selective.coverage_at_risk(doubt[rows], errors, 0.1).value
        assert (found.coverage == pytest.approx(coverage)) if coverage is not None else np.isnan(found.coverage)


def test_groups_that_do_not_belong_are_refused() -> None:
    with pytest.raises(ValueError, match="do not belong"):
        next(reweighted.weights(4, numpy_generator("x"), 1, [0, 1]))
    with pytest.raises(ValueError, match="at least one"):
        reweighted.values(reweighted.ordered([0.1], [1.0]), np.array([0]), PERCENTS)
