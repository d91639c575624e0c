"""The built-in sounds and pictures on offer: one clean item a class, and some that are hard on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import streamlit as st

from core.contracts import THING, Dataset, Item
from core.ui import cached

SETS = ("soundbox", "toybox")
_MIXTURES = 2  # on offer of each set


@dataclass(frozen=True, slots=True)
class Sample:
    """One item a visitor can pick; its name is unique, and is what stands in the URL."""

    data: str
    item: str
    name: str


def read_name(label: str) -> str:
    return label.replace("_", " ").capitalize()


@st.cache_resource
def offered() -> tuple[Sample, ...]:
    """Per set: the first clean test item of each class, then some mixtures and one from outside."""
    found: dict[str, Sample] = {}
    for key in SETS:
        data = cached.dataset(key)
        for name, item in _picked(data):
            unique = name if name not in found else f"{name} ({data.title})"
            found[unique] = Sample(key, item.id, unique)
    return tuple(found.values())


def _picked(data: Dataset) -> Iterator[tuple[str, Item]]:
    clean: dict[int, Item] = {}
    for item in data.items:
        if item.split == "test" and item.label is not None and _is_clean(item):
            clean.setdefault(item.label, item)
    yield from ((read_name(data.classes[label]), clean[label]) for label in sorted(clean))
    even: dict[str, Item] = {}
    for item in data.items:
        if item.split == "test" and _is_even_mixture(item):
            even.setdefault(_mixture_name(item, data.classes), item)
    yield from islice(even.items(), _MIXTURES)
    outside = (item for item in data.items if item.split == "ood")
    unknown = f"A {THING[data.kind]} of no class"
    yield from ((unknown, item) for item in islice(outside, 1))


def _is_clean(item: Item) -> bool:
    truth = item.truth
    return truth is None or (max(truth.probs or (1.0,)) == 1.0 and not truth.noise)


def _is_even_mixture(item: Item) -> bool:
    probs = item.truth.probs if item.truth else None
    return probs is not None and 0.4 <= max(probs) <= 0.6


def _mixture_name(item: Item, classes: tuple[str, ...]) -> str:
    probs = item.truth.probs if item.truth and item.truth.probs else ()
    top = sorted(sorted(range(len(probs)), key=lambda index: -probs[index])[:2])
    return " or ".join(read_name(classes[index]).lower() for index in top).capitalize()
