"""Two models, or two doubts of one, on the same items: every difference with an interval over those items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.checkpoints import heldout
from core.checkpoints.answering import some
from core.checkpoints.answers import Answers
from core.checkpoints.card import Card, card_of
from core.checkpoints.folders import find
from core.checkpoints.saved import Model, load_model
from core.contracts import Dataset, Progress, no_progress
from core.errors import DataError
from core.fingerprint import numpy_generator
from core.metrics import scoring
from core.metrics.bootstrap import bootstrap
from core.metrics.figure import Figure
from core.metrics.ood import detect
from core.metrics.ranks import spearman
from core.metrics.uncertainty import shannon
from core.pipeline._asking import Asked, Wanted, asked_of
from core.pipeline._judge import OF_MEASURES, chosen_measure, statistics_of, usable
from core.pipeline._unseen import is_a_name, labels_for
from core.settings import Settings
from core.store import artifacts

OF_ANSWERS = ("accuracy", "map", "nll", "brier", "ece")  # the same whatever the doubt
LOWER_IS_BETTER = ("nll", "brier", "ece", "aurc", "augrc")
AGREEMENT = "agreement"  # rank correlation of the doubt with the entropy of true or human probabilities
_RAISED = ("ece", "map")  # resampling repeats items, which raises these whatever the model

Statistic = Callable[[np.ndarray], Figure]


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """The first less the second. Without a value one of the two has none; without an interval ``reason`` says why."""

    first: Figure
    second: Figure
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    @property
    def value(self) -> float | None:
        if self.first.value is None or self.second.value is None:
            return None
        return self.first.value - self.second.value


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One model's answers to the shared items, and the doubt that stands for it."""

    name: str
    measure: str
    answers: Answers
    labels: np.ndarray
    groups: tuple[Any, ...]
    foreign: str = ""  # why labels are no classes of the model
    truth: np.ndarray | None = None

    @property
    def doubt(self) -> np.ndarray:
        return self.answers.doubts[self.measure]


@dataclass(frozen=True, slots=True, eq=False)
class Outsiders:
    """Two models' doubts of the same items from elsewhere."""

    name: str
    doubts: tuple[np.ndarray, np.ndarray]
    groups: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    sides: tuple[Side, Side]
    cards: tuple[Card, Card]
    differences: Mapping[str, Difference]
    oracle: Mapping[str, Figure]  # the same of the first model's true losses as its doubt: no doubt can know more
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.sides[0].answers)


