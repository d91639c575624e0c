"""Measures of solids: closed forms on boxes, naive loops over pairs of voxels, scipy's directed Hausdorff distance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import directed_hausdorff

from core.fingerprint import numpy_generator
from core.metrics.figure import Figure
from core.metrics.ranks import auroc
from core.metrics.shapes import band, dice, hausdorff, iou, sparsification, surface, surface_distances, voxel_scores

SPACING = (0.7, 1.0, 4.0)
EMPTY = np.zeros((6, 7, 8), bool)


def box(low, high, shape=(12, 10, 9)) -> np.ndarray:
    solid = np.zeros(shape, bool)
    solid[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return solid


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = numpy_generator("blobs", seed)
    return tuple(generator.random((6, 7, 8)) < share for share in (0.2, 0.15))  # type: ignore[return-value]


def known(figure: Figure) -> float:
    assert figure.value is not None, figure.reason
    return figure.value


def naive_surface(solid: np.ndarray) -> list[tuple[int, ...]]:
    inside = {tuple(map(int, place)) for place in np.argwhere(solid)}
    steps = [tuple(sign * int(axis == number) for number in range(3)) for axis in range(3) for sign in (-1, 1)]
    return sorted(p for p in inside if any(tuple(np.add(p, s).tolist()) not in inside for s in steps))


def test_overlap_of_two_boxes_is_the_overlap_of_their_sizes() -> None:
    first, second = box((0, 0, 0), (4, 5, 6)), box((1, 2, 3), (5, 7, 9))  # 120, 120, common 3 * 3 * 3
    assert dice(first, second).value == pytest.approx(2 * 27 / 240)
    assert iou(first, second).value == pytest.approx(27 / (240 - 27))


def test_two_empty_solids_agree_and_a_missing_one_is_wholly_wrong() -> None:
    full = ~EMPTY
    assert (dice(EMPTY, EMPTY).value, dice(EMPTY, full).value) == (1.0, 0.0)
    assert iou(EMPTY, EMPTY).reason == "both solids are empty"
    assert hausdorff(EMPTY, full, SPACING).reason == "the found solid is empty"
    assert hausdorff(full, EMPTY, SPACING).reason == "the true solid is empty"


@pytest.mark.parametrize(("axis", "voxels"), [(0, 3), (1, 2), (2, 1)])
def test_a_moved_box_is_as_far_as_it_moved_in_millimetres(axis: int, voxels: int) -> None:
    moved = np.roll(box((1, 1, 1), (6, 6, 6)), voxels, axis)
    assert hausdorff(moved, box((1, 1, 1), (6, 6, 6)), SPACING).value == pytest.approx(voxels * SPACING[axis])


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_a_loop_over_all_pairs_of_surface_voxels(seed: int) -> None:
    first, second = blobs(seed)
    ours, theirs = (np.array(naive_surface(solid)) * SPACING for solid in (first, second))
    there, back = (
        np.array([min(float(np.linalg.norm(a - b)) for b in other) for a in one])
        for one, other in ((ours, theirs), (theirs, ours))
    )
    for found, naive in zip(surface_distances(first, second, SPACING), (there, back), strict=True):
        np.testing.assert_allclose(np.sort(found), np.sort(naive))
    both = max(directed_hausdorff(ours, theirs)[0], directed_hausdorff(theirs, ours)[0])
    assert hausdorff(first, second, SPACING).value == pytest.approx(both)
    q95 = max(np.percentile(there, 95), np.percentile(back, 95))
    assert hausdorff(first, second, SPACING, 95).value == pytest.approx(q95)
    assert known(hausdorff(first, second, SPACING, 95)) < both


def test_a_surface_is_closed_where_the_grid_ends() -> None:
    assert surface(np.ones((4, 4, 4), bool)).sum() == 64 - 8


def test_a_band_holds_the_voxels_near_the_other_side() -> None:
    truth = box((3, 2, 2), (8, 7, 6))
    expected = np.zeros_like(truth)
    places = list(itertools.product(*map(range, truth.shape)))
    for place in places:
        others = np.array([other for other in places if truth[other] != truth[place]])
        expected[place] = np.linalg.norm((others - place) * SPACING, axis=1).min() <= 1.5
    np.testing.assert_array_equal(band(truth, SPACING, 1.5), expected)
    assert not band(EMPTY, SPACING, 1.5).any()


def test_scores_of_voxels_are_those_of_their_formulas_also_in_a_part() -> None:
    probs = np.array([[0.9, 0.2], [0.6, 0.4]])
    truth = np.array([[True, False], [False, True]])
    doubt = np.array([[0.1, 0.2], [0.3, 0.25]])
    scores = voxel_scores(probs, truth, doubt)
    assert scores.nll.value == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.4]).mean())
    assert scores.brier.value == pytest.approx(np.mean([0.01, 0.04, 0.36, 0.36]))
    assert scores.ece.value == pytest.approx(np.mean([0.1, 0.2, 0.6, 0.6]))
    assert (scores.error_auroc.value, scores.sparsification.value) == (1.0, 0.0)
    part = voxel_scores(probs, truth, doubt, np.array([[True, True], [False, False]]))
    assert part.brier.value == pytest.approx(0.025)
    assert part.error_auroc.reason == "there are no positives"


def test_sparsification_is_the_area_between_two_naive_curves() -> None:
    generator = numpy_generator("sparsification")
    errors = (generator.random(40) < 0.3).astype(float)
    doubt = errors + generator.normal(size=40)

    def area(order: np.ndarray) -> float:
        return float(np.mean([errors[order[:kept]].mean() for kept in range(1, 41)]))

    expected = area(np.argsort(doubt)) - area(np.argsort(errors))
    assert sparsification(doubt, errors).value == pytest.approx(expected)
    assert known(sparsification(-doubt, errors)) > expected
    assert known(auroc(doubt, errors)) < 1


def test_a_solid_is_made_of_booleans() -> None:
    with pytest.raises(ValueError, match="threshold"):
        dice(np.ones((2, 2)), np.ones((2, 2), bool))
