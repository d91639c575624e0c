"""What the runner is made of, without its worker: how two processes talk, and how time is told."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import pytest

from core.pipes import Gone, Silent
from core.runner import Request
from core.runner._rates import Pass, Rates
from core.runner._wire import Shared, receive, send


@pytest.mark.parametrize("wrong", [{}, {"inputs": np.zeros((0, 3))}, {"inputs": np.zeros((2, 3)), "sha256s": ("ab",)}])
def test_a_request_of_nothing_or_without_keys_is_a_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"items? need|at least one item"):
        Request("toy", **wrong)


def test_time_is_told_from_what_was_measured() -> None:
    """A cost an item and one a draw; what was never asked by its size, at the rate of the others."""
    rates = Rates()
    assert rates.seconds("a", "cpu", 50, "network", 1000) is None
    rates.begin({"cpu": 5000.0})
    assert rates.seconds("a", "cpu", 50, "network", 1000) == pytest.approx(10.0)  # a guess before the first answer
    assert rates.seconds("a", "cpu", 50, "head", 1000) == pytest.approx(0.2)
    assert rates.seconds("a", "cuda:0", 50, "head", 1000) is None
    assert not rates.known("a", "cpu")
    for draws in (10, 50, 50):
        rates.note("a", "cpu", Pass(4, draws, 4 * (0.5 + 0.01 * draws)), "network", 1000)
    assert rates.seconds("a", "cpu", 100, "network", 1000) == pytest.approx(1.5)
    assert rates.known("a", "cpu")
    rates.note("b", "cpu", Pass(1, 20, 2.0), "network", None)
    assert rates.seconds("b", "cpu", 40, "network", None) == pytest.approx(4.0)
    rates.note("c", "cuda:0", Pass(2, 50, 1.0), "head", 3000)  # 6,000 multiply-adds a second
    assert rates.seconds("c", "cuda:0", 500, "head", 3000) == pytest.approx(0.5)
    assert rates.seconds("d", "cuda:0", 10, "network", 600) == pytest.approx(1.0)
    assert rates.seconds("c", "cpu", 5, "head", None) is None


def test_arrays_of_numbers_pass_between_processes_and_nothing_else_does() -> None:
    shared = Shared.made()
    try:
        given = [
            np.arange(7, dtype=np.uint8),
            np.zeros((0, 3), np.float32),
            np.eye(3)[:, ::-1],
            np.array([True, False]),
        ]
        specs = shared.put(given)
        for array, found in zip(given, shared.take(specs), strict=True):
            assert found.dtype == array.dtype
            assert np.array_equal(found, array)
        assert shared.put([np.zeros(3)])[0]["at"] == 0  # a smaller message after a larger one
        with pytest.raises(ValueError, match="array of numbers"):
            shared.take([{"dtype": "|O", "shape": [1], "at": 0}])
        with pytest.raises(ValueError, match=r"buffer|reshape"):
            shared.take([{"dtype": "<f8", "shape": [10**6], "at": 0}])
    finally:
        shared.close()


def test_who_ended_and_who_is_silent_are_told_apart() -> None:
    ours, theirs = os.pipe()
    with pytest.raises(Silent):
        receive(ours, time.monotonic() + 0.05)
    send(theirs, {"a": [1, "ä"]})
    assert receive(ours, time.monotonic() + 5) == {"a": [1, "ä"]}
    os.set_blocking(theirs, False)
    with pytest.raises(Silent):  # nobody reads it
        send(theirs, {"a": "b" * 10**6}, time.monotonic() + 0.05)
    os.close(ours)
    with pytest.raises(Gone):
        send(theirs, {"a": 1})
    os.close(theirs)
