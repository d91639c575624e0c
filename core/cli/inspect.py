"""python -m core inspect: what a model says of some files, and how far to trust it."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, at_least_one
from core.errors import MediaError, UserFacingError
from core.media.door import MAX_BYTES
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.inspect import Inspected

_SHOWN = 3  # classes that are printed


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="sounds or pictures")
    parser.add_argument("--model", required=True, metavar="NAME", help="one of 'python -m core models'")
    parser.add_argument("--samples", type=at_least_one, default=50, metavar="S", help="draws of a sampling method")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws")
    parser.add_argument("--collection", metavar="C", help="look for neighbours here; by default in the held-out items")
    parser.add_argument("--coverage", type=float, default=0.9, metavar="P", help="of the prediction set, 0 to 1")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    if not 0 < options.coverage < 1:
        raise UserFacingError(f"A coverage of {options.coverage:g} was asked for; it must lie between 0 and 1.")
    from core.checkpoints.folders import find
    from core.pipeline.inspect import How, document, inspect_bytes, reader_of
    from core.runner import Here
    from core.store import open_collection

    find(options.model, settings)  # a wrong name is told before anything is loaded
    items: list[dict[str, Any]] = []
    lines: list[str] = []
    refused = 0
    with ExitStack() as stack:
        collection = None
        if options.collection is not None:
            collection = stack.enter_context(open_collection(settings.collections, options.collection))
        reader, here = reader_of(options.model, settings), Here(settings)
        here.load(options.model)
        how = How(options.samples, options.seed)
        for path in options.files:
            try:
                raw = _read(path)
                found = inspect_bytes(raw, reader, here, how, coverage=options.coverage, collection=collection)
            except UserFacingError as error:
                if error.code == "no-vectors":
                    raise  # it is about the collection, and so about every file
                refused += 1
                items.append({"file": str(path), "error": str(error)})
                print(f"{path.name}: {error}", file=sys.stderr)
                continue
            items.append(document(found, str(path)))
            lines += _lines(path.name, found)
    told = {"model": options.model, "samples": options.samples, "seed": options.seed, "items": items}
    return Outcome(told, tuple(lines), 2 if refused == len(items) else 0)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise MediaError("There is no such file; check its name.", code="no-file")
        if path.stat().st_size > MAX_BYTES:
            raise MediaError(f"The file is larger than {MAX_BYTES >> 20} MB; send a shorter one.", code="too-large")
        return path.read_bytes()
    except OSError:
        raise MediaError("The file could not be read; check who may read it.", code="unreadable") from None


def _lines(name: str, found: Inspected) -> list[str]:
    lines = [f"{name}: {found.verdict.sentence}"]
    for prediction in found.predictions[:_SHOWN]:
        lines.append(f"  {prediction.p:6.1%}  {prediction.label}  [{prediction.low:.1%}, {prediction.high:.1%}]")
    for measure, value in found.doubts.items():
        place = found.percentiles.get(measure)
        among = "" if place is None else f"  above {place:.0f} % of the held-out items"
        lines.append(f"  {measure:<11}  {value:8.3f}{among}")
    if found.prediction_set is not None:
        within = found.prediction_set
        lines.append(f"  {within.coverage:.0%} prediction set: {', '.join(within.labels) or 'none'}")
    for near in found.neighbours or ():
        lines.append(f"  near {near.cosine:.3f}  {near.id}  {near.label or ''}")
    return [*lines, *(f"  note: {note.text}" for note in found.receipt.notes)]


COMMAND = Command("inspect", "what a model says of sounds or pictures, and how far to trust it", _arguments, _run)
