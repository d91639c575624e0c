"""Processes by number and time of birth, and how to end one with everything it started."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from core.jobs._folder import Process

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


def process(pid: int) -> Process:
    return Process(pid, _began(pid))


def is_still(known: Process) -> bool:
    """Is it that very process, not another one that got its number? No where the system cannot tell."""
    return bool(known.began) and _began(known.pid) == known.began


def _began(pid: int) -> str:
    """Boot and ticks since; a number is given again, but not at the same tick of the same boot."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {_stat(pid)[19]}"
    except (OSError, IndexError):
        return ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; the name before them may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def adopt_orphans() -> None:
    """From now on what our children leave behind becomes ours, also what opened a session of its own (Linux)."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def children_of(*parents: int) -> list[int]:
    """Living direct children. Empty where there is no /proc."""
    found = []
    for name in _names("/proc"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            state, parent = _stat(int(name))[:2]
            if int(parent) in parents and state != "Z":
                found.append(int(name))
    return found


def _names(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.isdigit()]  # noqa: PTH208 - names, not paths
    except OSError:
        return []


def end_children() -> None:
    """End every child, and what becomes ours when they die, until nothing is left."""
    for _ in range(200):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not (children := children_of(os.getpid())):
            return
        for child in children:
            kill(child)
        time.sleep(0.01)


def end_by_force(known: Process | None) -> None:
    """SIGKILL to a process and its descendants, if it is still the one that was meant. It may be this one."""
    if known is None or not is_still(known):
        return
    family, generation = [], [known.pid]
    while generation := children_of(*generation):
        family += generation
    for pid in family:
        kill(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(known.pid) == known.pid:
            os.killpg(known.pid, signal.SIGKILL)
    kill(known.pid)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
