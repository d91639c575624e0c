"""What a fit reads: items that are ready for a network, by row, from memory or from a file that is mapped into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.contracts import Dataset, Item, Task
from core.layers import key_of


class Inputs(Protocol):
    """Network inputs or features of items."""

    def __len__(self) -> int: ...

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        """Float32 inputs of some rows. ``epoch`` chooses between the views of an item where there are several."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """One view of every item."""

    tensor: Tensor

    def __len__(self) -> int:
        return len(self.tensor)

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        return self.tensor[rows]


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """(views, items, ...) in a file; epochs go through the views in turn."""

    array: np.ndarray

    def __len__(self) -> int:
        return self.array.shape[1]

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        view = self.array[epoch % len(self.array)]
        return torch.from_numpy(np.asarray(view[rows.numpy()], np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """Some rows of other inputs."""

    of: Inputs
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        return self.of.take(self.rows[rows], epoch)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Inputs with what is known of their items."""

    inputs: Inputs
    labels: Tensor  # (items,) int64, or (items, classes) float
    keys: Tensor  # (items,) int64
    ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    def part(self, rows: Tensor) -> Examples:
        ids = tuple(self.ids[row] for row in rows.tolist()) if self.ids else ()
        return Examples(Selected(self.inputs, rows), self.labels[rows], self.keys[rows], ids)

    def with_inputs(self, inputs: Inputs) -> Examples:
        return replace(self, inputs=inputs)


def labels_of(dataset: Dataset, items: tuple[Item, ...], task: Task) -> Tensor:
    """Class numbers; with several labels an item, a 1 for each that it has."""
    if task == "multiclass":
        return torch.tensor([-1 if item.label is None else item.label for item in items])
    table = torch.zeros(len(items), len(dataset.classes))
    for row, item in enumerate(items):
        table[row, list(item.labels or (() if item.label is None else (item.label,)))] = 1.0
    return table


def keys_of_items(sha256s: tuple[str, ...]) -> Tensor:
    return torch.tensor([key_of(sha256) for sha256 in sha256s], dtype=torch.int64)
