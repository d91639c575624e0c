"""A picture of which most pixels are gone: what is left, how it is filled in, what comes of it. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.fingerprint import numpy_generator
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Config:
    kept: float = knob(0.1, "share of the pixels that are left", least=0.01, most=0.9)
    waves: int = knob(48, "waves in which a place is written", least=4, most=1024)
    fineness: float = knob(3.0, "standard deviation of the waves' numbers across the picture", least=0.1, most=100.0)
    width: int = knob(96, "units of a layer", least=8, most=1024)
    rate: float = knob(0.2, "dropout", least=0.01, most=0.9)
    steps: int = knob(300, "of a network", least=1, most=100_000)
    later: int = knob(100, "further ones of a thinned copy", least=1, most=100_000)
    learning_rate: float = knob(5e-3, "of a network; of a thinned copy half of it", least=1e-6, most=1.0)
    members: int = knob(4, "of either ensemble", least=2, most=64)
    seed: int = 0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """One method's picture."""

    key: str
    mean: np.ndarray  # (height, width, 3) in [0, 1]
    doubt: np.ndarray  # (height, width): standard deviation of the members, mean over the colours
    psnr: float  # dB, of the pixels that were erased
    ranks: float | None  # rank correlation of doubt and error there; a single network has none
    seconds: float


def left_of(pixels: np.ndarray, config: Config) -> np.ndarray:
    """Which pixels are left; at least one."""
    generator = numpy_generator("erased", config.seed)
    left = generator.random(pixels.shape[:2]) < config.kept
    left.flat[int(generator.integers(left.size))] = True
    return left
