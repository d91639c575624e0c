"""Zip entries made to harm: rows Z-01 to Z-09, Z-11, Z-14 to Z-16 and Z-18. Each test id names its row."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from core.media._zip import Budget, entries_of, open_zip, unpack
from core.media.archive import extract_operation
from tests.hostile.forging import GOOD, Forged, alone_refused, deflated, extract, forge, refused

SMALL = {"entry": 1 << 20, "total": 4 << 20, "entries": 1000}


OUTSIDE = [b"../../x", b"/abs", b"C:\\x", b"..\\x", b"a/../../b", b"a\0b", b"\\\\host\\share", b"file:///etc/x", b"c:x"]


@pytest.mark.parametrize("name", OUTSIDE, ids=lambda name: f"Z-01 {name!r}")
def test_a_name_that_leads_outside_is_refused_and_listed(tmp_path: Path, name: bytes) -> None:
    ((code, _),) = alone_refused(tmp_path, Forged(name, b"x"))
    assert code == "name"


@pytest.mark.parametrize("row", ["Z-02"])
def test_a_link_and_a_file_through_it_are_refused(tmp_path: Path, row: str) -> None:
    link = Forged(b"out", b"/etc/passwd", mode=0o120777)
    told = alone_refused(tmp_path, link, Forged(b"out/through", b"x"))
    assert [code for code, _ in told] == ["not-a-file"] * 2
    assert "symbolic link" in told[0][1]


@pytest.mark.parametrize("mode", [0o010644, 0o020644, 0o060644, 0o140644, 0o150000], ids=lambda m: f"Z-03 {m:o}")
def test_what_is_no_file_is_refused(tmp_path: Path, mode: int) -> None:
    ((code, _),) = alone_refused(tmp_path, Forged(b"thing.wav", b"", mode=mode))
    assert code == "not-a-file"


NESTED = {
    "Z-04 zip by suffix": (b"inner.zip", b"hollow"),
    "Z-04 zip called wav": (b"inner.wav", forge([GOOD])),
    "Z-04 gzip called wav": (b"inner.wav", b"\x1f\x8b\x08\0" + bytes(20)),
    "Z-04 7z called png": (b"inner.png", b"7z\xbc\xaf\x27\x1c" + bytes(20)),
    "Z-04 tar called csv": (b"inner.csv", bytes(257) + b"ustar\x0000" + bytes(200)),
}


@pytest.mark.parametrize(("name", "content"), NESTED.values(), ids=NESTED.keys())
def test_an_archive_inside_is_refused(tmp_path: Path, name: bytes, content: bytes) -> None:
    ((code, reason),) = alone_refused(tmp_path, Forged(name, content))
    assert code == "nested"
    assert "inside the archive" in reason


@pytest.mark.parametrize("row", ["Z-05"])
def test_an_entry_over_its_budget_is_refused_and_the_others_go_on(tmp_path: Path, row: str) -> None:
    ((code, reason),) = alone_refused(tmp_path, Forged(b"zeros.wav", bytes(2 << 20)), budget=SMALL)
    assert code == "too-large"
    assert "2 MiB and 1 MiB" in reason


@pytest.mark.parametrize("row", ["Z-05"])
def test_the_total_is_limited_although_each_entry_is_small(tmp_path: Path, row: str) -> None:
    entries = [Forged(b"%d.wav" % n, bytes(1 << 20)) for n in range(5)]
    assert refused(tmp_path, forge(entries), budget=SMALL).code == "too-large"
    assert list((tmp_path / "out").iterdir()) == [], "bytes were written before the refusal"


@pytest.mark.parametrize("row", ["Z-05"])
def test_free_disk_is_asked_first(tmp_path: Path, row: str) -> None:
    error = refused(tmp_path, forge([Forged(b"a.wav", bytes(1 << 20))]), free=1000)
    assert error.code == "disk-full"
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("row", ["Z-05"])
def test_memory_stays_flat_while_an_entry_of_zeros_unpacks(tmp_path: Path, row: str) -> None:
    raw = forge([Forged(b"zeros.wav", bytes(24 << 20))])
    tracemalloc.start()
    try:
        (tmp_path / "sent.zip").write_bytes(raw)
        extract_operation({"path": str(tmp_path / "sent.zip"), "folder": str(tmp_path / "out"), "free": 1 << 40}, [])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("row", ["Z-06"])
def test_entries_that_share_one_body_are_refused(tmp_path: Path, row: str) -> None:
    body = Forged(b"a.wav", bytes(100_000))
    packed = len(deflated(body.content))
    same = [
        Forged(b"b%d.wav" % n, offset=0, size=100_000, packed=packed, crc=zlib.crc32(body.content)) for n in range(49)
    ]
    assert refused(tmp_path, forge([body, *same])).code == "overlap"


@pytest.mark.parametrize("row", ["Z-07"])
@pytest.mark.parametrize("through", ["body", "extra"])
def test_an_entry_that_quotes_the_next_header_is_refused(tmp_path: Path, row: str, through: str) -> None:
    """Fifield's quoting: the first entry's bytes run on over the second one's header."""
    inner = forge([Forged(b"b.wav", b"sound" * 1000, method=0)])
    quoted = inner[: inner.index(b"PK\1\2")]
    start = 30 + len(b"a.wav")
    body, extra = (quoted, b"") if through == "body" else (b"", quoted)
    outer = Forged(b"a.wav", body, method=0, extra=extra)
    second = Forged(b"b.wav", b"", method=0, offset=start, crc=zlib.crc32(b"sound" * 1000), size=5000, packed=5000)
    assert refused(tmp_path, forge([outer, second])).code == "overlap"


