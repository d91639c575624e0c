"""Jobs under kill -9, hanging, foreign pids and clocks: nothing finished is lost, nothing started stays."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserFacingError
from core.jobs import Job, cancel, current, resume, status, submit, taken_up
from core.jobs._folder import Run, guarded, write_json
from core.jobs._keeper import _copy
from core.jobs._processes import end_by_force, is_still, process
from core.jobs._status import STALE, rate_of
from core.jobs.session import Session
from core.settings import Settings
from tests.jobbing import TINY, end_all, ended, lines, running, until


@pytest.fixture(autouse=True)
def nothing_stays(settings: Settings) -> Iterator[None]:
    yield
    end_all(settings)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def pid_of(job: Job, role: str) -> int:
    until(lambda: json.loads((job.folder / "run.json").read_text())[role], f"the start of the {role}")
    return json.loads((job.folder / "run.json").read_text())[role]["pid"]


@pytest.mark.parametrize("role", ["command", "keeper"])
def test_a_killed_process_is_a_lost_job_that_resume_finishes(settings: Settings, ledger: Path, role: str) -> None:
    """Whichever of the two is killed, the other one ends too, and each step is done once."""
    job = submit(settings, ("steps", str(ledger), "15", "0.1"), launch=TINY)
    until(lambda: len(lines(ledger)) >= 3)
    pids = [pid_of(job, "command"), pid_of(job, "keeper")]
    os.kill(pid_of(job, role), signal.SIGKILL)
    lost = ended(job)
    if role == "keeper" and lost.state == "done":
        pytest.fail("the command was to stop when its keeper is gone")
    assert lost.state == "lost"
    assert "resume" in lost.message
    until(lambda: not any(map(running, pids)), "the end of both")
    kept = len(lines(ledger))
    resume(settings, job, launch=TINY)
    assert ended(job).state == "done"
    assert 3 <= kept < 15
    assert lines(ledger) == [str(step) for step in range(15)]


@pytest.mark.parametrize("manners", ["polite", "rude"])
def test_cancel_ends_all_that_was_started(settings: Settings, ledger: Path, manners: str) -> None:
    """Also a command that does not listen, and a grandchild in a session of its own."""
    job = submit(settings, ("family", str(ledger), manners), launch=TINY)
    until(lambda: len(lines(ledger)) == 2)
    family = [pid_of(job, "command"), *map(int, lines(ledger))]
    assert all(map(running, family))
    assert cancel(job, wait=20).state == "cancelled"
    until(lambda: not any(map(running, family)), "the end of the family")


def test_a_command_without_its_keeper_is_the_job_until_it_is_gone(settings: Settings, ledger: Path) -> None:
    """So that none is started beside it; one that does not listen ends itself by force, with its family."""
    job = submit(settings, ("family", str(ledger), "rude"), launch=TINY)
    until(lambda: len(lines(ledger)) == 2)
    family = [pid_of(job, "command"), *map(int, lines(ledger))]
    keeper = pid_of(job, "keeper")
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not running(keeper))
    resume(settings, job, launch=TINY)
    assert (status(job).state, status(job).attempt) == ("running", 1)
    assert ended(job).state == "lost"
    until(lambda: not any(map(running, family)), "the end of the family")


def test_a_command_that_is_done_leaves_nobody_behind(settings: Settings, ledger: Path) -> None:
    job = submit(settings, ("family", str(ledger), "leaves"), launch=TINY)
    assert ended(job).state == "done"
    assert not any(running(int(pid)) for pid in lines(ledger))


def test_a_killed_job_makes_room_for_the_next(settings: Settings, ledger: Path) -> None:
    first = submit(settings, ("steps", f"{ledger}1", "900", "0.1"), launch=TINY)
    second = submit(settings, ("steps", f"{ledger}2", "2", "0"), launch=TINY)
    until(lambda: status(first).state == "running")
    assert status(second).state == "queued"
    for role in ("command", "keeper"):
        os.kill(pid_of(first, role), signal.SIGKILL)
    assert ended(second).state == "done"
    assert status(first).state == "lost"


def test_a_hanging_job_is_told_as_lost_and_ended_by_resume(settings: Settings, ledger: Path) -> None:
    job = submit(settings, ("steps", str(ledger), "6", "0.3"), launch=TINY)
    until(lambda: len(lines(ledger)) >= 2)
    pids = [pid_of(job, "command"), pid_of(job, "keeper")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert status(job).state == "running"
    past = time.time() - STALE - 1
    os.utime(job.folder / "heartbeat", (past, past))
    assert status(job).state == "lost"
    resume(settings, job, launch=TINY)
    assert ended(job).state == "done"
    assert lines(ledger) == [str(step) for step in range(6)]
    until(lambda: not any(map(running, pids)))


def test_cancel_ends_also_a_keeper_that_does_not_answer(
    settings: Settings, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.jobs._launch._LEAVE", 0.2)
    job = submit(settings, ("family", str(ledger), "rude"), launch=TINY)
    until(lambda: len(lines(ledger)) == 2)
    family = [pid_of(job, "command"), *map(int, lines(ledger))]
    os.kill(pid_of(job, "keeper"), signal.SIGSTOP)
    assert cancel(job, wait=20).state == "cancelled"
    until(lambda: not any(map(running, family)))


def test_another_process_with_the_number_of_ours_is_left_alone(settings: Settings, ledger: Path) -> None:
    job = submit(settings, ("steps", str(ledger), "900", "0.1"), launch=TINY)
    pids = [pid_of(job, "keeper"), pid_of(job, "command")]
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    until(lambda: status(job).state == "lost")
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        record = json.loads((job.folder / "run.json").read_text())
        for role in ("keeper", "command"):
            record[role]["pid"] = stranger.pid
        write_json(job.folder / "run.json", record)
        run = Run.load(job.folder)
        assert run is not None
        assert run.command is not None
        assert not is_still(run.command)
        assert is_still(process(stranger.pid))
        assert status(job).state == "lost", "a living process with its number is not the job"
        end_by_force(run.command)
        assert cancel(job, wait=5).state == "cancelled"
        assert stranger.poll() is None
        end_by_force(process(stranger.pid))
        assert stranger.wait(10) == -signal.SIGKILL, "the very process is ended"
    finally:
        stranger.kill()
        stranger.wait()


def test_progress_only_grows_and_is_never_half_written(settings: Settings, ledger: Path) -> None:
    job = submit(settings, ("steps", str(ledger), "1500", "0.001"), launch=TINY)
    seen, rates = [], []
    while not (now := status(job)).over:
        seen.append(now.done)
        rates.append(now.rate)
        if (job.folder / "progress.json").exists():
            json.loads((job.folder / "progress.json").read_bytes())
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    assert any(rates)
    assert (ended(job).done, ended(job).total, ended(job).stage) == (1500, 1500, "steps")


def test_a_long_step_still_gives_signs_of_life(settings: Settings, ledger: Path) -> None:
    job = submit(settings, ("steps", str(ledger), "1", "3"), launch=TINY)
    until(lambda: status(job).stage == "steps")
    beats = set()
    while not status(job).over:
        beats.add((job.folder / "heartbeat").stat().st_mtime)
        time.sleep(0.1)
    assert len(beats) >= 2, "once a second in a step of three"


def as_child(folder: Path, **changes: Any) -> Run:
    """A job folder whose keeper is the parent of this test."""
    folder.mkdir(parents=True)
    run = Run(1, "running", None, 1, (), 1.0, keeper=process(changes.get("parent", os.getppid())))
    run.save(folder)
    return run


def test_only_the_keepers_own_child_is_the_job(tmp_path: Path) -> None:
    """What the command starts inherits the variable, and must not write over its progress."""
    as_child(tmp_path / "other", parent=os.getpid())
    with taken_up(tmp_path / "other") as nobody, taken_up(None) as nothing:
        assert nobody is nothing is None
    as_child(tmp_path / "ours")
    before = signal.getsignal(signal.SIGTERM)

    def work_and_be_stopped() -> None:
        with taken_up(tmp_path / "ours") as session:
            assert current() is session is not None
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        work_and_be_stopped()
    assert current() is None
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_rate_is_that_of_the_last_half_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred slow seconds and then thirty fast ones: 5 a second; a resumed job's first steps cost nothing."""
    session = Session(tmp_path, as_child(tmp_path / "job"))
    clock = [1000.0]
    monkeypatch.setattr("core.jobs.session.time.monotonic", lambda: clock[0])
    done = 700
    session.report(done, 5000, "steps")
    for seconds, step in ((100, 1), (31, 5)):
        for _ in range(seconds):
            clock[0] += 1.0
            done += step
            session.report(done, 5000, "steps")
    marks = json.loads((tmp_path / "progress.json").read_text())["marks"]
    assert rate_of(marks) == pytest.approx(5.0)
    assert len(marks) < 70
    session.report(1, 9, "next stage")
    assert rate_of(json.loads((tmp_path / "progress.json").read_text())["marks"]) is None


