"""python -m core models: what is trained and ready, and what it can be made of."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core import registry
from core.cli import Command, Outcome
from core.data import PACKAGE as DATASETS
from core.errors import UserFacingError
from core.settings import Settings

_METHODS, _BACKBONES = "core.methods", "core.backbones"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model, as its card says."""

    name: str
    kind: str | None = None
    task: str | None = None
    backbone: str | None = None
    method: str | None = None
    scope: str | None = None
    classes: tuple[str, ...] = ()
    params: int | None = None
    macs: int | None = None
    trained_on: str | None = None
    ready: bool = False
    why_not: str | None = None
    own: bool = False  # trained or imported here; the others came with the app


_TOLD = ("kind", "task", "backbone", "method", "scope", "params", "macs", "trained_on")


def models(settings: Settings) -> tuple[ModelRow, ...]:
    """The user's own models and those that came with the app, by name; an own one hides another of its name."""
    cards = {card.parent.name: card for place in _places(settings) for card in place.glob("*/card.json")}
    whole = sorted(name for name in cards if not name.startswith("."))  # a dot: still being written, or replaced
    return tuple(_row(cards[name], settings) for name in whole)


def _places(settings: Settings) -> tuple[Path, Path]:
    return settings.checkpoints, settings.models


def _row(card: Path, settings: Settings) -> ModelRow:
    """A damaged card is a row that says so, and hides no other model."""
    name, own = card.parent.name, card.parent.parent == settings.models
    try:
        told: Any = json.loads(card.read_text())
        facts: dict[str, Any] = {key: told.get(key) for key in _TOLD} | {"classes": tuple(told.get("classes", ()))}
    except (ValueError, AttributeError, TypeError):
        return ModelRow(name, why_not="its card.json is damaged", own=own)
    missing = _missing(card, settings, ())
    return ModelRow(name, **facts, ready=missing is None, why_not=missing, own=own)


def _missing(card: Path, settings: Settings, above: tuple[str, ...]) -> str | None:
    """What a model cannot answer without, followed through the models that it begins with."""
    if not (card.parent / "model.safetensors").is_file():
        return "model.safetensors is missing"
    try:
        start: Any = json.loads(card.read_text()).get("start") or {}
        weights, source = start.get("weights"), start.get("model")
        published = weights == "published" and start.get("backbone") == "sfx"
    except (ValueError, AttributeError):
        return "its card.json is damaged"
    if published and not _fetched("sfx", settings):
        return "needs the sound-effects weights: python -m core weights fetch sfx"
    if weights != "model":
        return None
    if source in above:
        return f"begins with itself, through {source}"
    found = [place / str(source) / "card.json" for place in reversed(_places(settings))]
    known = [path for path in found if path.is_file()]
    if not known:
        return f"needs the model {source}, which is not here"
    below = _missing(known[0], settings, (*above, str(source)))
    return None if below is None else f"needs the model {source}: {below}"


def _fetched(key: str, settings: Settings) -> bool:
    from core.checkpoints.weights import path_of

    try:
        path_of(key, settings)
    except UserFacingError:
        return False
    return True


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    found = models(settings)
    methods = registry.discover(_METHODS, "METHOD")
    backbones = registry.discover(_BACKBONES, "BACKBONE")
    document = {
        "models": [asdict(row) for row in found],
        "methods": list(methods),
        "backbones": list(backbones),
        "datasets": list(registry.keys(DATASETS)),
    }
    lines = [
        f"{row.name}: {row.method} on {row.backbone}" + (f" - {row.why_not}" if row.why_not else "") for row in found
    ]
    lines = lines or ["No trained model is here yet; below is what one can be made of."]
    lines += ["", "methods"]
    lines += [f"  {key:<18} {method.title} [{', '.join(method.scopes)}]" for key, method in methods.items()]
    lines += ["", "backbones"]
    lines += [f"  {key:<18} {spec.title}: {spec.summary}" for key, spec in backbones.items()]
    return Outcome(document, tuple(lines))


COMMAND = Command("models", "list trained models, methods, backbones and data sets", lambda parser: None, _run)