@pytest.mark.parametrize("row", ["Z-08"])
def test_a_stream_longer_than_it_announces_is_cut_at_once(tmp_path: Path, row: str) -> None:
    lying = Forged(b"lie.wav", bytes(100 << 20), size=1024)
    ((code, _),) = alone_refused(tmp_path, lying)
    assert code == "too-large"
    stream = io.BytesIO(forge([lying]))
    directory = open_zip(stream, Budget())
    (entry,) = entries_of(stream, directory)
    with pytest.raises(Exception, match="cut off"):
        assert sum(map(len, unpack(stream, entry, directory.offset, Budget()))) == 0, "a block came out before the cut"


BROKEN = {
    "Z-08 stream shorter than announced": (Forged(b"x.wav", b"short", size=50), "truncated"),
    "Z-09 wrong CRC": (Forged(b"x.wav", b"sound", crc=1), "crc"),
    "Z-09 wrong CRC, stored": (Forged(b"x.wav", b"sound", method=0, crc=1), "crc"),
    "Z-09 flipped byte in the stream": (Forged(b"x.wav", b"sound", body=b"\xff" * 9), "damaged"),
    "Z-09 stream broken off": (Forged(b"x.wav", b"s" * 99, body=deflated(bytes(range(99)))[:40]), "truncated"),
    "Z-09 bytes behind the stream": (Forged(b"x.wav", b"sound", body=deflated(b"sound") + b"more"), "inconsistent"),
    "Z-12 encrypted": (Forged(b"x.wav", b"sound", flags=1), "encrypted"),
    "Z-12 AES": (Forged(b"x.wav", b"sound", method=99), "encrypted"),
    "Z-12 LZMA": (Forged(b"x.wav", b"sound", method=14), "method"),
    "Z-12 zstd": (Forged(b"x.wav", b"sound", method=93), "method"),
    "Z-12 unknown method": (Forged(b"x.wav", b"sound", method=77), "method"),
    "Z-14 two names": (Forged(b"x.wav", b"sound", local_name=b"y.wav"), "inconsistent"),
    "Z-14 name that is not the UTF-8 it says": (Forged(b"\xff\xfe.wav", b"sound", flags=0x800), "name"),
    "Z-16 folder with content": (Forged(b"x/", b"sound"), "inconsistent"),
}


