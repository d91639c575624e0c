"""A zip reader with budgets. It trusts no size, no offset and no name that the file announces.

``open_zip`` reads the directory record by record, without a list of names, and checks that the archive is one
whole zip and nothing else; ``unpack`` inflates one entry, counting as it goes.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.errors import ArchiveError
from core.media._names import archive_kind

_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Budget:
    """How much one archive may hold."""

    entries: int = 200_000
    directory: int = 64 << 20  # bytes of the table of contents
    entry: int = 1 << 30  # bytes one file may unpack to
    total: int = 8 << 30  # bytes all files together


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the directory."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int  # of its local header
    mode: int  # file type and rights as Unix counts them, 0 where unknown
    folder: bool

    @property
    def name(self) -> str:
        """UTF-8 where it can be that (old tools forget to say so), otherwise the code page of DOS."""
        try:
            return self.raw_name.decode("utf-8")
        except UnicodeDecodeError:
            return self.raw_name.decode("cp437")


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the table of contents lies."""

    offset: int
    size: int
    entries: int


class BadEntry(Exception):
    """One entry that cannot be used; the others may go on."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def open_zip(stream: BinaryIO, budget: Budget) -> Directory:
    """Find the directory of a file that is a zip from its first byte to its last."""
    size = stream.seek(0, 2)
    _demand_zip(stream, size)
    tail_at = max(0, size - _END.size - _FULL16)
    stream.seek(tail_at)
    tail = stream.read()
    ends = [at for at in _finds(tail, b"PK\x05\x06") if len(tail) - at >= _END.size]
    whole = [at for at in ends if at + _END.size + _END.unpack_from(tail, at)[7] == len(tail)]
    if not whole:
        fault = "bytes follow its end" if ends else "its table of contents is missing, as after a broken upload"
        raise _damaged(fault, "trailing" if ends else "truncated")
    if len(whole) > 1:
        raise _damaged("it has two ends", "ambiguous")
    directory = _directory(stream, tail_at + whole[0], _END.unpack_from(tail, whole[0]))
    if directory.entries > budget.entries:
        raise ArchiveError(
            f"The archive holds {directory.entries:,} entries and {budget.entries:,} are allowed; split it.",
            code="too-many-entries",
        )
    if directory.size > budget.directory:
        raise ArchiveError("The archive's table of contents is too large; shorten the names.", code="too-large")
    return directory


def entries_of(stream: BinaryIO, directory: Directory) -> Iterator[Entry]:
    """The records of the directory, one at a time; raises where they are not what the end of the file announced."""
    at, end, left = directory.offset, directory.offset + directory.size, b""
    for _ in range(directory.entries):
        while len(left) < _CENTRAL.size or len(left) < _record_size(left):
            stream.seek(at)
            block = stream.read(min(_BLOCK, end - at))
            if not block:
                raise _damaged("its table of contents is cut short", "truncated")
            at, left = at + len(block), left + block
        taken = _record_size(left)
        yield _entry(left[:taken])
        left = left[taken:]
    if left or at != end:
        raise _damaged("its table of contents holds more than it announces", "inconsistent")


def starts_and_ends(stream: BinaryIO, directory: Directory) -> tuple[array[int], array[int]]:
    """Sorted offsets of the entries and, for each, where the next one starts. Entries that share bytes are refused."""
    bare = _LOCAL.size  # an entry's own header is at least this and its name
    pairs = sorted((e.offset, e.offset + bare + len(e.raw_name) + e.packed) for e in entries_of(stream, directory))
    starts = array("Q", [start for start, _ in pairs])
    bounds = array("Q", [*starts[1:], directory.offset]) if pairs else array("Q")
    if pairs and starts[0] != 0:
        raise _damaged("bytes stand before its first entry", "prefixed")
    if any(end > bound for (_, end), bound in zip(pairs[:-1], bounds, strict=False)):
        raise overlapping()
    if pairs and pairs[-1][1] > directory.offset:
        raise _damaged("an entry reaches beyond the content", "inconsistent")
    return starts, bounds


def unpack(stream: BinaryIO, entry: Entry, bound: int, budget: Budget) -> Iterator[bytes]:
    """The bytes of one entry in blocks. What comes out is counted; the announced size is only ever a lower limit."""
    start = _data_start(stream, entry)
    if start + entry.packed > bound:
        raise overlapping()
    allowed = min(entry.size, budget.entry)
    crc, got = 0, 0
    for block in _inflated(stream, entry, start):
        got += len(block)
        if got > allowed:
            raise BadEntry("too-large", "it unpacks to more than it announces, so it was cut off")
        crc = zlib.crc32(block, crc)
        yield block
    if got != entry.size:
        raise BadEntry("truncated", "it unpacks to less than it announces")
    if crc != entry.crc:
        raise BadEntry("crc", "its checksum (CRC) does not fit its content")


def overlapping() -> ArchiveError:
    return ArchiveError("The archive's entries overlap, as in a zip bomb; make a new zip of the files.", code="overlap")


def _demand_zip(stream: BinaryIO, size: int) -> None:
    stream.seek(0)
    head = stream.read(512)
    if not head:
        raise ArchiveError("The archive is empty; send a .zip with files in it.", code="empty")
    kind = archive_kind("", head)
    if head.startswith((b"PK00PK\x03\x04", b"PK\x07\x08")):
        raise ArchiveError("The archive is one of several parts (multi-disk); send it as one .zip.", code="multi-disk")
    if kind not in {None, "zip"}:
        raise ArchiveError(f"This is a {kind} archive and only zip is read; pack the files as a .zip.", code="zip-only")
    if kind is None:
        raise ArchiveError("This is not a zip, or other bytes stand before it; send a plain .zip.", code="not-a-zip")
    if size < _END.size:
        raise _damaged("it breaks off", "truncated")


def _finds(text: bytes, what: bytes) -> Iterator[int]:
    at = text.find(what)
    while at >= 0:
        yield at
        at = text.find(what, at + 1)


def _directory(stream: BinaryIO, end_at: int, end: tuple) -> Directory:
    _, disk, first_disk, here, entries, size, offset, _ = end
    stop = end_at
    locator_at = end_at - _LOCATOR.size
    stream.seek(max(0, locator_at))
    locator = stream.read(_LOCATOR.size) if locator_at >= 0 else b""
    if locator.startswith(b"PK\x06\x07"):
        _, start_disk, at, disks = _LOCATOR.unpack(locator)
        stream.seek(min(at, end_at))
        record = stream.read(_END64.size)
        if len(record) < _END64.size or record[:4] != b"PK\x06\x06" or at + 12 + _END64.unpack(record)[1] != locator_at:
            raise _damaged("its zip64 record is not where it should be", "inconsistent")
        small = (disk, first_disk, here, entries, size, offset)
        _, _, _, _, disk, first_disk, here, entries, size, offset = _END64.unpack(record)
        full = (_FULL16,) * 4 + (_FULL32,) * 2
        large = (disk, first_disk, here, entries, size, offset)
        if any(a not in (limit, b) for a, b, limit in zip(small, large, full, strict=True)):
            raise _damaged("its zip64 record contradicts its end", "inconsistent")
        disk, stop = max(disk, start_disk, disks - 1), at
    if disk or first_disk or here != entries:
        raise ArchiveError("The archive is one of several parts (multi-disk); send it as one .zip.", code="multi-disk")
    if offset + size != stop:
        raise _damaged("its table of contents is not where it should be", "inconsistent")
    return Directory(offset, size, entries)


def _record_size(record: bytes) -> int:
    if len(record) < _CENTRAL.size:
        return _CENTRAL.size
    if record[:4] != b"PK\x01\x02":
        raise _damaged("its table of contents is not readable", "inconsistent")
    return _CENTRAL.size + sum(struct.unpack_from("<HHH", record, 28))


def _entry(record: bytes) -> Entry:
    fields = _CENTRAL.unpack_from(record)
    _, _, _, flags, method, _, _, crc, packed, size, n_name, n_extra, _, disk, _, outer, offset = fields
    name = record[_CENTRAL.size : _CENTRAL.size + n_name]
    wide = _zip64(record[_CENTRAL.size + n_name : _CENTRAL.size + n_name + n_extra])
    values = []
    for value in (size, packed, offset):
        if value == _FULL32:
            if len(wide) < 8:
                raise _damaged("a zip64 entry does not tell its sizes", "inconsistent")
            value, wide = int.from_bytes(wide[:8], "little"), wide[8:]
        values.append(value)
    if disk not in {0, _FULL16}:
        raise ArchiveError("The archive is one of several parts (multi-disk); send it as one .zip.", code="multi-disk")
    mode = outer >> 16
    folder = name.endswith((b"/", b"\\")) or bool(outer & 0x10) or mode & 0xF000 == 0x4000
    return Entry(name, flags, method, crc, values[1], values[0], values[2], mode, folder)


def _zip64(extra: bytes) -> bytes:
    """The content of the first zip64 block of an extra field."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1:
            return extra[4 : 4 + length]
        extra = extra[4 + length :]
    return b""


