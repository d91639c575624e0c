"""The README's tables, made from the registries: `python -m tests.tables` renews them in place."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from core import registry
from core.cli import PACKAGE as COMMANDS
from core.data import specs

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


TABLES = {"datasets": datasets, "commands": commands}


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
    sys.stderr.write("README.md renewed\n")
