"""Named members of a published archive, read within a budget into a folder named by the archive's content.

Nothing is extracted wholesale: a member is written only when its whole name fits the layout, from a regular file,
to a path this module puts together; links, devices and everything unnamed stay in the archive.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from core.data._fetch import PART, Remote, sweep
from core.errors import ArchiveError
from core.settings import Settings

_BLOCK = 1 << 20
_MEMBERS = 200_000  # more than any published set has
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, struct.error, UnicodeError, EOFError)
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*")


def unpacked(archive: Path, sha256: str, remote: Remote, settings: Settings) -> Path:
    """The folder with the members of ``remote.layout``: made once an archive content, whole or not at all."""
    parent = settings.home / "downloads" / remote.key
    target = parent / f"unpacked-{sha256[:16]}"
    if target.is_dir():
        return target
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    part = Path(tempfile.mkdtemp(suffix=PART, dir=parent))
    try:
        _unpack(archive, remote, part)
        try:
            part.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise another process was first, with the same bytes
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _unpack(archive: Path, remote: Remote, part: Path) -> None:
    budget = remote.limit
    layout = re.compile(remote.layout)
    found = 0
    try:
        for name, stream in _members(archive, remote):
            if (match := layout.fullmatch(name)) is None:
                continue
            target = _inside(part, match[1], remote)
            if target.exists():
                raise _refused(remote, f"it holds {match[1]!r} twice")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as output:
                while block := stream.read(min(_BLOCK, budget + 1)):
                    if (budget := budget - len(block)) < 0:
                        raise _refused(remote, f"it unpacks to more than {remote.limit // 1_000_000} MB")
                    output.write(block)
                output.flush()
                os.fsync(output.fileno())
            found += 1
    except _DAMAGE as error:
        raise _refused(remote, "it is damaged or cut short") from error
    if not found:
        raise _refused(remote, f"{remote.marks[0]!r} is not in it")


def _members(archive: Path, remote: Remote) -> Iterator[tuple[str, IO[bytes]]]:
    with archive.open("rb") as stream:
        magic = stream.read(4)
    if magic.startswith(b"\x1f\x8b"):
        yield from _tar_members(archive, remote)
    elif magic.startswith(b"PK"):
        yield from _zip_members(archive, remote)
    else:
        raise _refused(remote, "it is neither a .tar.gz nor a .zip")


def _tar_members(archive: Path, remote: Remote) -> Iterator[tuple[str, IO[bytes]]]:
    # "r|" reads forward only, so the bound on what comes out of gzip holds for headers and skipped members too
    with gzip.open(archive) as raw, tarfile.open(fileobj=(bounded := _Bounded(raw, remote)), mode="r|") as tar:
        for count, member in enumerate(tar):
            if count >= _MEMBERS:
                raise _refused(remote, f"it has more than {_MEMBERS:,} members")
            if member.isreg() and (stream := tar.extractfile(member)) is not None:
                yield member.name, stream
        while bounded.read():  # gzip's own checksum stands at the very end, after what tar reads
            pass


def _zip_members(archive: Path, remote: Remote) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        if len(members) > _MEMBERS:
            raise _refused(remote, f"it has more than {_MEMBERS:,} members")
        for member in members:
            if member.flag_bits & 1:
                raise _refused(remote, f"{member.filename[:80]!r} is encrypted")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _refused(remote, f"{member.filename[:80]!r} is packed by another method than deflate")
            if not member.is_dir():
                with packed.open(member) as stream:
                    yield member.filename, stream


class _Bounded(io.RawIOBase):
    """A stream that ends with a refusal where the budget ends."""

    def __init__(self, raw: gzip.GzipFile, remote: Remote) -> None:
        self.raw, self.remote, self.left = raw, remote, remote.limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self.raw.read(_BLOCK if size < 0 else min(size, _BLOCK))
        self.left -= len(block)
        if self.left < 0:
            raise _refused(self.remote, f"it unpacks to more than {self.remote.limit // 1_000_000} MB")
        return block


def _inside(part: Path, name: str, remote: Remote) -> Path:
    if not all(_PLAIN.fullmatch(piece) for piece in name.split("/")):
        raise _refused(remote, f"{name[:80]!r} is no plain path")
    return part.joinpath(*name.split("/"))


def _refused(remote: Remote, why: str) -> ArchiveError:
    return ArchiveError(
        f"This archive is not {remote.title} as published: {why}; give an unchanged copy of {remote.file}.",
        code="archive",
    )
