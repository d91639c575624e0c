"""python -m core runs: the trainings that were begun here, and their curves for other programs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.cli import Command, Outcome
from core.errors import UserFacingError
from core.pipeline import run_exports
from core.pipeline.runs import Run, curves, runs
from core.settings import Settings
from core.store.export import to_file, writer_for


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="of trainings; without one, all")
    parser.add_argument(
        "--to", type=Path, metavar="PATH", help="a .csv or .parquet file, or a folder of TensorBoard event files"
    )


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    known = {run.name: run for run in runs(settings)}
    if unknown := [name for name in options.names if name not in known]:
        raise UserFacingError(
            f"No training is called {unknown[0][:60]!r}; known: {', '.join(sorted(known)[:20]) or 'none'}.",
            code="unknown-run",
        )
    found = [known[name] for name in options.names] or list(known.values())
    if options.to is None:
        rows = [_row(run) for run in found]
        lines = [f"{row['name']:<28} {row['state']:<11} epoch {row['epoch']:g} of {row['epochs']}" for row in rows]
        return Outcome({"runs": rows}, tuple(lines) or ("No training was begun here.",))
    written = [str(path) for path in _write(found, options.to)]
    return Outcome({"written": written}, tuple(f"written: {path}" for path in written))


def _write(found: Sequence[Run], target: Path) -> tuple[Path, ...]:
    if target.suffix not in {".csv", ".parquet"}:
        return run_exports.write_events(found, target)
    import pyarrow as pa

    to_file(target, pa.table(run_exports.columns(found)), writer_for(target))
    return (target,)


def _row(run: Run) -> dict[str, Any]:
    one = curves(run)
    last = {name: float(values[-1]) for name in one.names() if len(values := one.of(name)[1])}
    epoch = float(one.columns["epoch"][-1]) if len(one) else 0.0
    return {"name": run.name, "recipe": run.recipe, "state": run.state, "epoch": epoch, "epochs": run.epochs, **last}


COMMAND = Command("runs", "list trainings; write their curves as CSV or for TensorBoard", _arguments, _run)
