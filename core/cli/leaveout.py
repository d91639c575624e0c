"""python -m core leaveout: does a doubt know classes that the training never showed?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, part_of, report
from core.data import open_source
from core.errors import UserFacingError
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.leaveout import LeaveOut


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="a recipe's key, on data with folds; 'python -m core train' lists them")
    parser.add_argument("--copy", type=Path, metavar="PATH", help="where a published set lies on this machine")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable")
    parser.add_argument(
        "--triples",
        nargs="*",
        default=[],
        metavar="I,J,K",
        help="classes to leave out, by number in alphabetical order; by default a fixed choice that holds every class",
    )
    parser.add_argument("--outside", metavar="SOURCE", help="tell the test folds from this set, and leave no class out")
    parser.add_argument("--outside-copy", type=Path, metavar="PATH", help="where a published --outside lies")
    parser.add_argument("--outside-split", metavar="SPLIT", help="only this split of --outside")
    parser.add_argument(
        "--matched",
        action="store_true",
        help="with --outside: bring all sounds, those of the training as well, to 8 kHz and one active length",
    )
    parser.add_argument("--folds", type=int, nargs="*", default=[], help="score these folds alone")
    parser.add_argument("--resamples", type=int, default=1000, metavar="N", help="of the recordings, for the intervals")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads; all by default")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    triples = tuple(_triple(words) for words in options.triples)
    _refuse_odd(options)
    from core.device import choose, settle_process
    from core.pipeline.leaveout import leave_out
    from core.pipeline.outside import told_from
    from core.training.plan import plan_of
    from core.training.recipes import pick

    settle_process(options.threads)
    plan = plan_of(pick(options.recipe), tuple(options.set))
    given: dict[str, Any] = {
        "only": options.folds,
        "device": choose(options.device or settings.device).key,
        "copy": options.copy,
        "resamples": options.resamples,
        "progress": report,
    }
    notes: tuple[str, ...] = ()
    if options.outside is None:
        found = leave_out(plan, settings, triples=triples, **given)
    else:
        other = part_of(open_source(options.outside, settings, options.outside_copy), options.outside_split)
        found, notes = told_from(plan, other, settings, matched=options.matched, **given)
    document = {**_document(found, options.recipe, plan.method), "notes": list(notes)}
    lines = _lines(found, options.recipe, plan.method)
    return Outcome(document, (*lines, *(f"note: {note}" for note in notes)))


def _refuse_odd(options: argparse.Namespace) -> None:
    if options.outside is None and (options.matched or options.outside_copy or options.outside_split):
        raise UserFacingError(
            "Matching, a copy and a split belong to another set; name it with --outside.", code="no-data"
        )
    if options.outside is not None and options.triples:
        raise UserFacingError("Give --triples or --outside: either leaves its own items outside.", code="setting")


def _triple(words: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError:
        raise UserFacingError(
            f"{words[:40]!r} is no choice of classes; give their numbers with commas, such as 0,3,7.", code="triples"
        ) from None


def _document(found: LeaveOut, recipe: str, method: str) -> dict[str, Any]:
    from core.pipeline.leaveout import NAMED, SEED

    return {
        "recipe": recipe,
        "method": method,
        "items": found.items,
        "classes": list(found.classes),
        "left_out": [list(names) for names in dict.fromkeys(piece.left_out for piece in found.pieces)],
        "folds": sorted({piece.fold for piece in found.pieces}),
        "seed": SEED,
        "named": NAMED,
        "measures": {name: asdict(measure) for name, measure in found.measures.items()},
        "pieces": [
            {
                "fold": piece.fold,
                "left_out": list(piece.left_out),
                "inside": int((~piece.outside).sum()),
                "outside": int(piece.outside.sum()),
                "auroc": piece.aurocs(),
            }
            for piece in found.pieces
        ],
    }


def _lines(found: LeaveOut, recipe: str, method: str) -> tuple[str, ...]:
    from core.pipeline.leaveout import NAMED

    width = max(map(len, found.measures))
    lines = [
        f"{recipe}, {method}: {found.items:,} items of {len({p.fold for p in found.pieces})} folds, {_told(found)}",
        f"  {'AUROC':<{width}}    mean                    all in one heap         above max-softmax",
    ]
    for name, one in found.measures.items():
        mark = "*" if name == NAMED else " "
        lines.append(
            f"{mark} {name:<{width}}    {_cell(one.mean, one.interval)}    {_cell(one.pooled, one.pooled_interval)}    "
            f"{one.above:+.3f} [{one.above_interval[0]:+.3f}, {one.above_interval[1]:+.3f}]"
        )
    return (*lines, "", f"* named in advance: {NAMED}")


def _told(found: LeaveOut) -> str:
    choices = {piece.left_out for piece in found.pieces}
    one = next(iter(choices))
    return f"{len(choices)} choices of classes left out" if set(one) <= set(found.classes) else f"told from {one[0]}"


def _cell(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


COMMAND = Command("leaveout", "tell classes that a training never showed from those it did", _arguments, _run)
