"""A model's answers to the items of a set that it may be judged on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.backbones._viewed import viewed
from core.checkpoints import seen
from core.checkpoints.answering import answers, pooled
from core.checkpoints.answers import Answers
from core.checkpoints.saved import Model
from core.contracts import Dataset, Item, Progress
from core.errors import DataError
from core.pipeline._unseen import is_own, refuse_seen, strangers, unseen
from core.settings import Settings
from core.training.prepared import prepare, rows_where


@dataclass(frozen=True, slots=True)
class Wanted:
    """How answers are asked for and judged."""

    samples: int | None = None  # draws; None: as many as the method usually takes
    measure: str | None = None  # the doubt behind AURC, AUROCs and out-of-distribution detection
    seed: int = 0
    resamples: int = 1000
    views: int = 1  # slightly different views of each item, pooled as further draws, see core.media.views
    matched: bool = False  # bring sounds to one band and one active length first, see core.pipeline.matched


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    items: tuple[Item, ...]
    own: bool  # is it the set that the model was trained on?
    answers: Answers
    notes: tuple[str, ...]


def asked_of(
    model: Model,
    dataset: Dataset,
    settings: Settings,
    fold: int | None,
    wanted: Wanted,
    progress: Progress,
    *,
    outside: bool = False,
) -> Asked:
    """``outside``: what lies outside the model's classes, instead of what it can be right about."""
    card = model.card
    if dataset.kind != card.kind:
        raise DataError(
            f"{model.name} takes the kind {card.kind}, and {dataset.title} is of the kind {dataset.kind}; name a data "
            "set of its kind.",
            code="kind",
        )
    prepared = prepare(dataset, model.network, settings, dataset.task, progress)
    own = is_own(card, dataset, prepared.fingerprint)
    if outside:
        items = strangers(card, dataset, prepared.items, own=own)
    else:
        items = unseen(card, dataset, prepared.items, fold, own=own)
    rows = rows_where(prepared.items, {item.id for item in items})
    items = tuple(prepared.items[row] for row in rows.tolist())  # in the order of the rows
    examples, notes = prepared.examples.part(rows), ()
    learned = seen.seen_by(model.name, settings)
    if learned is not None and not own:
        copies = np.isin(examples.keys.numpy(), learned)
        stay, notes = refuse_seen(card, dataset, copies)
        items = tuple(items[row] for row in stay.tolist())
        examples = prepared.examples.part(rows[stay])
    if prepared.problems:
        notes = (*notes, f"{len(prepared.problems):,} items could not be read")
    said = answers(model, examples, draws=wanted.samples, seed=wanted.seed, progress=progress)
    if wanted.views > 1:
        parts = [said, *_further(model, replace(dataset, items=items), settings, wanted, progress)]
        said, notes = pooled(model, parts), (*notes, f"each item is seen in {wanted.views} views")
    return Asked(items, own, said, notes)


def _further(
    model: Model, dataset: Dataset, settings: Settings, wanted: Wanted, progress: Progress
) -> Iterator[Answers]:
    """The answers to the same items in each further view, with draws of their own."""
    for number in range(1, wanted.views):
        network = viewed(model.network, number, wanted.seed)
        examples = prepare(dataset, network, settings, dataset.task, progress).examples
        yield answers(model, examples, draws=wanted.samples, seed=wanted.seed + number, progress=progress)
