"""Classes left out of a training are what a model should find strange: each fold scored for each choice of them.

For every fold and every three classes, the recipe learns the other classes of the training folds; then items of the
test fold are told apart: those of the classes it learned from those of the three. The network below a fixed head is
the same throughout, so its features are read once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.checkpoints.answering import answers
from core.checkpoints.answers import Answers
from core.checkpoints.saved import network_of
from core.contracts import Progress, no_progress
from core.data import open_source
from core.data._splits import folds_of
from core.errors import DataError, UserFacingError
from core.fingerprint import numpy_generator
from core.metrics.bootstrap import resampled
from core.metrics.ranks import auroc
from core.pipeline._judge import usable
from core.pipeline.ready import Ready, fit_of, ready, scale, settled
from core.pipeline.train import model_of
from core.settings import Settings
from core.training.divide import Sides, narrowed
from core.training.examples import Examples
from core.training.loop import fit
from core.training.plan import Plan

SEED = 0
# drawn(10, SEED), by a rule that was set before these were scored; of 3, 7, 8 alone max-softmax, energy and a
# Mahalanobis distance had been seen on folds 2 to 5, in an earlier look at threes drawn at random.
TRIPLES = ((3, 7, 8), (0, 2, 4), (1, 5, 9), (0, 6, 7))
BASELINE = "max_softmax"
# The measure named before the triples above were scored: the share of the largest entropy that an answer has, plus the
# logarithm of the novelty. Entropy sees items between the classes, and novelty those far from all; on ESC-10 each alone
# had an AUROC of .87 to .89 and any sum or mean of ranks of the two .91 to .92, for other threes of classes (ten drawn
# at random) and folds 2 to 5 alone, each scored by heads and densities of the other three of these folds.
NAMED = "total+novelty"
_FLOOR = 1e-12
Triple = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One fold's items as a model saw them that had learned all classes but some."""

    fold: int
    left_out: tuple[str, ...]
    places: np.ndarray  # (items,) of its items among all that are scored
    outside: np.ndarray  # (items,) are they of the classes left out?
    doubts: Mapping[str, np.ndarray]

    def aurocs(self) -> dict[str, float | None]:
        return {name: auroc(values, self.outside).value for name, values in self.doubts.items()}


@dataclass(frozen=True, slots=True)
class Found:
    """AUROC of one doubt: the mean over folds and choices, and all answers in one heap; intervals over recordings."""

    mean: float
    interval: tuple[float, float]
    pooled: float
    pooled_interval: tuple[float, float]
    spread: float  # standard deviation over folds and choices
    above: float  # the mean less that of max-softmax
    above_interval: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class LeaveOut:
    classes: tuple[str, ...]
    pieces: tuple[Piece, ...]
    measures: Mapping[str, Found]
    items: int


def drawn(classes: int, seed: int) -> tuple[Triple, ...]:
    """Threes of classes that hold every class: a shuffle cut into threes, what is left filled up from another."""
    draw = numpy_generator("leave classes out", seed)
    first, second = draw.permutation(classes).tolist(), draw.permutation(classes).tolist()
    whole = classes - classes % 3
    cut = [first[at : at + 3] for at in range(0, whole, 3)]
    if left := first[whole:]:
        cut.append([*left, *[other for other in second if other not in left][: 3 - len(left)]])
    return tuple(tuple(sorted(three)) for three in cut)


def leave_out(
    plan: Plan,
    settings: Settings,
    *,
    triples: Sequence[Triple] = (),
    only: Sequence[int] = (),
    device: str = "cpu",
    copy: Path | None = None,
    resamples: int = 1000,
    progress: Progress = no_progress,
) -> LeaveOut:
    """``triples`` are class numbers in alphabetical order of the names; ``only`` some of the folds."""
    dataset = open_source(plan.data, settings, copy)
    folds = tuple(only) or folds_of(dataset)
    if len(folds_of(dataset)) < 2 or dataset.task == "multilabel":
        raise DataError(
            f"{dataset.title} has no folds to score in turn, or several labels an item; name a recipe on a set of "
            "folds and single labels, such as esc10.",
            code="no-fold",
        )
    chosen = _chosen(tuple(triples), dataset.classes)
    pieces, groups, ids = [], [], []
    for done, fold in enumerate(folds):
        division = replace(plan.division, by="fold", test_fold=fold, validation_fold=None)
        whole = ready(replace(plan, division=division), settings, device=device, copy=copy, progress=progress)
        places = np.arange(len(ids), len(ids) + len(whole.examples["test"]))
        by_id = {item.id: item.group or item.id for item in whole.prepared.items}
        ids += whole.examples["test"].ids
        groups += [by_id[id_] for id_ in whole.examples["test"].ids]
        for number, names in enumerate(chosen):
            pieces.append(_piece(whole, names, fold, places, settings))
            progress(done * len(chosen) + number + 1, len(folds) * len(chosen), "leave classes out")
    return LeaveOut(dataset.classes, tuple(pieces), measured(pieces, groups, resamples), len(ids))


