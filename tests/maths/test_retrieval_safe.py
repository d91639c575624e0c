"""Exact retrieval against a plain sort, and a promise of risk against many drawn worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from core.errors import UserFacingError
from core.retrieval import Safety, chosen, nearest, safe_rows, tried, upper_bound


def world(seed: int, items: int = 400, dim: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int]]:
    """Two classes; an item's doubt is the chance that it lies on the wrong side."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, items)
    doubt = generator.uniform(0.0, 0.5, items) ** 2 * 2
    side = np.where(generator.uniform(size=items) < doubt, 1 - labels, labels)
    features = generator.normal(size=(items, dim)) * 0.05
    features[:, 0] += side
    features[:, 1] += 1 - side
    return features, labels, doubt, list(range(items))


def calibrated(*parts: Any, risk: float, seen: np.ndarray | None = None) -> Safety:
    return chosen(tried(*parts, seen=seen), risk=risk, confidence=0.9)


def test_the_nearest_are_those_of_a_plain_sort() -> None:
    generator = np.random.default_rng(0)
    matrix, query = generator.normal(size=(300, 9)), generator.normal(size=9)
    cosines = [float(row @ query / np.linalg.norm(row) / np.linalg.norm(query)) for row in matrix]
    expected = sorted(range(300), key=lambda at: -cosines[at])
    found = nearest(query, matrix, 12)
    assert found.places.tolist() == expected[:12]
    np.testing.assert_allclose(found.cosines, [cosines[at] for at in expected[:12]], rtol=1e-5)
    odd = np.arange(300) % 2 == 1
    assert nearest(query, matrix, 300, odd).places.tolist() == [at for at in expected if at % 2]
    assert nearest(query, np.ones((5, 9)), 3).places.tolist() == [0, 1, 2]
    with pytest.raises(UserFacingError):
        nearest(query, matrix, 0)


def test_the_bound_is_where_so_few_errors_become_unlikely() -> None:
    for errors, count, level in ((0, 20, 0.9), (3, 50, 0.99), (49, 50, 0.9)):
        assert binom.cdf(errors, count, upper_bound(errors, count, level)) == pytest.approx(1 - level)
    assert upper_bound(5, 5, 0.9) == 1.0


def test_the_stated_risk_holds_as_often_as_stated() -> None:
    """On new queries of the same kind, in at least the stated share of the worlds."""
    answered, broken = 0, 0
    for seed in range(30):
        features, labels, doubt, groups = world(seed, 600)
        found = calibrated(features, labels, doubt, groups, risk=0.25)
        if found.threshold is not None:
            assert found.bound is not None
            assert found.bound <= 0.25
            answered += 1
            broken += (found.checked_wrong or 0.0) > 0.25
    assert answered >= 20
    assert broken <= 0.1 * answered


def test_a_smaller_risk_keeps_fewer_queries() -> None:
    kept = [calibrated(*world(1, 1200), risk=risk).kept for risk in (0.1, 0.2, 0.4)]
    assert kept[0] < kept[1] < kept[2]


@pytest.mark.parametrize("risk", [0.0, 1.0, float("nan")])
def test_an_impossible_risk_is_refused(risk: float) -> None:
    with pytest.raises(UserFacingError):
        calibrated(*world(0), risk=risk)


def test_where_no_threshold_keeps_the_risk_it_is_said_why() -> None:
    features, _, doubt, groups = world(0)
    noise = np.random.default_rng(5).integers(0, 2, len(doubt))
    hopeless = calibrated(features, noise, doubt, groups, risk=0.05)
    assert (hopeless.threshold, hopeless.kept, hopeless.checked_wrong) == (None, 0.0, None)
    assert "too many" in hopeless.reason
    few = calibrated(features[:10], noise[:10], doubt[:10], groups[:10], risk=0.05)
    assert few.threshold is None
    assert "too few for a risk of 5 %" in few.reason


def test_no_query_finds_its_own_recording() -> None:
    """Copies carry the label, the recordings around them carry another one."""
    generator = np.random.default_rng(0)
    base = generator.normal(size=(60, 5))
    features = np.concatenate([base, base + 1e-4])
    labels = np.concatenate([np.arange(60), np.arange(60)])
    doubt = generator.uniform(size=120)
    apart = calibrated(features, labels, doubt, list(range(120)), risk=0.3)
    assert (apart.kept, apart.wrong) == (1.0, 0.0)
    assert calibrated(features, labels, doubt, [*range(60), *range(60)], risk=0.3).threshold is None


def test_what_the_model_learned_from_is_no_query() -> None:
    """Half of the items lie, with little doubt; they were learned from."""
    features, labels, doubt, groups = world(3, 800)
    seen = np.arange(800) < 400
    found = calibrated(features, labels, doubt, groups, risk=0.2, seen=seen)
    assert found.n_calibration + found.n_checked == 400
    none = calibrated(features, labels, doubt, groups, risk=0.2, seen=np.ones(800, bool))
    assert none.threshold is None
    assert "learn" in none.reason


def test_the_safe_database_keeps_the_least_doubtful_of_every_class() -> None:
    labels, doubt = np.array([0, 0, 0, 0, 1, 1]), np.array([0.4, 0.1, 0.3, 0.2, 0.9, 0.8])
    assert safe_rows(labels, doubt, 50).tolist() == [False, True, False, True, False, True]


def test_a_query_keeps_its_half_when_others_come() -> None:
    def counted(items: int) -> Safety:
        parts: Any = (part[:items] for part in world(2, 400))
        return calibrated(*parts, risk=0.4)

    assert 0 < counted(300).n_calibration <= counted(400).n_calibration
