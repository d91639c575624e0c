"""python -m core export: a collection as a table for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.cli import Command, Outcome
from core.settings import Settings
from core.store import open_collection


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", help="its name")
    parser.add_argument("--to", required=True, metavar="FILE", type=Path, help="a .csv or .parquet file")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    rows = open_collection(settings.collections, options.collection).export(options.to)
    document = {"collection": options.collection, "rows": rows, "file": str(options.to)}
    return Outcome(document, (f"{rows:,} rows written to {options.to}",))


COMMAND = Command("export", "write a collection as .csv or .parquet", _arguments, _run)