def test_a_log_keeps_its_end_within_its_bounds(tmp_path: Path) -> None:
    said = b"".join(b"line %05d\n" % number for number in range(900))
    (tmp_path / "said").write_bytes(said)
    with (tmp_path / "said").open("rb") as stream:
        _copy(stream, tmp_path / "err.log", 2000)
    kept = (tmp_path / "err.log.1").read_bytes() + (tmp_path / "err.log").read_bytes()
    assert said.endswith(kept)
    assert 2000 < len(kept) <= 4000
    assert not any(path.suffix not in {".log", ".1", ""} for path in tmp_path.iterdir())


def test_a_full_or_locked_folder_is_told_in_a_sentence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.home.mkdir(parents=True)
    settings.jobs.write_text("in the way")
    with pytest.raises(UserFacingError, match="folder of the jobs cannot be used"):
        submit(settings, ("says",), launch=TINY)
    settings.jobs.unlink()
    monkeypatch.setattr("core.jobs._folder._PATIENCE", 0.1)
    settings.jobs.mkdir()
    with (settings.jobs / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UserFacingError, match="held by another process"), guarded(settings.jobs, alone=False):
            pass


def test_a_keeper_needs_no_heavy_library() -> None:
    """It waits for hours: numpy alone would cost it more than all of itself."""
    code = "import core.jobs._keeper, sys; print(sorted({'numpy', 'torch', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
