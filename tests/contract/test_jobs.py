"""A job is one request: it outlives who asked, goes on where it stopped, and says what came of it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core import registry
from core.errors import UserFacingError
from core.jobs import _launch, cancel, canonical_words, find, forget, list_jobs, log_of, resume, status, submit, wake
from core.jobs._folder import CANCEL, PAUSE
from core.jobs._launch import _ask_to_stop
from core.settings import PROJECT, Settings, load
from tests.jobbing import TINY, end_all, ended, lines, submits, until


@pytest.fixture(autouse=True)
def nothing_stays(settings: Settings) -> Iterator[None]:
    yield
    end_all(settings)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def test_the_same_request_is_the_same_job(settings: Settings, ledger: Path) -> None:
    words = ("steps", str(ledger), "20", "0.05")
    first = submit(settings, words, launch=TINY)
    second = submit(settings, (*words, "--json"), launch=TINY)
    assert first == second
    now = ended(first)
    assert (now.state, now.code, now.result, now.attempt) == ("done", 0, {"steps": 20}, 1)
    assert status(submit(settings, words, launch=TINY)).attempt == 1, "what is done is not done again"
    assert lines(ledger) == [str(step) for step in range(20)]
    ledger.unlink()
    again = submit(settings, words, again=True, launch=TINY)
    assert again == first
    assert (ended(again).attempt, len(lines(ledger))) == (2, 20)
    assert [job.id for job in list_jobs(settings)] == [first.id]


def test_spelling_is_no_other_request_and_a_setting_that_matters_is(settings: Settings) -> None:
    assert canonical_words(["train", "x", "--name=a=b", "--json", "--resume"]) == ("train", "x", "--name", "a=b")
    assert canonical_words(["a=b"]) == ("a=b",)
    ids = {
        submit(one, ("says", *words), launch=TINY).id
        for one in (settings, replace(settings, decoders=7, heavy=3))
        for words in ((), ("--json",))
    }
    other = submit(replace(settings, device="auto"), ("says",), launch=TINY)
    assert len(ids) == 1
    assert other.id not in ids
    assert [ended(job).result["device"] for job in (find(settings, ids.pop()), other)] == ["cpu", "auto"]


def test_of_many_jobs_that_are_done_the_last_stay(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """And every one that may still be resumed."""
    monkeypatch.setattr(_launch, "_KEPT", 2)
    failed = submit(settings, ("breaks",), launch=TINY)
    assert ended(failed).state == "failed"
    made = []
    for word in ("--a", "--b", "--c", "--d"):
        made.append(submit(settings, ("says", word), launch=TINY))
        assert ended(made[-1]).state == "done"
    assert status(submit(settings, ("says", "--b"), launch=TINY)).attempt == 1, "the one that is asked for stays"
    submit(settings, ("says", "--a"), launch=TINY)
    assert {job.id for job in list_jobs(settings)} == {made[place].id for place in (0, 2, 3)} | {failed.id}


def test_eight_processes_that_ask_at_once_get_one_job(settings: Settings, ledger: Path) -> None:
    program = submits(settings, "steps", str(ledger), "10", "0.1")
    asking = [
        subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    told = set()
    for process in asking:
        assert process.stdout is not None
        told.add(process.stdout.readline().strip())
    for process in asking:  # and then all who asked are killed
        process.kill()
        process.communicate()
    assert len(told) == 1
    now = ended(find(settings, told.pop()))
    assert (now.state, now.attempt) == ("done", 1)
    assert lines(ledger) == [str(step) for step in range(10)]


def test_jobs_run_one_after_another_in_the_order_of_asking(settings: Settings, ledger: Path) -> None:
    jobs = [submit(settings, ("steps", f"{ledger}{n}", "5", "0.1"), launch=TINY) for n in range(3)]
    light = submit(settings, ("steps", f"{ledger}light", "1", "0"), heavy=False, launch=TINY)
    assert ended(light).state == "done"
    assert status(jobs[2]).state == "queued"
    assert [status(job).ahead for job in jobs] == [0, 1, 2]
    begun = [ended(job) for job in jobs]
    for before, after in itertools.pairwise(begun):
        assert before.ended is not None
        assert after.began is not None
        assert after.began >= before.ended - 0.05  # a place is given up just before the result is told
    assert not list((settings.jobs / ".queue").iterdir())


def test_as_many_run_at_once_as_the_setting_says(settings: Settings, ledger: Path) -> None:
    two = replace(settings, heavy=2)
    jobs = [submit(two, ("steps", f"{ledger}{n}", "200", "0.1"), launch=TINY) for n in range(3)]
    until(lambda: [status(job).state for job in jobs[:2]] == ["running"] * 2, "two at once")
    assert status(jobs[2]).state == "queued"
    cancel(jobs[1])
    until(lambda: status(jobs[2]).state == "running", "the third's turn")
    assert status(jobs[0]).state == "running"
    for job in jobs:
        assert cancel(job, wait=20).state == "cancelled"


def test_a_queue_that_lost_its_processes_is_woken_in_order(settings: Settings, ledger: Path) -> None:
    """As after a restart of the machine: what ran is lost, what waited waits and is started by who comes next."""
    jobs = [submit(settings, ("steps", f"{ledger}{n}", "3", "0.3"), launch=TINY) for n in range(3)]
    until(lambda: status(jobs[0]).state == "running")
    for job in reversed(jobs):  # the last in line first: who waits would start as soon as who ran is gone
        until(lambda job=job: json.loads((job.folder / "run.json").read_text())["keeper"])
        known = json.loads((job.folder / "run.json").read_text())
        for name in ("command", "keeper"):
            if known[name]:
                os.kill(known[name]["pid"], signal.SIGKILL)
    until(lambda: [status(job).state for job in jobs] == ["lost", "queued", "queued"])
    wake(settings, launch=TINY)
    done = [ended(job) for job in jobs[1:]]
    assert [now.state for now in done] == ["done", "done"]
    assert done[0].began < done[1].began  # type: ignore[operator]
    assert status(jobs[0]).state == "lost", "nobody asked for this one to go on"


def test_a_refusal_is_its_sentence_and_a_break_is_no_traceback(settings: Settings) -> None:
    sentence = "The file is a film, expected a sound; send one of those."
    refused = ended(submit(settings, ("refuses", sentence), heavy=False, launch=TINY))
    assert (refused.state, refused.code, refused.message) == ("refused", 2, sentence)
    broken = submit(settings, ("breaks", "error"), heavy=False, launch=TINY)
    now = ended(broken)
    assert (now.state, now.code, now.result) == ("failed", 1, None)
    assert str(PROJECT) not in now.message
    assert "Traceback" not in now.message
    assert "RuntimeError" in log_of(broken)
    crashed = ended(submit(settings, ("breaks", "signal"), heavy=False, launch=TINY))
    assert (crashed.state, crashed.code) == ("failed", -11)
    assert crashed.message


def test_what_was_refused_or_cancelled_is_tried_again_by_the_same_request(settings: Settings, ledger: Path) -> None:
    words = ("steps", str(ledger), "12", "0.15")
    job = submit(settings, words, launch=TINY)
    until(lambda: len(lines(ledger)) >= 2)
    cancelled = cancel(job, wait=20)
    kept = lines(ledger)
    assert cancelled.state == "cancelled"
    assert 2 <= len(kept) < 12
    assert cancelled.message.startswith("Cancelled")
    resume(settings, job, launch=TINY)
    assert (ended(job).state, ended(job).attempt) == ("done", 2)
    assert lines(ledger) == [str(step) for step in range(12)], "each step once, none lost"
    assert ended(submit(settings, ("refuses", "no"), launch=TINY)).attempt == 1
    assert ended(submit(settings, ("refuses", "no"), launch=TINY)).attempt == 2


def test_a_job_that_is_paused_says_so_and_goes_on_where_it_was(settings: Settings, ledger: Path) -> None:
    job = submit(settings, ("steps", str(ledger), "12", "0.15"), launch=TINY)
    until(lambda: len(lines(ledger)) >= 2)
    waiting = submit(settings, ("steps", f"{ledger}2", "1", "0"), launch=TINY)
    assert cancel(waiting, wait=20, pause=True).message == "Paused before it began."
    paused = cancel(job, wait=20, pause=True)
    assert (paused.state, paused.over, paused.message[:7]) == ("paused", True, "Paused.")
    assert 2 <= len(lines(ledger)) < 12
    resume(settings, job, launch=TINY)
    assert (ended(job).state, ended(job).attempt) == ("done", 2)
    assert lines(ledger) == [str(step) for step in range(12)]


def test_a_keeper_that_looks_while_a_pause_is_asked_for_again_reads_no_cancel(tmp_path: Path) -> None:
    read: set[str] = set()
    _ask_to_stop(tmp_path, PAUSE)
    asking = threading.Thread(target=lambda: [_ask_to_stop(tmp_path, PAUSE) for _ in range(2000)])
    asking.start()
    while asking.is_alive():
        read.add((tmp_path / CANCEL).read_text())
    assert read == {PAUSE}


def test_training_is_told_to_go_on_where_it_had_begun_and_to_begin_anew_where_that_is_wanted(
    settings: Settings, ledger: Path
) -> None:
    job = submit(settings, ("train", str(ledger), "8", "0.2"), launch=TINY)

    def words() -> list[str]:
        return json.loads((job.folder / "run.json").read_text())["words"]

    assert "--resume" not in words()
    until(lambda: len(lines(ledger)) >= 1)
    cancel(job, wait=20)
    resume(settings, job, launch=TINY)
    assert words()[-2:] == ["--resume", "--json"]
    assert ended(job).state == "done"
    submit(settings, job.words, again=True, launch=TINY)
    assert words()[-2:] == ["--again", "--json"]
    assert ended(job).state == "done"


def test_a_job_is_forgotten_only_when_it_has_ended(settings: Settings, ledger: Path) -> None:
    job = submit(settings, ("steps", str(ledger), "100", "0.1"), launch=TINY)
    with pytest.raises(UserFacingError, match="under way"):
        forget(job)
    cancel(job, wait=20)
    forget(job)
    assert list_jobs(settings) == ()
    assert not job.folder.exists()
    with pytest.raises(UserFacingError, match="No job begins with"):
        find(settings, job.id)


def test_a_command_of_core_runs_as_a_job_with_its_document(settings: Settings) -> None:
    listed = ended(submit(settings, ("data", "list"), heavy=False))
    assert {row["key"] for row in listed.result["datasets"]} == set(registry.keys("core.data"))
    refused = ended(submit(settings, ("data", "prepare", "digitz"), heavy=False))
    assert (refused.state, refused.message.partition(";")[0]) == ("refused", "'digitz' is not a built-in data set")
    unread = ended(submit(settings, ("data", "nonsense"), heavy=False))
    assert (unread.state, "invalid choice" in unread.message) == ("refused", True)


def test_settings_reach_another_process_as_they_are(settings: Settings) -> None:
    given = replace(settings, data=settings.home, offline=False, heavy=4, job=settings.home / "x")
    assert load(given.environ()) == given
    assert load(Settings().environ()) == Settings()
    with pytest.raises(ValueError, match="whole number"):
        load({"PENUMBRA_HEAVY": "0"})
