"""python -m core jobs: what runs, waits and ran in the background, and what to do with it."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from typing import Any

from core import jobs
from core.cli import Command, Outcome, answer_in_json
from core.errors import UserFacingError
from core.settings import Settings

_WAIT = 60.0  # seconds that a cancel is followed
_TAIL = 40  # lines of a log


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="every job, the newest first (also without an action)")
    start = actions.add_parser("start", help="run a command in the background; the same one again is the same job")
    start.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND ...", help="what follows 'python -m core'")
    for name, text in (
        ("cancel", "stop a job at its next safe point; what it finished is kept"),
        ("pause", "stop a job at its next safe point, to go on with it later"),
        ("resume", "go on where a job stopped"),
        ("log", "the last lines that a job printed"),
        ("forget", "remove a job that has ended from the list; what it made stays"),
    ):
        actions.add_parser(name, help=text).add_argument("id", metavar="ID", help="or how it begins")
    for action in actions.choices.values():
        answer_in_json(action)


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    jobs.wake(settings)
    if options.action in {None, "list"}:
        rows = [(job, jobs.status(job)) for job in jobs.list_jobs(settings)]
        lines = tuple(_line(job, now) for job, now in rows) or ("No job is known.",)
        return Outcome({"jobs": [_row(job, now) for job, now in rows]}, lines)
    if options.action == "start":
        return _start(options.words, settings)
    job = jobs.find(settings, options.id)
    if options.action == "log":
        log = jobs.log_of(job, lines=_TAIL)
        return Outcome({"id": job.id, "log": log}, tuple(log.split("\n")))
    if options.action == "forget":
        jobs.forget(job)
        return Outcome({"id": job.id, "forgotten": True}, (f"{job.id} is forgotten.",))
    if options.action == "resume":
        jobs.resume(settings, job)
    now = jobs.status(job)
    if options.action in {"cancel", "pause"}:
        now = jobs.cancel(job, wait=_WAIT, pause=options.action == "pause")
    return Outcome(_row(job, now), (_line(job, now),))


def _start(words: list[str], settings: Settings) -> Outcome:
    from core import registry
    from core.cli import PACKAGE

    if not words or words[0] == "jobs":
        raise UserFacingError(
            "A job needs a command, for example 'jobs start data prepare soundbox'.", code="no-command"
        )
    registry.pick(PACKAGE, "COMMAND", words[0])  # a misspelt one is refused here, not in a log
    job = jobs.submit(settings, words)
    now = jobs.status(job)
    return Outcome(_row(job, now), (_line(job, now),))


def _row(job: jobs.Job, now: jobs.JobStatus) -> dict[str, Any]:
    about = {"id": job.id, "title": job.title, "words": list(job.words), "created": job.created, "heavy": job.heavy}
    return {**about, **asdict(now)}


def _line(job: jobs.Job, now: jobs.JobStatus) -> str:
    parts = [f"{job.id}  {now.state:<9}  {time.strftime('%Y-%m-%d %H:%M', time.localtime(job.created))}  {job.title}"]
    if now.state == "queued":
        parts.append(f"{now.ahead} before it")
    elif now.total and now.state != "done":
        parts.append(f"{now.stage} {now.done:,} of {now.total:,}")
    if now.rate:
        parts.append(f"{now.rate:,.1f} a second")
    if now.seconds_left is not None:
        minutes, seconds = divmod(round(now.seconds_left), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    if now.message:
        parts.append(now.message)
    return "; ".join(parts)


COMMAND = Command("jobs", "list, start, pause, cancel and resume what runs in the background", _arguments, _run)
