"""kill -9 while a fit runs, saves or is judged: resumed, it ends as if nothing had happened, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from core.store import artifacts
from core.training._run import METRICS
from core.training.run_files import VALIDATION
from tests.fits import assert_same_bits, resumable
from tests.patience import SECONDS

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = tuple(resumable())
FIRST = CASES[0]
WRITES = ("state-written", "optimiser-written", "card-written", "verified", "old-moved", "new-moved", "old-removed")


class Worker:
    """Forks one fit an order."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.fit_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self._line() == "ready"

    def fit(self, case: str, folder: Path, **death: Any) -> int:
        """The exit status; 0 only where the fit ended and its weights were written."""
        order = {"case": case, "folder": str(folder), "out": str(folder.with_name(f"{folder.name}-out")), **death}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def kill(self, case: str, folder: Path, **death: Any) -> None:
        assert self.fit(case, folder, **death) == -signal.SIGKILL, f"the fit did not die at {death}"
        for line in measured(folder):
            json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=SECONDS)
        self._process.stdout.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    one = Worker()
    yield one
    one.close()


@pytest.fixture(scope="module")
def whole(worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of fits that nobody interrupted."""
    root = tmp_path_factory.mktemp("whole")
    for number, case in enumerate(CASES):
        assert worker.fit(case, root / f"case-{number}") == 0
    return root


def measured(folder: Path) -> list[str]:
    path = folder / METRICS
    return path.read_text().splitlines() if path.is_file() else []


def outcome(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], list[str]]:
    found = artifacts.load(folder.with_name(f"{folder.name}-out"))
    return (
        {name: torch.from_numpy(array) for name, array in found.tensors().items()},
        dict(found.card),
        measured(folder),
    )


def assert_as_whole(worker: Worker, case: str, folder: Path, whole: Path) -> None:
    """Resumed to its end, weights, choices and measurements are those of the uninterrupted fit."""
    assert worker.fit(case, folder) == 0
    weights, card, lines = outcome(folder)
    wanted_weights, wanted_card, wanted_lines = outcome(whole / f"case-{CASES.index(case)}")
    assert_same_bits(weights, wanted_weights)
    assert card == wanted_card
    assert lines == wanted_lines


@pytest.mark.parametrize("step", [2, 3, 4, 5, 10])
def test_killed_at_a_step_it_goes_on_from_the_last_checkpoint(
    worker: Worker, whole: Path, tmp_path: Path, step: int
) -> None:
    """Before the first checkpoint, right before one, right after one, and at the end of an epoch."""
    worker.kill(FIRST, tmp_path / "run", step=step)
    assert_as_whole(worker, FIRST, tmp_path / "run", whole)


@pytest.mark.parametrize("write", WRITES)
def test_killed_while_a_checkpoint_is_written_there_is_the_one_before_or_the_new_one(
    worker: Worker, whole: Path, tmp_path: Path, write: str
) -> None:
    worker.kill(FIRST, tmp_path / "run", write=write, number=2)
    assert_as_whole(worker, FIRST, tmp_path / "run", whole)


def test_killed_inside_a_validation_it_is_judged_when_it_goes_on(worker: Worker, whole: Path, tmp_path: Path) -> None:
    """The third epoch ends with step 15, right after a checkpoint of that step."""
    worker.kill(FIRST, tmp_path / "run", judging=3)
    worker.kill(FIRST, tmp_path / "run", judging=1)
    assert_as_whole(worker, FIRST, tmp_path / "run", whole)


def test_killed_again_and_again_it_still_ends_the_same(worker: Worker, whole: Path, tmp_path: Path) -> None:
    for step in (4, 7, 8, 11, 14):
        worker.kill(FIRST, tmp_path / "run", step=step)
    assert_as_whole(worker, FIRST, tmp_path / "run", whole)


@pytest.mark.parametrize("case", CASES[1:])
def test_every_method_and_optimiser_goes_on_exactly(worker: Worker, whole: Path, tmp_path: Path, case: str) -> None:
    worker.kill(case, tmp_path / "run", step=8)
    worker.kill(case, tmp_path / "run", write="old-moved", number=2)
    assert_as_whole(worker, case, tmp_path / "run", whole)
    assert (tmp_path / "run-out.prepared").read_text() == "x", "what was prepared once was not restored"


def test_the_cases_differ_in_what_they_carry(whole: Path) -> None:
    """Early stopping chose an epoch before the last, or there would be no best to lose."""
    _, card, lines = outcome(whole / "case-0")
    epochs = [json.loads(line)["epoch"] for line in lines if "validation loss" in line]
    assert card["best"] is not None
    assert card["best"] < epochs[-1]


def test_a_leftover_of_a_killed_write_is_removed_by_the_next(worker: Worker, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    worker.kill(FIRST, folder, write="card-written", number=2)
    assert len(list(folder.glob(".checkpoint.new-*"))) == 1
    assert worker.fit(FIRST, folder) == 0
    assert {path.name for path in folder.iterdir()} == {"checkpoint", METRICS, VALIDATION}


def test_a_checkpoint_that_was_changed_is_refused(worker: Worker, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    worker.kill(FIRST, folder, step=8)
    file = folder / "checkpoint" / "state.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-5] ^= 1
    file.write_bytes(raw)
    assert worker.fit(FIRST, folder) == 3
