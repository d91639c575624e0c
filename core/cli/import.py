"""python -m core import: a file of another program becomes a model here, or weights to begin training with."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict
from pathlib import Path

from core.cli import Command, Outcome
from core.errors import UserFacingError
from core.settings import Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_FORMATS = ("panns", "vi-pann", "url", "aisfx", "timm")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a weights file, or the key of one that 'weights fetch' got")
    parser.add_argument("--format", choices=_FORMATS, help="whose file it is; known for fetched ones")
    parser.add_argument("--name", required=True, help="what the model is to be called: small letters, digits, . - _")
    parser.add_argument("--arch", help="the network, where the file does not tell: resnet54, cnn14, a name of timm ...")
    parser.add_argument("--classes", metavar="FILE", help="names of the classes, one a line, or audioset-classes")
    parser.add_argument("--backbone-only", action="store_true", help="keep the network alone, to begin training with")
    parser.add_argument("--replace", action="store_true", help="replace a model of this name")
    parser.add_argument("--check", action="store_true", help="say what would be imported, and write nothing")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.checkpoints.foreign import _model
    from core.checkpoints.foreign._asked import Asked, read_classes

    if not _NAME.fullmatch(options.name):
        raise UserFacingError(
            f"{options.name[:80]!r} cannot name a model; use small letters, digits, . - and _.", code="bad-name"
        )
    path, format_key, arch = _file(options, settings)
    classes = None if options.classes is None else read_classes(_classes(options.classes, settings))
    found = _model.read(path, format_key, Asked(options.arch or arch, classes, options.backbone_only))
    foreign = found.foreign
    document = {
        "name": options.name,
        "format": format_key,
        "sha256": found.sha256,
        "backbone": foreign.backbone,
        "config": asdict(foreign.network_config),
        "method": foreign.method,
        "classes": len(foreign.classes),
        "task": foreign.task,
        "report": foreign.report.to_json(),
        "notes": list(foreign.notes),
        "kind": "weights" if foreign.method is None else "model",
        "written": not options.check,
    }
    lines = [f"{found.format.title}, sha256 {found.sha256}", *foreign.report.lines(), *foreign.notes]
    if not options.check:
        _model.save(found, options.name, settings, replace=options.replace)
        kept = "weights to begin training with" if foreign.method is None else f"a model of method {foreign.method}"
        lines.append(f"{options.name}: kept as {kept}.")
    return Outcome(document, tuple(lines))


def _file(options: argparse.Namespace, settings: Settings) -> tuple[Path, str, str | None]:
    """Where it is, how it is read, and which network it is where that is known."""
    from core.checkpoints import weights

    known = next((entry.known for entry in weights.known(settings) if entry.known.key == options.file), None)
    if known is not None and not Path(options.file).exists():
        return weights.original_of(known.key, settings), (options.format or known.format), known.arch
    if options.format is None:
        raise UserFacingError(
            f"Whose file is {Path(options.file).name[:60]!r}? Say it with --format {'|'.join(_FORMATS)}.", code="format"
        )
    return Path(options.file), options.format, None


def _classes(given: str, settings: Settings) -> Path:
    from core.checkpoints import weights

    known = any(entry.known.key == given and entry.known.format == "classes" for entry in weights.known(settings))
    return weights.original_of(given, settings) if known and not Path(given).exists() else Path(given)


COMMAND = Command("import", "make a model of another program's weights file", _arguments, _run)
