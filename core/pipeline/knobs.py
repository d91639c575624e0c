"""What a model's doubts do when a knob is turned whose truth is known: a mix of two classes, noise or blur, novelty.

Mixtures, spoilt items and strangers are made for the question, of sources that no set holds. A rank correlation with
a knob comes in three: over all items at once, the mean of those of single lines (one pair or source), and that of the
mean doubt at each position of the knob.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from core.checkpoints.answering import answers
from core.checkpoints.saved import Model
from core.contracts import Progress, no_progress
from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.media import door
from core.metrics.figure import Figure
from core.metrics.ood import detect
from core.metrics.ranks import spearman
from core.pipeline._judge import usable
from core.pipeline._turned import MIXES, Box, Turned, mixtures, shared_box, spoilt, strangers
from core.training.examples import Examples, InMemory, keys_of_items

PAIRS = 40  # with six positions of the knob: 240 mixtures
_CHUNK = 48  # items in memory at once


@dataclass(frozen=True, slots=True)
class Turn:
    """What one doubt does while one knob is turned."""

    items: Figure  # rank correlation over all items
    lines: Figure  # the mean of those of single lines; a line whose doubt never moves has none
    means: Figure  # of the mean doubts at each position
    first: float  # mean doubt where the knob is at its beginning
    last: float  # and at its end

    @property
    def rise(self) -> float:
        return self.last - self.first


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    mixing: Turn
    spoiling: Turn
    novelty: Figure  # AUROC of classes never trained on


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One model and one draw of sources."""

    model: str
    seed: int
    mixtures: int
    spoilt: int
    outside: int
    measures: Mapping[str, Measured]


@dataclass(frozen=True, slots=True, eq=False)
class Knobs:
    data: str
    spoiling: str  # what the second knob is called
    runs: tuple[Run, ...]

    def shared(self) -> tuple[str, ...]:
        """The doubts that every run has."""
        return tuple(name for name in self.runs[0].measures if all(name in run.measures for run in self.runs))

    def of(self, measure: str, figure: str) -> tuple[float, float] | None:
        """Mean and spread over the runs; None where one has no value. ``figure`` is one of FIGURES."""
        values = [FIGURES[figure](run.measures[measure]) for run in self.runs]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else 0.0


FIGURES = {
    "mixing": lambda found: found.mixing.means.value,
    "mixing_lines": lambda found: found.mixing.lines.value,
    "mixing_items": lambda found: found.mixing.items.value,
    "mixing_rise": lambda found: found.mixing.rise,
    "spoiling": lambda found: found.spoiling.means.value,
    "spoiling_lines": lambda found: found.spoiling.lines.value,
    "spoiling_items": lambda found: found.spoiling.items.value,
    "spoiling_rise": lambda found: found.spoiling.rise,
    "novelty": lambda found: found.novelty.value,
}


def knobs(
    models: Sequence[Model],
    *,
    pairs: int = PAIRS,
    seeds: Sequence[int] = (0, 1, 2),
    samples: int | None = None,
    progress: Progress = no_progress,
) -> Knobs:
    """Every model with every draw of sources; ``pairs`` of sources are mixed, and as many are spoilt or strange."""
    box = shared_box({model.card.data.key for model in models})
    runs = []
    for model in models:
        if model.card.classes != box.classes:
            raise UserFacingError(
                f"{model.name} learned {len(model.card.classes)} of the {len(box.classes)} classes of {box.key}; name "
                "a model that learned all.",
                code="classes",
            )
        runs += [_run(model, box, pairs, seed, samples, progress) for seed in seeds]
    return Knobs(box.key, box.spoiling, tuple(runs))


def _run(model: Model, box: Box, pairs: int, seed: int, samples: int | None, progress: Progress) -> Run:
    items = [*mixtures(box, pairs, seed), *spoilt(box, pairs, seed), *strangers(box, pairs, seed)]
    doubts = _doubts(model, box, items, samples, progress)
    part = {
        name: np.array([item.part == name for item in items]) for name in ("mixing", "spoiling", "outside", "inside")
    }
    lines, places = np.array([item.line for item in items]), np.array([item.knob for item in items])

    def turned(values: np.ndarray, name: str) -> Turn:
        return turn_of(values[part[name]], places[part[name]], lines[part[name]])

    return Run(
        model.name,
        seed,
        int(part["mixing"].sum()),
        int(part["spoiling"].sum()),
        int(part["outside"].sum()),
        {
            name: Measured(
                turned(values, "mixing"),
                turned(values, "spoiling"),
                detect(values[part["inside"]], values[part["outside"]]).auroc,
            )
            for name, values in doubts.items()
        },
    )


def turn_of(doubt: np.ndarray, knob: np.ndarray, line: np.ndarray) -> Turn:
    each = [spearman(doubt[line == one], knob[line == one]).value for one in np.unique(line)]
    known = [value for value in each if value is not None]
    stops = np.unique(knob)
    means = np.array([doubt[knob == stop].mean() for stop in stops])
    within = Figure(float(np.mean(known))) if known else Figure(None, "the doubt never moves")
    return Turn(spearman(doubt, knob), within, spearman(means, stops), float(means[0]), float(means[-1]))


def _doubts(
    model: Model, box: Box, items: Sequence[Turned], samples: int | None, progress: Progress
) -> dict[str, np.ndarray]:
    found: list[dict[str, np.ndarray]] = []
    waiting: Iterator[Turned] = iter(items)
    while chunk := list(islice(waiting, _CHUNK)):
        found.append(usable(answers(model, _prepared(model, box, chunk), draws=samples)))
        progress(min(len(found) * _CHUNK, len(items)), len(items), f"turn the knobs of {box.key}")
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _prepared(model: Model, box: Box, chunk: Sequence[Turned]) -> Examples:
    """Through the same door as any file."""
    tensors, names = [], []
    for item in chunk:
        raw, _ = item.make()
        media = door.open_media(raw, kind=box.kind, expected=sha256_of(raw))
        tensors.append(model.network.prepare(media).tensor)
        names.append(media.sha256)
    keys, labels = keys_of_items(tuple(names)), torch.full((len(chunk),), -1)
    return Examples(InMemory(torch.stack(tensors)), labels, keys, tuple(item.id for item in chunk))


__all__ = ["FIGURES", "MIXES", "PAIRS", "Knobs", "Measured", "Run", "Turn", "knobs", "turn_of"]
