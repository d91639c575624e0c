"""The README's tables, made from the registries: `python -m tests.tables` renews them in place."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from core import registry
from core.cli import PACKAGE as COMMANDS
from core.data import specs
from tests import evidence, model_tables, question_table, shape_tables

README = Path(__file__).resolve().parent.parent / "README.md"


def datasets() -> str:
    rows = ["| key | what it is | where it comes from | licence |", "|---|---|---|---|"]
    for spec in specs():
        origin = "made here" if spec.builtin else "your path" if spec.needs_location else "download or local copy"
        rows.append(f"| `{spec.key}` | {spec.summary} | {origin} | {spec.licence} |")
    return "\n".join(rows)


def commands() -> str:
    rows = ["| command | what it does |", "|---|---|"]
    for command in registry.discover(COMMANDS, "COMMAND").values():
        rows.append(f"| `python -m core {command.key}` | {command.summary} |")
    return "\n".join(rows)


def methods() -> str:
    rows = ["| key | method | where its randomness lives | answers with | paper |", "|---|---|---|---|---|"]
    where = {"head": "last layers", "network": "whole network"}
    for key, method in registry.discover("core.methods", "METHOD").items():
        scopes = " or ".join(where[scope] for scope in method.scopes)
        answer = "a score" if method.fills == "score" else "probabilities"
        rows.append(f"| `{key}` | {method.title} | {scopes} | {answer} | [link]({method.paper}) |")
    return "\n".join(rows)


def backbones() -> str:
    rows = ["| key | takes | what it is |", "|---|---|---|"]
    for key, spec in registry.discover("core.backbones", "BACKBONE").items():
        takes = {"audio": "sounds", "image": "pictures"}.get(spec.kind, "both")
        rows.append(f"| `{key}` | {takes} | {spec.title}: {spec.summary} |")
    return "\n".join(rows)


TABLES = {
    "models": model_tables.overview,
    "figures": evidence.table,
    "shapes": shape_tables.table,
    "questions": question_table.table,
    "methods": methods,
    "backbones": backbones,
    "datasets": datasets,
    "commands": commands,
}


def renewed(text: str) -> str:
    """The text with every table between its two marks made anew."""
    for name, make in TABLES.items():
        begin, end = f"<!-- table: {name} -->", f"<!-- end: {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"README.md lacks the marks of table {name!r}")
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        text = re.sub(pattern, lambda _, b=begin, e=end, m=make: f"{b}\n{m()}\n{e}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(renewed(README.read_text()))
    (model_tables.FOLDER / "README.md").write_text(model_tables.page())
    sys.stderr.write("README.md and checkpoints/README.md renewed\n")
