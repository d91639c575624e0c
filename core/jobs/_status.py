"""A job, and what its folder says of it at this moment."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.jobs._folder import ERR, HEARTBEAT, PROGRESS, REQUEST, RESULT, Run, ahead, alive, guarded, read_json

State = Literal["queued", "running", "done", "failed", "refused", "cancelled", "paused", "lost"]
STALE = 60.0  # seconds without a sign of life; the command gives one every second
_GONE = "It ended without a word, as when the machine is restarted; resume it to go on."
_SILENT = "It has given no sign of life for a minute; cancel it, or resume it to start it again."


@dataclass(frozen=True, slots=True)
class Job:
    """One request, and the folder that holds all that is known of it."""

    id: str
    words: tuple[str, ...]  # what follows "python -m core"
    title: str
    created: float  # seconds since 1970, for people and for the order of lists
    heavy: bool  # waits its turn in the queue
    folder: Path

    @classmethod
    def load(cls, folder: Path) -> Job | None:
        record = read_json(folder / REQUEST)
        try:
            words = tuple(str(word) for word in record["words"])
            return cls(folder.name, words, str(record["title"]), float(record["created"]), record["heavy"], folder)
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class JobStatus:
    state: State
    attempt: int = 0
    ahead: int = 0  # of a queued job: how many run or wait before it
    stage: str = ""
    done: int = 0
    total: int = 0
    rate: float | None = None  # a second, over the last half minute; None: not known yet
    seconds_left: float | None = None  # of this stage
    began: float | None = None  # the attempt, in seconds since 1970
    ended: float | None = None
    code: int | None = None  # how the command ended: 0 done, 2 refused, 1 or a signal anything else
    message: str = ""  # for people, where there is something to say
    result: Any = None  # the document of a command that has one

    @property
    def over(self) -> bool:
        return self.state not in {"queued", "running"}


def status(job: Job) -> JobStatus:
    with guarded(job.folder.parent, alone=False):
        return status_inside(job.folder)


def status_inside(folder: Path) -> JobStatus:
    """Asked inside ``guarded``. Life is looked at first: a result is written before the last process ends."""
    living = alive(folder)
    run = Run.load(folder)
    if run is None:
        return JobStatus("lost", message=_GONE)
    result = read_json(folder / RESULT)
    progress = _progress(folder, run, moving=living)
    began = run.began or None
    if result.get("attempt") == run.attempt:
        facts = {name: result[name] for name in ("state", "ended", "code", "message")}
        return JobStatus(attempt=run.attempt, began=began, result=result["document"], **facts, **progress)
    if run.phase == "queued":
        place = ahead(folder.parent, run.ticket) if run.ticket is not None else 0
        return JobStatus("queued", run.attempt, ahead=place)
    if not living:
        return JobStatus("lost", run.attempt, began=began, message=_GONE, **progress)
    if _silent(folder):
        return JobStatus("lost", run.attempt, began=began, message=_SILENT, **progress)
    return JobStatus("running", run.attempt, began=began, **progress)


def log_of(job: Job, *, lines: int = 40) -> str:
    """The last lines that the command printed for people."""
    raw = b""
    for name in (f"{ERR}.1", ERR):
        with contextlib.suppress(OSError):
            raw += (job.folder / name).read_bytes()
    return "\n".join(raw.decode(errors="replace").rstrip("\n").split("\n")[-lines:])


def _silent(folder: Path) -> bool:
    try:
        return time.time() - (folder / HEARTBEAT).stat().st_mtime > STALE
    except OSError:
        return False


def _progress(folder: Path, run: Run, *, moving: bool) -> dict[str, Any]:
    record = read_json(folder / PROGRESS)
    if record.get("attempt") != run.attempt:
        return {}
    stage, done, total, marks = (record[name] for name in ("stage", "done", "total", "marks"))
    rate = rate_of(marks) if moving else None
    left = None
    if rate and total > done:  # the same clock for all processes of one boot
        left = max(0.0, (total - done) / rate - max(0.0, time.monotonic() - marks[-1][0]))
    return {"stage": stage, "done": done, "total": total, "rate": rate, "seconds_left": left}


def rate_of(marks: list[tuple[float, int]]) -> float | None:
    """Steps a second between the first and the last of some (monotonic seconds, done)."""
    if len(marks) < 2:
        return None
    (first, done_before), (last, done_now) = marks[0], marks[-1]
    return (done_now - done_before) / (last - first) if last > first and done_now > done_before else None
