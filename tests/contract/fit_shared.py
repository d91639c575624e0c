"""Fits of one or several processes: ``python -m tests.contract.fit_shared FOLDER PROCESSES``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.store import artifacts
from core.training import loop
from core.training.loop import Fit
from core.training.processes import fabric_of
from tests.fits import SCHEDULE, tensors, validation, wanted

STILL = {"statistics": False}


def cases() -> dict[str, Callable[[], Fit]]:
    """Methods whose steps depend on no statistic of a batch; noise follows items, so it may be random."""
    patient = replace(SCHEDULE, epochs=6, rate=0.05, patience=2, shape="constant")
    return {
        "deterministic": lambda: wanted("deterministic", "network", config=STILL),
        "flipout": lambda: wanted("flipout", "network", config=STILL),
        "mc-dropout": lambda: wanted("mc_dropout", "network", config=STILL),
        "abnn": lambda: wanted("abnn", "network"),
        "ensemble": lambda: wanted("ensemble", "head"),
        "dropsembles": lambda: wanted("dropsembles", "head"),
        "early-stopping": lambda: wanted("deterministic", "head", schedule=patient, validation=validation("head")),
        "odd-batches": lambda: wanted("deterministic", "head", schedule=replace(SCHEDULE, batch=7)),
        "statistics": lambda: wanted("deterministic", "network", validation=validation("network")),
    }


def main(folder: Path, processes: int) -> None:
    """Weights, measurements and refusals of every case in a folder."""
    fabric = fabric_of(SCHEDULE, "cpu", processes)
    for name, make in cases().items():
        fitted = loop.fit(make(), folder / name, fabric=fabric)
        found = {key: tensor.numpy() for key, tensor in tensors(fitted.state).items()}
        told = {"leads": fitted.leads, "best": fitted.best_epoch}
        artifacts.save(folder / f"{name}-{fabric.global_rank}", {"model": found}, told)
    alone = wanted("deterministic", "head", schedule=replace(SCHEDULE, batch=1))
    try:
        loop.fit(alone, fabric=fabric)
    except Exception as error:
        (folder / f"refused-{fabric.global_rank}").write_text(str(error))


if __name__ == "__main__":
    loop.LOG_SECONDS = -1.0
    main(Path(sys.argv[1]), int(sys.argv[2]))
    assert not {"lightning", "torchmetrics"} & set(sys.modules), "some seconds of loading that no fit needs"
