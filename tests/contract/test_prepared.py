"""Rendered files are whole or absent, are made once, and survive a killed writer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.data._prepared import Prepared, forget_older, prepare_all, revision

JOBS = [(f"item-{number:02d}", number) for number in range(20)]


def text_of(number: int) -> bytes:
    return b"%d" % number * 1000


def slow_text_of(number: int) -> bytes:
    time.sleep(0.03)
    return text_of(number)


def refuses(number: int) -> bytes:
    raise AssertionError(f"{number} is finished and must not be made again")


@pytest.mark.parametrize("workers", [1, 2])
def test_all_workers_together_make_every_file_once(tmp_path: Path, workers: int) -> None:
    prepared = Prepared(tmp_path / "set", ".txt")
    seen: list[tuple[int, int, str]] = []
    made = prepare_all(prepared, JOBS, text_of, progress=lambda *step: seen.append(step), workers=workers)
    assert made == 20
    assert prepared.names() == {name for name, _ in JOBS}
    assert all(prepared.read(name) == text_of(number) for name, number in JOBS)
    assert [done for done, _, _ in seen] == list(range(21))
    assert {total for _, total, _ in seen} == {20}
    assert prepare_all(prepared, JOBS, refuses) == 0


def test_only_what_is_missing_is_made_again(tmp_path: Path) -> None:
    prepared = Prepared(tmp_path, ".txt")
    prepare_all(prepared, JOBS, text_of, workers=1)
    prepared.path("item-07").unlink()
    steps: list[int] = []
    assert prepare_all(prepared, JOBS, text_of, progress=lambda done, *_: steps.append(done)) == 1
    assert steps == [19, 20]
    assert prepared.read("item-07") == text_of(7)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        Prepared(tmp_path, ".txt").write("item", b"half")
    assert not list(tmp_path.iterdir())


def test_a_file_has_its_name_only_once_it_is_whole_and_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, seen = Prepared(tmp_path, ".txt"), []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((prepared.names(), os.fstat(handle).st_size)))
    prepared.write("item", b"whole")
    assert seen == [(set(), 5)]
    assert prepared.read("item") == b"whole"


def test_a_killed_run_leaves_whole_files_and_the_next_finishes(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from core.data._prepared import Prepared, prepare_all\n"
        "from tests.contract.test_prepared import JOBS, slow_text_of\n"
        "prepare_all(Prepared(pathlib.Path(sys.argv[1]), '.txt'), JOBS, slow_text_of, workers=1)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    prepared = Prepared(tmp_path, ".txt")
    while len(prepared.names()) < 3 and child.poll() is None:
        time.sleep(0.005)
    child.kill()
    child.wait()
    found = prepared.names()
    assert 3 <= len(found) < 20
    assert all(prepared.read(name) == text_of(number) for name, number in JOBS if name in found)
    assert prepare_all(prepared, JOBS, text_of, workers=1) == 20 - len(found)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a\0b"])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        Prepared(tmp_path, ".txt").read(name)


def test_an_edited_renderer_gets_a_new_folder_and_only_older_ones_go(tmp_path: Path) -> None:
    source = tmp_path / "code.py"
    source.write_text("one")
    first = revision(source)
    revision.cache_clear()
    source.write_text("two")
    assert revision(source) != first
    for name in (f"box-{first}", "box-0123456789", "toybox-0123456789", "box-mine", "box-0123456789.txt"):
        (tmp_path / name).mkdir()
    forget_older(tmp_path / f"box-{first}")
    left = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert left == {f"box-{first}", "toybox-0123456789", "box-mine", "box-0123456789.txt"}
