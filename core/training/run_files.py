"""What lies in the folder of a training, and who may write there. Needs no torch: pages read it too."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.drafts import draft
from core.errors import UserFacingError

METRICS = "metrics.jsonl"  # a line a second and one an epoch
VALIDATION = "validation.json"  # the table of the last validation
PLAN = "plan.json"  # what is trained: recipe, plan, when it was begun
ABOUT = "about.json"  # what is known once the data are read: classes, items, device
BEGUN = "begun"  # while its model is not kept: the plan's fingerprint
CHECKPOINT = "checkpoint"
THROWN = "thrown"  # it is to be forgotten as soon as it has stopped
_LOCK = ".lock"
_TAIL = 64 << 20  # bytes of measurements that are read, the last ones
_MOST_LINES = 4_000  # that a chart is made of; validations are all there


def write(path: Path, record: Mapping[str, Any]) -> None:
    """A reader sees the old record or the new one, never half of one."""
    with draft(path) as part:
        part.write_text(json.dumps(record, allow_nan=False))


def read(path: Path) -> dict[str, Any]:
    """The record; an empty one where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def measured(folder: Path) -> list[dict[str, Any]]:
    """The measurements of a run so far; a line that is being written, or was cut short, is none."""
    try:
        raw = (folder / METRICS).read_bytes()[-_TAIL:]
    except OSError:
        return []
    records = []
    for line in _thinned(raw.split(b"\n")):
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return [record for record in records if isinstance(record, dict)]


def _thinned(lines: list[bytes]) -> list[bytes]:
    """Every line of a validation, and of the others as many as a chart can show."""
    step = len(lines) // _MOST_LINES + 1
    return [line for place, line in enumerate(lines) if place % step == 0 or b'"validation ' in line]


@contextlib.contextmanager
def taken(folder: Path) -> Iterator[None]:
    """One training at a time in a folder; another one is refused, and several processes of one are one.

    The lock is the system's own and ends with its process, however that dies.
    """
    import fcntl

    place = folder.with_name(f".{folder.name}{_LOCK}")  # beside it: the folder may be emptied
    place.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if os.pread(handle, 20, 0).decode() != str(os.getppid()):
                raise UserFacingError(
                    f"A training called {folder.name} is under way. Wait for it, pause it, or choose another name.",
                    code="taken",
                ) from None
        else:
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)
