"""python -m core compare: two models, or two doubts of one model, on the same items, with intervals."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, report
from core.data import open_source
from core.errors import UserFacingError
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.compare import Comparison, Difference


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A", help="one of 'python -m core models'")
    parser.add_argument("second", metavar="B", nargs="?", help="another; none: two measures of A, see --measures")
    parser.add_argument("--measures", metavar="M[,N]", help="the doubt of A and that of B, such as score,max_softmax")
    parser.add_argument("--data", metavar="SOURCE", help="judge both anew on it; none: the answers stored with them")
    parser.add_argument("--copy", type=Path, metavar="PATH", help="where a published --data lies on this machine")
    parser.add_argument("--ood", action="append", default=[], metavar="SOURCE", help="data from elsewhere; repeatable")
    parser.add_argument("--fold", type=int, metavar="N", help="judge this fold; the card's test fold by default")
    parser.add_argument("--samples", type=int, metavar="S", help="draws of a sampling method; by default its own")
    parser.add_argument("--resamples", type=int, default=1000, metavar="N", help="of the items, for the intervals")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of draws and intervals")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    _refuse_odd(options)
    from core.checkpoints.folders import find
    from core.device import choose
    from core.pipeline.compare import compare
    from core.pipeline.evaluate import Wanted

    names = (options.first, options.second or options.first)
    for name in names:
        find(name, settings)  # a wrong name is told before anything is read
    measures = tuple((options.measures or "").split(",")) if options.measures else (None, None)
    found = compare(
        names,
        settings,
        dataset=None if options.data is None else open_source(options.data, settings, options.copy),
        ood=[open_source(source, settings) for source in options.ood],
        measures=(measures[0], measures[-1]),
        fold=options.fold,
        wanted=Wanted(options.samples, None, options.seed, options.resamples),
        device=choose(settings.device).key,
        progress=report,
    )
    return Outcome(_document(found), _lines(found))


def _refuse_odd(options: argparse.Namespace) -> None:
    measures = options.measures.split(",") if options.measures else []
    if len(measures) > 2:
        raise UserFacingError(f"{len(measures)} measures were given; give one, or one for each side.", code="measures")
    if options.second in (None, options.first) and len(set(measures)) < 2:
        raise UserFacingError(
            "One model is compared with itself by two measures; name them, such as --measures score,max_softmax, or "
            "name a second model.",
            code="measures",
        )
    if options.samples is not None and options.samples < 1:
        raise UserFacingError(f"{options.samples} samples were asked for; it takes one or more.", code="samples")
    if options.resamples < 10:
        raise UserFacingError(f"{options.resamples} resamples were asked for; it takes 10 or more.", code="samples")
    if options.data is None and (options.fold is not None or options.copy is not None):
        raise UserFacingError("A fold or a copy belongs to a data set; name it with --data.", code="no-data")


def _document(found: Comparison) -> dict[str, Any]:
    sides = [
        {
            "model": side.name,
            "measure": side.measure,
            "draws": side.answers.draws,
            "params": card.params,
            "stored": card.cost.stored,
        }
        for side, card in zip(found.sides, found.cards, strict=True)
    ]
    return {
        "first": sides[0],
        "second": sides[1],
        "n": found.n,
        "differences": {key: _row(difference) for key, difference in found.differences.items()},
        "oracle": {key: figure.value for key, figure in found.oracle.items()},
        "notes": list(found.notes),
    }


def _row(found: Difference) -> dict[str, Any]:
    reason = found.first.reason or found.second.reason or found.reason
    interval = None if found.low is None else [found.low, found.high]
    told = {"first": found.first.value, "second": found.second.value, "difference": found.value, "interval": interval}
    return told if reason is None else {**told, "reason": reason}


def _lines(found: Comparison) -> tuple[str, ...]:
    from core.pipeline.compare import LOWER_IS_BETTER

    one, other = found.sides
    lines = [
        f"{one.name} ({one.measure}) less {other.name} ({other.measure}): {found.n:,} items",
        f"numbers stored beside the network they began with: {found.cards[0].cost.stored:,} and "
        f"{found.cards[1].cost.stored:,}",
        "",
    ]
    width = max(map(len, found.differences))
    for key, difference in found.differences.items():
        if difference.value is None:
            continue
        between = f" [{difference.low:+.3f}, {difference.high:+.3f}]" if difference.low is not None else ""
        low = "  (lower is better)" if key in LOWER_IS_BETTER else ""
        lines.append(
            f"  {key:<{width}}  {difference.first.value:.3f}  {difference.second.value:.3f}  "
            f"{difference.value:+.3f}{between}{low}"
        )
    known = [f"{key} {figure.value:.3f}" for key, figure in found.oracle.items() if figure.value is not None]
    if known:
        lines += ["", f"  {one.name}, if its doubt knew every loss: {', '.join(known)}"]
    return (*lines, "", *(f"  note: {note}" for note in found.notes))


COMMAND = Command("compare", "two models, or two doubts of one, on the same items, with intervals", _arguments, _run)
