"""Zips with any field forged, what comes out of them, and a sandbox that runs in the test's own process."""

from __future__ import annotations

import importlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.errors import ArchiveError
from core.media._child import OPERATIONS
from core.media.archive import extract_operation
from core.media.sandbox import Answer, Limits, Sandbox


@dataclass(frozen=True)
class Forged:
    """One entry; a field that is given stands in the archive whatever the truth is."""

    name: bytes
    content: bytes = b""
    method: int = 8
    flags: int = 0
    mode: int = 0o100644
    attributes: int = 0
    crc: int | None = None
    size: int | None = None
    packed: int | None = None
    body: bytes | None = None  # as it lies in the archive
    offset: int | None = None  # of another entry's header: this one has no bytes of its own
    local_name: bytes | None = None
    extra: bytes = b""
    central_extra: bytes = b""
    disk: int = 0
    descriptor: bytes = b""

    def stored(self) -> bytes:
        if self.body is not None:
            return self.body
        return deflated(self.content) if self.method == 8 else self.content


def deflated(content: bytes) -> bytes:
    engine = zlib.compressobj(6, zlib.DEFLATED, -15)
    return engine.compress(content) + engine.flush()


def forge(entries: Sequence[Forged], *, comment: bytes = b"", count: int | None = None, disk: int = 0) -> bytes:
    """A zip with these entries."""
    content, directory = bytearray(), bytearray()
    for entry in entries:
        body = entry.stored()
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        size = len(entry.content) if entry.size is None else entry.size
        packed = len(body) if entry.packed is None else entry.packed
        at = len(content) if entry.offset is None else entry.offset
        sizes = (0, 0, 0) if entry.flags & 8 else (crc, packed, size)
        name = entry.name if entry.local_name is None else entry.local_name
        if entry.offset is None:
            head = struct.pack(
                "<4sHHHHHIIIHH", b"PK\3\4", 20, entry.flags, entry.method, 0, 0, *sizes, len(name), len(entry.extra)
            )
            content += head + name + entry.extra + body + entry.descriptor
        directory += central(entry, crc, packed, size, at)
    return bytes(content + directory + end(len(directory), len(content), count or len(entries), comment, disk))


def central(entry: Forged, crc: int, packed: int, size: int, offset: int) -> bytes:
    outer = entry.mode << 16 | entry.attributes
    numbers = (0x0314, 20, entry.flags, entry.method, 0, 0, crc, packed, size, len(entry.name))
    rest = (len(entry.central_extra), 0, entry.disk, 0, outer, offset)
    return struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", *numbers, *rest) + entry.name + entry.central_extra


def end(directory: int, offset: int, count: int, comment: bytes = b"", disk: int = 0) -> bytes:
    small = min(count, 0xFFFF)
    return struct.pack("<4sHHHHIIH", b"PK\5\6", disk, disk, small, small, directory, offset, len(comment)) + comment


def end64(directory: int, offset: int, count: int, at: int, **lies: int) -> bytes:
    """The zip64 end of an archive whose directory ends at ``at``, with fields of it forged."""
    facts = {"disk": 0, "disks": 1, "record": at, "length": 44} | lies
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\6\6", facts["length"], 45, 45, facts["disk"], 0, count, count, directory, offset
    )
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, facts["record"], facts["disks"])
    return record + locator + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, *([0xFFFF] * 2), *([0xFFFFFFFF] * 2), 0)


GOOD = Forged(b"dog/good.wav", b"a good sound")


@dataclass(frozen=True)
class Outcome:
    names: dict[str, bytes]  # id -> content
    problems: dict[str, tuple[str, str]]  # shown name -> code, reason
    skipped: int
    twins: int


def extract(tmp_path: Path, raw: bytes, *, free: int = 1 << 40, budget: dict[str, int] | None = None) -> Outcome:
    (tmp_path / "sent.zip").write_bytes(raw)
    params: dict[str, Any] = {"path": str(tmp_path / "sent.zip"), "folder": str(tmp_path / "out"), "free": free}
    header, blocks = extract_operation({**params, "budget": budget or {}}, [])
    files, problems = (json.loads(block) for block in blocks)
    contents = {row[0]: (tmp_path / "out" / row[2][:2] / row[2]).read_bytes() for row in files}
    on_disk = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert on_disk == {row[2] for row in files}, "the folder holds something else than the files by their hash"
    assert {path.name for path in tmp_path.iterdir()} == {"sent.zip", "out"}, "something was written outside"
    return Outcome(contents, {row[0]: (row[1], row[2]) for row in problems}, header["skipped"], header["twins"])


def refused(tmp_path: Path, raw: bytes, **kwargs: Any) -> ArchiveError:
    with pytest.raises(ArchiveError) as caught:
        extract(tmp_path, raw, **kwargs)
    assert 20 < len(str(caught.value)) < 200
    assert str(tmp_path) not in str(caught.value)
    return caught.value


def alone_refused(tmp_path: Path, *bad: Forged, **kwargs: Any) -> list[tuple[str, str]]:
    """What was said of the bad entries; the good one beside them must have come through."""
    outcome = extract(tmp_path, forge([GOOD, *bad]), **kwargs)
    assert outcome.names == {"dog/good.wav": b"a good sound"}
    assert len(outcome.problems) == len(bad)
    return list(outcome.problems.values())


class HereSandbox(Sandbox):
    """Runs operations in this process and counts them. For what is read, not for how a child is held."""

    def __init__(self) -> None:
        super().__init__(children=0)
        self.calls: list[str] = []

    def call(
        self, operation: str, params: Mapping[str, Any], blocks: Sequence[bytes] = (), *, limits: Limits | None = None
    ) -> Answer:
        self.calls.append(operation)
        module, _, function = OPERATIONS[operation].partition(":")
        header, out = getattr(importlib.import_module(module), function)(params, list(blocks))
        return Answer(header, tuple(bytes(block) for block in out))