@pytest.mark.parametrize(("bad", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_entry_is_refused_by_its_fault_and_the_others_go_on(tmp_path: Path, bad: Forged, code: str) -> None:
    ((found, reason),) = alone_refused(tmp_path, bad)
    assert found == code
    named = {14: "LZMA", 93: "Zstandard", 99: "AES", 77: "number 77"}.get(bad.method, "")
    assert named in reason


@pytest.mark.parametrize("row", ["Z-11"])
def test_names_that_look_the_same_are_all_kept_under_their_own_ids(tmp_path: Path, row: str) -> None:
    names = ["caf\u00e9.wav", "cafe\u0301.wav", "CAFÉ.wav", "café.wav", "café.wav#2"]
    entries = [Forged(name.encode(), b"%d" % n) for n, name in enumerate(names)]
    outcome = extract(tmp_path, forge(entries))
    assert sorted(outcome.names.values()) == [b"0", b"1", b"2", b"3", b"4"]
    assert len(outcome.names) == 5
    assert outcome.twins == 4


@pytest.mark.parametrize("row", ["Z-15"])
def test_names_are_shown_cut_and_escaped(tmp_path: Path, row: str) -> None:
    long, deep = b"x" * 65_000 + b".wav", b"d/" * 1000 + b"deep.wav"
    ugly = "a\nb\x1b[31m\u202egpj.wav".encode()
    outcome = extract(tmp_path, forge([Forged(long, b"1"), Forged(deep, b"2"), Forged(ugly, b"3")]))
    assert sorted(outcome.names.values()) == [b"1", b"2", b"3"]
    assert all(len(name) <= 240 and name.isprintable() for name in outcome.names)
    assert "a\\u000ab\\u001b[31m\\u202egpj.wav" in outcome.names


@pytest.mark.parametrize("row", ["Z-16"])
def test_litter_and_folders_are_skipped_and_counted(tmp_path: Path, row: str) -> None:
    litter = [b"__MACOSX/._good.wav", b".DS_Store", b"dog/.DS_Store", b"dog/Thumbs.db", b"dog/", b"cat/"]
    outcome = extract(tmp_path, forge([GOOD, *(Forged(name) for name in litter)]))
    assert outcome.names == {"dog/good.wav": b"a good sound"}
    assert outcome.skipped == len(litter)
    assert not outcome.problems


@pytest.mark.parametrize("row", ["Z-18"])
def test_one_poisoned_file_costs_one_row_of_ten_thousand(tmp_path: Path, row: str) -> None:
    good = [Forged(b"%05d.wav" % n, b"%d" % n, method=0) for n in range(10_000)]
    poison = Forged(b"poison.wav", bytes(5 << 20), size=100)
    outcome = extract(tmp_path, forge([*good[:5000], poison, *good[5000:]]))
    assert outcome.names == {f"{n:05d}.wav": b"%d" % n for n in range(10_000)}
    assert list(outcome.problems) == ["poison.wav"]


@pytest.mark.parametrize("stream", [False, True], ids=["seekable", "streamed"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_ordinary_zips_of_another_writer_come_through_whole(tmp_path: Path, method: int, stream: bool) -> None:
    class Pipe(io.RawIOBase):
        """What a writer that cannot seek back writes to: sizes then follow the content."""

        def __init__(self) -> None:
            self.out = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, block: Any) -> int:
            self.out += block
            return len(block)

    target: Any = Pipe() if stream else io.BytesIO()
    contents = {f"klang/ä{n}.wav": bytes([n]) * n * 40_000 for n in range(9)}
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in contents.items():
            with archive.open(name, "w", force_zip64=name.endswith("3.wav")) as entry:
                entry.write(content)
    raw = bytes(target.out) if stream else target.getvalue()
    assert extract(tmp_path, raw).names == contents


def test_a_stream_that_ends_while_output_is_pending_comes_out_whole(tmp_path: Path) -> None:
    """Just over one block of zeros: all input is taken and the engine still holds the last bytes."""
    contents = {f"{n}.wav": bytes(n) for n in range((1 << 18) + 18, (1 << 18) + 30)}
    assert extract(tmp_path, forge([Forged(n.encode(), c) for n, c in contents.items()])).names == contents
