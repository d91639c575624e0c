"""Zips that are not what they should be as a whole: rows Z-10, Z-12, Z-13 and Z-17 of the table of hazards."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from core.errors import ArchiveError
from core.media._zip import Budget, open_zip
from tests.hostile.forging import GOOD, Forged, central, end, end64, extract, forge, refused


def million(count: int) -> bytes:
    return b"".join(central(Forged(b"%06d" % n), 0, 0, 0, 0) for n in range(count))


@pytest.mark.parametrize("row", ["Z-10"])
def test_a_million_empty_entries_are_refused_before_a_name_is_read(tmp_path: Path, row: str) -> None:
    local = forge([Forged(b"a", b"", method=0)])
    local = local[: local.index(b"PK\1\2")]
    directory = million(1000) * 1000
    raw = local + directory + end64(len(directory), len(local), 1_000_000, len(local) + len(directory))
    stream = io.BytesIO(raw)
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="1,000,000 entries") as caught:
            open_zip(stream, Budget())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code == "too-many-entries"
    assert peak < 1 << 20, "the directory was read"


@pytest.mark.parametrize("row", ["Z-10"])
def test_more_entries_than_announced_are_refused(tmp_path: Path, row: str) -> None:
    assert refused(tmp_path, forge([Forged(b"%d" % n, b"") for n in range(50)], count=5)).code == "inconsistent"


def test_z12_several_parts_are_refused(tmp_path: Path) -> None:
    for raw in (forge([GOOD], disk=1), forge([Forged(b"x", b"y", disk=3)]), b"PK\x07\x08" + forge([GOOD])):
        error = refused(tmp_path, raw)
        assert error.code == "multi-disk"
        (tmp_path / "out").rmdir()


LIES = [{"disk": 1}, {"disks": 2}, {"record": 5}, {"record": 1 << 62}, {"length": 1 << 60}, {"directory": 1 << 62}]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"Z-12 zip64 {lie}")
def test_a_zip64_end_that_lies_is_refused(tmp_path: Path, lie: dict[str, int]) -> None:
    plain = forge([GOOD])
    at = plain.index(b"PK\5\6")
    start = plain.index(b"PK\1\2")
    honest = plain[:at] + end64(at - start, start, 1, at)
    assert extract(tmp_path, honest).names == {"dog/good.wav": b"a good sound"}
    size = lie.pop("directory", at - start)
    (tmp_path / "again").mkdir()
    assert refused(tmp_path / "again", plain[:at] + end64(size, start, 1, at, **lie)).code in {
        "inconsistent",
        "multi-disk",
    }


@pytest.mark.parametrize("row", ["Z-12"])
def test_a_zip64_entry_that_lies_is_refused(tmp_path: Path, row: str) -> None:
    huge = b"\1\0\x10\0" + (b"a good sound".__len__()).to_bytes(8, "little") + (1 << 60).to_bytes(8, "little")
    lying = Forged(b"x.wav", b"a good sound", size=0xFFFFFFFF, packed=0xFFFFFFFF, central_extra=huge)
    assert refused(tmp_path, forge([lying])).code == "inconsistent"
    (tmp_path / "out").rmdir()
    mute = Forged(b"x.wav", b"a good sound", size=0xFFFFFFFF)
    assert refused(tmp_path, forge([mute])).code == "inconsistent"


PLAIN = forge([GOOD, Forged(b"b.wav", b"more")])
NOT_WHOLE = {
    "Z-13 half": (PLAIN[: len(PLAIN) // 2], "truncated"),
    "Z-13 directory cut": (PLAIN[:-40] + PLAIN[-22:], "inconsistent"),
    "Z-13 end cut": (PLAIN[:-3], "truncated"),
    "Z-13 junk before": (b"MZ junk" + PLAIN, "not-a-zip"),
    "Z-13 entry-like junk before": (b"PK\3\4 junk" + PLAIN, "inconsistent"),
    "Z-13 junk after": (PLAIN + b"junk", "trailing"),
    "Z-13 comment that lies": (PLAIN[:-2] + b"\x10\0", "trailing"),
    "Z-13 two ends": (forge([GOOD], comment=end(0, 0, 0)), "ambiguous"),
    "Z-13 empty file": (b"", "empty"),
    "Z-13 text": (b"hello, this is no zip", "not-a-zip"),
    "Z-17 gzip": (b"\x1f\x8b\x08" + bytes(50), "zip-only"),
    "Z-17 7z": (b"7z\xbc\xaf\x27\x1c" + bytes(50), "zip-only"),
    "Z-17 rar": (b"Rar!\x1a\x07\x01\0" + bytes(50), "zip-only"),
    "Z-17 bzip2": (b"BZh91AY&SY" + bytes(50), "zip-only"),
    "Z-17 xz": (b"\xfd7zXZ\0" + bytes(50), "zip-only"),
}


@pytest.mark.parametrize(("raw", "code"), NOT_WHOLE.values(), ids=NOT_WHOLE.keys())
def test_what_is_not_one_whole_zip_is_refused(tmp_path: Path, raw: bytes, code: str) -> None:
    assert refused(tmp_path, raw).code == code


@pytest.mark.parametrize("row", ["Z-17"])
def test_a_tar_is_told_that_only_zip_is_read(tmp_path: Path, row: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("x.wav"))
    error = refused(tmp_path, buffer.getvalue())
    assert error.code == "zip-only"
    assert "tar archive" in str(error)


@pytest.mark.parametrize("row", ["Z-13"])
def test_a_comment_that_ends_where_it_says_is_no_junk(tmp_path: Path, row: str) -> None:
    assert extract(tmp_path, forge([GOOD], comment=b"made by hand")).names == {"dog/good.wav": b"a good sound"}


@pytest.mark.parametrize("row", ["Z-13"])
def test_a_first_entry_that_the_directory_hides_is_junk_before(tmp_path: Path, row: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hidden.wav", b"hidden")
        archive.writestr("shown.wav", b"shown")
        archive.filelist.pop(0)
    assert refused(tmp_path, buffer.getvalue()).code == "prefixed"
