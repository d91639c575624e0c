"""python -m core retrieve: what in a collection is nearest to a file, each with its own doubt."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, at_least_one
from core.errors import StoreError, UserFacingError
from core.metrics.selective import risk_in_words
from core.settings import Settings
from core.store import Collection, open_collection

if TYPE_CHECKING:
    from core.contracts import Media
    from core.pipeline import found
    from core.pipeline.atlas import Atlas

_DOUBTS = ("total", "aleatoric", "epistemic", "novelty", "score")


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    file: str
    sha256: str
    atlas: Atlas
    query: found.Query
    wish: found.Wish
    outcome: found.Outcome


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", help="indexed with a --model")
    parser.add_argument("file", type=Path, help="a sound or a picture")
    parser.add_argument("-k", type=at_least_one, default=10, metavar="N", help="results")
    parser.add_argument("--max-uncertainty", type=float, metavar="U", help="only items whose own doubt is at most this")
    parser.add_argument(
        "--measure", default="total", metavar="M", help="total, aleatoric, epistemic, novelty, score or max_softmax"
    )
    parser.add_argument("--risk", type=float, metavar="R", help="answer only where at most this share would be wrong")
    parser.add_argument("--confidence", type=float, default=0.9, metavar="C", help="of the promise of --risk")
    parser.add_argument("--same-recording", action="store_true", help="let a stored file find its own recording")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.pipeline.found import ask, of_file, shelf_of
    from core.runner import Here

    collection = open_collection(settings.collections, options.collection)
    media = _media(options.file, collection)
    atlas = _atlas(collection, settings)
    shelf = shelf_of(atlas)
    wish = _wish(options, shelf)
    query = of_file(atlas, shelf, Here(settings), media)
    asked = _Asked(options.file.name, media.sha256, atlas, query, wish, ask(shelf, query, wish))
    return Outcome(_document(asked), _lines(asked))


def _media(file: Path, collection: Collection) -> Media:
    from core.media import door

    try:
        raw = file.read_bytes()
    except OSError:
        raise UserFacingError(
            f"{file.name[:80]!r} could not be read; check its name and that it may be read.", code="unreadable"
        ) from None
    return door.open_media(raw, kind=collection.about.kind)


def _atlas(collection: Collection, settings: Settings) -> Atlas:
    """By the model that the collection was last indexed with, as it was then."""
    from core.pipeline.atlas import open_atlas

    rows = collection.models()
    if not rows:
        raise StoreError(
            f"Collection {collection.name!r} was indexed without a model; index it again with a --model.",
            code="no-vectors",
        )
    return open_atlas(collection.name, rows[0].name, settings, draws=rows[0].draws, seed=rows[0].seed)


def _wish(options: argparse.Namespace, shelf: found.Shelf) -> found.Wish:
    from core.pipeline.found import Wish, trial_of
    from core.retrieval import chosen

    safety = None
    if options.risk is not None:
        safety = chosen(trial_of(shelf, options.measure), risk=options.risk, confidence=options.confidence)
    return Wish(options.k, options.measure, options.max_uncertainty, options.same_recording, safety)


def _document(asked: _Asked) -> dict[str, Any]:
    query, outcome, safety = asked.query, asked.outcome, asked.wish.safety
    doubts = {name: _number(query.doubts.get(name)) for name in _DOUBTS}
    return {
        "collection": asked.atlas.name,
        "model": asked.atlas.model,
        "file": asked.file,
        "sha256": asked.sha256,
        "measure": asked.wish.measure,
        "query": {"predicted": query.predicted, **doubts, "confidence": query.confidence},
        "results": [_result(asked.atlas, one) for one in outcome.results],
        "excluded": outcome.own,
        "too_doubtful": outcome.held_back,
        "safety": None if safety is None else asdict(safety),
        "refused": outcome.refused or None,
        "alternatives": [_result(asked.atlas, one) for one in outcome.alternatives],
    }


def _result(atlas: Atlas, one: found.Result) -> dict[str, Any]:
    said, doubts = atlas.predicted[one.row], atlas.doubts
    return {
        "id": atlas.ids[one.row],
        "label": one.label,
        "cosine": one.cosine,
        "predicted": atlas.classes[said] if said >= 0 else None,
        **{name: _number(doubts[name][one.row]) if name in doubts else None for name in _DOUBTS},
        "confidence": _number(atlas.confidence[one.row]),
    }


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _lines(asked: _Asked) -> tuple[str, ...]:
    query, outcome, measure = asked.query, asked.outcome, asked.wish.measure
    lines = [f"{asked.file}: {query.predicted} ({query.confidence:.2f}), {measure} {_told(query.doubts.get(measure))}"]
    if (safety := asked.wish.safety) is not None and safety.threshold is not None:
        lines += [
            f"  at a risk of {risk_in_words(safety.risk)}: queries of a doubt up to {safety.threshold:.3g}, and the "
            f"least doubtful {safety.database_percent} % of every class;",
            f"  {safety.kept:.0%} of {safety.n_calibration:,} items are kept so; on the other half "
            f"{_share(safety.checked_wrong)} wrong",
        ]
    if outcome.refused:
        lines += [f"  refused: {outcome.refused}", "  the least doubtful of what is near, without a promise:"]
    for one in outcome.results or outcome.alternatives:
        lines.append(f"  {one.cosine:.3f}  {one.label or '-'}  {_told(one.doubt)}  {asked.atlas.ids[one.row]}")
    if outcome.own:
        lines.append(f"  note: {outcome.own:,} items are this file or of its recording and were left out")
    if outcome.held_back:
        lines.append(f"  note: {outcome.held_back:,} items were too doubtful")
    return tuple(lines)


def _told(doubt: float | None) -> str:
    return "no doubt known" if doubt is None else f"doubt {doubt:.3f}"


def _share(value: float | None) -> str:
    return "no query was kept, so nothing was" if value is None else f"{value:.1%} were"


COMMAND = Command("retrieve", "find what in a collection is nearest to a file", _arguments, _run)
