"""python -m core knobs: what doubts do when mix, noise or novelty is turned up and the truth is known."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.cli import Command, Outcome, report
from core.errors import UserFacingError
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline.knobs import Knobs

_PAIRS = 40


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, nargs="+", metavar="NAME", help="one or more, all trained on soundbox or on toybox"
    )
    parser.add_argument(
        "--pairs", type=int, default=_PAIRS, metavar="N", help=f"of sources, each at six mixes; {_PAIRS} by default"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="draws of sources; 3 by default")
    parser.add_argument("--samples", type=int, metavar="S", help="draws of a sampling method; by default its own")


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    _refuse_odd(options)
    from core.checkpoints.folders import find
    from core.checkpoints.saved import load_model
    from core.device import choose
    from core.pipeline.knobs import knobs

    for name in options.model:
        find(name, settings)  # a wrong name is told before anything is read
    device = choose(settings.device).key
    models = [load_model(name, settings, device) for name in options.model]
    found = knobs(models, pairs=options.pairs, seeds=range(options.seeds), samples=options.samples, progress=report)
    return Outcome(_document(found), _lines(found))


def _refuse_odd(options: argparse.Namespace) -> None:
    from core.pipeline._turned import LINES

    if not 2 <= options.pairs <= LINES:
        raise UserFacingError(f"{options.pairs} pairs were asked for; it takes 2 to {LINES:,}.", code="pairs")
    if not 1 <= options.seeds <= 100:
        raise UserFacingError(f"{options.seeds} seeds were asked for; it takes 1 to 100.", code="seeds")
    if options.samples is not None and options.samples < 1:
        raise UserFacingError(f"{options.samples} samples were asked for; it takes one or more.", code="samples")


def _document(found: Knobs) -> dict[str, Any]:
    from core.pipeline.knobs import FIGURES

    return {
        "data": found.data,
        "spoiling": found.spoiling,
        "measures": {name: {figure: _summary(found, name, figure) for figure in FIGURES} for name in found.shared()},
        "runs": [
            {
                "model": run.model,
                "seed": run.seed,
                "mixtures": run.mixtures,
                "spoilt": run.spoilt,
                "outside": run.outside,
                "measures": {name: asdict(measured) for name, measured in run.measures.items()},
            }
            for run in found.runs
        ],
    }


def _summary(found: Knobs, measure: str, figure: str) -> dict[str, float] | None:
    told = found.of(measure, figure)
    return None if told is None else {"mean": told[0], "sd": told[1]}


def _lines(found: Knobs) -> tuple[str, ...]:
    runs, spoiling = found.runs, found.spoiling
    lines = [
        f"{', '.join(dict.fromkeys(run.model for run in runs))} on {found.data}: {runs[0].mixtures:,} mixtures, "
        f"{runs[0].spoilt:,} with {spoiling}, {runs[0].outside:,} strangers, {len(runs)} runs (mean and spread)",
        "rank correlation with the knob: of its means, and along single lines; rise of the doubt over the knob",
        f"  {'doubt':<12} {'mix: means':>14} {'lines':>14} {'rise':>16}   {spoiling + ': means':>14} {'lines':>14} "
        f"{'strangers: AUROC':>18}",
    ]
    for name in found.shared():
        figures = ("mixing", "mixing_lines", "mixing_rise", "spoiling", "spoiling_lines", "novelty")
        cells = [_cell(found.of(name, figure)) for figure in figures]
        lines.append(
            f"  {name:<12} {cells[0]:>14} {cells[1]:>14} {cells[2]:>16}   {cells[3]:>14} {cells[4]:>14} {cells[5]:>18}"
        )
    return tuple(lines)


def _cell(told: tuple[float, float] | None) -> str:
    return "-" if told is None else f"{told[0]:.3f} +- {told[1]:.3f}"


COMMAND = Command("knobs", "turn mix, noise and novelty of made-up items and watch each doubt", _arguments, _run)
