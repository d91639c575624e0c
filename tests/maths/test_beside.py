"""Two maps beside each other: neighbours that stay, against a naive loop and chance; items that two atlases share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.maps.beside import stay
from core.maps.trust import agreement
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.paired import paired
from core.settings import Settings


def naive(points: np.ndarray, others: np.ndarray, rows: list[int], k: int) -> float:
    shared = 0
    for row in rows:
        near = []
        for drawn in (points, others):
            far = sorted((float(np.hypot(*(drawn[row] - drawn[other]))), other) for other in range(len(drawn)))
            near.append({other for _, other in far if other != row}.intersection([o for _, o in far if o != row][:k]))
        shared += len(near[0] & near[1])
    return shared / (len(rows) * k)


@pytest.mark.parametrize(("k", "rows"), [(15, None), (4, None), (7, [3, 11, 40, 59])])
def test_the_share_of_neighbours_that_stay_is_that_of_a_naive_loop(k: int, rows: list[int] | None) -> None:
    generator = np.random.default_rng(5)
    points = generator.normal(size=(60, 2)).astype(np.float32)
    others = points + 0.6 * generator.normal(size=(60, 2)).astype(np.float32)
    found = stay(points, others, None if rows is None else np.array(rows), k)
    assert found is not None
    assert found.share == pytest.approx(naive(points, others, rows or list(range(60)), k))
    assert (found.k, found.asked, found.chance) == (k, len(rows or range(60)), k / 59)


def test_a_map_keeps_all_of_its_own_neighbours_however_it_is_turned_and_stretched() -> None:
    points = np.random.default_rng(1).normal(size=(200, 2))
    turned = 3.0 * points @ np.array([[0.6, -0.8], [0.8, 0.6]]) + 7.0
    found = stay(points, turned)
    assert found is not None
    assert found.share == 1.0
    assert agreement(points, turned) == 1.0


def test_maps_without_anything_in_common_share_what_chance_gives() -> None:
    generator = np.random.default_rng(2)
    found = stay(generator.normal(size=(900, 2)), generator.normal(size=(900, 2)))
    assert found is not None
    assert found.share == pytest.approx(found.chance, abs=0.002)
    assert found.chance == 15 / 899


def test_items_at_one_place_are_each_others_neighbours_and_never_their_own() -> None:
    points = np.zeros((40, 2))
    points[20:] = np.random.default_rng(3).normal(size=(20, 2)) + 9
    found = stay(points, points, k=19)
    assert found is not None
    assert found.share == 1.0
    assert stay(np.zeros((1, 2)), np.zeros((1, 2))) is None
    assert stay(points, points, np.zeros(0, np.int64)) is None
    with pytest.raises(ValueError, match="40 and 39"):
        stay(points, points[1:])


# ---- which items are the same ----


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    return open_atlas("heldout", "toybox-ensemble", Settings(home=tmp_path_factory.mktemp("home")))


def some(atlas: Atlas, rows: list[int], **changes: object) -> Atlas:
    return replace(atlas, ids=tuple(atlas.ids[row] for row in rows), **changes)  # type: ignore[arg-type]


def test_items_are_joined_by_id_within_one_data_set_only(toys: Atlas) -> None:
    left, right = some(toys, [0, 1, 2, 3]), some(toys, [3, 9, 1])
    pairs = paired(left, right)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([1, 3], [2, 0])
    assert pairs.over(np.array([0, 3])).tolist() == [0]
    assert pairs.back(np.array([1, 2])).tolist() == [1]
    assert len(pairs.among(np.array([3]), np.arange(3))) == 1
    assert not len(paired(left, replace(right, name="elsewhere")))
    assert not len(paired(left, replace(right, version="another")))


def test_a_file_that_has_changed_is_another_item(toys: Atlas) -> None:
    left = some(toys, [0, 1, 2], shas=("a", "b", "c"), name="old", source="collection")
    right = some(toys, [2, 1, 0], shas=("c", "changed", "a"), name="new", source="collection")
    pairs = paired(left, right)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0, 2], [2, 0])


def test_a_map_of_another_home_is_no_other_map(toys: Atlas, tmp_path: Path) -> None:
    again = open_atlas("heldout", "toybox-ensemble", Settings(home=tmp_path))
    pairs = paired(toys, again)
    assert np.array_equal(pairs.first, pairs.second)
    assert len(pairs) == len(toys)
