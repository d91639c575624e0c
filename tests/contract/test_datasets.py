"""Every set of the registry keeps the promises of a data set: built-in ones as they are, published ones on a copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core import registry
from core.contracts import Dataset, DatasetSpec, Item, Truth
from core.data import PACKAGE, open_dataset, specs
from core.settings import Settings
from tests.contract.dataset_contract import assert_promises
from tests.contract.published import cifar, esc50_files, fsdd_files, lay, npy, tone, votes_for
from tests.contract.published_pictures import cars_files, cifar100, cub_files, mnist, sop_files
from tests.contract.published_sounds import audioset_files, dcase_files, shipsear_files, urbansound_files


def cifar10h_files() -> dict[str, bytes]:
    made = cifar(10)
    return {**made.files, "cifar10h-counts.npy": npy(votes_for(made.labels[5]))}


# a published set is tested on a faithful small copy: a new one adds a line here
COPIES: dict[str, Callable[[], dict[str, bytes]]] = {
    "audioset": audioset_files,
    "cars196": cars_files,
    "cifar10": lambda: cifar(10).files,
    "cifar100": lambda: cifar100().files,
    "cifar10h": cifar10h_files,
    "cub200": cub_files,
    "dcase2013": dcase_files,
    "esc10": esc50_files,
    "esc50": esc50_files,
    "fashion_mnist": lambda: mnist().files,
    "fsdd": fsdd_files,
    "mnist": lambda: mnist().files,
    "shipsear": shipsear_files,
    "sop": sop_files,
    "urbansound8k": urbansound_files,
}
SPECS: dict[str, DatasetSpec] = {spec.key: spec for spec in specs()}
OPENABLE = sorted({key for key, spec in SPECS.items() if spec.builtin} | set(COPIES))


def opened(key: str, settings: Settings, tmp_path: Path) -> Dataset:
    location = lay(tmp_path / key, COPIES[key]()) if key in COPIES else None
    return open_dataset(key, settings, location)


def test_every_set_is_built_in_or_needs_a_path_or_has_a_copy_here() -> None:
    assert set(SPECS) == set(registry.keys(PACKAGE))
    untested = {key for key, spec in SPECS.items() if not spec.builtin and not spec.needs_location} - set(COPIES)
    assert not untested


@pytest.mark.parametrize("key", sorted(SPECS))
def test_a_spec_reads_well_in_a_menu(key: str) -> None:
    spec = SPECS[key]
    assert spec.key == key
    assert spec.title.strip() == spec.title != ""
    assert spec.summary.endswith(".")
    assert len(spec.summary) <= 140
    assert spec.licence


@pytest.mark.parametrize("key", OPENABLE)
def test_a_set_keeps_its_promises(key: str, settings: Settings, tmp_path: Path) -> None:
    assert_promises(opened(key, settings, tmp_path), SPECS[key])


@pytest.mark.parametrize("key", OPENABLE)
def test_a_set_opens_the_same_twice(key: str, settings: Settings, tmp_path: Path) -> None:
    first = opened(key, settings, tmp_path)
    again = opened(key, replace(settings, home=tmp_path / "another home"), tmp_path)
    assert again.items == first.items
    assert again.classes == first.classes
    assert again.read(again.items[0]) == first.read(first.items[0])


SOUND = tone(1, length=8000)
GOOD = (
    Item("a", 0, fold=1, group="g", split="train", truth=Truth((0.25, 0.75))),
    Item("b", 1, fold=1, group="g", split="train"),
    Item("c", None, split="test"),
)
SPEC = DatasetSpec("made", "Made", "audio", "Three sounds.", "CC0", open=lambda *_: None, classes=("x", "y"))


def made(*items: Item, raw: bytes = SOUND) -> Dataset:
    return Dataset("made", "Made", "audio", ("x", "y"), items, lambda _: raw, "CC0")


def several(*items: Item) -> Dataset:
    return replace(made(*items), task="multilabel")


def test_the_promises_can_be_kept() -> None:
    assert_promises(made(*GOOD), SPEC)
    assert_promises(several(Item("a", labels=(0, 1)), Item("b", labels=(1,)), Item("c")), SPEC)


@pytest.mark.parametrize(
    "broken",
    [
        made(),
        made(*GOOD, GOOD[0]),
        made(*GOOD, Item("d", 2)),
        made(*GOOD, Item("d", -1)),
        made(*GOOD, Item("d", 0, group="g", split="test", fold=1)),
        made(*GOOD, Item("d", 0, group="g", split="train", fold=2)),
        made(*GOOD, Item("d", 0, truth=Truth((0.5, 0.4)))),
        made(*GOOD, Item("d", 0, truth=Truth((1.0,)))),
        made(*GOOD, Item("d", 0, truth=Truth((1.5, -0.5)))),
        made(*GOOD, Item("d", 0, truth=Truth(noise=1.1))),
        replace(made(*GOOD), key="other"),
        replace(made(*GOOD), kind="image"),
        replace(made(*GOOD), classes=("y", "x")),
        replace(made(*GOOD), licence="unknown"),
        made(*GOOD, Item("d", 0, labels=(0,))),
        several(Item("a", 0, labels=(0,))),
        several(Item("a", labels=(1, 0))),
        several(Item("a", labels=(0, 0))),
        several(Item("a", labels=(0, 2))),
        several(Item("a", labels=(-1, 0))),
    ],
)
def test_a_broken_promise_is_noticed(broken: Dataset) -> None:
    with pytest.raises(AssertionError):
        assert_promises(broken, SPEC)
