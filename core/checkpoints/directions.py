"""Along which directions wide features were stored, for who compares a file with them and needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.checkpoints.folders import find
from core.settings import Settings
from core.store import artifacts

PART = "density"


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Centre and leading directions of the training features: those of the model's density."""

    centre: np.ndarray  # (dim,) float32
    basis: np.ndarray  # (dim, directions) float32

    def along(self, features: np.ndarray) -> np.ndarray:
        return (features - self.centre) @ self.basis


def directions_of(name: str, settings: Settings) -> Directions | None:
    """None where the model came without a density."""
    artifact = artifacts.load(find(name, settings))
    if PART not in artifact.files:
        return None
    tensors = artifact.tensors(PART)
    return Directions(tensors["centre"].astype(np.float32), tensors["basis"].astype(np.float32))
