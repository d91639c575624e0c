"""Features of a frozen network, computed once: training a head reads them back instead of running the network.

Every view is an epoch of augmented inputs. View v of an item is what an uncached fit would see in epoch v, because
both draw from the same place: the seed, the epoch and the items of the batch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.backbones._network import StagedNetwork, Stages
from core.contracts import Progress, Task, no_progress
from core.drafts import draft
from core.fingerprint import fingerprint, torch_generator
from core.layers.augmentsite import augmenting, has_site
from core.methods._contract import Batch
from core.settings import Settings
from core.training.augment import Augment, augmented
from core.training.examples import Examples, Mapped

_BATCH = 32
_ARRAY, _TOLD = "features.npy", "features.json"


@dataclass(frozen=True, slots=True)
class Cached:
    """Where features are, and what they cost."""

    seconds: float  # of computing them, in whatever sitting that was
    views: int
    found: bool  # were they there already?


def features(
    network: StagedNetwork,
    examples: Examples,
    settings: Settings,
    *,
    identity: str,
    augment: Augment | None = None,
    views: int = 1,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> tuple[Mapped, Cached]:
    """(views, items, dim), mapped from a file. ``identity`` says which items these are, prepared in which way.

    A cache that was cut short goes on at its first missing view.
    """
    augment = augment or Augment()
    drawn = seed if augment != Augment() else 0
    mark = fingerprint("features", identity, weights_mark(network.stages), len(examples), augment, views, drawn)
    folder = settings.home / "features" / mark[:32]
    folder.mkdir(parents=True, exist_ok=True)
    shape = (views, len(examples), network.dim)
    path, told = folder / _ARRAY, _told(folder)
    if not _is_whole(path, shape):
        told = {"done": 0, "seconds": 0.0}
        _begin(path, shape)
    found = told["done"] == views
    array = np.load(path, mmap_mode="r" if found else "r+")
    for view in range(int(told["done"]), views):
        seconds = _fill(array, view, network, examples, augment, seed, device, progress)
        array.flush()
        told = {"done": view + 1, "seconds": told["seconds"] + seconds}
        with draft(folder / _TOLD) as part:
            part.write_text(json.dumps(told))
    return Mapped(array), Cached(told["seconds"], views, found)


def _is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    try:
        return np.load(path, mmap_mode="r").shape == shape
    except (OSError, ValueError, EOFError):
        return False


def _begin(path: Path, shape: tuple[int, ...]) -> None:
    """A file of the whole size. Processes that begin at once fill the same file, with the same numbers."""
    part = path.parent / f".{uuid.uuid4().hex}-{_ARRAY}"
    np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=shape).flush()
    if path.is_file():
        path.unlink()  # cut short, or damaged
    with contextlib.suppress(FileExistsError):
        os.link(part, path)
    part.unlink()


def weights_mark(parts: Stages) -> str:
    """A fingerprint of all numbers in some modules: a network that was trained further has another one."""
    digest = hashlib.sha256()
    for stage, module in parts:
        for name, tensor in module.state_dict().items():
            digest.update(f"{stage} {name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def batches(items: int) -> tuple[Tensor, ...]:
    """The rows of each batch of a view."""
    return torch.arange(items).split(_BATCH)


def viewed(
    network: StagedNetwork, examples: Examples, rows: Tensor, augment: Augment, view: int, seed: int, device: str
) -> Tensor:
    """Features of some items as one view has them; what the cache holds, and what it is checked against."""
    batch = Batch(examples.inputs.take(rows, view), examples.labels[rows], examples.keys[rows])
    transform = None
    if augment != Augment():
        task: Task = "multilabel" if examples.labels.is_floating_point() else "multiclass"
        batch, transform = augmented(
            batch,
            augment,
            kind=network.kind,
            task=task,
            classes=1,  # labels are not smoothed or mixed here
            site=has_site(network),
            generator=torch_generator("view", seed, view, int(rows[0])),
        )
    with torch.no_grad(), augmenting(transform):
        return network.embed(batch.inputs.to(device)).float().cpu()


def _fill(
    array: np.ndarray,
    view: int,
    network: StagedNetwork,
    examples: Examples,
    augment: Augment,
    seed: int,
    device: str,
    progress: Progress,
) -> float:
    import time

    began, network = time.perf_counter(), network.to(device)
    for number, rows in enumerate(parts := batches(len(examples)), 1):
        array[view, rows.numpy()] = viewed(network, examples, rows, augment, view, seed, device).numpy()
        progress(view * len(parts) + number, len(array) * len(parts), "features")
    network.to("cpu")  # where methods draw what they begin with
    return time.perf_counter() - began


def _told(folder: Path) -> dict[str, float]:
    try:
        return json.loads((folder / _TOLD).read_text())
    except (OSError, ValueError):
        return {"done": 0, "seconds": 0.0}
