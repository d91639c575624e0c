"""Which trainings are done: the same request is not trained twice, and no other one takes its name.

A training that was begun under a name says so in its run folder until its model is kept. Asked for again before that
it goes on from its last checkpoint, asked for again after that there is nothing left to do.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from core import registry
from core.checkpoints.card import Card, card_of
from core.checkpoints.folders import is_whole, places
from core.configs import to_json
from core.contracts import Progress, no_progress
from core.data._fingerprint import dataset_fingerprint
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.pipeline.ready import beginning_of, dataset_of, start_of
from core.settings import Settings
from core.store import artifacts
from core.training.plan import Plan
from core.training.run_files import BEGUN, CHECKPOINT, PLAN, THROWN, write


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
    if shipped and (folder / artifacts.CARD).is_file() and not is_whole(folder):
        folder = own / name  # where its weights were too large to come with the app
    begun = settings.runs / name / BEGUN
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


def begin(plan: Plan, name: str, settings: Settings, *, anew: bool, recipe: str = "") -> None:
    """``anew``: forget what was begun before. Call it with the run's folder taken."""
    folder = settings.runs / name
    if anew:
        shutil.rmtree(folder, ignore_errors=True)
    refuse_begun(plan, name, settings)
    folder.mkdir(parents=True, exist_ok=True)
    if settings.job is None:  # of a job its page has done so: it may have been thrown away since
        (folder / THROWN).unlink(missing_ok=True)
    if not (folder / PLAN).is_file() or not (folder / BEGUN).is_file():
        write(folder / PLAN, {"recipe": recipe, "plan": to_json(plan), "began": time.time()})
    (folder / BEGUN).write_text(fingerprint(plan))


def refuse_begun(plan: Plan, name: str, settings: Settings) -> None:
    """A name under which another training has saved itself and is not done is that one's."""
    folder = settings.runs / name
    begun = folder / BEGUN
    if (folder / CHECKPOINT).is_dir() and begun.is_file() and begun.read_text() != fingerprint(plan):
        raise UserFacingError(
            f"A training called {name} was begun with other settings and is not done. Go on with that one, choose "
            "another name, or add --again to begin this one anew.",
            code="taken",
        )


def end(name: str, settings: Settings) -> None:
    """Its model is kept: the measurements stay, the checkpoint has served."""
    shutil.rmtree(settings.runs / name / CHECKPOINT, ignore_errors=True)
    (settings.runs / name / BEGUN).unlink(missing_ok=True)


def _is_of(card: Card, plan: Plan, settings: Settings, copy: Path | None, progress: Progress) -> bool:
    if card.recipe != json.loads(json.dumps(to_json(plan))):
        return False
    if card.method_version != registry.pick("core.methods", "METHOD", plan.method).version:
        return False
    start = start_of(plan, settings, beginning_of(plan, settings))
    if (card.start.model, card.start.sha256) != (start.model, start.sha256):
        return False
    return card.data.fingerprint == dataset_fingerprint(dataset_of(plan, settings, copy, progress), progress)
