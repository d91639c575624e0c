"""One training of a sweep: found where it was done before, gone on with where it was stopped, and judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from core import registry
from core.checkpoints.answering import answers
from core.checkpoints.answers import Answers
from core.checkpoints.saved import Model
from core.configs import from_json, to_json
from core.contracts import Dataset, Item
from core.data import open_source
from core.data._fingerprint import dataset_fingerprint
from core.errors import DataError, UserFacingError
from core.fingerprint import fingerprint
from core.methods._held import held_by
from core.metrics.ood import detect
from core.metrics.ranks import spearman
from core.metrics.retention import Curve
from core.pipeline._judge import FIGURES, OF_MEASURES, curves_of, statistics_of, usable
from core.pipeline._point_given import Given, changed
from core.pipeline.ready import Ready, beginning_of, dataset_of, fit_of, ready, start_of
from core.pipeline.train import model_of
from core.settings import Settings
from core.training.examples import Examples
from core.training.loop import Fitted, fabric_of, fit
from core.training.plan import Plan
from core.training.prepared import prepare, rows_where
from core.training.run_files import read, taken, write
from core.training.stopping import stopped_gently

_VERSION = 2  # of what is measured
_STRANGERS = 300  # about, for one AUROC


@dataclass(frozen=True, slots=True)
class Measured:
    """``more``: what tells this row from others of the same training."""

    more: tuple[str, ...]
    validation: Mapping[str, float]
    test: Mapping[str, float]
    cost: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Done:
    mark: str
    measured: tuple[Measured, ...]
    counts: Mapping[str, int]  # items of each side


def once(mark: str, settings: Settings, make: Callable[[], Done]) -> Done:
    """What was measured under this mark before, whoever asked for it; else it is made and written down."""
    path = settings.home / "points" / f"{mark}.json"
    if (record := read(path)) and (found := _opened(record)) is not None:
        return found
    done = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, to_json(done))
    return done


def _opened(record: Mapping[str, object]) -> Done | None:
    try:
        return from_json(Done, record)
    except (UserFacingError, TypeError):
        return None


class Trainer:
    """Trains plans whose data are read once for all. ``outside`` is a set whose items are asked as strangers."""

    def __init__(self, settings: Settings, device: str, copy: Path | None, outside: str = "") -> None:
        self.settings, self.device, self.copy = settings, device, copy
        self.outside = _few_of(open_source(outside, settings)) if outside else None
        self._prints: dict[str, str] = {}

    def mark_of(self, plan: Plan, given: Given) -> str:
        """Of all that decides the figures: the data's bytes, the plan, the network it begins with, the method."""
        key = fingerprint(plan.data, plan.division.classes)
        if key not in self._prints:
            self._prints[key] = dataset_fingerprint(dataset_of(plan, self.settings, self.copy))
        start = start_of(plan, self.settings, beginning_of(plan, self.settings))
        version = registry.pick("core.methods", "METHOD", plan.method).version
        more = [] if given == Given() else [given]
        more += [] if self.outside is None else [dataset_fingerprint(self.outside)]
        return fingerprint("point", _VERSION, self._prints[key], plan, start.sha256, version, *more)[:32]

    def done(self, plan: Plan, given: Given) -> Done:
        mark = self.mark_of(plan, given)
        return once(mark, self.settings, lambda: self._trained(plan, given, mark))

    def _trained(self, plan: Plan, given: Given, mark: str) -> Done:
        found = changed(ready(plan, self.settings, device=self.device, copy=self.copy), given)
        if lacking := [side for side in ("validation", "test") if side not in found.examples]:
            raise DataError(
                f"{found.dataset.title} has no {lacking[0]} items as it is divided here, and a sweep chooses on "
                "validation items and is judged on test items. Name folds with --folds, or set division.by to held "
                "or drawn.",
                code="empty-split",
            )
        folder = self.settings.runs / "points" / mark
        with taken(folder), stopped_gently() as stop:
            wanted = fit_of(found, self.settings)
            if not plan.schedule.patience:
                wanted = replace(wanted, validation=None)  # nothing looks at its curve
            fitted = fit(wanted, folder, fabric=fabric_of(plan.schedule, self.device), stop=stop)
        measured = _measured(found, fitted, self._outsiders(found))
        shutil.rmtree(folder, ignore_errors=True)
        return Done(mark, (measured,), {side: len(part) for side, part in found.examples.items()})

    def _outsiders(self, found: Ready) -> Examples | None:
        if self.outside is not None:
            return prepare(self.outside, found.network, self.settings, self.outside.task).examples
        strange = [item for item in found.prepared.items if item.split == "ood"]
        rows = rows_where(found.prepared.items, {item.id for item in _spread(strange)})
        return found.prepared.examples.part(torch.as_tensor(rows)) if strange else None


