"""How good a model's answers and doubts are, on items that it never trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
from core.metrics.figure import Figure
from core.metrics.ood import Detection, detect
from core.metrics.retention import Curve
from core.pipeline._asking import Wanted, asked_of
from core.pipeline._judge import FIGURES, Evaluation, Outside, chosen_measure, judge, usable
from core.pipeline._unseen import is_a_name, is_own, labels_for, unseen
from core.pipeline.matched import matched_model
from core.settings import Settings
from core.store import artifacts

__all__ = ["Evaluation", "Wanted", "document", "evaluate", "evaluate_stored", "judge"]


def evaluate(
    model: Model,
    dataset: Dataset,
    settings: Settings,
    *,
    ood: Dataset | None = None,
    fold: int | None = None,
    wanted: Wanted | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """On the card's test fold or the set's test split where the model was trained on this set, else on all of it.

    Items that the model was trained on are refused. A set of other classes is judged by retrieval and as ``ood``.
    """
    wanted = wanted or Wanted()
    if is_own(model.card, dataset):
        unseen(model.card, dataset, dataset.items, fold, own=True)  # refused before anything is read
    brought: tuple[str, ...] = ()
    if wanted.matched:
        model, told = matched_model(model, [dataset] if ood is None else [dataset, ood], progress)
        brought = (told,)
    asked = asked_of(model, dataset, settings, fold, wanted, progress)
    labelled = labels_for(model.card, dataset, asked.items, own=asked.own)
    if not len(labelled.rows):
        raise DataError(f"None of these items of {dataset.title} has a class of {model.name}.", code="no-items")
    given = asked.answers if len(labelled.rows) == len(asked.items) else some(asked.answers, labelled.rows)
    items = tuple(asked.items[row] for row in labelled.rows.tolist())
    same = dataset.classes == model.card.classes and dataset.task == "multiclass"
    found = judge(
        given,
        labelled.labels,
        wanted.measure,
        [item.group or item.id for item in items],
        wanted.seed,
        wanted.resamples,
        foreign=labelled.foreign,
        truth=heldout.truth_of(items, len(dataset.classes)) if same else None,
    )
    notes = (*dataset.notes, *asked.notes, *labelled.notes, *brought)
    found = _of_model(
        replace(found, data=_name(dataset.key, dataset.title), title=dataset.title, notes=notes), model.card
    )
    return found if ood is None else _with_outside(found, given, model, ood, settings, wanted, progress)


def evaluate_stored(
    name: str,
    settings: Settings,
    *,
    ood: Dataset | None = None,
    wanted: Wanted | None = None,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Evaluation:
    """From the answers that came with the model; neither data nor weights are needed, unless for ``ood``."""
    wanted = wanted or Wanted()
    if wanted.matched:
        raise DataError("Stored answers are to sounds as they are; name the data set with --data.", code="no-data")
    kept = heldout.load_heldout(name, settings)
    card = card_of(artifacts.load(find(name, settings)).card, name)
    if wanted.samples is not None and wanted.samples != kept.answers.draws and ood is None:
        raise DataError(
            f"The stored answers of {name} have {kept.answers.draws} draws each; name a data set to take others.",
            code="draws",
        )
    groups = None if kept.groups is None else kept.groups.tolist()
    truth = kept.truth if card.task == "multiclass" else None
    found = judge(kept.answers, kept.labels, wanted.measure, groups, wanted.seed, wanted.resamples, truth=truth)
    whole = "" if len(kept.answers) == kept.of else f" {len(kept.answers):,} of {kept.of:,} were stored."
    note = f"from the answers that came with the model.{whole}"
    found = replace(found, data=_name(card.data.key, card.data.title), title=card.data.title, notes=(note,))
    found = _of_model(found, card)
    if ood is None:
        return found
    wanted = replace(wanted, samples=kept.answers.draws if wanted.samples is None else wanted.samples)
    model = load_model(name, settings, device)
    return _with_outside(found, kept.answers, model, ood, settings, wanted, progress)


def document(found: Evaluation) -> dict[str, Any]:
    """The contract of ``evaluate --json``: a figure without a value is null, and ``undefined`` says why."""
    undefined = dict(found.reasons)
    undefined |= {key: figure.reason for key, figure in found.figures.items() if figure.reason}
    undefined |= {
        f"measures.{m}.{k}": f.reason for m, row in found.measures.items() for k, f in row.items() if f.reason
    }
    curves = {f"retention.{key}": curve.reason for key, curve in found.retention.items() if curve.reason}
    undefined = curves | undefined | _undefined_agreement(found.agreement)
    if found.ood is not None:
        undefined |= {f"ood.{key}": f.reason for key, f in _detected(found.ood.detection).items() if f.reason}
    if found.seconds_per_item is None:
        undefined["seconds_per_item"] = "the answers were stored, not timed"
    return {
        "model": found.model,
        "data": found.data,
        "n": found.n,
        "task": found.task,
        **{key: found.figures[key].value for key in FIGURES},
        "measure": found.measure,
        "measures": {m: {key: figure.value for key, figure in row.items()} for m, row in found.measures.items()},
        "intervals": {key: list(interval) for key, interval in found.intervals.items()},
        "undefined": undefined,
        "retention": {key: _points(curve) for key, curve in found.retention.items()},
        "ood": None if found.ood is None else _outside(found.ood),
        "params": found.params,
        "macs": found.macs,
        "seconds_per_item": found.seconds_per_item,
        "title": found.title,
        "draws": found.draws,
        "score_name": found.score_name,
        "agreement": {key: figure.value for key, figure in found.agreement.items()},
        "notes": list(found.notes),
    }


def _with_outside(
    found: Evaluation,
    inside: Answers,
    model: Model,
    ood: Dataset,
    settings: Settings,
    wanted: Wanted,
    progress: Progress,
) -> Evaluation:
    outside = asked_of(model, ood, settings, None, wanted, progress, outside=True)
    others = usable(outside.answers)
    shared = {name: detect(values, others[name]) for name, values in usable(inside).items() if name in others}
    usual = next(name for name in ("novelty", "score", "total") if name in shared)
    measure = chosen_measure(shared, wanted.measure, usual)
    notes = (*found.notes, *outside.notes)
    return replace(
        found, ood=Outside(_name(ood.key, ood.title), ood.title, measure, shared[measure], shared), notes=notes
    )


def _name(key: str, title: str) -> str:
    return key if is_a_name(key) else title


def _of_model(found: Evaluation, card: Card) -> Evaluation:
    return replace(found, model=card.name, params=card.params, macs=card.macs)


def _points(curve: Curve) -> list[list[float | None]]:
    pairs = zip(curve.kept.tolist(), curve.value.tolist(), strict=True)
    return [[kept, value if np.isfinite(value) else None] for kept, value in pairs]


def _detected(found: Detection) -> dict[str, Figure]:
    return {"auroc": found.auroc, "fpr95": found.fpr95, "aupr": found.aupr, "base_rate": found.base_rate}


def _outside(found: Outside) -> dict[str, Any]:
    return {
        **{key: figure.value for key, figure in _detected(found.detection).items()},
        "measure": found.measure,
        "data": found.data,
        "inside": found.detection.inside,
        "outside": found.detection.outside,
        "measures": {name: {k: f.value for k, f in _detected(d).items()} for name, d in found.measures.items()},
    }


def _undefined_agreement(found: Mapping[str, Figure]) -> dict[str, str]:
    if not found:
        return {"agreement": "the true probabilities of these items are not known"}
    return {f"agreement.{name}": figure.reason for name, figure in found.items() if figure.reason}