def compare(
    names: tuple[str, str],
    settings: Settings,
    *,
    dataset: Dataset | None = None,
    ood: Sequence[Dataset] = (),
    measures: tuple[str | None, str | None] = (None, None),
    fold: int | None = None,
    wanted: Wanted | None = None,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Comparison:
    """On the answers that came with the models, or anew on a data set. ``measures`` None: score, or else total."""
    wanted = wanted or Wanted()
    cards = tuple(card_of(artifacts.load(find(name, settings)).card, name) for name in names)
    notes: tuple[str, ...] = ()
    loaded: dict[str, Model] = {}
    if dataset is not None or ood:
        loaded = {name: load_model(name, settings, device) for name in dict.fromkeys(names)}
    if dataset is None:
        sides = [
            _stored(name, card, measure, settings) for name, card, measure in zip(names, cards, measures, strict=True)
        ]
        notes = ("on the answers that came with the models",)
    else:
        asked = [asked_of(loaded[name], dataset, settings, fold, wanted, progress) for name in loaded]
        found = dict(zip(loaded, asked, strict=True))
        sides = [_told(loaded[name], dataset, found[name], m) for name, m in zip(names, measures, strict=True)]
        notes = tuple(dict.fromkeys(note for one in asked for note in one.notes))
    first, second = _shared(sides[0], sides[1])
    outside = []
    for other in ood:
        them = {name: asked_of(m, other, settings, None, wanted, progress, outside=True) for name, m in loaded.items()}
        outside.append(_outsiders(other, (them[names[0]], them[names[1]]), (first.measure, second.measure)))
    differences = paired(first, second, outside, wanted.seed, wanted.resamples)
    return Comparison((first, second), (cards[0], cards[1]), differences, oracle(first), notes)


def paired(
    first: Side, second: Side, outside: Sequence[Outsiders] = (), seed: int = 0, resamples: int = 1000
) -> dict[str, Difference]:
    """Every figure that both may have. Sides of one model differ in what their doubts say alone."""
    same = first.answers is second.answers or first.name == second.name
    tables = [_statistics(side) for side in (first, second)]
    keys = [key for key in tables[0] if not (same and key in OF_ANSWERS)]
    drawn = {"generator": lambda key: numpy_generator("compare", seed, key), "resamples": resamples}
    found = {
        key: _difference(
            tables[0][key], tables[1][key], len(first.answers), first.groups, raised=key in _RAISED, key=key, **drawn
        )
        for key in keys
    }
    for them in outside:
        groups = (*((0, group) for group in first.groups), *((1, group) for group in them.groups))
        pair = [_detection(side.doubt, doubts) for side, doubts in zip((first, second), them.doubts, strict=True)]
        key = f"ood {them.name}"
        found[key] = _difference(pair[0], pair[1], len(groups), groups, raised=False, key=key, **drawn)
    return found


def oracle(side: Side) -> dict[str, Figure]:
    """What its doubt would reach if it knew every loss; nothing where labels are no classes of the model."""
    if side.foreign:
        return {}
    losses = scoring.log_losses(side.answers.probs, side.labels)
    known = replace(side, answers=replace(side.answers, doubts={side.measure: losses}))
    everything = np.arange(len(losses))
    return {key: of(everything) for key, of in _statistics(known).items() if key in (*OF_MEASURES, AGREEMENT)}


def _difference(
    one: Statistic,
    other: Statistic,
    items: int,
    groups: Sequence[Any],
    *,
    raised: bool,
    key: str,
    generator: Callable[[str], np.random.Generator],
    resamples: int,
) -> Difference:
    everything = np.arange(items)
    found = Difference(one(everything), other(everything))
    if found.value is None:
        return found

    def between(rows: np.ndarray) -> float:
        first, second = one(rows).value, other(rows).value
        return float("nan") if first is None or second is None else first - second

    around = found.value if raised else None
    drawn = bootstrap(between, items, generator(key), resamples=resamples, groups=groups, around=around)
    return replace(found, low=drawn.low, high=drawn.high, reason=drawn.reason)


def _statistics(side: Side) -> dict[str, Statistic]:
    figures = statistics_of(side.answers, side.labels, side.groups, side.foreign)
    found: dict[str, Statistic] = {
        key: lambda rows, key=key: figures[key](rows, side.doubt[rows]) for key in (*OF_ANSWERS, *OF_MEASURES)
    }
    if side.truth is not None:
        found[AGREEMENT] = _agreement(side.doubt, side.truth)
    return found


def _agreement(doubt: np.ndarray, truth: np.ndarray) -> Statistic:
    known = np.array([np.isfinite(row).all() for row in truth])
    entropy = np.full(len(truth), np.nan)
    entropy[known] = shannon(truth[known])

    def figure(rows: np.ndarray) -> Figure:
        there = rows[known[rows]]
        return spearman(doubt[there], entropy[there])

    return figure


def _detection(inside: np.ndarray, outside: np.ndarray) -> Statistic:
    both, count = np.concatenate([inside, outside]), len(inside)
    return lambda rows: detect(both[rows[rows < count]], both[rows[rows >= count]]).auroc


def _stored(name: str, card: Card, measure: str | None, settings: Settings) -> Side:
    kept = heldout.load_heldout(name, settings)
    groups = range(len(kept.answers)) if kept.groups is None else kept.groups.tolist()
    truth = kept.truth if card.task == "multiclass" else None
    return Side(name, _measure(kept.answers, measure), kept.answers, kept.labels, tuple(groups), truth=truth)


def _told(model: Model, dataset: Dataset, asked: Asked, measure: str | None) -> Side:
    labelled = labels_for(model.card, dataset, asked.items, own=asked.own)
    rows = labelled.rows
    given = asked.answers if len(rows) == len(asked.items) else some(asked.answers, rows)
    items = tuple(asked.items[row] for row in rows.tolist())
    same = dataset.classes == model.card.classes and dataset.task == "multiclass"
    truth = heldout.truth_of(items, len(dataset.classes)) if same else None
    groups = tuple(item.group or item.id for item in items)
    return Side(model.name, _measure(given, measure), given, labelled.labels, groups, labelled.foreign, truth)


def _measure(given: Answers, wish: str | None) -> str:
    doubts = usable(given)
    return chosen_measure(doubts, wish, "score" if "score" in doubts else "total")


def _shared(first: Side, second: Side) -> tuple[Side, Side]:
    """Both sides' answers to the items that both answered, in the first's order."""
    place = {id_: row for row, id_ in enumerate(second.answers.ids)}
    mine = np.array([row for row, id_ in enumerate(first.answers.ids) if id_ in place], np.int64)
    if not len(mine):
        raise DataError(
            f"{first.name} and {second.name} answered no item in common; name a data set that both may be judged on.",
            code="no-items",
        )
    theirs = np.array([place[first.answers.ids[row]] for row in mine.tolist()], np.int64)
    return _part(first, mine), _part(second, theirs)


def _part(side: Side, rows: np.ndarray) -> Side:
    if np.array_equal(rows, np.arange(len(side.answers))):
        return side
    given, right = some(side.answers, rows), side.answers.right_neighbour
    given = replace(given, right_neighbour=None if right is None else right[rows])  # of the whole set, as before
    return replace(
        side,
        answers=given,
        labels=side.labels[rows] if len(side.labels) else side.labels,
        groups=tuple(side.groups[row] for row in rows.tolist()),
        truth=None if side.truth is None else side.truth[rows],
    )


def _outsiders(dataset: Dataset, asked: tuple[Asked, Asked], measures: tuple[str, str]) -> Outsiders:
    first, second = asked
    place = {id_: row for row, id_ in enumerate(second.answers.ids)}
    rows = [row for row, id_ in enumerate(first.answers.ids) if id_ in place]
    theirs = [place[first.answers.ids[row]] for row in rows]
    doubts = (first.answers.doubts[measures[0]][rows], second.answers.doubts[measures[1]][theirs])
    groups = tuple(first.items[row].group or first.items[row].id for row in rows)
    return Outsiders(dataset.key if is_a_name(dataset.key) else dataset.title, doubts, groups)
