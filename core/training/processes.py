"""Where a fit computes: one process, or several that share every batch and meet after every backward pass."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from core.methods._contract import modules_of
from core.training.schedule import Schedule


def load_fabric() -> type[Any]:
    """By the name of its own package: through ``lightning`` all of that is loaded first. And without torchmetrics,
    which Fabric would load whole, some seconds of work, to know its version."""
    hidden = "torchmetrics" not in sys.modules
    if hidden:
        sys.modules["torchmetrics"] = None  # type: ignore[assignment]  # Python's way to say that it is not there
    try:
        from lightning_fabric import Fabric
    finally:
        if hidden:
            del sys.modules["torchmetrics"]
    return Fabric


def fabric_of(schedule: Schedule, device: str = "cpu", devices: int = 1, nodes: int = 1) -> Any:
    """Lightning Fabric for a device as core.device names it; several processes meet after every backward pass."""
    kind, _, number = device.partition(":")
    several = devices * nodes > 1
    return load_fabric()(
        accelerator="gpu" if kind == "cuda" else kind,
        devices=[int(number)] if number and not several else devices,
        num_nodes=nodes,
        strategy="ddp" if several else "auto",
        precision="bf16-mixed" if schedule.precision == "bfloat16" else "32-true",
    )


def any_of(fabric: Any, asked: bool) -> bool:
    """What one process was asked is done by all of them."""
    if fabric.world_size == 1:
        return asked
    return bool(fabric.all_reduce(torch.tensor(float(asked), device=fabric.device), reduce_op="sum"))


def meet_statistics(fabric: Any, state: Any) -> None:
    """Running statistics, of which each process followed its share of every batch, become their mean."""
    if fabric.world_size == 1:
        return
    found = [part for module in modules_of(state) for part in module.modules()]
    for statistics in (part for part in found if isinstance(part, nn.modules.batchnorm._BatchNorm)):
        for buffer in (statistics.running_mean, statistics.running_var):
            if buffer is not None:
                fabric.all_reduce(buffer, reduce_op="mean")  # in place
