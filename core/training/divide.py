"""A data set's items on their sides, as a plan divides them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.contracts import Dataset, Item
from core.data._splits import demand_trainable, drawn_sides, held_out, split_by_fold
from core.errors import DataError
from core.training.plan import Division


@dataclass(frozen=True, slots=True)
class Sides:
    train: tuple[Item, ...]
    validation: tuple[Item, ...]
    test: tuple[Item, ...]
    note: str


def narrowed(dataset: Dataset, classes: tuple[str, ...]) -> Dataset:
    """The items of some classes alone, numbered anew in the order given.

    With several labels an item, those that have one of the classes, without their other labels, and those that had
    none from the start.
    """
    if not classes:
        return dataset
    if strange := [name for name in classes if name not in dataset.classes]:
        raise DataError(
            f"{dataset.title} has no class {strange[0][:60]!r}; its classes are {', '.join(dataset.classes[:60])}.",
            code="no-such-class",
        )
    number = {dataset.classes.index(name): place for place, name in enumerate(classes)}
    if dataset.task == "multilabel":
        left = [(i, tuple(sorted(number[name] for name in i.labels if name in number))) for i in dataset.items]
        items = tuple(replace(i, labels=own, truth=None) for i, own in left if own or not i.labels)
    else:
        items = tuple(replace(i, label=number[i.label], truth=None) for i in dataset.items if i.label in number)
    return replace(dataset, classes=classes, items=items)


def divided(dataset: Dataset, division: Division) -> Sides:
    """Refuses sides that no classifier can learn from, or that share a recording."""
    if division.by == "fold":
        splits = split_by_fold(dataset, division.test_fold, division.validation_fold)
        sides = Sides(splits.train, splits.validation, splits.test, f"fold {division.test_fold} is only scored")
    elif division.by == "drawn":
        splits = drawn_sides(dataset)
        sides = Sides(splits.train, splits.validation, splits.test, "divided by chance, whole recordings of each class")
    elif division.by == "careless":
        splits = drawn_sides(replace(dataset, items=tuple(replace(item, group=None) for item in dataset.items)))
        note = "divided by chance, clip by clip: recordings leak, and every figure is too good"
        sides = Sides(splits.train, splits.validation, splits.test, note)
    else:
        parts = {name: tuple(i for i in dataset.items if i.split == name) for name in ("train", "validation", "test")}
        note = "the set's own splits"
        if division.by == "held":
            chosen = held_out(parts["train"], division.held, 0)
            ids = {item.id for item in chosen}
            rest = tuple(item for item in parts["train"] if item.id not in ids)
            parts = {"train": rest, "validation": chosen, "test": parts["test"]}
            note = f"{division.held:,} training items of each class held out to choose and calibrate"
        if not parts["train"]:
            raise DataError(
                f"{dataset.title} has no training split; set division.by to fold, or give a set with splits.",
                code="empty-split",
            )
        sides = Sides(parts["train"], parts["validation"], parts["test"], note)
    if division.parts:
        kept = tuple(item for item in sides.train if dict(item.extra).get("part") in division.parts)
        sides = replace(sides, train=kept, note=f"{sides.note}; only {', '.join(division.parts)} items train")
    demand_trainable(dataset, sides.train)
    _refuse_shared(dataset, sides)
    return sides


def _refuse_shared(dataset: Dataset, sides: Sides) -> None:
    places: dict[str, str] = {}
    for side in ("train", "validation", "test"):
        for item in getattr(sides, side):
            if item.group is not None and places.setdefault(item.group, side) != side:
                raise DataError(
                    f"The source recording {item.group[:60]!r} of {dataset.title} is in {places[item.group]} and in "
                    f"{side}; divide it by its folds, or give splits that keep recordings whole.",
                    code="leak",
                )
