"""What a module of core/checkpoints/foreign exports as FORMAT, and what reading a file gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._report import Report
from core.checkpoints.foreign._tensors import Opened
from core.contracts import Task


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """Someone's trained network in our names."""

    backbone: str
    network_config: Any  # of the backbone
    tensors: Mapping[str, Tensor]  # of the network
    report: Report
    method: str | None = None  # None: a network whose classes have no meaning here, to begin other models with
    method_config: Any = None
    held: Mapping[str, Tensor] = field(default_factory=dict)  # of the method's State, where they are not the network's
    classes: tuple[str, ...] = ()
    task: Task = "multiclass"
    trained_on: str = ""
    licence: str = "unknown"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    key: str  # equals the module's name; people write a hyphen for the underscore
    title: str
    archs: str  # what --arch may be, in words; empty: there is one network
    read: Callable[[Opened, Asked], Foreign]
