"""How long and how fast a fit runs: the knobs of the loop, and the learning rate at every step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class Schedule:
    epochs: int = knob(20, "times that every item is seen", least=1, most=100_000)
    batch: int = knob(32, "items in one step", least=1, most=65_536)
    optimiser: Literal["adamw", "adam", "amsgrad", "sgd"] = knob(
        "adamw", "rule of the steps", choices=("adamw", "adam", "amsgrad", "sgd")
    )
    rate: float = knob(1e-3, "highest learning rate", least=0.0, most=10.0)
    head_rate: float | None = knob(None, "highest learning rate of the head; none: as the rest", least=0.0, most=10.0)
    decay: float = knob(0.0, "weight decay", least=0.0, most=10.0)
    decayed: Literal["matrices", "all"] = knob(
        "matrices", "what decays: all but biases and normalisations, or all", choices=("matrices", "all")
    )
    shape: Literal["constant", "cosine", "linear"] = knob(
        "cosine", "how the rate falls", choices=("constant", "cosine", "linear")
    )
    warmup: float = knob(0.0, "share of the steps over which the rate rises", least=0.0, most=0.9)
    clip: float = knob(0.0, "longest gradient; 0: any", least=0.0, most=1e6)
    precision: Literal["float32", "bfloat16"] = knob(
        "float32", "arithmetic of convolutions and products", choices=("float32", "bfloat16")
    )
    balance: bool = knob(False, "draw items so that every class is seen as often")
    class_weights: bool = knob(False, "weigh each item's loss by how rare its class is")
    patience: int = knob(0, "epochs without a better validation loss before stopping; 0: never", least=0, most=10_000)

    def __post_init__(self) -> None:
        check(self)


def rate_at(schedule: Schedule, step: int, steps: int) -> float:
    """A factor of the highest learning rate at a step, counted from 0 of ``steps``."""
    rising = round(schedule.warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if schedule.shape == "constant":
        return 1.0
    gone = (step - rising) / max(1, steps - rising)
    return 0.5 * (1.0 + math.cos(math.pi * gone)) if schedule.shape == "cosine" else 1.0 - gone
