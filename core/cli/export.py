"""python -m core export: a collection as a table for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.cli import Command, Outcome, report
from core.errors import StoreError, UserFacingError
from core.settings import Settings
from core.store import open_collection


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", help="its name")
    parser.add_argument("--to", required=True, metavar="FILE", type=Path, help="a .csv or .parquet file")
    parser.add_argument("--for", dest="tool", metavar="TOOL",
                        help="with the columns that it reads: fiftyone, spotlight or embedding-atlas")  # fmt: skip
    parser.add_argument("--model", metavar="NAME", help="of --for: whose answers; else of the one that indexed it last")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    if options.tool is not None:
        return _for_tool(options, settings)
    if options.model is not None:
        raise UserFacingError("--model goes with --for; without it an export holds the answers of every model.",
                              code="model")  # fmt: skip
    rows = open_collection(settings.collections, options.collection).export(options.to)
    document = {"collection": options.collection, "rows": rows, "file": str(options.to)}
    return Outcome(document, (f"{rows:,} rows written to {options.to}",))


def _for_tool(options: argparse.Namespace, settings: Settings) -> Outcome:
    import numpy as np

    from core.pipeline import exchange
    from core.pipeline.atlas import open_atlas
    from core.store import export

    write = export.writer_for(options.to)
    models = open_collection(settings.collections, options.collection).models()
    if options.model is None and not models:
        raise StoreError(f"The collection {options.collection!r} has no answers yet; index it with a --model.",
                         code="not-indexed")  # fmt: skip
    model = options.model or models[0].name
    atlas = open_atlas(options.collection, model, settings)
    suffix = options.to.suffix.lower()
    made = exchange.made(atlas, np.arange(len(atlas)), options.tool, suffix, settings, report)
    export.to_file(options.to, made.table, write)
    _, lines = exchange.recipe(options.tool, options.to.name, made)
    document = {"collection": options.collection, "rows": len(made), "file": str(options.to), "for": options.tool,
                "model": model, "notes": list(made.notes), "recipe": lines}  # fmt: skip
    said = [f"{len(made):,} rows written to {options.to}", *(f"  note: {note}" for note in made.notes)]
    return Outcome(document, (*said, "Open it in its folder with:", *lines.splitlines()))


COMMAND = Command("export", "write a collection as .csv or .parquet", _arguments, _run)
