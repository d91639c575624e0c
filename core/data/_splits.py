"""Dividing data sets so that no source recording is on two sides, and finding out where one is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

from core.contracts import Dataset, Item, Progress, no_progress
from core.errors import DataError
from core.fingerprint import seed_of, sha256_of

_SEEDS = 1 << 63  # seed_of is below it


@dataclass(frozen=True, slots=True)
class Fractions:
    """The share of the groups that each side gets; what is left over after all three is left out."""

    train: float = 0.8
    validation: float = 0.0
    test: float = 0.2

    def __post_init__(self) -> None:
        parts = (self.train, self.validation, self.test)
        if not all(0.0 <= part <= 1.0 for part in parts) or sum(parts) > 1.0 + 1e-9:
            raise DataError(f"The fractions {parts} are not parts of one whole; they must sum to 1.", code="fractions")


@dataclass(frozen=True, slots=True)
class Splits:
    """Three sides of a data set; a side that was not asked for is empty."""

    train: tuple[Item, ...]
    validation: tuple[Item, ...]
    test: tuple[Item, ...]

    def sides(self) -> Iterator[tuple[str, tuple[Item, ...]]]:
        return iter((("train", self.train), ("validation", self.validation), ("test", self.test)))


@dataclass(frozen=True, slots=True)
class Leaks:
    """What is on two sides at once."""

    groups: tuple[str, ...]  # source recordings
    copies: tuple[tuple[str, str], ...]  # ids of items with the same bytes
    items: int  # items that either concerns

    def __bool__(self) -> bool:
        return bool(self.groups or self.copies)

    @property
    def sentence(self) -> str:
        """For people; empty where nothing leaks."""
        if not self:
            return ""
        return (
            f"{self.items:,} items leak between the splits: {len(self.groups):,} source recordings and "
            f"{len(self.copies):,} identical files are on more than one side, so scores will look too good."
        )


def folds_of(dataset: Dataset) -> tuple[int, ...]:
    """The published folds, as they are counted there."""
    return tuple(sorted({item.fold for item in dataset.items if item.fold is not None}))


def split_by_fold(dataset: Dataset, test: int, validation: int | None = None) -> Splits:
    """One published fold to test on, perhaps one to validate on, and the others to train on."""
    folds = folds_of(dataset)
    for fold in (test, *([] if validation is None else [validation])):
        if fold not in folds:
            known = f"its folds are {', '.join(map(str, folds))}" if folds else "it has no folds"
            raise DataError(f"{dataset.title} has no fold {fold}; {known}.", code="no-such-fold")
    if test == validation:
        raise DataError(f"Fold {test} cannot be for test and validation at once; choose two folds.", code="same-fold")
    if loose := sum(item.fold is None for item in dataset.items):
        raise DataError(f"{loose:,} items of {dataset.title} have no fold; give each one.", code="no-fold")
    if shared := _shared(dataset.items, lambda item: item.group, lambda item: item.fold):
        raise DataError(
            f"{len(shared):,} source recordings of {dataset.title} are in more than one fold, such as "
            f"{shared[0][:60]!r}; their folds cannot be used.",
            code="leak",
        )
    aside = {test, validation}
    splits = Splits(
        tuple(item for item in dataset.items if item.fold not in aside),
        tuple(item for item in dataset.items if validation is not None and item.fold == validation),
        tuple(item for item in dataset.items if item.fold == test),
    )
    asked = ("train", "test") if validation is None else ("train", "validation", "test")
    return _sound(dataset, splits, asked)


def split_by_group(dataset: Dataset, fractions: Fractions, seed: int) -> Splits:
    """Whole groups by the hash of their name: the same group is on the same side whatever else the set holds."""
    sides: dict[str, list[Item]] = {"train": [], "validation": [], "test": []}
    for item in dataset.items:
        if (side := side_of(item, fractions, seed)) is not None:
            sides[side].append(item)
    splits = Splits(*(tuple(sides[name]) for name in ("train", "validation", "test")))
    return _sound(dataset, splits, [name for name in sides if getattr(fractions, name) > 0])


def drawn_sides(dataset: Dataset, share: float = 0.15) -> Splits:
    """By the hash of each recording's name, class by class: ``share`` of a class tests, as much validates.

    For sets that come without splits. A class of one or two recordings trains alone; of more, each side has one.
    A recording of several classes goes with the rarest of them. Unlabelled items are left out.
    """
    rarity = Counter(label for item in dataset.items for label in item.labels or (item.label,))
    held: dict[str, set[int]] = defaultdict(set)
    for item in dataset.items:
        held[item.group or item.id] |= {label for label in item.labels or (item.label,) if label is not None}
    by_class: dict[int, list[str]] = defaultdict(list)
    for group, labels in held.items():
        if labels:
            by_class[min(labels, key=lambda label: (rarity[label], label))].append(group)
    place: dict[str, str] = {}
    for groups in by_class.values():
        ordered = sorted(groups, key=lambda group: seed_of("drawn", group))
        aside = max(1, round(share * len(ordered))) if len(ordered) > 2 else 0
        for number, group in enumerate(ordered):
            place[group] = "test" if number < aside else "validation" if number < 2 * aside else "train"
    sides: dict[str, list[Item]] = {"train": [], "validation": [], "test": []}
    for item in dataset.items:
        if (side := place.get(item.group or item.id)) is not None and (item.labels or item.label is not None):
            sides[side].append(item)
    return Splits(*(tuple(sides[name]) for name in ("train", "validation", "test")))


def held_out(items: Sequence[Item], per_class: int, seed: int) -> tuple[Item, ...]:
    """As many items of every class, chosen by the hash of their ids; for sets without source recordings.

    An item of several labels counts for each of them, so that a frequent class may be held out more often.
    """
    by_label: dict[int | None, list[Item]] = defaultdict(list)
    for item in items:
        for label in item.labels or (item.label,):
            by_label[label].append(item)
    if any(item.labels for item in items):
        by_label.pop(None, None)  # those without any label train
    chosen: set[str] = set()
    for label, found in sorted(by_label.items(), key=lambda each: len(each[1])):
        if len(found) <= per_class:
            raise DataError(
                f"Class {label} has {len(found):,} items and {per_class:,} of each should be held out; hold out fewer.",
                code="few-items",
            )
        ordered = sorted(found, key=lambda item: (item.id not in chosen, seed_of("held", seed, item.id)))
        chosen |= {item.id for item in ordered[:per_class]}
    return tuple(item for item in items if item.id in chosen)


def side_of(item: Item, fractions: Fractions, seed: int) -> str | None:
    """Where ``split_by_group`` puts an item; None where the fractions leave it out."""
    place = seed_of("split", seed, item.group or item.id) / _SEEDS
    edge = 0.0
    for name in ("train", "validation", "test"):
        edge += getattr(fractions, name)
        if place < edge:
            return name
    return None if edge < 1.0 - 1e-9 else "test" if fractions.test else "train"


def demand_trainable(dataset: Dataset, items: Sequence[Item]) -> None:
    """Refuse items that no classifier can learn from, with their counts."""
    if not items or not dataset.classes:
        what = "no items" if not items else "no classes"
        raise DataError(f"{dataset.title} has {what} to train on.", code="empty-split")
    if dataset.task == "multilabel":
        _demand_both_sides(dataset, items)
        return
    if unlabelled := sum(item.label is None for item in items):
        raise DataError(f"{unlabelled:,} of {len(items):,} items to train on have no label.", code="unlabelled")
    counts = Counter(item.label for item in items)
    told = ", ".join(f"{name} {counts.get(index, 0):,}" for index, name in enumerate(dataset.classes[:12]))
    told += " ..." if len(dataset.classes) > 12 else ""
    if len(counts) < 2:
        raise DataError(f"All items to train on are of one class ({told}); at least two are needed.", code="one-class")
    if any(counts.get(index, 0) < 2 for index in range(len(dataset.classes))):
        raise DataError(
            f"A class has fewer than two items to train on ({told}); add some or drop it.", code="few-items"
        )


def _demand_both_sides(dataset: Dataset, items: Sequence[Item]) -> None:
    """With several labels an item each class is its own question: it needs two examples and one of its absence."""
    counts = Counter(label for item in items for label in item.labels)
    if not counts:
        raise DataError(f"None of the {len(items):,} items to train on has a label.", code="unlabelled")
    for index, name in enumerate(dataset.classes):
        if counts[index] < 2 or counts[index] == len(items):
            raise DataError(
                f"{name!r} is in {counts[index]:,} of {len(items):,} items to train on; a class needs at least two "
                "items with it and one without.",
                code="few-items" if counts[index] < 2 else "one-class",
            )


def leaks(dataset: Dataset, splits: Splits | None = None, progress: Progress = no_progress) -> Leaks:
    """Source recordings and identical bytes on more than one side: of ``splits``, else of the items' own splits, else
    of their folds. Reads every item."""
    sides = _sides(dataset, splits)
    placed = [item for item in dataset.items if item.id in sides]
    groups = _shared(placed, lambda item: item.group, lambda item: sides[item.id])
    first: dict[str, list[Item]] = defaultdict(list)
    for done, item in enumerate(placed, 1):
        first[sha256_of(dataset.read(item))].append(item)
        progress(done, len(placed), "hash")
    copies: list[tuple[str, str]] = []
    touched = {item.id for item in placed if item.group in set(groups)}
    for alike in first.values():
        if len({sides[item.id] for item in alike}) > 1:
            other = next(item for item in alike if sides[item.id] != sides[alike[0].id])
            copies.append((alike[0].id, other.id))
            touched |= {item.id for item in alike}
    return Leaks(groups, tuple(copies), len(touched))


def _sides(dataset: Dataset, splits: Splits | None) -> dict[str, Hashable]:
    if splits is not None:
        return {item.id: name for name, items in splits.sides() for item in items}
    if any(item.split is not None for item in dataset.items):
        return {item.id: item.split for item in dataset.items if item.split is not None}
    return {item.id: item.fold for item in dataset.items if item.fold is not None}


def _shared(
    items: Sequence[Item], what: Callable[[Item], str | None], where: Callable[[Item], Hashable]
) -> tuple[str, ...]:
    """Values of ``what`` that are in more than one place."""
    places: dict[str, set[Hashable]] = defaultdict(set)
    for item in items:
        if (value := what(item)) is not None:
            places[value].add(where(item))
    return tuple(sorted(value for value, found in places.items() if len(found) > 1))


def _sound(dataset: Dataset, splits: Splits, asked: Sequence[str]) -> Splits:
    """Refuse sides that are empty, and a training side of one class."""
    sizes = {name: len(items) for name, items in splits.sides()}
    if empty := [name for name in asked if not sizes[name]]:
        counts = ", ".join(f"{name} {count:,}" for name, count in sizes.items())
        raise DataError(
            f"The {empty[0]} split of {dataset.title} is empty ({counts}); add items or change the fractions.",
            code="empty-split",
        )
    if "train" in asked and len(dataset.classes) > 0:
        counts = Counter(item.label for item in splits.train if item.label is not None)
        if len(counts) == 1:
            name = dataset.classes[next(iter(counts))]
            raise DataError(
                f"All {sizes['train']:,} items to train on are {name!r}; at least two classes are needed.",
                code="one-class",
            )
    return splits
