"""Network inputs of a data set, decoded and prepared once and read back from a file that is mapped into memory.

Pictures are kept as the bytes they were before they were normalised, which is exact; sounds as float32.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.backbones._entry import PictureEntry
from core.backbones._network import StagedNetwork
from core.contracts import Dataset, Item, Media, Problem, Progress, Task, no_progress
from core.data._fingerprint import dataset_fingerprint
from core.errors import DataError, UserFacingError
from core.fingerprint import fingerprint, sha256_of
from core.media import door
from core.settings import Settings
from core.training.examples import Examples, Inputs, keys_of_items, labels_of

_AHEAD = 8  # files being decoded while one is written
_FILE, _TOLD = "inputs.npy", "inputs.json"


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Bytes of pictures, normalised when they are taken."""

    array: np.ndarray  # (items, height, width, 3) uint8
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.array)

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(self.array[rows.numpy()])).float() / 255.0
        return ((pixels - torch.tensor(self.mean)) / torch.tensor(self.std)).permute(0, 3, 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Waveforms:
    array: np.ndarray  # (items, time) float32

    def __len__(self) -> int:
        return len(self.array)

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.array[rows.numpy()]))


@dataclass(frozen=True, slots=True, eq=False)
class PreparedSet:
    """Every item of a data set that could be read, as a network takes it, and those that could not."""

    examples: Examples
    items: tuple[Item, ...]
    problems: tuple[Problem, ...]
    fingerprint: str  # of the data set


def prepare(
    dataset: Dataset, network: StagedNetwork, settings: Settings, task: Task, progress: Progress = no_progress
) -> PreparedSet:
    """Prepared now, or found as it was prepared before for the same data and the same way in."""
    mark = dataset_fingerprint(dataset, progress)
    folder = settings.home / "prepared" / fingerprint(mark, network.key, repr(network.entry))[:32]
    if not _is_whole(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write(dataset, network, folder, progress)
    told = json.loads((folder / _TOLD).read_text())
    problems = tuple(Problem(**problem) for problem in told["problems"])
    refused = {problem.id for problem in problems}
    items = tuple(item for item in dataset.items if item.id not in refused)
    if not items:
        raise DataError(
            f"None of the {len(dataset.items):,} items of {dataset.title} could be read: {problems[0].reason}",
            code="nothing-read",
        )
    inputs = _inputs(np.load(folder / _FILE, mmap_mode="r")[: len(items)], network)
    keys = keys_of_items(tuple(told["sha256"]))
    examples = Examples(inputs, labels_of(dataset, items, task), keys, tuple(item.id for item in items))
    return PreparedSet(examples, items, problems, mark)


def _write(dataset: Dataset, network: StagedNetwork, folder: Path, progress: Progress) -> None:
    """The array first, then what says that it is whole. Items come back in their order, decoded a few ahead."""
    problems, sha256s = [], []
    _forget_dead(folder)
    fresh = folder / f".{os.getpid()}-{_FILE}"
    array: np.ndarray | None = None
    try:
        for done, (_, tensor) in enumerate(_prepared(dataset, network), 1):
            progress(done, len(dataset.items), "prepare")
            if isinstance(tensor, Problem):
                problems.append(tensor)
                continue
            row = _packed(tensor[0], network)
            if array is None:
                shape = (len(dataset.items), *row.shape)
                array = np.lib.format.open_memmap(fresh, mode="w+", dtype=row.dtype, shape=shape)
            array[len(sha256s)] = row
            sha256s.append(tensor[1])
        if array is not None:
            array.flush()
            fresh.replace(folder / _FILE)
    finally:
        fresh.unlink(missing_ok=True)
    told = {"sha256": sha256s, "problems": [_told(problem) for problem in problems]}
    draft = folder / f".{os.getpid()}-{_TOLD}"
    draft.write_text(json.dumps(told))
    draft.replace(folder / _TOLD)


def _is_whole(folder: Path) -> bool:
    try:
        count = len(json.loads((folder / _TOLD).read_text())["sha256"])
        return count == 0 or len(np.load(folder / _FILE, mmap_mode="r")) >= count
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return False


def _forget_dead(folder: Path) -> None:
    """Drafts of processes that ended before they could."""
    for draft in folder.glob(f".*-{_FILE}"):
        process = draft.name.removeprefix(".").partition("-")[0]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            draft.unlink(missing_ok=True)
        except (OSError, ValueError):  # somebody else's, or alive
            continue


def _prepared(dataset: Dataset, network: StagedNetwork) -> Iterator[tuple[Item, tuple[Tensor, str] | Problem]]:
    def one(item: Item) -> tuple[Tensor, str] | Problem:
        try:
            media = _decoded(dataset, item)
            return network.prepare(media).tensor, media.sha256
        except UserFacingError as error:
            return Problem(item.id, "decode", error.code, str(error))
        except OSError:
            return Problem(item.id, "read", "unreadable", "The file could not be read.")

    waiting: deque[tuple[Item, Future[tuple[Tensor, str] | Problem]]] = deque()
    with ThreadPoolExecutor(2) as pool:
        for item in dataset.items:
            waiting.append((item, pool.submit(one, item)))
            if len(waiting) > _AHEAD:
                first, found = waiting.popleft()
                yield first, found.result()
        for first, found in waiting:
            yield first, found.result()


def _decoded(dataset: Dataset, item: Item) -> Media:
    raw = dataset.read(item)
    return door.open_media(raw, kind=dataset.kind, expected=sha256_of(raw))


def _packed(tensor: Tensor, network: StagedNetwork) -> np.ndarray:
    entry = network.entry
    if not isinstance(entry, PictureEntry):
        return tensor.numpy()
    pixels = tensor.permute(1, 2, 0) * torch.tensor(entry.std) + torch.tensor(entry.mean)
    return (pixels * 255.0).round().clamp(0, 255).to(torch.uint8).numpy()


def _inputs(array: np.ndarray, network: StagedNetwork) -> Inputs:
    entry = network.entry
    return Pictures(array, entry.mean, entry.std) if isinstance(entry, PictureEntry) else Waveforms(array)


def _told(problem: Problem) -> dict[str, str]:
    return {"id": problem.id, "stage": problem.stage, "code": problem.code, "reason": problem.reason}


def rows_where(items: Sequence[Item], chosen: set[str]) -> Tensor:
    """The rows of some items, by their ids."""
    return torch.tensor([row for row, item in enumerate(items) if item.id in chosen], dtype=torch.int64)
