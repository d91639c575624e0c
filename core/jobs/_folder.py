"""What lies in a job's folder, and the two locks that say who may touch it.

``lock`` in a job's folder is held by the job's own processes for as long as one of them lives: the keeper
gets it open and locked from whoever starts it, and hands it on to the command. It is the system's own
(flock), so it ends with them however they die, and nobody has to guess whether a pid is stale.
``.lock`` beside the folders is held for moments, by everyone who looks (shared) or starts, ends or
removes a job (alone).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.drafts import draft
from core.errors import UserFacingError

REQUEST, RUN, RESULT, PROGRESS, ENDING = "request.json", "run.json", "result.json", "progress.json", "ending.json"
HEARTBEAT, CANCEL, LOCK, OUT, ERR = "heartbeat", "cancel", "lock", "out.log", "err.log"
QUEUE = ".queue"  # beside the folders: one empty file <ticket>-<job> for each that waits or runs
PAUSE = "pause"  # what the file "cancel" says of a job that is to go on later
_PATIENCE = 10.0  # seconds to wait for a lock that is held for moments


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    began: str  # in clock ticks of a named boot; empty where the system does not tell


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt at a job. The starter writes it as queued, the keeper as running."""

    attempt: int
    phase: str  # queued, running
    ticket: int | None  # place in the queue: lower goes first; None: waits for nobody
    slots: int  # how many of the queue may run at once
    words: tuple[str, ...]  # what the command gets
    grace: float  # seconds between the request to stop and the end by force
    began: float = 0.0  # seconds since 1970, for people
    keeper: Process | None = None
    command: Process | None = None

    def save(self, folder: Path) -> None:
        write_json(folder / RUN, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Run | None:
        record = read_json(folder / RUN)
        try:
            keeper, command = (Process(**record[name]) if record[name] else None for name in ("keeper", "command"))
            return cls(**{**record, "words": tuple(record["words"]), "keeper": keeper, "command": command})
        except (KeyError, TypeError):
            return None


def write_json(path: Path, document: Any, *, durable: bool = True) -> None:
    """A reader sees the old document or the new one, never half of one."""
    with draft(path, durable=durable) as part:
        part.write_text(json.dumps(document, ensure_ascii=False))


def read_json(path: Path) -> dict[str, Any]:
    """The document, or an empty one where there is none that can be read."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


@contextlib.contextmanager
def guarded(jobs: Path, *, alone: bool) -> Iterator[None]:
    """Hold ``.lock``: many may look at once, one at a time may change."""
    import fcntl

    try:
        jobs.mkdir(parents=True, exist_ok=True)
        handle = os.open(jobs / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not _taken(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, _PATIENCE):
                raise UserFacingError("The list of jobs is held by another process; try again.", code="busy")
            yield
        finally:
            os.close(handle)
    except OSError as error:
        raise UserFacingError(
            f"The folder of the jobs cannot be used ({error.strerror or 'it is damaged'}); free some space, or let "
            "this program write there.",
            code="no-place",
        ) from error


def claim(folder: Path, patience: float = 0.0) -> int | None:
    """The job's lock as an open file for its processes to inherit; None while one of them lives."""
    import fcntl

    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if _taken(handle, fcntl.LOCK_EX, patience):
        return handle
    os.close(handle)
    return None


def alive(folder: Path) -> bool:
    """Does any process of the job live? Asked inside ``guarded``, so that asking is never taken for living."""
    import fcntl

    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _taken(handle, fcntl.LOCK_SH, 0.0)
    finally:
        os.close(handle)


def _taken(handle: int, kind: int, patience: float) -> bool:
    import fcntl

    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)


def queued(jobs: Path) -> list[tuple[int, str]]:
    """Tickets and jobs of the queue, in order; those whose process is gone are still among them."""
    try:
        names = [path.name.partition("-") for path in (jobs / QUEUE).iterdir()]
    except FileNotFoundError:
        return []
    return sorted((int(ticket), job) for ticket, _, job in names if ticket.isdigit())


def ahead(jobs: Path, ticket: int) -> int:
    """How many living jobs have a lower ticket. Asked inside ``guarded``."""
    return sum(alive(jobs / job) for other, job in queued(jobs) if other < ticket)


def leave_queue(jobs: Path, job: str) -> None:
    for ticket, name in queued(jobs):
        if name == job:
            leave_place(jobs, ticket, job)


def leave_place(jobs: Path, ticket: int, job: str) -> None:
    (jobs / QUEUE / f"{ticket:012d}-{job}").unlink(missing_ok=True)


def enter_queue(jobs: Path, job: str) -> int:
    """The last place. Asked inside ``guarded(alone=True)``."""
    leave_queue(jobs, job)
    (jobs / QUEUE).mkdir(exist_ok=True)
    ticket = max((other for other, _ in queued(jobs)), default=0) + 1
    (jobs / QUEUE / f"{ticket:012d}-{job}").touch()
    return ticket