def without(found: Ready, names: Sequence[str], settings: Settings) -> Ready:
    """The same training on fewer classes: items of the others are in its test side alone, with the label -1."""
    if found.start.weights == "stored" or (found.plan.settled and found.config.scope == "network"):
        raise UserFacingError(
            "Leaving classes out needs a network that is fine-tuned once or not at all; use a recipe on fixed "
            "features, such as esc10.",
            code="setting",
        )
    kept = tuple(name for name in found.dataset.classes if name not in names)
    number = np.full(len(found.dataset.classes) + 1, -1)
    number[[found.dataset.classes.index(name) for name in kept]] = np.arange(len(kept))
    network = network_of(found.start, len(kept), settings)
    dataset = narrowed(found.dataset, kept)
    known = {item.id: item for item in dataset.items}
    sides = Sides(
        tuple(known[item.id] for item in found.sides.train if item.id in known), (), found.sides.test, found.sides.note
    )
    examples = {side: _numbered(found.examples[side], number) for side in ("train", "test")}
    examples["train"] = examples["train"].part((examples["train"].labels >= 0).nonzero()[:, 0])
    plan = replace(found.plan, division=replace(found.plan.division, classes=kept))
    few = replace(found, plan=plan, dataset=dataset, sides=sides, network=network, given=network, examples=examples)
    if found.config.scope == "head":
        scale(few, examples["train"])
    return replace(few, given=settled(few, examples["train"])) if plan.settled else few


def combined(doubts: Mapping[str, np.ndarray], classes: int) -> dict[str, np.ndarray]:
    """The doubts, and NAMED where its parts are there: both have a scale of their own, so that nothing is fitted."""
    if not {"total", "novelty"} <= set(doubts):
        return dict(doubts)
    novelty = np.log(np.maximum(doubts["novelty"], _FLOOR))
    return {**doubts, NAMED: doubts["total"] / np.log(classes) + novelty}


def _chosen(triples: tuple[Triple, ...], classes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    names = sorted(classes)
    if not triples:
        triples = TRIPLES if len(classes) == 10 else drawn(len(classes), SEED)
    for three in triples:
        if not three or len(set(three)) < len(three) or not all(0 <= number < len(names) for number in three):
            raise UserFacingError(
                f"{','.join(map(str, three))} are no different numbers from 0 to {len(names) - 1}; they count the "
                "classes in alphabetical order.",
                code="no-such-class",
            )
        if len(three) > len(names) - 2:
            raise UserFacingError(
                f"Leaving out {len(three)} of {len(names)} classes leaves fewer than two to learn.", code="one-class"
            )
    return tuple(tuple(names[number] for number in three) for three in triples)


def _numbered(examples: Examples, number: np.ndarray) -> Examples:
    import torch

    return replace(examples, labels=torch.from_numpy(number[examples.labels.numpy()]))


def _piece(whole: Ready, names: tuple[str, ...], fold: int, places: np.ndarray, settings: Settings) -> Piece:
    few = without(whole, names, settings)
    fitted = fit(replace(fit_of(few, settings), validation=None))
    model = model_of(few, fitted, "leave-out")
    test = few.examples["test"]
    said: Answers = answers(model, test, embedded=few.config.scope == "head")
    return Piece(fold, names, places, (test.labels < 0).numpy(), combined(usable(said), len(few.dataset.classes)))


def measured(pieces: Sequence[Piece], groups: Sequence[Any], resamples: int) -> dict[str, Found]:
    """All measures on the same resampled recordings, so that their differences are paired."""
    shared = [name for name in pieces[0].doubts if all(name in piece.doubts for piece in pieces)]
    whole = {name: _aurocs(pieces, name, None) for name in shared}
    draws = resampled(len(groups), numpy_generator("leave out", SEED), resamples, groups)
    counts = [np.bincount(positions, minlength=len(groups)) for positions in draws]
    means: dict[str, np.ndarray] = {}
    pooled: dict[str, np.ndarray] = {}
    for name in shared:
        values = [_aurocs(pieces, name, count) for count in counts]
        means[name] = np.array([np.nanmean(each) for each, _ in values])
        pooled[name] = np.array([heap for _, heap in values])
    base, base_draws = whole[BASELINE], means[BASELINE]
    return {
        name: Found(
            mean=float(np.nanmean(whole[name][0])),
            interval=_interval(means[name]),
            pooled=whole[name][1],
            pooled_interval=_interval(pooled[name]),
            spread=float(np.nanstd(whole[name][0], ddof=1)) if len(pieces) > 1 else 0.0,
            above=float(np.nanmean(whole[name][0]) - np.nanmean(base[0])),
            above_interval=_interval(means[name] - base_draws),
        )
        for name in shared
    }


def _aurocs(pieces: Sequence[Piece], name: str, counts: np.ndarray | None) -> tuple[np.ndarray, float]:
    """(pieces,) AUROCs, NaN where a piece has one side only, and that of all in one heap."""
    doubts, outside = [], []
    for piece in pieces:
        rows = np.arange(len(piece.places))
        rows = rows if counts is None else np.repeat(rows, counts[piece.places])
        doubts.append(piece.doubts[name][rows])
        outside.append(piece.outside[rows])
    each = [auroc(doubt, mark).value if len(doubt) else None for doubt, mark in zip(doubts, outside, strict=True)]
    heap = auroc(np.concatenate(doubts), np.concatenate(outside)).value
    return np.array([np.nan if v is None else v for v in each]), np.nan if heap is None else heap


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)
