"""python -m core index: bring a collection up to date with a source."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli import Command, Outcome, at_least_one, name_source, report
from core.data import open_source
from core.settings import Settings
from core.store import About, open_collection

if TYPE_CHECKING:
    from core.pipeline.index import Summary

_SHOWN = 10  # problems that are printed; all are in the collection


def _arguments(parser: argparse.ArgumentParser) -> None:
    name_source(parser)
    parser.add_argument("--collection", required=True, metavar="NAME", help="made if it does not exist")
    parser.add_argument("--model", metavar="NAME", help="store its vectors and doubts too; see 'python -m core models'")
    parser.add_argument("--samples", type=at_least_one, metavar="S", help="draws of --model; by default its own")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws")
    parser.add_argument("--map", action="store_true", help="of --model: draw the collection too, see the map command")


def _walk_with_model(options: argparse.Namespace, settings: Settings) -> Callable[..., Summary]:
    from core.device import choose, settle_process
    from core.pipeline.scored import asking_of, index_with

    settle_process()
    asking = asking_of(options.model, settings, choose(settings.device).key, options.samples, options.seed)
    return partial(index_with, asking)


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.pipeline.index import index

    walk = index if options.model is None else _walk_with_model(options, settings)
    dataset = open_source(options.source, settings, options.data)
    path = Path(options.source).expanduser()
    source = str(path.resolve()) if path.exists() and dataset.key != options.source else dataset.key  # to be read again
    about = About(dataset.kind, dataset.title, source, dataset.classes)
    with open_collection(settings.collections, options.collection, create=about, write=True) as writer:
        summary = walk(dataset, writer, workers=settings.decoders + 1, on_progress=report)
        problems = writer.problems()
    lines = [
        f"{summary.stored:,} of {summary.given:,} items are in collection {options.collection!r} "
        f"({summary.already:,} were there already); {summary.problems:,} were refused. {summary.seconds:.1f} s."
    ]
    lines += [f"  note: {note}" for note in dataset.notes]
    lines += [f"  refused: {problem.id}: {problem.reason}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN:,} more")
    if options.map and options.model is not None and summary.stored:
        from core.pipeline.map import SPREAD, draw_map

        drawn = draw_map(options.collection, settings, SPREAD, report)
        lines.append(f"  drawn as a map in {drawn.seconds:.1f} s")
    listed = [asdict(problem) for problem in problems]
    return Outcome(
        {
            "collection": options.collection,
            "model": options.model,
            **asdict(summary),
            "refused": listed,
            "notes": list(dataset.notes),
        },
        tuple(lines),
    )


COMMAND = Command("index", "read, check and store the items of a source as a collection", _arguments, _run)
