"""Every published fold is scored once, by a model whose settings were chosen without it.

For each test fold: each candidate is fitted once for each of the other folds held out in turn; the candidate whose
out-of-fold answers have the lowest loss, at their best temperature, wins, and is written down before the test fold
is scored. It is then fitted on all the other folds. Its out-of-fold answers also serve to calibrate it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.checkpoints.answering import answers, joined
from core.checkpoints.answers import Answers
from core.checkpoints.saved import Model
from core.contracts import Predictive, Progress, no_progress
from core.data import open_source
from core.data._splits import folds_of
from core.errors import DataError
from core.fingerprint import fingerprint, numpy_generator
from core.metrics import scoring, selective
from core.metrics.arrays import mean_probs
from core.metrics.bootstrap import bootstrap
from core.pipeline._judge import Evaluation, judge
from core.pipeline.ready import Ready, fit_of, is_plain, plain_folder, ready
from core.pipeline.train import model_of
from core.posthoc import temperature
from core.settings import Settings
from core.training.loop import Fitted, fabric_of, fit
from core.training.plan import Plan, with_plan_settings
from core.training.stopping import stopped_gently

Candidate = tuple[str, ...]  # settings that differ from the plan's


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One fold, scored once."""

    number: int
    candidate: Candidate
    losses: tuple[float, ...]  # of the candidates, out of fold
    inside: Answers | None  # the winner's out-of-fold answers to the training folds
    inside_labels: np.ndarray | None
    answers: Answers  # with the temperature that the out-of-fold answers ask for, where there are some
    labels: np.ndarray
    groups: tuple[str, ...]
    evaluation: Evaluation
    ready: Ready
    model: Model
    fitted: Fitted


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    plan: Plan
    candidates: tuple[Candidate, ...]
    folds: tuple[Fold, ...]
    pooled: Evaluation  # all folds' answers together


def crossval(
    plan: Plan,
    candidates: Sequence[Candidate],
    settings: Settings,
    *,
    name: str,
    only: Sequence[int] = (),
    calibrated: bool = True,
    measure: str = "max_softmax",
    device: str = "cpu",
    copy: Path | None = None,
    progress: Progress = no_progress,
) -> CrossValidation:
    """``only`` some of the folds; with one candidate and not ``calibrated`` nothing is fitted out of fold.

    ``measure`` is the doubt behind AURC, AUGRC and error AUROC: one for all methods that are compared.
    """
    tried = tuple(tuple(candidate) for candidate in candidates) or ((),)
    dataset = open_source(plan.data, settings, copy)
    folds = folds_of(dataset)
    if len(folds) < 3:
        raise DataError(
            f"{dataset.title} has {len(folds)} folds, and cross-validation with a nested choice needs three or more.",
            code="no-fold",
        )
    place = settings.runs / f"{name}-crossval"
    run = _Run(plan, tried, settings, place, device, copy, progress, measure)
    found = tuple(run.fold(number, folds, calibrated) for number in (only or folds))
    said = joined([one.answers for one in found])
    labels = np.concatenate([one.labels for one in found])
    groups = [group for one in found for group in one.groups]
    return CrossValidation(plan, tried, found, judge(said, labels, measure, groups))


