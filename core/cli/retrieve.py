"""python -m core retrieve: what in a collection is nearest to a file, each with its own doubt."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, at_least_one
from core.errors import UserFacingError
from core.settings import Settings
from core.store import UncertaintyRow, open_collection

if TYPE_CHECKING:
    from core.pipeline.retrieve import Result, Retrieved


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", help="indexed with a --model")
    parser.add_argument("file", type=Path, help="a sound or a picture")
    parser.add_argument("-k", type=at_least_one, default=10, metavar="N", help="results")
    parser.add_argument("--max-uncertainty", type=float, metavar="U", help="only items whose own doubt is at most this")
    parser.add_argument("--measure", default="total", metavar="M", help="total, aleatoric, epistemic, novelty or score")
    parser.add_argument("--risk", type=float, metavar="R", help="answer only where at most this share would be wrong")
    parser.add_argument("--confidence", type=float, default=0.9, metavar="C", help="of the promise of --risk")
    parser.add_argument("--same-recording", action="store_true", help="let a stored file find its own recording")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.media import door
    from core.pipeline.retrieve import Limits, catalogue_of, retrieve
    from core.runner import Here

    collection = open_collection(settings.collections, options.collection)
    kind = collection.about.kind
    try:
        raw = options.file.read_bytes()
    except OSError:
        raise UserFacingError(
            f"{options.file.name[:80]!r} could not be read; check its name and that it may be read.", code="unreadable"
        ) from None
    media = door.open_media(raw, kind=kind)
    catalogue = catalogue_of(collection, settings)
    limits = Limits(
        options.k,
        options.measure,
        options.max_uncertainty,
        options.risk,
        options.confidence,
        options.same_recording,
    )
    found = retrieve(catalogue, Here(settings), media, limits)
    return Outcome(_document(options, found), _lines(options, found))


def _document(options: argparse.Namespace, found: Retrieved) -> dict[str, Any]:
    return {
        "collection": options.collection,
        "model": found.model.name,
        "file": options.file.name,
        "sha256": found.query.id,
        "measure": options.measure,
        "query": _doubts(found.query),
        "results": [_result(one) for one in found.results],
        "excluded": found.excluded,
        "too_doubtful": found.too_doubtful,
        "safety": None if found.safety is None else asdict(found.safety),
        "refused": found.refused or None,
        "alternatives": [_result(one) for one in found.alternatives],
    }


def _result(one: Result) -> dict[str, Any]:
    return {"id": one.id, "label": one.label, "cosine": one.cosine, **_doubts(one.doubts)}


def _doubts(row: UncertaintyRow | None) -> dict[str, Any]:
    names = ("total", "aleatoric", "epistemic", "novelty", "score", "confidence")
    told = {name: None if row is None else getattr(row, name) for name in names}
    return {"predicted": None if row is None else row.label, **told}


def _lines(options: argparse.Namespace, found: Retrieved) -> tuple[str, ...]:
    doubt = getattr(found.query, options.measure)
    lines = [
        f"{options.file.name}: {found.query.label} ({found.query.confidence:.2f}), {options.measure} doubt {doubt:.3f}"
    ]
    if (safety := found.safety) is not None and safety.threshold is not None:
        lines += [
            f"  at a risk of {safety.risk:g}: queries of a doubt up to {safety.threshold:.3g}, and the least doubtful "
            f"{safety.database_percent} % of every class;",
            f"  {safety.kept:.0%} of {safety.n_calibration:,} items are kept so; on the other half "
            f"{_share(safety.checked_wrong)} wrong",
        ]
    if found.refused:
        lines += [f"  refused: {found.refused}", "  the least doubtful of what is near, without a promise:"]
    for one in found.results or found.alternatives:
        own = None if one.doubts is None else getattr(one.doubts, options.measure)
        told = "no doubt known" if own is None else f"doubt {own:.3f}"
        lines.append(f"  {one.cosine:.3f}  {one.label or '-'}  {told}  {one.id}")
    if found.excluded:
        lines.append(f"  note: {found.excluded:,} items are this file or of its recording and were left out")
    if found.too_doubtful:
        lines.append(f"  note: {found.too_doubtful:,} items were too doubtful")
    return tuple(lines)


def _share(value: float | None) -> str:
    return "no query was kept, so nothing was" if value is None else f"{value:.1%} were"


COMMAND = Command("retrieve", "find what in a collection is nearest to a file", _arguments, _run)
