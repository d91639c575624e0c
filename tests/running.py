"""What the tests of core.runner share. It needs no torch, as nothing that asks the runner does."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.contracts import Dataset, Item, Media
from core.fingerprint import sha256_of
from core.media import image
from core.runner import Launch
from core.settings import Settings
from tests.patience import SECONDS

FAILING = Launch(command=(sys.executable, "-m", "tests.failing_worker"))


class Faults:
    """What the worker of these settings is to do wrong, told to another process."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.home / "faults"
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, value: object = "") -> None:
        part = self.folder / f"{name}.part"
        part.write_text(str(value))
        part.rename(self.folder / name)

    def take(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def get(self, name: str) -> str | None:
        path = self.folder / name
        return path.read_text() if path.is_file() else None

    def once(self, name: str) -> bool:
        there = self.get(name) is not None
        self.take(name)
        return there

    def noted(self) -> list[str]:
        """One word for each pass: items.rows."""
        return (self.get("passes") or "").split()


def media_of(dataset: Dataset, item: Item) -> Media:
    raw = dataset.read(item)
    return image.decode(raw, "png", sha256_of(raw))


def until(true: Any, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)


def same(one: np.ndarray | None, other: np.ndarray | None, within: float = 1e-5) -> None:
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one, other, atol=within, rtol=0)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
