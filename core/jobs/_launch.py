"""Start a job, start it again, end it, find it, forget it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.drafts import draft
from core.errors import UserFacingError
from core.jobs._folder import (
    CANCEL,
    ENDING,
    ERR,
    OUT,
    PAUSE,
    PROGRESS,
    REQUEST,
    RESULT,
    Run,
    alive,
    claim,
    enter_queue,
    guarded,
    leave_queue,
    read_json,
    write_json,
)
from core.jobs._processes import end_by_force
from core.jobs._status import Job, JobStatus, status_inside
from core.settings import PROJECT, Settings

_GRACE = 10.0  # seconds that a command has to stop at its next safe point
_KEPT = 50  # jobs that are done and still listed; what they made stays in any case
_LEAVE = 5.0  # seconds in which the last process of a job that has a result is gone
_NO_PART = {"--json", "--resume"}  # words that do not change what is asked for
_ASKS = {"train"}  # commands that are told whether to go on or to begin anew; the others see what is there
_NOT_RELEVANT = {
    "PENUMBRA_HOME",
    "PENUMBRA_DECODERS",
    "PENUMBRA_HEAVY",
    "PENUMBRA_JOB",
}  # settings that do not change what comes out


@dataclass(frozen=True, slots=True)
class Launch:
    """How jobs are started. Tests have a command of their own, and less patience."""

    command: tuple[str, ...] = (sys.executable, "-m", "core")
    grace: float = _GRACE


def submit(
    settings: Settings,
    words: Sequence[str],
    *,
    title: str = "",
    heavy: bool = True,
    again: bool = False,
    launch: Launch | None = None,
) -> Job:
    """The job of this request. It is started unless it is under way, or done and not wanted again.

    Paths among the words are absolute, or start at the project's folder.
    """
    from core.fingerprint import fingerprint  # numpy comes with it, and a keeper is to stay small

    words, relevant = canonical_words(words), _relevant(settings)
    folder = settings.jobs / fingerprint("job", words, relevant)[:12]
    with guarded(settings.jobs, alone=True):
        job = Job.load(folder)
        if job is None:
            folder.mkdir(parents=True, exist_ok=True)
            job = Job(folder.name, words, title or " ".join(words), time.time(), heavy, folder)
            about = {"title": job.title, "created": job.created, "heavy": heavy}
            write_json(folder / REQUEST, {"words": words, "settings": relevant, **about})
        _start_if_due(settings, job, launch or Launch(), again=again)
        _prune(settings, job)
    return job


def resume(settings: Settings, job: Job, *, launch: Launch | None = None) -> None:
    """The same words again under the settings of then, where it ended before it was done."""
    with guarded(settings.jobs, alone=True):
        _start_if_due(settings, job, launch or Launch(), again=False)


def wake(settings: Settings, *, launch: Launch | None = None) -> None:
    """Start again what was waiting in the queue when the machine went down. Called wherever jobs are shown."""
    with guarded(settings.jobs, alone=True):
        _wake(settings, launch or Launch())


def cancel(job: Job, *, wait: float = 0.0, pause: bool = False) -> JobStatus:
    """Ask a job to stop: at its next safe point, by force after its grace period, with all it has started.

    ``pause``: it is called paused then, not cancelled; what it finished is kept either way.

    Its keeper does that, also when nobody waits. Who waits ends by force a keeper that does not answer.
    """
    started = time.monotonic()
    while True:
        with guarded(job.folder.parent, alone=True):
            run, now = Run.load(job.folder), status_inside(job.folder)
            if now.over and now.state != "lost":
                return now
            waited = time.monotonic() - started
            if alive(job.folder):
                _ask_to_stop(job.folder, PAUSE if pause else "")
                if run is not None and waited > run.grace + _LEAVE:
                    _end_by_force(run)
            else:
                _note_stopped(job, now.attempt, "paused" if pause else "cancelled")
                return status_inside(job.folder)
        if waited >= wait:
            return now
        time.sleep(0.05)


def forget(job: Job) -> None:
    """Remove all that is known of a job that has ended; what it made stays."""
    with guarded(job.folder.parent, alone=True):
        over = status_inside(job.folder).over
        lock = claim(job.folder, patience=_LEAVE) if over else None
        if lock is None:
            raise UserFacingError(f"Job {job.id} is under way; cancel it before you remove it.", code="running")
        try:
            leave_queue(job.folder.parent, job.id)
            shutil.rmtree(job.folder)
        finally:
            os.close(lock)


def list_jobs(settings: Settings) -> tuple[Job, ...]:
    """Every job that is known, the newest first."""
    return tuple(sorted(_all(settings), key=lambda job: (-job.created, job.id)))


def find(settings: Settings, name: str) -> Job:
    """The job whose id begins so; refused where none or several do."""
    found = [job for job in list_jobs(settings) if name and job.id.startswith(name)]
    if len(found) != 1:
        known = ", ".join(job.id for job in (found or list_jobs(settings))[:5]) or "none"
        what = "Several jobs begin" if found else "No job begins"
        raise UserFacingError(f"{what} with {name[:40]!r}; give the id of one of these: {known}.", code="unknown-job")
    return found[0]


def canonical_words(words: Sequence[str]) -> tuple[str, ...]:
    """One spelling for equal requests: --name=value as two words, and none that only changes how it is told."""
    flat: list[str] = []
    for word in words:
        name, sign, value = word.partition("=")
        flat += [name, value] if sign and name.startswith("--") else [word]
    return tuple(word for word in flat if word not in _NO_PART)


def _relevant(settings: Settings) -> dict[str, str]:
    """The settings on which the outcome depends, as variables."""
    return {name: value for name, value in settings.environ().items() if name not in _NOT_RELEVANT}


def _all(settings: Settings) -> list[Job]:
    if not settings.jobs.is_dir():
        return []
    return [job for folder in settings.jobs.iterdir() if (job := Job.load(folder)) is not None]


def _prune(settings: Settings, asked: Job) -> None:
    """Forget the oldest of many jobs that are done; who did not get to its end may be resumed, and stays."""
    for job in [job for job in list_jobs(settings) if status_inside(job.folder).state == "done"][_KEPT:]:
        lock = claim(job.folder) if job != asked else None
        if lock is not None:
            shutil.rmtree(job.folder, ignore_errors=True)
            os.close(lock)


def _ticket(job: Job) -> tuple[int, float]:
    run = Run.load(job.folder)
    return (run.ticket or 0 if run else 0, job.created)


def _wake(settings: Settings, launch: Launch) -> None:
    for job in sorted(_all(settings), key=_ticket):
        if status_inside(job.folder).state == "queued" and not alive(job.folder):
            _start(settings, job, launch, resumes=True)


def _start_if_due(settings: Settings, job: Job, launch: Launch, *, again: bool) -> None:
    _wake(settings, launch)
    state = status_inside(job.folder).state
    if state not in {"queued", "running"} and (state != "done" or again):
        _start(settings, job, launch, resumes=state != "done")


def _start(settings: Settings, job: Job, launch: Launch, *, resumes: bool) -> None:
    """Hand the locked job to a keeper of its own. Asked inside ``guarded(alone=True)``.

    The keeper inherits the lock, so that at no moment nobody holds it; if we die on the way, it is free again.
    """
    last = Run.load(job.folder)
    ended = last is not None and read_json(job.folder / RESULT).get("attempt") == last.attempt
    lock = claim(job.folder, patience=_LEAVE if ended else 0.0)
    if lock is None and last is not None:  # it hangs
        _end_by_force(last)
        lock = claim(job.folder, patience=_LEAVE)
    if lock is None:
        raise UserFacingError(f"Job {job.id} does not end; end its processes by hand, then try again.", code="busy")
    try:
        for name in (CANCEL, ENDING, PROGRESS, OUT, ERR, f"{OUT}.1", f"{ERR}.1"):
            (job.folder / name).unlink(missing_ok=True)
        told = ["--resume" if resumes else "--again"] if last is not None and job.words[0] in _ASKS else []
        if last is not None and last.phase == "queued":  # it never began: as it was meant then
            told = [word for word in ("--resume", "--again") if word in last.words[-2:]]
        words = (*launch.command, *job.words, *told, "--json")
        attempt = 1 + (last.attempt if last else 0)
        ticket = enter_queue(settings.jobs, job.id) if job.heavy else None
        Run(attempt, "queued", ticket, settings.heavy, words, launch.grace).save(job.folder)
        _spawn(settings, job, lock)
    finally:
        os.close(lock)


def _spawn(settings: Settings, job: Job, lock: int) -> None:
    environment = {
        **os.environ,
        **settings.environ(),
        **read_json(job.folder / REQUEST).get("settings", {}),
        "PENUMBRA_JOB": str(job.folder.resolve()),
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait sleep: the pages share these cores
        "PYTHONFAULTHANDLER": "1",
    }
    with (job.folder / "keeper.log").open("wb") as log:
        started = subprocess.run(
            [sys.executable, "-m", "core.jobs._keeper", str(job.folder.resolve()), str(lock)],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,),
        )
    if started.returncode:
        raise UserFacingError("The job could not be started; look at its keeper.log.", code="not-started")


def _end_by_force(run: Run) -> None:
    """The command first: with its keeper gone, nobody would know what it had started."""
    end_by_force(run.command)
    end_by_force(run.keeper)


def _ask_to_stop(folder: Path, word: str) -> None:
    """Whole at once: a keeper that looks while it is written must not read a pause as a cancel."""
    with draft(folder / CANCEL) as part:
        part.write_text(word)


def _note_stopped(job: Job, attempt: int, state: Literal["paused", "cancelled"]) -> None:
    leave_queue(job.folder.parent, job.id)
    if read_json(job.folder / RESULT).get("attempt") != attempt:
        told = {"attempt": attempt, "state": state, "code": None, "message": f"{state.capitalize()}.", "document": None}
        write_json(job.folder / RESULT, {**told, "ended": time.time()})
