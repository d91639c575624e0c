"""python -m core table: all models that were judged on the same items, with intervals and paired differences."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from core.cli import Command, Outcome, at_least_one
from core.errors import UserFacingError
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.sheets import Bench
    from core.pipeline.table import Row, Table


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", nargs="+", metavar="NAME", help="only these; by default every model of the kind")
    parser.add_argument("--kind", choices=("audio", "image"), help="only models for sounds, or for pictures")
    parser.add_argument("--data", default="heldout", metavar="C", help="a collection; by default what came with them")
    parser.add_argument("--reference", metavar="NAME", help="differences are to it; by default the first")
    parser.add_argument("--measure", metavar="M", help="the doubt; by default each model's own score, or the total")
    parser.add_argument("--ood", metavar="DOMAIN", help="what they said of items from elsewhere, see 'ask'")
    parser.add_argument("--sort", default="nll", metavar="KEY", help="the best first by this figure; nll by default")
    parser.add_argument("--resamples", type=at_least_one, default=1000, metavar="N", help="of the items")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the resamples")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.checkpoints.answers import MEASURES
    from core.checkpoints.folders import find
    from core.pipeline.table import COSTS, KEYS, document
    from core.pipeline.tabled import open_benches, tabled

    for name in options.model or ():
        find(name, settings)
    if options.sort not in (*KEYS, *COSTS):
        raise UserFacingError(f"{options.sort!r} is no column; sort by one of {', '.join((*KEYS, *COSTS))}.")
    if options.measure is not None and options.measure not in MEASURES:
        raise UserFacingError(f"{options.measure!r} is no measure; name one of {', '.join(MEASURES)}.")
    opened = open_benches(settings, options.kind, options.data, options.model)
    tables = [
        tabled(
            bench,
            settings,
            reference=_reference(bench, options.reference),
            measure=options.measure,
            domain=options.ood,
            seed=options.seed,
            resamples=options.resamples,
        )
        for bench in opened.found
        if options.reference is None or options.reference in bench.names
    ]
    if not tables:
        raise UserFacingError(f"No table holds the model {options.reference!r}; name one of those that are judged.")
    told = {"tables": [document(one) for one in tables], "refused": dict(opened.refused)}
    return Outcome(told, tuple(line for one in tables for line in _lines(one, options.sort)))


def _reference(bench: Bench, wish: str | None) -> str | None:
    return wish if wish in bench.names else None


def _lines(found: Table, sort: str) -> list[str]:
    from core.pipeline.table import KEYS

    keys = [key for key in KEYS if any(row.cells[key].figure.value is not None for row in found.rows)]
    width = max(len(row.name) for row in found.rows)
    lines = [f"{found.title}: {found.items:,} items, {len(found.rows)} models; differences to {found.reference}", ""]
    lines.append(" " * width + "".join(f"  {key:>12}" for key in keys))
    for row in found.ordered(sort):
        lines.append(f"{row.name:<{width}}" + "".join(f"  {_cell(found, row, key):>12}" for key in keys))
    return [*lines, "", "* best of the column; ! the difference has a 95 % interval without 0", ""]


def _cell(found: Table, row: Row, key: str) -> str:
    cell = row.cells[key]
    if cell.figure.value is None:
        return "-"
    mark = ("*" if row.name in found.best(key) else "") + ("!" if cell.differs else "")
    return f"{cell.figure.value:.3f}{mark:<2}"


COMMAND = Command("table", "all models judged on the same items, with intervals and differences", _arguments, _run)
