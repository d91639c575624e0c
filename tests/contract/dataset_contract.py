"""What every data set promises, as one function."""

from __future__ import annotations

from collections import defaultdict
from math import isclose

from core.contracts import Dataset, DatasetSpec, Item
from core.fingerprint import sha256_of
from core.media import door

READ_FROM_EACH_SPLIT = 3


def assert_promises(dataset: Dataset, spec: DatasetSpec) -> None:
    """Ids, labels, groups, truths; and the first few items of each split decode to the promised kind."""
    assert dataset.key == spec.key
    assert spec.kind in (None, dataset.kind)
    assert spec.classes in ((), dataset.classes)
    assert dataset.licence not in ("", "unknown")
    assert len(set(dataset.classes)) == len(dataset.classes) > 1
    assert dataset.items
    ids = [item.id for item in dataset.items]
    assert len(set(ids)) == len(ids), "two items share an id"
    for item in dataset.items:
        assert item.label is None or 0 <= item.label < len(dataset.classes), f"{item.id} has label {item.label}"
        assert_labels(dataset, item)
        assert_truth(item, len(dataset.classes))
    assert_groups_stay_together(dataset.items)
    assert_items_decode(dataset)


def assert_labels(dataset: Dataset, item: Item) -> None:
    """One label or none stands in ``label``; several stand in ``labels``, each once."""
    if dataset.task == "multiclass":
        assert item.labels == (), f"{item.id} has labels in a set of one label an item"
        return
    assert item.label is None, f"{item.id} has a label of its own beside its labels"
    assert list(item.labels) == sorted(set(item.labels)), f"{item.id} has labels {item.labels}"
    assert all(0 <= label < len(dataset.classes) for label in item.labels), f"{item.id} has labels {item.labels}"


def assert_truth(item: Item, classes: int) -> None:
    if item.truth is None:
        return
    if (probs := item.truth.probs) is not None:
        assert len(probs) == classes, f"{item.id} has {len(probs)} probabilities"
        assert min(probs) >= 0, f"{item.id} has a negative probability"
        assert isclose(sum(probs), 1, abs_tol=1e-9), f"the probabilities of {item.id} sum to {sum(probs)}"
    for knob in (item.truth.noise, item.truth.novelty):
        assert knob is None or 0 <= knob <= 1, f"{item.id} has a knob at {knob}"


def assert_groups_stay_together(items: tuple[Item, ...]) -> None:
    places: dict[str, set[tuple[object, object]]] = defaultdict(set)
    for item in items:
        if item.group is not None:
            places[item.group].add((item.split, item.fold))
    torn = sorted(group for group, where in places.items() if len(where) > 1)
    assert not torn, f"group {torn[0]} is in {places[torn[0]]}"


def assert_items_decode(dataset: Dataset) -> None:
    by_split: dict[object, list[Item]] = defaultdict(list)
    for item in dataset.items:
        by_split[item.split].append(item)
    for items in by_split.values():
        for item in items[:READ_FROM_EACH_SPLIT]:
            raw = dataset.read(item)
            assert dataset.read(item) == raw, f"{item.id} reads differently the second time"
            media = door.open_media(raw, kind=dataset.kind)
            assert media.sha256 == sha256_of(raw)
            assert media.samples.size > 0
