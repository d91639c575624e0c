"""Many resamples at once give what the plain metrics give on each of them, and judge's own intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.fingerprint import numpy_generator
from core.metrics import ood, ranks, reliability, scoring, selective, weighed
from core.metrics.bootstrap import bootstrap
from core.metrics.figure import Figure
from core.metrics.reweighted import weights

ITEMS, CLASSES, RESAMPLES = 40, 4, 60
DRAW = numpy_generator("weighed", 7)
PROBS = DRAW.dirichlet(np.ones(CLASSES), ITEMS)
LABELS = DRAW.integers(CLASSES, size=ITEMS)
ERRORS = scoring.errors(PROBS, LABELS)
DOUBT = np.round(1 - PROBS.max(axis=1), 1)  # with ties
SEVERAL = (DRAW.random((ITEMS, CLASSES)) < 0.15).astype(np.int64)
GROUPS = DRAW.integers(12, size=ITEMS)
WEIGHTS = np.stack(list(weights(ITEMS, numpy_generator("resamples", 1), RESAMPLES, GROUPS)))


def naively(figure: Callable[[np.ndarray], Figure]) -> np.ndarray:
    found = [figure(np.repeat(np.arange(ITEMS), weight)).value for weight in WEIGHTS]
    return np.array([np.nan if value is None else value for value in found])


CASES: dict[str, tuple[np.ndarray, Callable[[np.ndarray], Figure]]] = {
    "accuracy": (weighed.means(WEIGHTS, 1 - ERRORS), lambda rows: scoring.accuracy(PROBS[rows], LABELS[rows])),
    "nll": (
        weighed.means(WEIGHTS, scoring.log_losses(PROBS, LABELS)),
        lambda rows: scoring.nll(PROBS[rows], LABELS[rows]),
    ),
    "ece": (
        weighed.ece(WEIGHTS, *reliability.judged(PROBS, LABELS)),
        lambda rows: reliability.ece(*reliability.judged(PROBS[rows], LABELS[rows])),
    ),
    "ece of several labels": (
        weighed.ece(WEIGHTS, PROBS, SEVERAL),
        lambda rows: reliability.ece(*reliability.judged(PROBS[rows], SEVERAL[rows])),
    ),
    "map": (
        weighed.mean_average_precision(WEIGHTS, np.round(PROBS, 1), SEVERAL),
        lambda rows: scoring.mean_average_precision(np.round(PROBS, 1)[rows], SEVERAL[rows]).figure,
    ),
    "auroc": (weighed.auroc(WEIGHTS, DOUBT, ERRORS > 0), lambda rows: ranks.auroc(DOUBT[rows], ERRORS[rows] > 0)),
    "error_auroc": (
        weighed.areas(WEIGHTS, DOUBT, ERRORS).error_auroc,
        lambda rows: ranks.auroc(DOUBT[rows], ERRORS[rows] > 0),
    ),
    "error_auroc of shares": (
        weighed.areas(WEIGHTS, DOUBT, SEVERAL.mean(axis=1)).error_auroc,
        lambda rows: ranks.auroc(DOUBT[rows], SEVERAL.mean(axis=1)[rows] > 0),
    ),
    "fpr95": (
        weighed.fpr_at_tpr(WEIGHTS, DOUBT, ERRORS > 0),
        lambda rows: ranks.fpr_at_tpr(DOUBT[rows], ERRORS[rows] > 0),
    ),
    "aurc": (weighed.areas(WEIGHTS, DOUBT, ERRORS).aurc, lambda rows: selective.aurc(DOUBT[rows], ERRORS[rows])),
    "augrc": (weighed.areas(WEIGHTS, DOUBT, ERRORS).augrc, lambda rows: selective.augrc(DOUBT[rows], ERRORS[rows])),
    "aurc of shares": (
        weighed.areas(WEIGHTS, DOUBT, SEVERAL.mean(axis=1)).aurc,
        lambda rows: selective.aurc(DOUBT[rows], SEVERAL.mean(axis=1)[rows]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_resample_equals_the_plain_metric_on_its_items(name: str) -> None:
    found, figure = CASES[name]
    expected = naively(figure)
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_interval_is_that_of_the_bootstrap() -> None:
    told = bootstrap(
        lambda rows: selective.aurc(DOUBT[rows], ERRORS[rows]),
        ITEMS,
        numpy_generator("evaluate", 0),
        resamples=200,
        groups=GROUPS.tolist(),
        around=0.25,
    )
    drawn = np.stack(list(weights(ITEMS, numpy_generator("evaluate", 0), 200, GROUPS)))
    found = weighed.interval(weighed.areas(drawn, DOUBT, ERRORS).aurc, around=0.25)
    assert found == pytest.approx((told.low, told.high), abs=1e-12)


def test_insiders_and_outsiders_drawn_apart_give_the_detection_of_both() -> None:
    inside, outside = DOUBT[:25], DOUBT[25:] + 0.1
    both, mark = np.concatenate([inside, outside]), np.repeat([False, True], [25, 15])
    found = ood.detect(inside, outside)
    once = np.ones((1, ITEMS))
    assert weighed.auroc(once, both, mark)[0] == pytest.approx(found.auroc.value)
    assert weighed.fpr_at_tpr(once, both, mark)[0] == pytest.approx(found.fpr95.value)
    assert weighed.average_precision(once, both, mark)[0] == pytest.approx(found.aupr.value)


def test_what_has_no_value_is_not_a_number() -> None:
    nothing = np.zeros((2, ITEMS), np.int64)
    nothing[1] = 1
    for found in (
        weighed.means(nothing, ERRORS),
        weighed.auroc(nothing, DOUBT, ERRORS > 0),
        weighed.fpr_at_tpr(nothing, DOUBT, ERRORS > 0),
        weighed.areas(nothing, DOUBT, ERRORS).aurc,
        weighed.areas(nothing, DOUBT, ERRORS).augrc,
        weighed.areas(nothing, DOUBT, ERRORS).error_auroc,
    ):
        assert np.isnan(found[0])
        assert np.isfinite(found[1])
    assert np.isnan(weighed.auroc(np.ones((1, ITEMS)), DOUBT, np.zeros(ITEMS, bool)))[0]
    assert weighed.interval(np.array([np.nan, np.nan, 1.0])) is None
    known = weighed.means(np.ones((1, 3)), [1.0, np.nan, 0.0])
    assert known[0] == 0.5


def test_memory_is_bounded_whatever_the_items() -> None:
    assert weighed.block(560) * 560 <= 1 << 17
    assert weighed.block(10**9) == 1
