"""How long an answer will take, from how long answers took here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.contracts import Scope

_KEPT = 32  # passes of a model on a device
_GUESSED = 8  # passes of other models


@dataclass(frozen=True, slots=True)
class Pass:
    items: int
    draws: int
    seconds: float


@dataclass(slots=True, eq=False)
class Rates:
    """Measured passes, by model and device. Safe to use from several threads."""

    _passes: dict[tuple[str, str], deque[Pass]] = field(default_factory=dict)
    _work: dict[str, deque[float]] = field(default_factory=dict)  # device -> multiply-adds a second
    _paces: dict[str, float] = field(default_factory=dict)  # the same, tried before anything was asked
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, paces: Mapping[str, float]) -> None:
        with self._lock:
            self._paces |= paces

    def known(self, model: str, device: str) -> bool:
        """Was it measured?"""
        with self._lock:
            return bool(self._passes.get((model, device)))

    def note(self, model: str, device: str, one: Pass, scope: Scope, macs: int | None) -> None:
        with self._lock:
            self._passes.setdefault((model, device), deque(maxlen=_KEPT)).append(one)
            if macs and one.seconds > 0:
                work = macs * one.items * _runs(scope, one.draws)
                self._work.setdefault(device, deque(maxlen=_GUESSED)).append(work / one.seconds)

    def seconds(self, model: str, device: str, draws: int, scope: Scope, macs: int | None) -> float | None:
        """For one item. Of a model that was never asked: from its size, at the rate of others on this device.

        Before any was asked: at the device's pace.
        """
        with self._lock:
            known = list(self._passes.get((model, device), ()))
            work = sorted(self._work.get(device, ())) or ([self._paces[device]] if device in self._paces else [])
        if known:
            return _estimate(known, draws, scope)
        if work and macs:
            return macs * _runs(scope, draws) / work[len(work) // 2]
        return None


def _runs(scope: Scope, draws: int) -> int:
    """Of the whole network for one item; heads cost next to nothing beside it."""
    return draws if scope == "network" else 1


def _estimate(known: list[Pass], draws: int, scope: Scope) -> float:
    """A cost an item and a cost an item and draw, by the medians at the fewest and at the most draws that were seen."""
    least, most = min(one.draws for one in known), max(one.draws for one in known)
    low, high = (_median([one.seconds / one.items for one in known if one.draws == at]) for at in (least, most))
    if most > least:
        slope = max(0.0, (high - low) / (most - least))
        return max(low - slope * least, 0.0) + slope * draws
    return low * draws / least if scope == "network" else low


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
