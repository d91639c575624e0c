"""Splits never tear a source recording, never move with new files, and say what leaks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts import Dataset, Item
from core.data._splits import (
    Fractions,
    Splits,
    demand_trainable,
    drawn_sides,
    folds_of,
    leaks,
    side_of,
    split_by_fold,
    split_by_group,
)
from core.errors import DataError

ITEMS = st.lists(
    st.builds(Item, st.uuids().map(str), st.integers(0, 2), group=st.none() | st.integers(0, 30).map(str)),
    min_size=1,
    max_size=80,
    unique_by=lambda item: item.id,
)
SHARES = (
    st.tuples(*[st.floats(0, 1)] * 3).filter(lambda s: sum(s) > 0.01).map(lambda s: Fractions(*(x / sum(s) for x in s)))
)


def dataset_of(items: Sequence[Item], contents: dict[str, bytes] | None = None) -> Dataset:
    known = contents or {}
    return Dataset("x", "A set", "audio", ("a", "b", "c"), tuple(items), lambda i: known.get(i.id, i.id.encode()))


def where(splits: Splits) -> dict[str, str]:
    return {item.id: name for name, items in splits.sides() for item in items}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(ITEMS, SHARES, st.integers(0, 1 << 40))
def test_no_group_is_on_two_sides_and_every_item_is_on_one(items: list[Item], fractions: Fractions, seed: int) -> None:
    try:
        splits = split_by_group(dataset_of(items), fractions, seed)
    except DataError as refusal:
        if refusal.code not in {"empty-split", "one-class"}:
            raise
        return
    placed = where(splits)
    assert placed.keys() == {item.id for item in items}
    assert sum(len(side) for _, side in splits.sides()) == len(items)
    sides: dict[str, set[str]] = defaultdict(set)
    for item in items:
        sides[item.group or item.id].add(placed[item.id])
    assert all(len(found) == 1 for found in sides.values())
    assert not leaks(dataset_of(items), splits).groups


@settings(max_examples=150, deadline=None, derandomize=True)
@given(ITEMS)
def test_drawn_sides_keep_recordings_whole_and_give_every_class_of_three_a_place_on_each(items: list[Item]) -> None:
    splits = drawn_sides(dataset_of(items))
    placed = where(splits)
    assert placed.keys() == {item.id for item in items}
    sides: dict[str, set[str]] = defaultdict(set)
    classes: dict[str, set[int | None]] = defaultdict(set)
    for item in items:
        sides[item.group or item.id].add(placed[item.id])
        classes[item.group or item.id].add(item.label)
    assert all(len(found) == 1 for found in sides.values())
    for label in range(3):
        alone = [group for group, found in classes.items() if found == {label}]
        if len(alone) >= 3 and not any(label in found and len(found) > 1 for found in classes.values()):
            held = Counter(next(iter(sides[group])) for group in alone)
            assert held["test"] == held["validation"] == max(1, round(0.15 * len(alone)))
    assert where(drawn_sides(dataset_of(items[::-1]))) == placed, "the order of the items does not matter"


def test_drawn_sides_leave_out_what_has_no_label() -> None:
    items = [Item(f"i{n}", None if n % 3 == 2 else n % 3) for n in range(30)]
    assert len(where(drawn_sides(dataset_of(items)))) == 20


@settings(max_examples=150, deadline=None, derandomize=True)
@given(ITEMS, ITEMS, SHARES, st.integers(0, 99))
def test_new_files_never_move_old_ones(old: list[Item], new: list[Item], fractions: Fractions, seed: int) -> None:
    both = {item.id: item for item in [*new, *old]}
    try:
        before = where(split_by_group(dataset_of(old), fractions, seed))
        after = where(split_by_group(dataset_of(sorted(both.values(), key=lambda item: item.id)), fractions, seed))
    except DataError as refusal:
        if refusal.code not in {"empty-split", "one-class"}:
            raise
        return
    assert {name: after[name] for name in before} == before


def test_the_fractions_are_met_and_the_seed_matters() -> None:
    items = [Item(str(n), n % 3) for n in range(20_000)]
    fractions = Fractions(0.5, 0.3, 0.2)
    counts = Counter(side_of(item, fractions, 1) for item in items)
    for name, share in (("train", 0.5), ("validation", 0.3), ("test", 0.2)):
        assert abs(counts[name] / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5
    agree = sum(side_of(item, fractions, 1) == side_of(item, fractions, 2) for item in items) / 20_000
    assert abs(agree - (0.25 + 0.09 + 0.04)) < 0.02


def test_a_part_of_the_set_may_be_left_out() -> None:
    splits = split_by_group(dataset_of([Item(str(n), n % 3) for n in range(2000)]), Fractions(0.1, 0.0, 0.1), 0)
    assert 100 < len(splits.train) < 300
    assert 100 < len(splits.test) < 300
    assert splits.validation == ()


FOLDED = [Item(f"{n}", n % 3, fold=n % 5 + 1, group=f"g{n % 5}") for n in range(60)]


def test_published_folds_are_taken_as_published() -> None:
    dataset = dataset_of(FOLDED)
    assert folds_of(dataset) == (1, 2, 3, 4, 5)
    splits = split_by_fold(dataset, test=2, validation=5)
    assert {item.fold for item in splits.test} == {2}
    assert {item.fold for item in splits.validation} == {5}
    assert {item.fold for item in splits.train} == {1, 3, 4}
    assert sum(len(side) for _, side in splits.sides()) == 60
    assert split_by_fold(dataset, test=2).validation == ()


BAD_FOLDS = {
    "no such fold": (FOLDED, 9, None, "no-such-fold", "1, 2, 3, 4, 5"),
    "no folds": ([Item("a", 0), Item("b", 1)], 1, None, "no-such-fold", "no folds"),
    "same fold twice": (FOLDED, 1, 1, "same-fold", "Fold 1"),
    "an item without fold": ([*FOLDED, Item("x", 0)], 1, None, "no-fold", "1 items"),
    "T-09 a group in two folds": ([*FOLDED, Item("x", 0, fold=1, group="g3")], 1, None, "leak", "'g3'"),
    "T-08 one class": ([Item(f"{n}", 1, fold=n % 2) for n in range(9)], 1, None, "one-class", "'b'"),
    "T-08 empty training": ([Item("a", 0, fold=1), Item("b", 1, fold=1)], 1, None, "empty-split", "train 0"),
}


@pytest.mark.parametrize(("items", "test", "validation", "code", "told"), BAD_FOLDS.values(), ids=BAD_FOLDS.keys())
def test_folds_that_cannot_be_used_say_why(
    items: list[Item], test: int, validation: int | None, code: str, told: str
) -> None:
    with pytest.raises(DataError) as caught:
        split_by_fold(dataset_of(items), test, validation)
    assert caught.value.code == code
    assert told in str(caught.value)


BAD_TRAINING = {
    "T-08 nothing": ([], "empty-split"),
    "T-08 one class": ([Item("a", 1), Item("b", 1)], "one-class"),
    "T-08 a class with one item": ([Item(str(n), n % 2) for n in range(6)] + [Item("c", 2)], "few-items"),
    "T-08 a class with none": ([Item(str(n), n % 2) for n in range(6)], "few-items"),
    "T-08 without label": ([Item("a", 0), Item("b")], "unlabelled"),
}


@pytest.mark.parametrize(("items", "code"), BAD_TRAINING.values(), ids=BAD_TRAINING.keys())
def test_items_that_teach_nothing_are_refused_with_counts(items: list[Item], code: str) -> None:
    with pytest.raises(DataError) as caught:
        demand_trainable(dataset_of(items), items)
    assert caught.value.code == code
    if code in {"one-class", "few-items"}:
        counts = Counter(item.label for item in items)
        assert all(f"{name} {counts[k]}" in str(caught.value) for k, name in enumerate("abc"))


def test_two_items_a_class_are_enough() -> None:
    items = [Item(str(n), n % 3) for n in range(6)]
    demand_trainable(dataset_of(items), items)


def test_with_several_labels_an_item_each_class_must_be_there_and_be_missing_somewhere() -> None:
    def several(*labels: tuple[int, ...]) -> Dataset:
        items = [Item(str(n), labels=present) for n, present in enumerate(labels)]
        return replace(dataset_of(items), task="multilabel")

    enough = several((0, 1), (0, 2), (1, 2), ())
    demand_trainable(enough, enough.items)
    for wrong, code, told in (
        (several((), ()), "unlabelled", "None of the 2 items"),
        (several((0, 1), (0, 1), (2,)), "few-items", "'c' is in 1 of 3 items"),
        (several((0, 1), (0, 1), (0, 2), (0, 2)), "one-class", "'a' is in 4 of 4 items"),
    ):
        with pytest.raises(DataError, match=told) as caught:
            demand_trainable(wrong, wrong.items)
        assert caught.value.code == code


@pytest.mark.parametrize("row", ["T-09"])
@pytest.mark.parametrize("side", ["split", "fold"])
def test_leaks_are_found_by_group_and_by_content(row: str, side: str) -> None:
    def placed(item: Item, where: int) -> Item:
        return replace(item, split=("train", "test")[where]) if side == "split" else replace(item, fold=where)

    items = [
        placed(Item("a", 0, group="shared"), 0),
        placed(Item("b", 0, group="shared"), 1),
        placed(Item("c", 0), 0),
        placed(Item("c again", 0), 1),
        placed(Item("d", 0, group="own"), 0),
        placed(Item("d again", 0, group="own"), 0),
        Item("nowhere", 0, group="shared"),
    ]
    same = {"c": b"1", "c again": b"1", "d": b"2", "d again": b"2"}
    found = leaks(dataset_of(items, same))
    assert found.groups == ("shared",)
    assert found.copies == (("c", "c again"),)
    assert found.items == 4
    assert found
    assert "4 items leak" in found.sentence
    clean = leaks(dataset_of(items[4:], same))
    assert not clean
    assert clean.sentence == ""


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (-0.1, 0.6, 0.5), (2.0, 0.0, 0.0)])
def test_fractions_are_parts_of_one_whole(shares: tuple[float, float, float]) -> None:
    with pytest.raises(DataError, match="parts of one whole"):
        Fractions(*shares)
