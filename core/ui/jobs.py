"""What runs in the background, on every page: stage, count, rate, time left, and buttons that do what they say.

A job is a process of its own; this only looks at its folder. So a reload, another page, another browser and a new
server all show the same.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from core import jobs
from core.errors import UserFacingError
from core.jobs import Job, JobStatus
from core.ui import cached, words

_EVERY = 1.0  # seconds between two looks, while something runs
_SHOWN = 6  # of those that are over
_RECENT = 12 * 3600.0  # seconds for which a job that is over stays in sight
_STATES = {
    "queued": (":material/hourglass_empty:", "waits"),
    "running": (":material/progress_activity:", "runs"),
    "done": (":material/check:", "done"),
    "failed": (":material/error:", "failed"),
    "refused": (":material/block:", "refused"),
    "cancelled": (":material/cancel:", "cancelled"),
    "paused": (":material/pause_circle:", "paused"),
    "lost": (":material/help:", "broken off"),
}


def start(words_: Sequence[str], title: str) -> Job:
    """The job of ``python -m core`` with these words; the same words are the same job. Raises UserFacingError."""
    return jobs.submit(cached.settings(), words_, title=title)


def look(job: Job) -> JobStatus:
    return jobs.status(job)


def strip() -> None:
    """Every job that runs, waits, or ended lately; nothing at all where there is none."""
    if found := _listed():
        live = sum(not now.over for _, now in found)
        st.fragment(_strip, run_every=_EVERY if live else None)(live)


def watch(job: Job) -> JobStatus:
    """One job on the page that started it. The page runs anew when it is over."""
    now = jobs.status(job)
    st.fragment(_watch, run_every=None if now.over else _EVERY)(job, now.over)
    return now


def _listed() -> list[tuple[Job, JobStatus]]:
    """Those under way, first come first, then those that ended, the last first."""
    try:
        found = [(job, jobs.status(job)) for job in jobs.list_jobs(cached.settings())]
    except UserFacingError:
        return []
    live = [pair for pair in reversed(found) if not pair[1].over]
    over = [pair for pair in found if pair[1].over and time.time() - (pair[1].ended or pair[0].created) < _RECENT]
    return live + sorted(over, key=lambda pair: -(pair[1].ended or 0.0))[:_SHOWN]


def _strip(before: int) -> None:
    """``before``: how many were under way when the page ran; what it shows follows those that begin and end."""
    found = _listed()
    live = [pair for pair in found if not pair[1].over]
    over = [pair for pair in found if pair[1].over]
    if len(live) != before:
        st.rerun()
    for job, now in live:
        _live(job, now, "strip")
    if over:
        with st.popover(_label(over), icon=":material/history:"):
            for job, now in over:
                _ended(job, now)


def _label(over: list[tuple[Job, JobStatus]]) -> str:
    if len(over) == 1:
        job, now = over[0]
        return f"{words.plain(job.title)}: {_STATES[now.state][1]}"
    early = sum(now.state != "done" for _, now in over)
    return f"{len(over)} jobs ended" + (f", {early} of them early" if early else "")


def _watch(job: Job, over: bool) -> None:
    now = jobs.status(job)
    if now.over != over:
        st.rerun()
    if now.over:
        _ended(job, now, "watch")
    else:
        _live(job, now, "watch")


def _live(job: Job, now: JobStatus, where: str) -> None:
    """One line with a bar, and Cancel."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        share = min(1.0, now.done / now.total) if now.total else 0.0
        st.progress(share, text=f"**{words.plain(job.title)}**: {told(now)}", width="stretch")
        st.button("Cancel", key=f"{where}-cancel-{job.id}", on_click=_act, args=(job, "cancel"))


def _ended(job: Job, now: JobStatus, where: str = "strip") -> None:
    icon, _ = _STATES[now.state]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"{icon} **{words.plain(job.title)}**: {told(now)}", width="stretch")
        if now.state in {"cancelled", "paused", "lost", "failed"}:
            st.button("Resume", key=f"{where}-resume-{job.id}", on_click=_act, args=(job, "resume"))
        st.button("Remove", key=f"{where}-remove-{job.id}", on_click=_act, args=(job, "forget"),
                  help="From this list; what it made stays.")  # fmt: skip
    if said := st.session_state.get(f"job-said-{job.id}"):
        st.error(words.plain(said, 300))


def _act(job: Job, what: str) -> None:
    """Runs before the page does."""
    st.session_state.pop(f"job-said-{job.id}", None)
    try:
        if what == "cancel":
            jobs.cancel(job)
        elif what == "resume":
            jobs.resume(cached.settings(), job)
        else:
            jobs.forget(job)
    except UserFacingError as error:
        st.session_state[f"job-said-{job.id}"] = str(error)


def told(now: JobStatus) -> str:
    """How far it is, in a sentence: "embed 120 of 400, 12 a second, 23 s left"."""
    if now.state == "queued":
        return "waits its turn" + (f", {now.ahead} before it" if now.ahead else "")
    if now.state == "running":
        if not now.total:
            return words.plain(now.stage) or "begins"
        parts = [f"{words.plain(now.stage)} {words.count(now.done)} of {words.count(now.total)}"]
        if now.rate:
            parts.append(
                f"{words.figure(now.rate)} a second" if now.rate >= 1 else f"{words.seconds(1 / now.rate)} each"
            )
        if now.seconds_left is not None:
            parts.append(f"{words.seconds(max(1.0, now.seconds_left))} left")
        return ", ".join(parts)
    if now.state == "done":
        took = now.ended - now.began if now.ended and now.began else None
        return "done" + (f" in {words.seconds(took)}" if took is not None else "")
    return words.plain(now.message, 300) or _STATES[now.state][1]
