"""Rendered built-in data on disk: one file an item, written whole or not at all, made by all cores.

A file that exists is finished, so preparing again only makes what is missing. The folder is named after the
revision of the code that renders, so an edited renderer never meets files of the old one.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import time
from typing import TypeVar

from core.contracts import Progress, no_progress
from core.fingerprint import fingerprint, sha256_of_file

T = TypeVar("T")

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PART = ".part"
_STALE = 3600.0  # seconds after which an unfinished file has surely lost its writer
_INLINE = 8  # so few items are made faster here than by starting workers
_CHUNK = 4  # items a worker takes at a time


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder of finished files, one an item."""

    folder: Path
    suffix: str  # with the dot

    def path(self, name: str) -> Path:
        if not _SAFE.fullmatch(name):
            raise ValueError(f"{name!r} is no plain file name")
        return self.folder / f"{name}{self.suffix}"

    def read(self, name: str) -> bytes | None:
        """The finished bytes, or None where there are none yet."""
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, raw: bytes) -> None:
        """Atomic: a reader sees the whole file or none, also after a power cut."""
        target = self.path(name)
        handle, part = tempfile.mkstemp(suffix=_PART, dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(raw)
                stream.flush()
                os.fsync(stream.fileno())
            Path(part).replace(target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    def names(self) -> set[str]:
        """The finished items."""
        if not self.folder.is_dir():
            return set()
        with os.scandir(self.folder) as entries:
            return {e.name.removesuffix(self.suffix) for e in entries if e.name.endswith(self.suffix)}


@dataclass(frozen=True, slots=True)
class _Task:
    """One item on its way to a worker."""

    prepared: Prepared
    name: str
    render: Callable[..., bytes]
    spec: object


@cache
def revision(*places: Path) -> str:
    """Ten hex digits that change with any source file under some modules or packages, and with the number libraries."""
    import numpy
    import scipy

    files = sorted(file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place]))
    return fingerprint(numpy.__version__, scipy.__version__, [[file.name, sha256_of_file(file)] for file in files])[:10]


def prepare_all(
    prepared: Prepared,
    jobs: Sequence[tuple[str, T]],
    render: Callable[[T], bytes],
    *,
    progress: Progress = no_progress,
    stage: str = "rendering",
    workers: int | None = None,
) -> int:
    """Make every missing file of ``jobs`` (name, spec) and say how many were made.

    ``render`` is a module-level function and a spec is plain data: both travel to fresh worker processes.
    """
    prepared.folder.mkdir(parents=True, exist_ok=True)
    _sweep(prepared.folder)
    finished = prepared.names()
    missing = [_Task(prepared, name, render, spec) for name, spec in jobs if name not in finished]
    done = len(jobs) - len(missing)
    progress(done, len(jobs), stage)
    for _ in _made(missing, workers or os.cpu_count() or 1):
        done += 1
        progress(done, len(jobs), stage)
    return len(missing)


def forget_older(folder: Path) -> None:
    """Remove sibling folders of the same set and another revision; they can always be made again."""
    stem, _, mark = folder.name.rpartition("-")
    form = re.compile(rf"{re.escape(stem)}-[0-9a-f]{{{len(mark)}}}")
    for sibling in folder.parent.iterdir():
        if sibling.name != folder.name and form.fullmatch(sibling.name) and sibling.is_dir():
            shutil.rmtree(sibling, ignore_errors=True)


def _made(tasks: Sequence[_Task], workers: int) -> Iterator[None]:
    if len(tasks) <= _INLINE or workers == 1:
        for task in tasks:
            yield _make(task)
        return
    # spawn: a fork of a process with threads (the app has many) may inherit a held lock
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn"))
    try:
        yield from pool.map(_make, tasks, chunksize=_CHUNK)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _make(task: _Task) -> None:
    task.prepared.write(task.name, task.render(task.spec))


def _sweep(folder: Path) -> None:
    """Remove what a killed writer left behind."""
    for part in folder.glob(f"*{_PART}"):
        with suppress(FileNotFoundError):
            if time() - part.stat().st_mtime > _STALE:
                part.unlink()