def _data_start(stream: BinaryIO, entry: Entry) -> int:
    stream.seek(entry.offset)
    head = stream.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
        raise BadEntry("inconsistent", "its content is not where the table of contents says")
    _, _, flags, method, _, _, crc, packed, size, n_name, n_extra = _LOCAL.unpack(head)
    if stream.read(n_name) != entry.raw_name:
        raise BadEntry("inconsistent", "its name in the table of contents is not the name at its content")
    later = entry.flags & 8  # sizes follow the content, where a stream was zipped
    pairs = ((crc, entry.crc), (packed, entry.packed), (size, entry.size))
    honest = all(told in (known, _FULL32) or (later and told == 0) for told, known in pairs)
    if method != entry.method or (flags ^ entry.flags) & 0x2049 or not honest:
        raise BadEntry("inconsistent", "its own header contradicts the table of contents")
    return entry.offset + _LOCAL.size + n_name + n_extra


def _inflated(stream: BinaryIO, entry: Entry, start: int) -> Iterator[bytes]:
    stream.seek(start)
    left = entry.packed
    engine = zlib.decompressobj(-15) if entry.method == 8 else None
    while left:
        block = stream.read(min(_BLOCK, left))
        if not block:
            raise BadEntry("truncated", "its content breaks off")
        left -= len(block)
        if engine is None:
            yield block
            continue
        more = True
        while more:
            try:
                out = engine.decompress(block, _BLOCK)
            except zlib.error:
                raise BadEntry("damaged", "its packed content is damaged") from None
            block = engine.unconsumed_tail
            more = not engine.eof and (bool(block) or len(out) == _BLOCK)  # a full block may leave some behind
            yield out
        if engine.eof and (block or engine.unused_data or left):
            raise BadEntry("inconsistent", "bytes follow its packed content")
    if engine is not None and not engine.eof:
        raise BadEntry("truncated", "its packed content breaks off")


def _damaged(fault: str, code: str) -> ArchiveError:
    return ArchiveError(f"The zip is damaged or not a plain one: {fault}. Make a new .zip of the files.", code=code)
