"""python -m core leaveout: does a doubt know classes that the training never showed?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, report
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
    parser.add_argument("--folds", type=int, nargs="*", default=[], help="score these folds alone")
    parser.add_argument("--resamples", type=int, default=1000, metavar="N", help="of the recordings, for the intervals")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads; all by default")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    triples = tuple(_triple(words) for words in options.triples)
    from core.device import choose, settle_process
    from core.pipeline.leaveout import leave_out
    from core.training.plan import plan_of
    from core.training.recipes import pick

    settle_process(options.threads)
    plan = plan_of(pick(options.recipe), tuple(options.set))
    found = leave_out(
        plan,
        settings,
        triples=triples,
        only=options.folds,
        device=choose(options.device or settings.device).key,
        copy=options.copy,
        resamples=options.resamples,
        progress=report,
    )
    return Outcome(_document(found, options.recipe, plan.method), _lines(found, options.recipe, plan.method))


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
        f"{recipe}, {method}: {found.items:,} items of {len({p.fold for p in found.pieces})} folds, "
        f"{len({p.left_out for p in found.pieces})} choices of classes left out",
        f"  {'AUROC':<{width}}    mean                    all in one heap         above max-softmax",
    ]
    for name, one in found.measures.items():
        mark = "*" if name == NAMED else " "
        lines.append(
            f"{mark} {name:<{width}}    {_cell(one.mean, one.interval)}    {_cell(one.pooled, one.pooled_interval)}    "
            f"{one.above:+.3f} [{one.above_interval[0]:+.3f}, {one.above_interval[1]:+.3f}]"
        )
    return (*lines, "", f"* named in advance: {NAMED}")


def _cell(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


COMMAND = Command("leaveout", "tell classes that a training never showed from those it did", _arguments, _run)
