"""The built-in sounds and pictures on offer: one clean item a class, and some that are hard on purpose."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts import Dataset, Item
from core.ui import cached

SETS = ("soundbox", "toybox")


@dataclass(frozen=True, slots=True)
class Sample:
    """One item a visitor can pick; ``address`` is what stands in the URL."""

    data: str
    item: str
    name: str
    clean: bool  # False: a mixture, or from outside the classes

    @property
    def address(self) -> str:
        return f"{self.data}:{self.item}"


def read_name(label: str) -> str:
    return label.replace("_", " ").capitalize()


def offered(data: Dataset) -> tuple[Sample, ...]:
    """The first clean test item of each class, then two mixtures and two from outside."""
    clean: dict[int, Item] = {}
    for item in data.items:
        if item.split == "test" and item.label is not None and _is_clean(item):
            clean.setdefault(item.label, item)
    hard = [item for item in data.items if item.split == "test" and _is_even_mixture(item)][:2]
    outside = [item for item in data.items if item.split == "ood"]
    chosen = [Sample(data.key, clean[c].id, read_name(data.classes[c]), True) for c in sorted(clean)]
    chosen += [Sample(data.key, item.id, _mixture_name(item, data.classes), False) for item in hard]
    chosen += [
        Sample(
            data.key, item.id, "Never heard in training" if data.kind == "audio" else "Never seen in training", False
        )
        for item in outside[:1]
    ]
    return tuple(chosen)


def find(address: str) -> Sample | None:
    """The sample of a URL, or None: an address is data and never a path."""
    key, _, item_id = address.partition(":")
    if key not in SETS:
        return None
    data = cached.dataset(key)
    for sample in offered(data):
        if sample.item == item_id:
            return sample
    return None


def _is_clean(item: Item) -> bool:
    truth = item.truth
    return truth is None or (max(truth.probs or (1.0,)) == 1.0 and not truth.noise)


def _is_even_mixture(item: Item) -> bool:
    probs = item.truth.probs if item.truth else None
    return probs is not None and 0.4 <= max(probs) <= 0.6


def _mixture_name(item: Item, classes: tuple[str, ...]) -> str:
    probs = item.truth.probs if item.truth and item.truth.probs else ()
    top = sorted(range(len(probs)), key=lambda index: -probs[index])[:2]
    return " and ".join(read_name(classes[index]).lower() for index in sorted(top)).capitalize() + ", mixed"
