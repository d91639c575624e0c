"""python -m core sweep: a recipe trained with each of some settings, for several seeds, and what it gave and cost.

The point is chosen on validation items alone; the test figures are told of all, and stand for the chosen one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, at_least_one, report
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.swept import Point, Swept, Wanted

_SHOWN = ("accuracy", "map", "nll", "ece", "error_auroc", "r_auroc", "ood_auroc")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="a recipe's key; 'python -m core train' lists them")
    parser.add_argument("--over", action="append", required=True, metavar="FIELD=V1,V2",
                        help="a setting and its values; repeatable, every combination is trained. given.kept and "
                        "given.wrong take training items away, or give some wrong labels")  # fmt: skip
    parser.add_argument("--seeds", type=at_least_one, default=3, metavar="N", help="trainings of each point; 3")
    parser.add_argument("--folds", type=int, nargs="*", default=[], help="test on each of these; the next one chooses")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable")
    parser.add_argument("--name", help="of the table; recipe and fields by default")
    parser.add_argument("--choose", default="nll", metavar="FIGURE", help="of the validation items, which chooses; nll")
    parser.add_argument("--outside", default="", metavar="SOURCE", help="ask its items as strangers to the others")
    parser.add_argument("--copy", type=Path, metavar="PATH", help="where a published set lies on this machine")
    parser.add_argument("--device", default=None, help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--threads", type=at_least_one, default=None, help="CPU threads; all by default")
    parser.add_argument("--ship", action="store_true", help="keep the table among those that come with the app")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    from core.device import choose, settle_process
    from core.pipeline.sweep import sweep
    from core.pipeline.swept import save

    settle_process(options.threads)
    device = choose(options.device or settings.device).key
    wanted = wanted_of(options)
    found = sweep(wanted, settings, device=device, copy=options.copy, progress=report)
    path = save(found, settings, shipped=options.ship)
    return Outcome(document(found), (*lines(found), f"Kept as {path.stem}; the Compare page draws it."))


def wanted_of(options: argparse.Namespace) -> Wanted:
    from core.pipeline.swept import Wanted, axis_of
    from core.store.artifacts import check_name_of

    over = tuple(axis_of(text) for text in options.over)
    name = options.name or "-".join([options.recipe, *(axis.field.rpartition(".")[2] for axis in over)])
    check_name_of(name)
    return Wanted(
        name=name,
        recipe=options.recipe,
        over=over,
        settings=tuple(options.set),
        seeds=options.seeds,
        folds=tuple(options.folds),
        choose=options.choose,
        outside=options.outside,
    )


def document(found: Swept) -> dict[str, Any]:
    best = found.best()
    return {
        "name": found.name,
        "recipe": found.recipe,
        "settings": list(found.settings),
        "data": found.data,
        "counts": dict(found.counts or {}),
        "intervals": f"Student's, 95 %, over {found.units}",
        "choose": found.choose,
        "best": None if best is None else list(best),
        "points": [{"point": list(point), **_figures(found, point)} for point in found.points],
        "rows": len(found.rows),
        "command": found.command,
        "date": found.date,
        "machine": found.machine,
    }


def _figures(found: Swept, point: Point) -> dict[str, Any]:
    from core.configs import to_json

    told: dict[str, Any] = {}
    for side in ("validation", "test", "cost"):
        means = {key: found.mean(point, side, key) for key in found.keys(side)}
        told[side] = {key: None if mean is None else to_json(mean) for key, mean in means.items()}
    return told


def lines(found: Swept) -> tuple[str, ...]:
    best, counts = found.best(), found.counts or {}
    shown = [key for key in _SHOWN if key in found.keys("test")]
    width = max(len(", ".join(point)) for point in found.points) + 2
    told = [
        f"{found.recipe} on {found.data} ({', '.join(f'{count:,} {side}' for side, count in counts.items())} items), "
        f"{len(found.rows):,} rows; means over {found.units}, in brackets half of the 95 % interval",
        f"  {'':<{width}}{f'validation {found.choose}':>24}"
        + "".join(f"{key:>18}" for key in shown)
        + f"{'seconds':>10}",
    ]
    for point in found.points:
        cells = "".join(f"{_cell(found, point, 'test', key):>18}" for key in shown)
        seconds = found.mean(point, "cost", "train_seconds")
        told.append(
            f"{'*' if point == best else ' '} {', '.join(point):<{width}}"
            f"{_cell(found, point, 'validation', found.choose):>24}{cells}"
            f"{'-' if seconds is None else f'{seconds.value:.1f}':>10}"
        )
    chosen = "no point has that figure" if best is None else ", ".join(best)
    return (*told, f"* chosen on the validation items alone, by {found.choose}: {chosen}")


def _cell(found: Swept, point: Point, side: Any, key: str) -> str:
    mean = found.mean(point, side, key)
    if mean is None:
        return "-"
    return f"{mean.value:.3f}" + (f" [{mean.high - mean.value:.3f}]" if mean.high is not None else "")


COMMAND = Command("sweep", "train a recipe with each of some settings: quality, cost and intervals", _arguments, _run)
