"""The folder of one fit: a checkpoint that is whole or the one before, and a file of measurements that can be watched.

The checkpoint says for which fit it was made; a folder of another fit is refused rather than continued.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.errors import StoreError, UserFacingError
from core.methods._held import Held
from core.store import artifacts
from core.training.run_files import CHECKPOINT, METRICS, VALIDATION, write


@dataclass(frozen=True, slots=True, eq=False)
class Resumed:
    """Where a fit was when it was last saved."""

    position: Mapping[str, Any]
    state: Held
    optimiser: Mapping[str, Tensor]
    best: Held | None


class RunFolder:
    """``identity`` is the fingerprint of all that decides a fit's outcome."""

    def __init__(self, folder: Path, identity: str) -> None:
        self.folder, self.identity = folder, identity
        folder.mkdir(parents=True, exist_ok=True)

    def save(
        self, position: Mapping[str, Any], state: Held, optimiser: Mapping[str, Tensor], best: Held | None
    ) -> None:
        parts = {"state": state.tensors, "optimiser": optimiser, "best": {} if best is None else best.tensors}
        card = {
            "identity": self.identity,
            "position": dict(position),
            "facts": dict(state.facts),
            "best_facts": None if best is None else dict(best.facts),
        }
        arrays = {name: _arrays(tensors) for name, tensors in parts.items() if tensors}
        if not arrays:
            return  # a method that gathers statistics has nothing before its first batch
        artifacts.save(self.folder / CHECKPOINT, arrays, card)

    def resume(self) -> Resumed | None:
        """None where nothing was saved yet."""
        try:
            found = artifacts.load(self.folder / CHECKPOINT)
        except StoreError as error:
            if error.code == "missing":
                return None
            raise
        if found.card["identity"] != self.identity:
            raise UserFacingError(
                "The training that was saved under this name had other settings or other data. Give the same ones to "
                "go on with it, or another name to begin anew.",
                code="other-run",
            )
        read = {name: _tensors(found.tensors(name)) if name in found.files else {} for name in ("state", "optimiser")}
        best = None
        if found.card["best_facts"] is not None:
            best = Held(_tensors(found.tensors("best")), found.card["best_facts"])
        return Resumed(found.card["position"], Held(read["state"], found.card["facts"]), read["optimiser"], best)

    def log(self, record: Mapping[str, Any]) -> None:
        """One line at the end of the file of measurements; what is no number is null."""
        told = {name: None if _undefined(value) else value for name, value in record.items()}
        line = json.dumps(told, allow_nan=False) + "\n"
        with (self.folder / METRICS).open("ab") as stream:
            stream.write(line.encode())  # at once

    def tell(self, record: Mapping[str, Any]) -> None:
        """What the last validation saw in detail."""
        write(self.folder / VALIDATION, record)

    @property
    def logged(self) -> int:
        """Bytes of measurements."""
        path = self.folder / METRICS
        return path.stat().st_size if path.is_file() else 0

    def cut_log(self, size: int) -> None:
        """Forget what was measured later, before it is measured again; with it goes a line that was cut short."""
        if not size:
            (self.folder / VALIDATION).unlink(missing_ok=True)
        if self.logged > size:
            os.truncate(self.folder / METRICS, size)


def _undefined(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: np.asarray(tensor.detach().cpu().numpy(), order="C") for name, tensor in tensors.items()}


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
