"""Solids with a known truth, and what scans and glimpses leave of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import label

from core.data import digits
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.settings import Settings
from core.shapes import vertebra
from core.shapes.observe import CLEAN, Glimpse, Observation, Scan, _shares, glimpsed, scanned
from core.shapes.pictures import Ink, ink_of
from core.shapes.solids import Box, Posed, affine_of, places_of, spacing_of, turn_of


@dataclass(frozen=True)
class Ball:
    radius: float
    middle: tuple[float, ...] = (0.0, 0.0, 0.0)

    def level(self, places: np.ndarray) -> np.ndarray:
        return np.linalg.norm(places - np.array(self.middle), axis=1) - self.radius


def a_vertebra(seed: int = 0) -> vertebra.Vertebra:
    return vertebra.drawn(numpy_generator("vertebra", seed))


def pieces(mask: np.ndarray, neighbours: np.ndarray | None = None) -> int:
    found: Any = label(mask, neighbours)
    return found[1]


def on_a_grid(solid, step: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    affine, shape = affine_of((step,) * 3, (-56.0, -90.0, -40.0)), tuple(int(n / step) for n in (114, 122, 82))
    return solid.level(places_of(affine, shape)).reshape(shape) < 0, affine


def test_indices_become_millimetres_through_the_affine() -> None:
    affine = affine_of((1.0, 2.0, 4.0), (10.0, 20.0, 30.0))
    places = places_of(affine, (2, 3, 2))
    assert spacing_of(affine) == (1.0, 2.0, 4.0)
    expected = [(10 + i, 20 + 2 * j, 30 + 4 * k) for i, j, k in product(range(2), range(3), range(2))]
    np.testing.assert_allclose(places, expected)


def test_the_nodes_of_a_box_are_those_of_its_affine_and_its_corners_are_the_unit_cube() -> None:
    box = Box((1.0, 2.0, 3.0), (4.0, 6.0, 8.0))
    nodes = box.nodes((3, 4, 5))
    np.testing.assert_allclose(nodes, places_of(box.affine((3, 4, 5)), (3, 4, 5)))
    unit = box.to_unit(nodes)
    np.testing.assert_allclose((unit.min(axis=0), unit.max(axis=0)), ((-0.5,) * 3, (0.5,) * 3))
    np.testing.assert_allclose(box.from_unit(unit), nodes)
    assert (box.counts(2.0), box.counts(2.1)) == ((3, 4, 5), (3, 4, 5))
    assert box.counts(1.9) == (4, 5, 6)


def test_a_turned_solid_lies_where_the_rotation_takes_it() -> None:
    ball = Ball(5.0, (10.0, 0.0, 0.0))
    turned = Posed(ball, turn_of((0.0, 0.0, 90.0)))  # x goes to y
    assert turned.level(np.array([[0.0, 10.0, 0.0]]))[0] == pytest.approx(-5.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_vertebra_is_one_piece_with_one_canal_through_it(seed: int) -> None:
    bone = a_vertebra(seed)
    inside, affine = on_a_grid(bone)
    assert pieces(inside, np.ones((3, 3, 3))) == 1
    middle = np.array([[0.0, bone.canal_middle, z] for z in range(-45, 46, 3)])
    assert (bone.level(middle) > 0.45 * bone.canal_depth).all()  # open from end to end
    ring = places_of(affine, inside.shape)
    height = bone.body_height / 2 - bone.pedicle_height / 2 - 1.0  # of the pedicles: there bone goes all the way round
    plane = np.abs(ring[:, 2] - height) <= 1.0
    layer = inside.ravel()[plane].reshape(inside.shape[:2])
    assert pieces(~layer) >= 2, "the canal is not closed around"


def test_a_vertebra_has_the_measures_it_was_made_with() -> None:
    bone = a_vertebra(4)
    x = np.linspace(-60, 60, 4801)
    for z in (0.0, bone.body_height / 2 - 2.5):
        drawn_in = bone.waist * (1 - (2 * z / bone.body_height) ** 2)
        across = bone.level(np.stack([x, 0 * x, 0 * x + z], axis=1)) < 0
        assert np.ptp(x[across]) == pytest.approx(bone.body_width - 2 * drawn_in, abs=0.1)
    up = bone.level(np.stack([0 * x, 0 * x, x], axis=1)) < 0
    assert np.ptp(x[up]) == pytest.approx(bone.body_height, abs=0.1)
    inside, affine = on_a_grid(bone)
    reach = places_of(affine, inside.shape)[inside.ravel()]
    assert np.ptp(reach[:, 0]) == pytest.approx(bone.transverse_span, abs=4.5)


def test_vertebrae_stay_in_their_ranges_and_in_their_box_and_differ() -> None:
    bones = [a_vertebra(seed) for seed in range(6)]
    for bone in bones:
        for name, (least, most) in vertebra.ranges().items():
            assert least <= getattr(bone, name) <= most
        inside, affine = on_a_grid(bone, 4.0)
        places = places_of(affine, inside.shape)[inside.ravel()]
        assert np.abs(vertebra.box_about(places.mean(axis=0)).to_unit(places)).max() <= 0.5
    assert len({bone.body_width for bone in bones}) == 6
    assert a_vertebra(3) == a_vertebra(3)
    with pytest.raises(ValueError, match="body_width"):
        vertebra.Vertebra(**{**asdict(bones[0]), "body_width": 90.0})


def test_shares_of_voxels_are_those_of_looking_everywhere() -> None:
    ball, affine = Ball(7.3, (0.4, -0.3, 0.2)), affine_of((4.0, 1.5, 1.5), (-14.0, -9.0, -9.0))
    steps = [(number - 1) / 3 for number in range(3)]
    naive = np.mean(
        [
            (ball.level(places_of(affine, (8, 13, 13)) + affine[:3, :3] @ np.array(offset)) < 0).reshape(8, 13, 13)
            for offset in product(steps, repeat=3)
        ],
        axis=0,
    )
    np.testing.assert_allclose(_shares(ball, affine, (8, 13, 13), 3), naive)
    assert naive.sum() * 9.0 == pytest.approx(4 / 3 * np.pi * 7.3**3, rel=0.02)


def test_a_clean_scan_is_the_solid_at_the_voxels_centres() -> None:
    seen, posed = scanned(Ball(20.0), CLEAN, numpy_generator("clean"))
    np.testing.assert_array_equal(seen.labels.ravel(), posed.level(places_of(seen.affine, seen.labels.shape)) < 0)
    assert seen.seen.all()
    assert seen.spacing == (2.0, 2.0, 2.0)


def test_a_scan_has_the_spacing_the_gaps_and_the_pose_that_were_asked() -> None:
    scan = Scan(slice_mm=5.0, pixel_mm=2.0, degrees=20.0, missing=0.5, label_noise=0.0, blur_mm=0.0)
    found, posed = scanned(a_vertebra(1), scan, numpy_generator("scan"))
    assert found.spacing == (5.0, 2.0, 2.0)
    whole = ~found.seen.any(axis=(1, 2))
    np.testing.assert_array_equal(found.seen.all(axis=(1, 2)), ~whole)  # slices go as a whole
    assert not found.labels[whole].any()
    truth = (posed.level(places_of(found.affine, found.labels.shape)) < 0).reshape(found.labels.shape)
    showing = np.flatnonzero(truth.any(axis=(1, 2)))
    assert whole.sum() == pytest.approx(len(showing) / 2, abs=1.5)
    assert (found.labels == truth)[~whole].mean() > 0.97
    assert not np.allclose(posed.turn, np.eye(3))


def test_an_unsure_hand_and_a_blur_move_the_outline_and_nothing_else() -> None:
    plain = replace(CLEAN, inside=2)
    for damage in ({"label_noise": 0.5}, {"blur_mm": 4.0}):
        sharp, _ = scanned(a_vertebra(), plain, numpy_generator("hand"))
        drawn, _ = scanned(a_vertebra(), replace(plain, **damage), numpy_generator("hand"))
        wrong = sharp.labels != drawn.labels
        assert 0 < wrong.mean() < 0.05
        truth = a_vertebra().level(places_of(sharp.affine, sharp.labels.shape)).reshape(wrong.shape)
        assert np.abs(truth[wrong]).max() < 8.0


def test_the_same_generator_gives_the_same_scan() -> None:
    one, two, other = (scanned(Ball(15.0), Scan(), numpy_generator("same", seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.labels.shape != other.labels.shape or (one.labels != other.labels).any()


def test_an_unseen_voxel_takes_the_label_of_the_nearest_seen_one_in_millimetres() -> None:
    labels = np.zeros((3, 3), bool)
    labels[0, 1] = True
    seen = np.array([[True, True, True], [True, False, True], [True, True, True]])
    tall = Observation(labels, seen, affine_of((1.0, 3.0), (0.0, 0.0)))  # up and down are near, the sides far
    assert tall.filled[1, 1] in (labels[0, 1], labels[2, 1])
    wide = Observation(labels.T, seen, affine_of((1.0, 3.0), (0.0, 0.0)))
    assert not wide.filled[1, 1]


def test_an_observation_is_read_between_its_voxels_and_ends_where_it_ends() -> None:
    labels = np.zeros((4, 4), bool)
    labels[2:] = True
    found = Observation(labels, np.ones((4, 4), bool), affine_of((2.0, 1.0), (10.0, 0.0)))
    values = found.at(np.array([[12.0, 1.0], [13.0, 1.0], [14.0, 1.0], [20.0, 1.0]]))
    np.testing.assert_allclose(values, [0.0, 0.5, 1.0, 0.0])
    np.testing.assert_allclose(found.mass(), [15.0, 1.5])


def test_the_distance_to_the_outline_of_a_ball_is_that_of_a_ball() -> None:
    found, ball = scanned(Ball(20.0), replace(CLEAN, slice_mm=1.0, pixel_mm=1.0), numpy_generator("distance"))
    places = numpy_generator("places").uniform(-22.0, 22.0, (300, 3))
    np.testing.assert_allclose(found.distance_at(places), ball.level(places), atol=1.0)
    tall = Observation(np.array([[False], [True], [True]]), np.ones((3, 1), bool), affine_of((3.0, 5.0), (0.0, 0.0)))
    np.testing.assert_allclose(tall.distance[:, 0], [1.5, -1.5, -4.5])
    with pytest.raises(ValueError, match="outline"):
        _ = replace(tall, labels=np.ones((3, 1), bool)).distance


def test_ink_is_solid_where_interpolated_pixels_are_dark_enough() -> None:
    ink = Ink(np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    levels = ink.level(np.array([[1.0, 1.0], [1.0, 1.25], [1.5, 1.5]]))
    np.testing.assert_allclose(levels, [-0.5, -0.25, 0.25])
    np.testing.assert_allclose(ink.box.to_unit(np.array([[0.0, 0.0], [2.0, 1.0]])), [[-0.5, -0.5], [0.5, 0.0]])


def test_digits_become_solids_of_their_ink() -> None:
    dataset = digits.DATASET.open(None, Settings())
    ink = ink_of(dataset, dataset.items[0])
    assert ink.pixels.shape == (8, 8)
    np.testing.assert_array_equal(ink.whole().labels, ink.pixels > 0.5)
    fine = ink.whole(0.5)
    assert (fine.labels.shape, fine.spacing) == ((15, 15), (0.5, 0.5))
    np.testing.assert_array_equal(fine.labels[::2, ::2], ink.pixels > 0.5)


def test_a_glimpse_keeps_its_share_hides_its_band_and_errs_where_it_looks() -> None:
    whole = Ink((np.indices((40, 50)).sum(axis=0) % 7 < 3).astype(float)).whole()
    found = glimpsed(whole, Glimpse(kept=0.4, blanked=0.25, flipped=0.1), numpy_generator("glimpse"))
    assert (~found.seen.any(axis=1)).sum() == 10
    rest = found.seen[found.seen.any(axis=1)]
    assert rest.mean() == pytest.approx(0.4, abs=0.04)
    assert (found.labels != whole.labels)[found.seen].mean() == pytest.approx(0.1, abs=0.04)
    assert not found.labels[~found.seen].any()
    tiny = Ink(np.ones((2, 2))).whole()
    assert all(glimpsed(tiny, Glimpse(kept=0.02), numpy_generator("little", seed)).seen.any() for seed in range(5))


def test_a_knob_out_of_bounds_is_refused() -> None:
    with pytest.raises(UserFacingError, match="slice_mm"):
        Scan(slice_mm=0.0)
