"""python -m core forms: what methods and networks can be set to, for programs that show a form.

The pages ask this in a process of its own: methods and networks are made of torch, which the server never imports.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core import registry
from core.cli import Command, Outcome
from core.configs import settings_of
from core.settings import Settings


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=("all", "timm"), default="all", help="timm: the names it knows")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    if options.what == "timm":
        import timm

        names = timm.list_models()
        return Outcome({"timm": names}, tuple(names))
    methods = {key: _method(one) for key, one in registry.discover("core.methods", "METHOD").items()}
    backbones = {key: _backbone(one) for key, one in registry.discover("core.backbones", "BACKBONE").items()}
    lines = [f"{key}: {one['title']}" for key, one in (*methods.items(), *backbones.items())]
    return Outcome({"methods": methods, "backbones": backbones}, tuple(lines))


def _method(method: Any) -> dict[str, Any]:
    import sys

    first = (sys.modules[f"core.methods.{method.key}"].__doc__ or "").strip().splitlines()[0]
    return {
        "title": method.title,
        "summary": first.partition(": ")[2] or first,
        "paper": method.paper,
        "scopes": list(method.scopes),
        "single_pass": method.single_pass,
        "settings": [asdict(one) for one in settings_of(method.Config())],
    }


def _backbone(spec: Any) -> dict[str, Any]:
    config = spec.Config()
    return {
        "title": spec.title,
        "kind": spec.kind,
        "summary": spec.summary,
        "settings": [asdict(one) for one in settings_of(config)],
    }


COMMAND = Command("forms", "what methods and networks can be set to, for programs", _arguments, _run)
