"""python -m core index: bring a collection up to date with a source."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from core.cli import Command, Outcome, name_source, report
from core.data import open_source
from core.settings import Settings
from core.store import About, open_collection

_SHOWN = 10  # problems that are printed; all are in the collection


def _arguments(parser: argparse.ArgumentParser) -> None:
    name_source(parser)
    parser.add_argument("--collection", required=True, metavar="NAME", help="made if it does not exist")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.pipeline.index import index

    dataset = open_source(options.source, settings, options.data)
    about = About(dataset.kind, dataset.title, dataset.key, dataset.classes)
    with open_collection(settings.collections, options.collection, create=about, write=True) as writer:
        summary = index(dataset, writer, workers=settings.decoders + 1, on_progress=report)
        problems = writer.problems()
    lines = [
        f"{summary.stored:,} of {summary.given:,} items are in collection {options.collection!r} "
        f"({summary.already:,} were there already); {summary.problems:,} were refused. {summary.seconds:.1f} s."
    ]
    lines += [f"  note: {note}" for note in dataset.notes]
    lines += [f"  refused: {problem.id}: {problem.reason}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN:,} more")
    listed = [asdict(problem) for problem in problems]
    return Outcome({"collection": options.collection, **asdict(summary), "refused": listed}, tuple(lines))


COMMAND = Command("index", "read, check and store the items of a source as a collection", _arguments, _run)
