"""A recipe's doubts between its own test folds and another set, each fold by a model that never saw it.

With ``matched`` everything is brought to one band and one active length, the training items as well: a model that knows
whole recordings finds any short, dull sound strange, whatever is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.backbones._matched import matched as behind_matched
from core.checkpoints.answering import answers
from core.checkpoints.saved import Model
from core.contracts import Dataset, Item, Progress, no_progress
from core.data import open_source
from core.data._splits import folds_of
from core.errors import DataError
from core.pipeline._judge import usable
from core.pipeline.leaveout import LeaveOut, Piece, combined, measured
from core.pipeline.matched import common_length, refuse_pictures, told
from core.pipeline.ready import Ready, features_mark, fit_of, ready
from core.pipeline.train import model_of
from core.settings import Settings
from core.training import cache
from core.training.examples import Examples
from core.training.loop import fit
from core.training.plan import Plan
from core.training.prepared import prepare


def told_from(
    plan: Plan,
    other: Dataset,
    settings: Settings,
    *,
    matched: bool = False,
    only: Sequence[int] = (),
    device: str = "cpu",
    copy: Path | None = None,
    resamples: int = 1000,
    progress: Progress = no_progress,
) -> tuple[LeaveOut, tuple[str, ...]]:
    """As ``leave_out``, the other set standing for the classes left out; and notes on what was done."""
    dataset = open_source(plan.data, settings, copy)
    folds = tuple(only) or folds_of(dataset)
    if len(folds_of(dataset)) < 2:
        raise DataError(f"{dataset.title} has no folds to score in turn; name a recipe on such a set.", code="no-fold")
    behind, notes = (lambda network: network), ()
    if matched:
        refuse_pictures("the recipe", dataset.kind, [dataset, other])
        seconds = common_length([dataset, other], progress)
        behind, notes = (lambda network: behind_matched(network, seconds)), (told(seconds, [dataset, other]),)
    pieces: list[Piece] = []
    groups: list[tuple[str, str]] = []
    strange: np.ndarray | None = None
    for done, fold in enumerate(folds, 1):
        division = replace(plan.division, by="fold", test_fold=fold, validation_fold=None)
        found = ready(
            replace(plan, division=division), settings, device=device, copy=copy, progress=progress, behind=behind
        )
        model = model_of(found, fit(replace(fit_of(found, settings), validation=None)), "told-from")
        outside, items = _outside(found, other, settings, progress)
        if strange is None:
            strange = np.arange(len(items))
            groups += [("outside", item.group or item.id) for item in items]
        by_id = {item.id: item.group or item.id for item in found.prepared.items}
        own = found.examples["test"]
        places = np.concatenate([np.arange(len(own)) + len(groups), strange])
        groups += [("inside", by_id[id_]) for id_ in own.ids]
        doubts = _doubts(model, (own, outside), len(dataset.classes))
        mark = np.repeat([False, True], [len(own), len(items)])
        pieces.append(Piece(fold, (other.title,), places, mark, doubts))
        progress(done, len(folds), "folds")
    return LeaveOut(dataset.classes, tuple(pieces), measured(pieces, groups, resamples), len(groups)), notes


def _outside(found: Ready, other: Dataset, settings: Settings, progress: Progress) -> tuple[Examples, tuple[Item, ...]]:
    """The other set as the method reads it; its features are computed for the first fold and found by the others."""
    prepared = prepare(other, found.network, settings, other.task, progress)
    if known := int(np.isin(prepared.examples.keys.numpy(), found.prepared.examples.keys.numpy()).sum()):
        raise DataError(
            f"{known:,} items of {other.title} are in {found.dataset.title} too; name another set.", code="trained-on"
        )
    if found.config.scope == "network":
        return prepared.examples, prepared.items
    mark = features_mark(prepared, found.network, found.start)
    vectors, _ = cache.features(
        found.network, prepared.examples, settings, identity=mark, device=found.device, progress=progress
    )
    return prepared.examples.with_inputs(vectors), prepared.items


def _doubts(model: Model, sides: tuple[Examples, Examples], classes: int) -> dict[str, np.ndarray]:
    embedded = model.card.scope == "head"
    said = [combined(usable(answers(model, side, embedded=embedded)), classes) for side in sides]
    return {name: np.concatenate([said[0][name], said[1][name]]) for name in said[0] if name in said[1]}
