"""Two processes that share every batch fit as one process does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.store import artifacts
from core.training import loop
from core.training._run import METRICS
from tests.contract import fit_shared
from tests.contract.fit_shared import cases
from tests.patience import SECONDS

ROOT = Path(__file__).resolve().parent.parent.parent
EQUAL = [name for name in cases() if name not in ("odd-batches", "statistics")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Of the same fits by one process and by two."""
    found = {count: tmp_path_factory.mktemp(f"by-{count}") for count in (1, 2)}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    two = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.fit_shared", str(found[2]), "2"],
        cwd=ROOT,
        env={**environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "LOG_SECONDS", -1.0)
        fit_shared.main(found[1], 1)
    _, told = two.communicate(timeout=SECONDS)
    assert two.returncode == 0, told[-3000:]
    return found


def weights(folder: Path) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in artifacts.load(folder).tensors().items()}


def curve(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.mark.parametrize("name", EQUAL)
def test_two_processes_have_the_loss_curve_and_the_weights_of_one(folders: dict[int, Path], name: str) -> None:
    one, two = (weights(folders[count] / f"{name}-0") for count in (1, 2))
    assert one.keys() == two.keys()
    for key, tensor in one.items():
        torch.testing.assert_close(two[key], tensor, rtol=2e-3, atol=2e-4, msg=key)
    alone, shared = (curve(folders[count] / name) for count in (1, 2))
    assert len(alone) == len(shared) > 15
    for mine, theirs in zip(alone, shared, strict=True):
        assert theirs == pytest.approx(mine, rel=2e-3, abs=1e-4)


@pytest.mark.parametrize("name", list(cases()))
def test_all_processes_end_with_the_same_weights_and_one_of_them_leads(folders: dict[int, Path], name: str) -> None:
    """Also where each followed the statistics of its own share, and where a batch cannot be shared evenly."""
    first, second = (weights(folders[2] / f"{name}-{rank}") for rank in (0, 1))
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    leads = [artifacts.load(folders[2] / f"{name}-{rank}").card["leads"] for rank in (0, 1)]
    assert leads == [True, False]


def test_two_processes_stop_early_together(folders: dict[int, Path]) -> None:
    chosen = [artifacts.load(folders[count] / f"early-stopping-{rank}").card["best"] for count, rank in _everyone()]
    assert chosen[0] is not None
    assert len(set(chosen)) == 1


def test_a_batch_smaller_than_the_processes_is_refused_by_all(folders: dict[int, Path]) -> None:
    for rank in (0, 1):
        assert "2 processes cannot share batches of 1" in (folders[2] / f"refused-{rank}").read_text()
    assert not (folders[1] / "refused-0").exists()


def _everyone() -> list[tuple[int, int]]:
    return [(1, 0), (2, 0), (2, 1)]
