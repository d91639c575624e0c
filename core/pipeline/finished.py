"""Which trainings are done: the same request is not trained twice, and no other one takes its name.

A training that was begun under a name says so in its run folder until its model is kept. Asked for again before that
it goes on from its last checkpoint, asked for again after that there is nothing left to do.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from core import registry
from core.checkpoints.card import Card, card_of
from core.checkpoints.folders import places
from core.configs import to_json
from core.contracts import Progress, no_progress
from core.data._fingerprint import dataset_fingerprint
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.pipeline.ready import beginning_of, dataset_of, start_of
from core.settings import Settings
from core.store import artifacts
from core.training._run import CHECKPOINT
from core.training.plan import Plan

_BEGUN = "begun"


def finished(
    plan: Plan,
    name: str,
    settings: Settings,
    *,
    shipped: bool = False,
    copy: Path | None = None,
    progress: Progress = no_progress,
) -> Card | None:
    """The card of what this plan gave under this name before; None where it is still to be trained.

    Refused where the model of this name came of another plan, other data or another beginning.
    """
    own, ours = places(settings)
    folder = (ours if shipped else own) / name
    begun = settings.runs / name / _BEGUN
    if not (folder / artifacts.CARD).is_file() or (begun.is_file() and begun.read_text() == fingerprint(plan)):
        return None
    card = card_of(artifacts.load(folder).card, name)
    if _is_of(card, plan, settings, copy, progress):
        return card
    raise UserFacingError(
        f"There is a model called {name} already, which was trained in another way, on other data or from another "
        "network. Choose another name, or add --again to train this one anew.",
        code="taken",
    )


def begin(plan: Plan, name: str, settings: Settings, *, anew: bool) -> None:
    """``anew``: forget what was begun before."""
    folder = settings.runs / name
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _BEGUN).write_text(fingerprint(plan))


def end(name: str, settings: Settings) -> None:
    """Its model is kept: the measurements stay, the checkpoint has served."""
    shutil.rmtree(settings.runs / name / CHECKPOINT, ignore_errors=True)
    (settings.runs / name / _BEGUN).unlink(missing_ok=True)


def _is_of(card: Card, plan: Plan, settings: Settings, copy: Path | None, progress: Progress) -> bool:
    if card.recipe != json.loads(json.dumps(to_json(plan))):
        return False
    if card.method_version != registry.pick("core.methods", "METHOD", plan.method).version:
        return False
    start = start_of(plan, settings, beginning_of(plan, settings))
    if (card.start.model, card.start.sha256) != (start.model, start.sha256):
        return False
    return card.data.fingerprint == dataset_fingerprint(dataset_of(plan, settings, copy, progress), progress)
