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
from core.settings import Settings

_METHODS, _BACKBONES = "core.methods", "core.backbones"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model of the checkpoints folder, as its card says."""

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


_TOLD = ("kind", "task", "backbone", "method", "scope", "params", "macs", "trained_on")


def models(folder: Path) -> tuple[ModelRow, ...]:
    return tuple(_row(card) for card in sorted(folder.glob("*/card.json")))


def _row(card: Path) -> ModelRow:
    """A damaged card is a row that says so, and hides no other model."""
    name = card.parent.name
    try:
        told: Any = json.loads(card.read_text())
        facts: dict[str, Any] = {key: told.get(key) for key in _TOLD} | {"classes": tuple(told.get("classes", ()))}
    except (ValueError, AttributeError, TypeError):
        return ModelRow(name, why_not="its card.json is damaged")
    if not (card.parent / "model.safetensors").is_file():
        return ModelRow(name, **facts, why_not="model.safetensors is missing")
    return ModelRow(name, **facts, ready=True)


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    found = models(settings.checkpoints)
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