def _few_of(dataset: Dataset) -> Dataset:
    """Its test items; all where it has no such split."""
    test = [item for item in dataset.items if item.split == "test"]
    return replace(dataset, items=tuple(_spread(test or list(dataset.items))))


def _spread(items: Sequence[Item]) -> Sequence[Item]:
    return items[:: max(1, -(-len(items) // _STRANGERS))]


def _measured(found: Ready, fitted: Fitted, outside: Examples | None) -> Measured:
    model = model_of(found, fitted, "point")
    groups = {item.id: item.group or item.id for item in found.prepared.items}
    told: dict[str, dict[str, float]] = {}
    said: dict[str, Answers] = {}
    for side in ("validation", "test"):
        part = found.examples[side]
        said[side] = answers(model, part, embedded=found.config.scope == "head")
        told[side] = figures_of(said[side], part.labels.numpy(), [groups[id_] for id_ in part.ids])
    if outside is not None:
        told["test"] |= _strangers(model, outside, said["test"])
    cost = {
        "train_seconds": fitted.seconds,
        "seconds_per_item": said["test"].seconds,
        "macs": model.card.macs,
        "params": model.card.params,
        "learned": sum(tensor.numel() for tensor in held_by(fitted.state).tensors.values()),
        "peak_memory": fitted.memory,
        "draws": said["test"].draws,
    }
    return Measured((), told["validation"], told["test"], {k: float(v) for k, v in cost.items() if v is not None})


def figures_of(said: Answers, labels: np.ndarray, groups: Sequence[str]) -> dict[str, float]:
    """All that are defined: those of answers, and those of each doubt as "augrc:total"; plain ones are the method's
    own doubt's, its score or else the total. ``level`` is a mean doubt, ``slope`` what is gained where the surest 80 %
    are kept, and ``parts`` the rank correlation of aleatoric and epistemic."""
    statistics, doubts = statistics_of(said, labels, groups), usable(said)
    everything, own = np.arange(len(said)), "score" if "score" in doubts else "total"
    found = {key: statistics[key](everything, doubts[own]).value for key in FIGURES}
    curves = curves_of(said, labels)
    for name, doubt in doubts.items():
        found |= {f"{key}:{name}": statistics[key](everything, doubt).value for key in OF_MEASURES}
        found |= {f"level:{name}": float(np.mean(doubt)), f"slope:{name}": _slope(curves[name])}
    if "epistemic" in doubts:
        found["parts"] = spearman(doubts["aleatoric"], doubts["epistemic"]).value
    return {key: float(value) for key, value in found.items() if value is not None}


def _slope(curve: Curve) -> float | None:
    known = dict(zip(np.round(curve.kept, 6).tolist(), curve.value.tolist(), strict=True))
    rise = known.get(0.8, np.nan) - known.get(1.0, np.nan)
    return None if np.isnan(rise) else float(rise)


def _strangers(model: Model, outside: Examples, inside: Answers) -> dict[str, float]:
    """How well doubt tells the test items from strangers."""
    strange = usable(answers(model, outside))
    doubts = {name: doubt for name, doubt in usable(inside).items() if name in strange}
    told = {f"ood_auroc:{name}": detect(doubt, strange[name]).auroc.value for name, doubt in doubts.items()}
    own = "score" if "score" in doubts else "total"
    told["ood_auroc"] = told[f"ood_auroc:{own}"]
    return {key: float(value) for key, value in told.items() if value is not None}
