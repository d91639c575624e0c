"""python -m core models: what is trained and ready, and what it can be made of."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from core import registry
from core.checkpoints.listed import models
from core.cli import Command, Outcome
from core.data import PACKAGE as DATASETS
from core.settings import Settings

_METHODS, _BACKBONES = "core.methods", "core.backbones"


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
