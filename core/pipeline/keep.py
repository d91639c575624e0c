"""What a trained model says of what was held out, judged and calibrated, and all of it in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from core.checkpoints import calibrated, heldout, seen
from core.checkpoints.answering import answers
from core.checkpoints.answers import Answers
from core.checkpoints.card import Card
from core.checkpoints.folders import places
from core.checkpoints.saved import Model, as_stored, save_model
from core.contracts import Item, Progress, no_progress
from core.metrics import scoring
from core.metrics.ranks import auroc
from core.pipeline._judge import Evaluation, judge
from core.pipeline.train import Trained
from core.settings import Settings
from core.training.examples import Examples

_KEPT = 400  # items whose draws are stored


def keep(
    trained: Trained,
    settings: Settings,
    *,
    command: str = "",
    shipped: bool = False,
    calibration: tuple[Answers, Any, str] | None = None,
    progress: Progress = no_progress,
) -> Card:
    """Save a model with its card, among the user's own models or among those that come with the app.

    ``calibration`` is what temperature, thresholds and percentiles are fitted to, with a note: out-of-fold answers.
    Without it they are fitted to the validation items, and without such items they are missing, which the card says.
    Of several processes one judges and saves.
    """
    if not trained.fitted.leads:
        return trained.model.card
    found = trained.ready
    model = as_stored(trained.model, found.plan.numbers)
    parts: dict[str, Mapping[str, Tensor]] = {}
    card = replace(model.card, command=command)
    sides = found.examples
    known = [sides[name].keys for name in ("train", "validation") if name in sides]
    parts[seen.PART] = seen.tensors(*known)
    if calibration is None and "validation" in sides:
        said = _answers(model, sides["validation"], len(sides["validation"]), progress)
        calibration = said, sides["validation"].labels.numpy(), "the validation items"
    if calibration is not None:
        facts = calibrated.facts(calibration[0], calibration[1])
        card = replace(card, posthoc={**facts, "of": calibration[2]}).noting(*_of_score(calibration[0], calibration[1]))
    if "test" in sides:
        items = _items(found.prepared.items, sides["test"])
        said = _answers(model, sides["test"], _KEPT, progress)
        labels = sides["test"].labels.numpy()
        kept = heldout.held_out(said, labels, items=items, density=model.density)
        parts[heldout.PART] = kept.tensors()
        groups = [item.group or item.id for item in items]
        card = replace(
            card, metrics={**metrics_of(judge(said, labels, None, groups)), **_of_parts(items, said, labels)}
        )
    own, ours = places(settings)
    beside = ours / model.name if shipped else None
    return save_model(own / model.name, replace(model, card=card), parts, numbers=found.plan.numbers, shipped=beside)


def metrics_of(found: Evaluation) -> dict[str, Any]:
    """The card's figures with their intervals; one without a value says why."""
    told: dict[str, Any] = {"n": {"value": found.n}, "measure": {"name": found.measure}}
    for key, figure in found.figures.items():
        low, high = found.intervals.get(key, (None, None))
        told[key] = {"value": figure.value, "low": low, "high": high}
        if figure.value is None:
            told[key] = {"value": None, "reason": figure.reason}
    return told


def _of_score(said: Answers, labels: Any) -> tuple[str, ...]:
    """Where a method's own score finds errors worse than the largest probability, which is there without it."""
    if "score" not in said.doubts or said.task != "multiclass":
        return ()
    wrong = said.probs.argmax(axis=1) != np.asarray(labels)
    own, plain = auroc(said.doubts["score"], wrong), auroc(-said.probs.max(axis=1), wrong)
    if own.value is None or plain.value is None or own.value >= plain.value:
        return ()
    return (
        f"Of {len(wrong):,} calibration items it got {int(wrong.sum()):,} wrong. "
        f"Its {said.score_name or 'score'} finds them with an AUROC of {own.value:.2f}, its largest probability with "
        f"{plain.value:.2f}: trust that one here.",
    )


def _of_parts(items: tuple[Item, ...], said: Answers, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy on each part of a built-in set: clean items, mixtures, noise. One figure for all hides what is hard."""
    parts = np.array([dict(item.extra).get("part", "") for item in items])
    if labels.ndim != 1 or len(set(parts.tolist())) < 2:
        return {}
    found = {
        name: scoring.accuracy(said.probs[parts == name], labels[parts == name]).value for name in np.unique(parts)
    }
    counts = {name: int((parts == name).sum()) for name in found}
    return {"accuracy of parts": {name: {"value": found[name], "n": counts[name]} for name in found}}


def _answers(model: Model, examples: Examples, keep: int, progress: Progress) -> Answers:
    return answers(model, examples, keep=keep, embedded=model.card.scope == "head", progress=progress)


def _items(items: tuple[Item, ...], examples: Examples) -> tuple[Item, ...]:
    """The items of some examples, in their order."""
    by_id = {item.id: item for item in items}
    return tuple(by_id[id_] for id_ in examples.ids)
