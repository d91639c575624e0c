"""From a model's answers to the facts of a verdict, for all draws and for the first 1, 2, 3 ... of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.checkpoints import calibrated
from core.checkpoints.card import Card
from core.contracts import Note, Predictive, Uncertainty
from core.metrics.arrays import float64, plain
from core.metrics.uncertainty import bernoulli, running, shannon
from core.posthoc import conformal
from core.verdict import Facts, Verdict, verdict

_PRESENT = 0.5  # probability from which one of several labels counts as there
_LIKELY = 0.1  # a class of the prediction set below this is not worth a place in a sentence
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Enough:
    """Doubt after the first draws, for the question whether there are enough."""

    draws: tuple[int, ...]  # 1, 2, 3, 5 ... up to all
    parts: tuple[Uncertainty, ...]  # of one item each, with Monte Carlo standard errors from two draws on
    settled: int  # from this many draws on, first class and verdict are those of all draws


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Verdicts of one file from mean probabilities over more or fewer of its draws."""

    card: Card
    notes: tuple[Note, ...]
    thresholds: conformal.Conformal | None
    doubts: Mapping[str, float]  # of all draws; novelty and score do not hang on their number

    def whole(self, mean: np.ndarray, draws: int) -> Verdict:
        places = percentiles_of(self.card, self.doubts, draws)
        return self._one(mean, self.doubts, places, draws, self._sizes(mean[None])[0])

    def enough(self, answer: Predictive) -> Enough:
        """``answer`` has one item."""
        probs = float64(answer.probs)[:, 0]
        counts = np.arange(1, len(probs) + 1)
        means = probs.cumsum(axis=0) / counts[:, None]
        spread = shannon if answer.task == "multiclass" else _mean_bernoulli
        totals, aleatorics = spread(means), spread(probs).cumsum() / counts
        doubts = {"total": totals, "aleatoric": aleatorics, "epistemic": totals - aleatorics}
        fixed = {name: value for name, value in self.doubts.items() if name not in doubts}
        same = percentiles_of(self.card, fixed, len(probs))
        places = _places_of(self.card, doubts, len(probs))
        sizes, said = self._sizes(means), []
        for row, mean in enumerate(means):
            mine = {name: float(values[row]) for name, values in doubts.items()}
            there = {name: float(values[row]) for name, values in places.items()}
            judged = self._one(mean, mine, {**same, **there}, len(probs), sizes[row])
            said.append((judged.code, int(mean.argmax())))
        other = [row for row, pair in enumerate(said) if pair != said[-1]]
        steps = running(answer)
        return Enough(steps.draws, steps.parts, other[-1] + 2 if other else 1)

    def _sizes(self, means: np.ndarray) -> list[int | None]:
        if self.thresholds is None or self.card.task == "multilabel":
            return [None] * len(means)
        answer = plain(means[None], self.card.task)
        sets = conformal.predict_sets(self.thresholds, answer, at_least_one=True)
        return [int(size) for size in (sets & (means >= _LIKELY)).sum(axis=1)]

    def _one(
        self,
        mean: np.ndarray,
        doubts: Mapping[str, float],
        places: Mapping[str, float],
        draws: int,
        size: int | None,
    ) -> Verdict:
        card = self.card
        facts = Facts(
            kind=card.kind,
            task=card.task,
            scope=card.scope,
            labels=_labels(mean, card),
            top=float(mean.max()),
            draws=draws,
            aleatoric_share=min(1.0, float(doubts["aleatoric"]) / max(float(doubts["total"]), _TINY)),
            total=places.get("total"),
            aleatoric=places.get("aleatoric"),
            epistemic=places.get("epistemic"),
            novelty=places.get("novelty"),
            score=places.get("score"),
            set_size=size,
            notes=self.notes,
        )
        return verdict(facts)


def percentiles_of(card: Card, doubts: Mapping[str, float], draws: int) -> dict[str, float]:
    """Places among the calibration items. Of a point estimate the epistemic part is rounding and has none."""
    return {name: float(place) for name, place in _places_of(card, doubts, draws).items()}


def _places_of(card: Card, doubts: Mapping[str, Any], draws: int) -> dict[str, np.ndarray]:
    """Of one value or of many."""
    found = {}
    for name, values in doubts.items():
        places = calibrated.percentile(card.posthoc, name, values)
        if places is not None and (draws > 1 or name != "epistemic"):
            found[name] = places
    return found


def _labels(mean: np.ndarray, card: Card) -> tuple[str, ...]:
    """Most probable first; of several labels those that are there."""
    order = np.argsort(-mean, kind="stable").tolist()
    several = card.task == "multilabel"
    return tuple(card.classes[c] for c in order if not several or mean[c] >= _PRESENT)


def _mean_bernoulli(probs: np.ndarray) -> np.ndarray:
    return bernoulli(probs).mean(axis=-1)
