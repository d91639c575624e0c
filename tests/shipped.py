"""The models that come with the app, each with the command that makes it: `make models` makes those that are missing.

Run again after a stop it goes on where it was: a finished model is left alone, a begun one resumes from its checkpoint.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADS = (
    "mc_dropout",
    "flipout",
    "det_flip",
    "laplace",
    "ensemble",
    "dropsembles",
    "loss_prediction",
    "energy",
    "knn",
    "mahalanobis",
    "vim",
    "abnn",
)
ON_ESC10 = ("deterministic", "mc_dropout", "det_flip", "laplace", "ensemble", "loss_prediction", "dropsembles", "abnn")
ON_CIFAR10 = ("abnn", "det_flip", "ensemble", "loss_prediction")


def commands() -> Iterator[tuple[str, str]]:
    """(name, words after ``python -m core``) in the order in which they can be run."""
    for data in ("soundbox", "toybox"):
        yield f"{data}-deterministic", f"train {data}"
        for method in HEADS:
            yield _named(data, method), f"train {data}-heads --set method={method}"
    for method in ON_ESC10:
        chosen = method in {"deterministic", "mc_dropout", "ensemble"}
        plain = "" if chosen else " --candidate seed=0"  # calibrated out of fold, with nothing to choose
        yield _named("esc10", method), f"crossval esc10 --set method={method} --folds 1{plain} --keep 1"
    yield "scenes-deterministic", "train vi-pann-pretrain"
    yield "scenes-mc-dropout", "train vi-pann-pretrain --set method=mc_dropout"
    yield "scenes-flipout", "train vi-pann-pretrain --set method=flipout"
    yield "scenes-det-flip", "train vi-pann-det-flip"
    for method in ("deterministic", "flipout"):
        yield _named("esc10-scratch", method), f"crossval vi-pann-scratch --set method={method} --plain --keep 1"
    yield "cifar10-deterministic", "train cifar10"
    yield (
        "cifar10-deep-ensemble",
        "train cifar10-deep-ensemble",
    )  # its stored answers; the weights stay with who made them
    for method in ON_CIFAR10:
        yield _named("cifar10", method), f"train cifar10-heads --set method={method}"


def missing(folder: Path) -> list[tuple[str, str]]:
    return [(name, words) for name, words in commands() if not (folder / name / "card.json").is_file()]


def _named(data: str, method: str) -> str:
    return f"{data}-{method.replace('_', '-')}"


def main(only: tuple[str, ...]) -> int:
    failed = 0
    for name, words in missing(ROOT / "checkpoints"):
        if only and not name.startswith(only):
            continue
        line = f"{words} --name {name} --ship"
        sys.stderr.write(f"python -m core {line}\n")
        done = subprocess.run([sys.executable, "-m", "core", *shlex.split(line)], cwd=ROOT, check=False)
        failed += done.returncode != 0
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main(tuple(sys.argv[1:])))
