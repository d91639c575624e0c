"""Unpacked archives on disk: rows Z-19 and Z-20, and deaths in the middle. Each test id names its row."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.errors import ArchiveError
from core.fingerprint import sha256_of
from core.media.archive import Archive, open_archive
from core.media.sandbox import Answer, Limits
from core.settings import Settings
from tests.hostile.forging import Forged, HereSandbox, forge
from tests.patience import SECONDS

ROOT = Path(__file__).resolve().parents[2]
CONTENTS = {f"{kind}/{n:04d}.wav": f"{kind} {n}".encode() for kind in ("cat", "dog") for n in range(40)}
RAW = forge([Forged(name.encode(), content) for name, content in CONTENTS.items()])


def contents(archive: Archive) -> dict[str, bytes]:
    return {file.id: archive.read(file) for file in archive.files}


def left_over(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.uploads / "archives").iterdir() if len(path.name) != 64)


@pytest.mark.parametrize("form", ["bytes", "path"])
def test_a_zip_goes_through_a_real_child(settings: Settings, tmp_path: Path, form: str) -> None:
    (tmp_path / "a.zip").write_bytes(RAW)
    archive = open_archive(RAW if form == "bytes" else tmp_path / "a.zip", settings)
    assert contents(archive) == CONTENTS
    assert archive.sha256 == sha256_of(RAW)
    assert left_over(settings) == []


def test_a_child_refuses_as_the_reader_does(settings: Settings) -> None:
    with pytest.raises(ArchiveError, match="other bytes stand before it"):
        open_archive(b"junk" + RAW, settings)


@pytest.mark.parametrize("row", ["Z-19"])
def test_an_upload_cut_at_ninety_percent_leaves_nothing(settings: Settings, row: str) -> None:
    with pytest.raises(ArchiveError) as caught:
        open_archive(RAW[: len(RAW) * 9 // 10], settings, sandbox=HereSandbox())
    assert caught.value.code == "truncated"
    assert [path for path in settings.uploads.rglob("*") if path.name != "archives"] == []


@pytest.mark.parametrize("row", ["Z-20"])
def test_the_same_zip_is_unpacked_once(settings: Settings, row: str) -> None:
    sandbox = HereSandbox()
    first, second = (open_archive(RAW, settings, sandbox=sandbox) for _ in range(2))
    assert sandbox.calls == ["extract"]
    assert first == second
    assert contents(second) == CONTENTS


@pytest.mark.parametrize("row", ["Z-20"])
def test_many_at_once_share_one_extraction(settings: Settings, row: str) -> None:
    sandbox, found = HereSandbox(), []
    gate = threading.Barrier(6)

    def one() -> None:
        gate.wait()
        found.append(contents(open_archive(RAW, settings, sandbox=sandbox)))

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENTS] * 6
    assert sandbox.calls == ["extract"]
    assert left_over(settings) == []


class FailingSandbox(HereSandbox):
    """Unpacks everything, then breaks off: as a child does that is killed at its last step."""

    def call(
        self, operation: str, params: Mapping[str, Any], blocks: Sequence[bytes] = (), *, limits: Limits | None = None
    ) -> Answer:
        super().call(operation, params, blocks, limits=limits)
        raise ArchiveError("It broke off.", code="crashed")


def test_a_failed_extraction_leaves_nothing_and_the_next_one_succeeds(settings: Settings) -> None:
    with pytest.raises(ArchiveError, match="broke off"):
        open_archive(RAW, settings, sandbox=FailingSandbox())
    assert list((settings.uploads / "archives").iterdir()) == []
    assert contents(open_archive(RAW, settings, sandbox=HereSandbox())) == CONTENTS


WHO_DIES = """
import sys
from pathlib import Path
from core.media.archive import open_archive
from core.settings import Settings
from tests.hostile.forging import HereSandbox
open_archive(Path(sys.argv[1]), Settings(home=Path(sys.argv[2])), sandbox=HereSandbox())
"""


@pytest.mark.parametrize("files", [1, 500], ids=lambda n: f"F-01 killed after {n} files")
def test_a_kill_in_the_middle_is_cleaned_up_by_whoever_comes_next(
    settings: Settings, tmp_path: Path, files: int
) -> None:
    many = [Forged(b"%05d.wav" % n, b"%d" % n, method=0) for n in range(20_000)]
    (tmp_path / "many.zip").write_bytes(forge(many))
    home = settings.uploads / "archives"
    command = [sys.executable, "-c", WHO_DIES, str(tmp_path / "many.zip"), str(settings.home)]
    process = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + SECONDS
    while sum(1 for _ in home.glob("*.part/new/??/*")) < files:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [path.name for path in home.iterdir() if len(path.name) == 64] == [], "a part counts as a whole"
    assert list(home.glob("*.part")), "nothing was left to clean up"
    assert contents(open_archive(RAW, settings, sandbox=HereSandbox())) == CONTENTS  # another archive altogether
    assert list(home.glob("*.part")) == []


@pytest.mark.parametrize("damage", ["missing", "cut", "listing"])
def test_a_damaged_folder_is_unpacked_again(settings: Settings, damage: str) -> None:
    archive = open_archive(RAW, settings, sandbox=HereSandbox())
    path = archive.path(archive.files[7])
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(b"")
    else:
        (archive.folder / "listing.json").write_bytes(b"{")
    assert contents(open_archive(RAW, settings, sandbox=HereSandbox())) == CONTENTS
    assert left_over(settings) == []


def test_a_file_changed_after_unpacking_is_never_served(settings: Settings) -> None:
    archive = open_archive(RAW, settings, sandbox=HereSandbox())
    file = archive.files[0]
    archive.path(file).write_bytes(b"x" * file.size)
    with pytest.raises(ArchiveError, match="changed on disk"):
        archive.read(file)


class SwappingSandbox(HereSandbox):
    """Another process writes into the zip while it is read."""

    def call(
        self, operation: str, params: Mapping[str, Any], blocks: Sequence[bytes] = (), *, limits: Limits | None = None
    ) -> Answer:
        answer = super().call(operation, params, blocks, limits=limits)
        Path(params["path"]).write_bytes(forge([Forged(b"other.wav", b"other")]))
        return answer


@pytest.mark.parametrize("row", ["A-26"])
def test_a_zip_that_changes_while_it_is_read_is_refused(settings: Settings, tmp_path: Path, row: str) -> None:
    (tmp_path / "a.zip").write_bytes(RAW)
    with pytest.raises(ArchiveError, match="changed while it was read"):
        open_archive(tmp_path / "a.zip", settings, sandbox=SwappingSandbox())
    assert list((settings.uploads / "archives").iterdir()) == []


@pytest.mark.parametrize("row", ["Z-05"])
def test_a_full_disk_is_told_before_anything_is_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    usage = shutil.disk_usage(settings.home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=(256 << 20) + 100))
    with pytest.raises(ArchiveError) as caught:
        open_archive(RAW, settings, sandbox=HereSandbox())
    assert caught.value.code == "disk-full"
    assert list((settings.uploads / "archives").iterdir()) == []
