"""Which items a model may be judged on, and what their labels are in its own classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.checkpoints.card import Card
from core.contracts import Dataset, Item
from core.data import specs
from core.errors import DataError

_OTHERS = 0.01  # share of seen items that is left out of a foreign set; with more the set is refused


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels of some items; empty where nobody gave any."""

    rows: np.ndarray  # their places among those asked about
    labels: np.ndarray  # class numbers of the model, or (items, classes) zeros and ones
    foreign: str = ""  # why they are no classes of the model
    notes: tuple[str, ...] = ()


def is_a_name(key: str) -> bool:
    """Is this the key of one data set, not of a way to read any?"""
    return any(spec.key == key and not spec.needs_location for spec in specs())


def is_own(card: Card, dataset: Dataset, mark: str = "") -> bool:
    """Is this what the model was trained on? A key says it only where it is a name."""
    return (dataset.key == card.data.key and is_a_name(dataset.key)) or (bool(mark) and mark == card.data.fingerprint)


def unseen(card: Card, dataset: Dataset, items: Sequence[Item], fold: int | None, *, own: bool) -> tuple[Item, ...]:
    """The items to judge it on: a fold, or what the training set aside; all of a set it knows nothing of."""
    if own:
        _refuse_fold(card, fold)
        fold = card.data.test_fold if fold is None else fold
    if fold is not None:
        return _of_fold(dataset, items, fold)
    if not own:
        return tuple(items)
    found = tuple(item for item in items if item.split == "test")
    if not found:
        raise DataError(
            f"{card.name} was trained on {dataset.title}, and no part of it was set aside for a test; judge it on "
            "another data set.",
            code="trained-on",
        )
    return found


def strangers(card: Card, dataset: Dataset, items: Sequence[Item], *, own: bool) -> tuple[Item, ...]:
    """What lies outside a model's classes: all of another set; of its own what is marked so, or of unknown classes."""
    if not own:
        return tuple(items)
    fold = card.data.test_fold
    aside = [item for item in items if (item.split == "test" if fold is None else item.fold == fold)]
    marked = tuple(item for item in items if item.split == "ood")
    unknown = tuple(i for i in aside if i.label is not None and dataset.classes[i.label] not in card.classes)
    if not marked + unknown:
        raise DataError(
            f"{card.name} was trained on {dataset.title}, and nothing of it lies outside its classes; name another "
            "data set for --ood.",
            code="trained-on",
        )
    return marked + unknown


def labels_for(card: Card, dataset: Dataset, items: Sequence[Item], *, own: bool) -> Labels:
    """Classes are the same where their names are."""
    several = dataset.task == "multilabel"
    rows = [row for row, item in enumerate(items) if several or item.label is not None]
    notes = () if len(rows) == len(items) else (f"{len(items) - len(rows):,} items without a label are left out",)
    if not rows:
        return Labels(np.arange(len(items)), np.zeros(0), "no item has a label")
    if several and card.task == "multiclass":
        return Labels(np.arange(len(items)), np.zeros(0), "its items have several labels, and the model gives one")
    place = {name: number for number, name in enumerate(card.classes)}
    number = {at: place[name] for at, name in enumerate(dataset.classes) if name in place}
    named = [_labels_of(items[row]) for row in rows]
    known = [at for at, classes in enumerate(named) if classes and classes[0] in number]
    if card.task == "multiclass" and own and known:
        if len(known) < len(rows):
            notes = (*notes, f"{len(rows) - len(known):,} items of classes that it never learned are left out")
        rows, named = [rows[at] for at in known], [named[at] for at in known]
    elif any(one not in number for classes in named for one in classes):
        if several:
            return Labels(np.arange(len(items)), np.zeros(0), "its classes are not those of the model")
        labels = np.array([classes[0] for classes in named])
        return Labels(np.array(rows), labels, "its classes are not those of the model", notes)
    if card.task == "multiclass":
        return Labels(np.array(rows, np.int64), np.array([number[classes[0]] for classes in named]), "", notes)
    table = np.zeros((len(rows), len(card.classes)), np.int64)
    for row, classes in enumerate(named):
        table[row, [number[one] for one in classes]] = 1
    return Labels(np.array(rows), table, "", notes)


def refuse_seen(card: Card, dataset: Dataset, seen: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The rows of a foreign set that stay: copies of a few training items are left out, more are refused."""
    count = int(seen.sum())
    if count > _OTHERS * len(seen):
        raise DataError(
            f"{count:,} of the {len(seen):,} items of {dataset.title} are among those that {card.name} learned from; "
            "judge it on items that it never saw.",
            code="trained-on",
        )
    note = (f"{count:,} items that it learned from are left out",) if count else ()
    return np.flatnonzero(~seen), note


def _refuse_fold(card: Card, fold: int | None) -> None:
    if fold is None:
        return
    told = card.data
    if told.test_fold is None:
        raise DataError(
            f"{card.name} was not trained by folds, so fold {fold} holds items that it learned from; leave the fold "
            "out.",
            code="trained-on",
        )
    if fold in told.train_folds:
        raise DataError(
            f"{card.name} was trained on fold {fold}; judge it on fold {told.test_fold}, which it never saw.",
            code="trained-on",
        )
    if fold == told.validation_fold:
        raise DataError(
            f"Fold {fold} chose how {card.name} was trained; judge it on fold {told.test_fold}, which it never saw.",
            code="trained-on",
        )


def _of_fold(dataset: Dataset, items: Sequence[Item], fold: int) -> tuple[Item, ...]:
    found = tuple(item for item in items if item.fold == fold)
    if not found:
        known = sorted({item.fold for item in items if item.fold is not None})
        there = f"its folds are {', '.join(map(str, known[:30]))}" if known else "it has no folds"
        raise DataError(f"{dataset.title} has no fold {fold}; {there}.", code="no-such-fold")
    return found


def _labels_of(item: Item) -> tuple[int, ...]:
    return item.labels or (() if item.label is None else (item.label,))
