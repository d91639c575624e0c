"""A job IS a command line of core, run in a process of its own session that outlives page, browser and server.

``submit`` gives the job of a request: the same words under the same settings are the same job, so a double click
and two tabs share one. ``status`` is read from its folder, by anybody, at any time. Every command goes on from its
last finished chunk or epoch, so a job that was cancelled or lost its process is resumed with the same words.
"""

from __future__ import annotations

from core.jobs._launch import Launch, cancel, canonical_words, find, forget, list_jobs, resume, submit, wake
from core.jobs._status import Job, JobStatus, State, log_of, status
from core.jobs.session import Session, current, taken_up

__all__ = [
    "Job",
    "JobStatus",
    "Launch",
    "Session",
    "State",
    "cancel",
    "canonical_words",
    "current",
    "find",
    "forget",
    "list_jobs",
    "log_of",
    "resume",
    "status",
    "submit",
    "taken_up",
    "wake",
]
