"""What the tables of bad inputs share: one sandbox, its memory, and the proof that it still works."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.media import door
from core.media.sandbox import Sandbox
from tests.hostile.audio_files import wav

GROWTH = 20 << 20  # bytes the server may keep after a refused file
CHILD_PEAK = 1 << 30


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(1, door.LIMITS)
    yield made
    made.close()


def memory_of(process: int, field: str) -> int:
    """A line of the kernel's account of a process, in bytes."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) << 10
    raise AssertionError(field)


@pytest.fixture
def watched(sandbox: Sandbox) -> Iterator[Callable[[], None]]:
    """Around one bad input: the server does not grow, the child stays below its peak, and both still work.

    The test calls the fixture's value once its own bytes are made and before they are opened.
    """
    before: list[int] = []
    yield lambda: before.append(memory_of(os.getpid(), "VmRSS"))
    assert before, "the test must say when its bytes are ready"
    assert memory_of(os.getpid(), "VmRSS") - before[0] < GROWTH
    for child in sandbox.processes():
        assert memory_of(child, "VmHWM") < CHILD_PEAK
    assert_alive(sandbox)


def assert_alive(sandbox: Sandbox) -> None:
    """A known file gives the known samples: 16-bit integers over 2 to the 15th, exactly."""
    ramp = np.arange(-2000, 2000, dtype="<i2") * 8
    media = door.open_media(wav(ramp.tobytes(), rate=22_050), sandbox=sandbox)
    assert media.rate == 22_050
    assert np.array_equal(media.samples, ramp / np.float32(32768))
