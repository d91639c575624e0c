"""A command for the tests of jobs: ``python -m tests.jobbing ACTION ...``, which behaves as the commands of core do."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from core.jobs import Job, JobStatus, Launch, Session, cancel, list_jobs, status, taken_up
from core.settings import Settings, load
from tests.patience import SECONDS

TINY = Launch(command=(sys.executable, "-m", "tests.jobbing"), grace=1.0)


def until(true: Callable[[], object], what: str = "it") -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def ended(job: Job) -> JobStatus:
    until(lambda: status(job).over, f"the end of {job.title}")
    return status(job)


def end_all(settings: Settings) -> None:
    """Also after a test that failed: nothing it started stays."""
    for job in list_jobs(settings):
        cancel(job, wait=20)


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def running(pid: int) -> bool:
    """Is it there and no zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _steps(session: Session, ledger: str, count: str, pause: str, *rest: str) -> str:
    """One line a step, beginning after those that are there: as every command of core resumes. ``rest``: a name."""
    session.report(len(lines(Path(ledger))), int(count), "steps")
    for step in range(len(lines(Path(ledger))), int(count)):
        time.sleep(float(pause))
        with Path(ledger).open("a") as stream:
            stream.write(f"{step}\n")
        session.report(step + 1, int(count), "steps")
    return f'{{"steps": {count}}}'


def _family(session: Session, ledger: str, manners: str) -> str:
    """A child in a session of its own, and a grandchild; both live long. "rude": stops for nobody."""
    if manners == "rude":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleeper = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); p.wait()"
    child = subprocess.Popen([sys.executable, "-c", sleeper], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    Path(ledger).write_text(f"{child.pid} {child.stdout.readline()}")
    if manners == "leaves":
        return "{}"
    while True:
        time.sleep(0.1)


def _refuses(session: Session, sentence: str) -> str:
    print("a library's warning", file=sys.stderr)
    session.ends("refused", sentence)
    print(sentence, file=sys.stderr)
    print("a library's last words", file=sys.stderr)
    sys.exit(2)


def _breaks(session: Session, how: str) -> str:
    faulthandler.disable()
    if how == "signal":
        os.kill(os.getpid(), signal.SIGSEGV)
    raise RuntimeError(f"in {Path.cwd()}")


def _says(session: Session) -> str:
    settings = load()
    return f'{{"wait": "{os.environ["OMP_WAIT_POLICY"]}", "device": "{settings.device}", "words": {len(sys.argv)}}}'


ACTIONS = {"steps": _steps, "train": _steps, "family": _family, "refuses": _refuses, "breaks": _breaks, "says": _says}


def main() -> int:
    action, *words = sys.argv[1:]
    with taken_up(load().job) as session:
        assert session is not None
        try:
            print(ACTIONS[action](session, *(word for word in words if not word.startswith("--"))))
        except KeyboardInterrupt:
            session.ends("stopped", "Stopped.")
            return 1
    return 0


def submits(settings: Settings, *words: str) -> str:
    """A program that submits a job of this module and then waits to be killed."""
    return (
        "import time\nfrom core.jobs import submit\nfrom core.settings import load\nfrom tests.jobbing import TINY\n"
        f"job = submit(load({settings.environ()!r}), {words!r}, launch=TINY)\n"
        "print(job.id, flush=True)\ntime.sleep(600)"
    )


if __name__ == "__main__":
    sys.exit(main())