@dataclass(frozen=True, slots=True)
class _Run:
    plan: Plan
    candidates: tuple[Candidate, ...]
    settings: Settings
    place: Path
    device: str
    copy: Path | None
    progress: Progress
    measure: str

    def fold(self, number: int, folds: tuple[int, ...], calibrated: bool) -> Fold:
        rest = tuple(fold for fold in folds if fold != number)
        losses: tuple[float, ...] = ()
        best, inside, inside_labels = 0, None, None
        if len(self.candidates) > 1 or calibrated:
            tried = [self._out_of_fold(candidate, number, rest) for candidate in self.candidates]
            losses = tuple(_loss(said, labels) for said, labels in tried)
            best = int(np.argmin(losses))
            inside, inside_labels = tried[best]
        self._write_down(number, losses, best)
        found, model, fitted, said, labels = self._fitted(self.candidates[best], number, None, "test")
        if inside is not None and inside_labels is not None:
            said = tempered(said, temperature.fit(_predictive(inside), inside_labels))
        groups = _groups(found, "test")
        judged = judge(said, labels, self.measure, groups, resamples=200)
        return Fold(
            number=number,
            candidate=self.candidates[best],
            losses=losses,
            inside=inside,
            inside_labels=inside_labels,
            answers=said,
            labels=labels,
            groups=groups,
            evaluation=judged,
            ready=found,
            model=model,
            fitted=fitted,
        )

    def _out_of_fold(self, candidate: Candidate, test: int, rest: tuple[int, ...]) -> tuple[Answers, np.ndarray]:
        """Answers to the training folds, each by a model that saw neither it nor the test fold."""
        parts = [self._fitted(candidate, test, inner, "validation") for inner in rest]
        return joined([said for *_, said, _ in parts]), np.concatenate([labels for *_, labels in parts])

    def _fitted(
        self, candidate: Candidate, test: int, inner: int | None, side: str
    ) -> tuple[Ready, Model, Fitted, Answers, np.ndarray]:
        plan = with_plan_settings(self.plan, candidate)
        plan = replace(plan, division=replace(plan.division, by="fold", test_fold=test, validation_fold=inner))
        plan = replace(plan, settling=Plan().settling) if is_plain(plan) else plan
        found = ready(plan, self.settings, device=self.device, copy=self.copy, progress=self.progress)
        wanted = fit_of(found, self.settings)
        wanted = replace(wanted, validation=None)
        folder = None if found.config.scope == "head" else self.place / fingerprint(plan)[:16]
        if is_plain(plan):
            folder = plain_folder(found, self.settings)  # for methods that go on with it
        with stopped_gently() as stop:
            fabric = fabric_of(plan.schedule, self.device)
            fitted = fit(wanted, folder, fabric=fabric, progress=self.progress, stop=stop, keep=True)
        model = model_of(found, fitted, f"{self.place.name}-{test}")
        examples = found.examples[side]
        said = answers(model, examples, keep=400, embedded=found.config.scope == "head")
        return found, model, fitted, said, examples.labels.numpy()

    def _write_down(self, number: int, losses: Sequence[float], best: int) -> None:
        """What was chosen, before its test fold is looked at."""
        self.place.mkdir(parents=True, exist_ok=True)
        path = self.place / f"fold-{number}.json"
        told = {"candidates": self.candidates, "losses": list(losses), "chosen": self.candidates[best]}
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(told, indent=1))
        draft.replace(path)


def tempered(said: Answers, fitted: temperature.Temperature) -> Answers:
    """The same answers with other probabilities; what is read from single draws stays."""
    probs = mean_probs(temperature.apply(fitted, _predictive(said)))
    doubts = {**said.doubts, "max_softmax": 1.0 - probs.max(axis=1)} if said.task == "multiclass" else said.doubts
    return replace(said, probs=probs, doubts=doubts)


def _predictive(said: Answers) -> Predictive:
    return Predictive(torch.from_numpy(said.probs)[None], said.task)


def paired(
    one: CrossValidation, other: CrossValidation, resamples: int = 2000
) -> dict[str, tuple[float, float | None, float | None]]:
    """One's loss, AUGRC and accuracy less the other's on the same items, with 95 % intervals over recordings."""
    first, second = _by_id(one), _by_id(other)
    ids = [id_ for id_ in first if id_ in second]
    groups = [first[id_][3] for id_ in ids]
    tables = [_table(found, ids) for found in (first, second)]
    found = {}
    for name, measure in (("nll", _nll), ("augrc", _augrc), ("accuracy", _accuracy)):

        def difference(rows: np.ndarray, measure: Callable[..., float] = measure) -> float:
            return measure(*tables[0], rows) - measure(*tables[1], rows)

        whole = difference(np.arange(len(ids)))
        drawn = bootstrap(difference, len(ids), numpy_generator("paired", name), resamples=resamples, groups=groups)
        found[name] = (whole, drawn.low, drawn.high)
    return found


def _by_id(found: CrossValidation) -> dict[str, tuple[np.ndarray, float, int, str]]:
    rows = {}
    for fold in found.folds:
        doubt = fold.answers.doubts[found.pooled.measure]
        for place, id_ in enumerate(fold.answers.ids):
            rows[id_] = (fold.answers.probs[place], float(doubt[place]), int(fold.labels[place]), fold.groups[place])
    return rows


def _table(rows: dict[str, Any], ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(np.array([rows[id_][column] for id_ in ids]) for column in range(3))  # type: ignore[return-value]


def _nll(probs: np.ndarray, doubt: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> float:
    return float(scoring.log_losses(probs[rows], labels[rows]).mean())


def _augrc(probs: np.ndarray, doubt: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> float:
    value = selective.augrc(doubt[rows], scoring.errors(probs[rows], labels[rows])).value
    return float("nan") if value is None else value


def _accuracy(probs: np.ndarray, doubt: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> float:
    return 1.0 - float(scoring.errors(probs[rows], labels[rows]).mean())


def _groups(found: Ready, side: str) -> tuple[str, ...]:
    by_id = {item.id: item.group or item.id for item in found.prepared.items}
    return tuple(by_id[id_] for id_ in found.examples[side].ids)


def _loss(said: Answers, labels: np.ndarray) -> float:
    """The lowest mean loss that one temperature for all of them can give."""
    return temperature.fit(_predictive(said), labels).nll_after
