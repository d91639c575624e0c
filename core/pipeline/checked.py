"""A training looked at before it begins: what it would learn from what, or why nothing can come of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import registry
from core.checkpoints.card import card_of
from core.checkpoints.folders import places
from core.checkpoints.saved import network_of
from core.configs import to_json
from core.data import open_source
from core.errors import UserFacingError
from core.layers.augmentsite import has_site
from core.methods._contract import Method
from core.pipeline.finished import refuse_begun
from core.pipeline.ready import beginning_of, config_of, start_of
from core.settings import Settings
from core.store import artifacts
from core.training.augment import refuse_unfit
from core.training.divide import divided, narrowed
from core.training.plan import Plan, refuse_odd


@dataclass(frozen=True, slots=True)
class Checked:
    """Counts are none where the data are still to be fetched."""

    model: str
    there: bool  # this very training is done
    scope: str
    title: str = ""
    classes: int | None = None
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    division: str = ""
    params: int | None = None
    steps: int | None = None
    fetches: bool = False


def checked(plan: Plan, name: str, settings: Settings, *, copy: Path | None = None, anew: bool = False) -> Checked:
    """Reads labels and no item, downloads nothing. Raises UserFacingError with what no run could mend."""
    artifacts.check_name_of(name)
    refuse_odd(plan)
    method: Method[Any, Any] = registry.pick("core.methods", "METHOD", plan.method)
    begins = beginning_of(plan, settings)
    config, start = config_of(plan, method, begins), start_of(plan, settings, begins)
    there = False if anew else _is_there(plan, name, settings)
    if not anew and not there:
        refuse_begun(plan, name, settings)
    found = Checked(name, there, config.scope)
    try:
        dataset = narrowed(open_source(plan.data, replace(settings, offline=True), copy), plan.division.classes)
    except UserFacingError as error:
        if error.code == "offline" and not settings.offline:
            return replace(found, fetches=True)
        raise
    sides = divided(dataset, plan.division)
    kind = registry.pick("core.backbones", "BACKBONE", plan.backbone).kind or start.config.get("kind")
    if dataset.kind != kind:
        raise UserFacingError(
            f"{dataset.title} is of the kind {dataset.kind}, and {plan.backbone} takes the kind {kind}; choose "
            "another backbone or another data set.",
            code="kind",
        )
    counts = {"train": len(sides.train), "validation": len(sides.validation), "test": len(sides.test)}
    found = replace(found, title=dataset.title, classes=len(dataset.classes), division=sides.note, **counts)
    if not method.single_pass:
        halves = plan.augment.halves and config.scope == "network"
        batch = min(len(sides.train), plan.schedule.batch * (2 if halves else 1))
        found = replace(found, steps=max(1, len(sides.train) // batch) * plan.schedule.epochs)
    if start.weights == "published" and start.backbone == "timm_vision" and not settings.offline:
        return replace(found, fetches=True)
    network = network_of(start, len(dataset.classes), settings)
    if config.scope == "network":
        refuse_unfit(plan.augment, network.kind, has_site(network))
    return replace(found, params=sum(parameter.numel() for parameter in network.parameters()))


def _is_there(plan: Plan, name: str, settings: Settings) -> bool:
    """Refused where the model of this name came of other settings."""
    folder = places(settings)[0] / name
    if not (folder / artifacts.CARD).is_file():
        return False
    card = card_of(artifacts.load(folder).card, name)
    if card.recipe == json.loads(json.dumps(to_json(plan))):
        return True
    raise UserFacingError(
        f"There is a model called {name} already, which was trained in another way. Choose another name.", code="taken"
    )
