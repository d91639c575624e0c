"""Small data sets of small pictures, and models of any method trained on them in a moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from core import registry
from core.checkpoints import density, seen
from core.checkpoints.card import Card, Start, TrainedOn
from core.checkpoints.saved import Model, network_of, save_model
from core.configs import to_json
from core.contracts import Dataset, Item, Scope
from core.data import open_dataset
from core.methods._contract import FitContext
from core.settings import Settings
from core.training.augment import Augment
from core.training.examples import Examples, InMemory
from core.training.loop import Fit, fit
from core.training.prepared import PreparedSet, prepare, rows_where
from core.training.schedule import Schedule

START = Start("toy", {"kind": "image", "hidden": 16})
NORMALISED = Start("resnet32", {"blocks": 1, "width": 4})  # has what Bayesian normalisation needs
ASPECTS = ("even", "large", "round")  # of a digit


def few_digits(settings: Settings, every: int = 6, *, classes: int = 10) -> Dataset:
    """A part of the digits, under their key: what a small copy on another machine would be."""
    whole = open_dataset("digits", settings)
    items = tuple(item for item in whole.items[::every] if (item.label or 0) < classes)
    return replace(whole, classes=whole.classes[:classes], items=items)


def aspects(settings: Settings, every: int = 6) -> Dataset:
    """The same pictures with several labels each, some with none."""
    digits = few_digits(settings, every)
    items = tuple(replace(item, label=None, labels=_aspects(item.label or 0)) for item in digits.items)
    return replace(digits, key="aspects", title="Aspects", classes=ASPECTS, items=items, task="multilabel")


def other_pictures(settings: Settings, items: int = 24) -> Dataset:
    """Renamed digits that nobody has seen, of two classes that mean nothing."""
    digits = few_digits(settings, 5)
    chosen = tuple(Item(f"other-{i}", i % 2, group=f"g{i // 3}") for i in range(items))
    source = dict(zip((item.id for item in chosen), digits.items, strict=False))
    return replace(
        digits,
        key="folder",
        title="Others",
        classes=("left", "right"),
        items=chosen,
        read=lambda item: _turned(digits.read(source[item.id])),
    )


def trained(
    dataset: Dataset,
    settings: Settings,
    key: str = "deterministic",
    scope: Scope = "head",
    *,
    name: str | None = None,
    test_fold: int | None = None,
    validation_fold: int | None = None,
    parts: dict[str, dict[str, Tensor]] | None = None,
    epochs: int = 4,
    start: Start | None = None,
    **options: Any,
) -> tuple[Model, PreparedSet]:
    """Saved among the user's own models. By folds where a test fold is named, else by the set's splits."""
    method = registry.pick("core.methods", "METHOD", key)
    config = method.Config(scope=scope, **options)
    start = start or (NORMALISED if key == "abnn" else START)
    network = network_of(start, len(dataset.classes), settings)
    prepared = prepare(dataset, network, settings, dataset.task)
    aside = {test_fold, validation_fold}
    chosen = {
        item.id for item in prepared.items if (item.split == "train" if test_fold is None else item.fold not in aside)
    }
    examples = prepared.examples.part(rows_where(prepared.items, chosen))
    features = features_of(network, examples)
    read = examples if scope == "network" else examples.with_inputs(InMemory(features))
    context = FitContext(dataset.task, len(dataset.classes), len(examples), 0)
    wanted = Fit(
        method, config, network, context, read, Schedule(epochs=epochs, rate=1e-2), Augment(), None, identity=""
    )
    state = fit(wanted).state
    card = Card(
        name=name or f"toy-{key.replace('_', '-')}-{scope}",
        kind="image",
        task=dataset.task,
        backbone=start.backbone,
        method=key,
        scope=scope,
        classes=dataset.classes,
        start=start,
        method_config=to_json(config),
        method_version=method.version,
        n_train=len(examples),
        seed=0,
        params=1234,
        macs=5678,
        trained_on=dataset.title,
        data=_told(dataset, prepared, test_fold, validation_fold),
    )
    model = Model(card, network, method, state, density.fitted(features, examples.labels))
    written = {seen.PART: seen.tensors(examples.keys)} | (parts or {})
    return replace(model, card=save_model(settings.models / card.name, model, written)), prepared


def _told(dataset: Dataset, prepared: PreparedSet, test_fold: int | None, validation_fold: int | None) -> TrainedOn:
    folds = {item.fold for item in dataset.items if item.fold is not None} - {test_fold, validation_fold}
    return TrainedOn(
        dataset.key,
        dataset.title,
        dataset.licence,
        prepared.fingerprint,
        test_fold=test_fold,
        validation_fold=validation_fold,
        train_folds=() if test_fold is None else tuple(sorted(folds)),
    )


def features_of(network: Any, examples: Examples) -> Tensor:
    with torch.no_grad():
        parts = torch.arange(len(examples)).split(64)
        return torch.cat([network.embed(examples.inputs.take(rows, 0)) for rows in parts])


def part_of(prepared: PreparedSet, split: str) -> tuple[Examples, tuple[Item, ...]]:
    items = tuple(item for item in prepared.items if item.split == split)
    return prepared.examples.part(rows_where(prepared.items, {item.id for item in items})), items


def _aspects(digit: int) -> tuple[int, ...]:
    return tuple(place for place, has in enumerate((digit % 2 == 0, digit >= 5, digit in {0, 3, 6, 8, 9})) if has)


def _turned(png: bytes) -> bytes:
    """The picture on its side, so that its bytes are those of no digit."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).rotate(90).save(stream, "PNG")
    return stream.getvalue()
