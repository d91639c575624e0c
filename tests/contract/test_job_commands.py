"""python -m core jobs, and what a command of core does when it is a job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cli import main, report
from core.jobs import find, submit
from core.jobs._folder import Run
from core.jobs._processes import process
from core.settings import Settings, load
from tests.jobbing import TINY, end_all, ended, lines, until
from tests.patience import SECONDS


@pytest.fixture(autouse=True)
def nothing_stays(settings: Settings) -> Iterator[None]:
    yield
    end_all(settings)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Settings:
    """The test's settings in the environment, as the command line reads them."""
    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    return load()


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(("jobs", *words, "--json") if words[:1] != ("start",) else ("jobs", "--json", *words)) == 0
    return json.loads(capsys.readouterr().out)


def test_a_job_is_started_listed_read_and_forgotten(here: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    started = told(capsys, "start", "data", "show", "./nowhere/at/all")
    name = str(started["id"])
    assert ended(find(here, name)).state == "refused"
    (row,) = told(capsys, "list")["jobs"]  # type: ignore[misc]
    assert (row["id"], row["state"], row["words"]) == (name, "refused", ["data", "show", "./nowhere/at/all"])
    assert told(capsys)["jobs"] == [row], "no action lists"
    assert row["message"] == told(capsys, "log", name[:5])["log"], "the only line is the sentence"
    assert main(("jobs",)) == 0
    assert f"{name}  refused" in capsys.readouterr().out
    assert told(capsys, "forget", name) == {"id": name, "forgotten": True}
    assert told(capsys, "list") == {"jobs": []}


def test_cancel_and_resume_take_the_beginning_of_an_id(
    here: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger"
    job = submit(here, ("steps", str(ledger), "400", "0.1"), launch=TINY)
    until(lambda: len(lines(ledger)) >= 2)
    assert main(("jobs", "list")) == 0
    assert "steps" in capsys.readouterr().out
    assert told(capsys, "cancel", job.id[:6])["state"] == "cancelled"
    assert told(capsys, "resume", job.id[:6])["attempt"] == 2
    assert ended(job).state == "refused", "the command line starts commands of core, and 'steps' is none"


@pytest.mark.parametrize(
    "words", [("cancel", "zzz"), ("resume", "zzz"), ("start",), ("start", "jobs", "list"), ("start", "dat")]
)
def test_what_no_job_can_be_is_refused_in_a_sentence(
    here: Settings, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert main(("jobs", *words)) == 2
    assert len(capsys.readouterr().err.strip().split("\n")) == 1


def test_a_command_that_is_a_job_tells_its_progress_to_the_folder(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a refusal in its own file, so that no library's last words are taken for it."""
    from core.cli import data

    folder = tmp_path / "job"
    folder.mkdir()
    Run(3, "running", None, 1, (), 1.0, keeper=process(os.getppid())).save(folder)
    monkeypatch.setenv("PENUMBRA_JOB", str(folder))
    monkeypatch.setattr(data, "_list", lambda: report(4, 9, "counting") or data.Outcome({}))
    assert main(("data", "list", "--json")) == 0
    progress = json.loads((folder / "progress.json").read_text())
    assert (progress["done"], progress["total"], progress["stage"], progress["attempt"]) == (4, 9, "counting", 3)
    assert capsys.readouterr().err == ""
    assert main(("data", "prepare", "digitz")) == 2
    ending = json.loads((folder / "ending.json").read_text())
    assert (ending["kind"], ending["sentence"]) == ("refused", capsys.readouterr().err.strip())
    monkeypatch.delenv("PENUMBRA_JOB")
    assert main(("data", "list")) == 0
    report(9, 9, "counting")
    assert "counting: 9 of 9" in capsys.readouterr().err


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS)
    return done.stdout.strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own counters")
def test_a_settled_process_gives_no_memory_back() -> None:
    """Counted by glibc: a block of 64 MB is mapped by itself before, and is part of the heap after."""
    code = """
import ctypes, torch
from core.device import settle_process
class Info(ctypes.Structure):
    names = 'arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost'
    _fields_ = [(name, ctypes.c_int) for name in names.split()]
libc = ctypes.CDLL(None)
libc.mallinfo.restype = Info
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def mapped_by_itself():
    before = libc.mallinfo().hblks
    block = libc.malloc(64 << 20)
    grown = libc.mallinfo().hblks - before
    libc.free(block)
    return grown
print(mapped_by_itself(), settle_process(threads=1), mapped_by_itself(), torch.get_num_threads())
"""
    assert run_python(code) == "1 True 0 1"


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from core import device

    def unknown(name: str) -> str:
        raise ValueError(name)

    monkeypatch.setattr(os, "confstr", unknown)
    assert device.settle_process() is False
    monkeypatch.setattr(os, "confstr", lambda name: "musl 1.2")
    assert device.settle_process() is False
