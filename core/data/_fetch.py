"""Published files from the network: fetched once, checked against the published checksum, never half there."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, BinaryIO

from core.contracts import Progress
from core.errors import DataError
from core.settings import Settings

_CHUNK = 1 << 16  # bytes asked of the network at a time
_STEPS = 20  # progress messages a download
_TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two chunks
_STALE = 86_400.0  # seconds after which an unfinished download or unpacking has surely lost its process
PART = ".part"


@dataclass(frozen=True, slots=True)
class Remote:
    """One published file, and how a copy of what it holds is laid out."""

    key: str  # folder of the download; sets cut from one archive share it
    title: str
    url: str
    file: str  # the name it is kept under
    size: int  # bytes, about: for progress and as a guard, no check
    checksum: str | None  # "md5:..." or "sha256:..." as published; None where nothing is published
    marks: tuple[str, ...]  # patterns of files that tell a copy, the official one first
    layout: str = ""  # archives: expression of the members to unpack, group 1 is where to; "": one plain file
    closed: str = ""  # why nobody can download it, for sets that are only read from a copy; their url is empty

    @property
    def limit(self) -> int:
        """More bytes than this, packed or unpacked, is something else."""
        return 4 * self.size + (64 << 20)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A verified file on this machine."""

    path: Path
    sha256: str

    def note(self, remote: Remote) -> str:
        basis = (
            f"its {remote.checksum.partition(':')[0]} is the published one"
            if remote.checksum
            else "recorded at the first fetch, its publisher states no checksum"
        )
        return f"downloaded {remote.file}, sha256 {self.sha256}: {basis}"


def announce(done: int, total: int, stage: str) -> None:
    """The Progress of a download that nobody watches: lines on stderr, as a download may take long."""
    sys.stderr.write(f"{stage}: {100 * done // max(total, 1)} % of {_bytes(total)}\n")


def advice(remote: Remote) -> str:
    """How to do without the network."""
    return f"put a copy into a folder {remote.key!r} inside the one PENUMBRA_DATA names, or give the path of a copy"


def fetch(remote: Remote, settings: Settings, progress: Progress = announce) -> Fetched:
    """The file from an earlier download, or from the network now. A file that is there is whole and was checked."""
    folder = settings.home / "downloads" / remote.key
    target = folder / remote.file
    record = folder / f"{remote.file}.sha256"
    if target.is_file() and record.is_file():
        return Fetched(target, record.read_text().split()[0])
    if remote.closed:
        raise DataError(
            f"{remote.title} is not on this machine and is no download: {remote.closed}; {advice(remote)}.",
            code="no-download",
        )
    if settings.offline:
        raise DataError(
            f"{remote.title} is not on this machine and PENUMBRA_OFFLINE forbids downloads; {advice(remote)}.",
            code="offline",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        _require_room(remote, folder)
        return _download(remote, target, record, progress)
    except OSError as error:  # what the network did wrong is told in _receive; what is left is the disk
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(remote, folder) from error
        if isinstance(error, (PermissionError, NotADirectoryError, FileExistsError)) or error.errno == errno.EROFS:
            raise DataError(
                f"{remote.title} cannot be kept: the download folder is not writable; "
                "set PENUMBRA_HOME to a folder that is.",
                code="not-writable",
            ) from error
        raise


def _download(remote: Remote, target: Path, record: Path, progress: Progress) -> Fetched:
    handle, name = tempfile.mkstemp(suffix=PART, dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            sink = _Sink(remote, stream, progress)
            _receive(remote, sink)
            stream.flush()
            os.fsync(stream.fileno())
        sha256 = sink.verified()
        # the record first: a file without one would have to be trusted unseen
        _write_record(record, f"{sha256}  {remote.file}\n")
        part.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise
    progress(sink.done, sink.done, f"{remote.title}, sha256 {sha256}")
    return Fetched(target, sha256)


class _Sink:
    """What the downloader writes to: it hashes, counts, reports and stops at the limit."""

    def __init__(self, remote: Remote, stream: BinaryIO, progress: Progress) -> None:
        self.remote, self.stream, self.progress = remote, stream, progress
        self.done, self.step = 0, -1
        self.sha256 = hashlib.sha256()
        self.disk: OSError | None = None  # a write that failed, as opposed to the network
        name = (remote.checksum or "sha256:").partition(":")[0]
        self.published = hashlib.new(name, usedforsecurity=False)

    def write(self, chunk: bytes) -> int:
        self.done += len(chunk)
        if self.done > self.remote.limit:
            raise DataError(
                f"{self.remote.title} is about {_bytes(self.remote.size)} long and more than "
                f"{_bytes(self.remote.limit)} arrived; nothing was kept: {advice(self.remote)}.",
                code="too-long",
            )
        self.sha256.update(chunk)
        self.published.update(chunk)
        try:
            written = self.stream.write(chunk)
        except OSError as error:
            self.disk = error
            raise
        total = max(self.remote.size, self.done)
        if (step := _STEPS * self.done // total) > self.step:
            self.step = step
            self.progress(self.done, total, self.remote.title)
        return written

    def flush(self) -> None:
        """The downloader flushes after each chunk; once at the end is enough."""

    def verified(self) -> str:
        """The sha256, once the published checksum agrees."""
        kind, _, expected = (self.remote.checksum or "").partition(":")
        if kind and self.published.hexdigest() != expected.lower():
            raise DataError(
                f"{self.remote.title} arrived with {kind} {self.published.hexdigest()} where {expected} is published; "
                f"the file was removed: try again, or {advice(self.remote)}.",
                code="checksum",
            )
        return self.sha256.hexdigest()


def _receive(remote: Remote, sink: _Sink) -> None:
    import pooch

    answers: list[Any] = []  # the downloader itself leaves a broken connection open
    download = pooch.HTTPDownloader(
        chunk_size=_CHUNK,
        timeout=_TIMEOUT,
        headers={"Accept-Encoding": "identity"},  # a body that the transport unpacks is not the published file
        hooks={"response": lambda answer, **_: answers.append(answer)},
    )
    try:
        download(remote.url, sink, None)
    except OSError as error:  # every error of requests is one
        if error is sink.disk:
            raise
        response = getattr(error, "response", None)
        if response is not None:
            what = f"The publisher's server answered {response.status_code} when asked for {remote.title}"
            raise DataError(f"{what}; try again later, or {advice(remote)}.", code="not-found") from error
        if sink.done:
            what = f"The download of {remote.title} broke off after {_bytes(sink.done)} of about {_bytes(remote.size)}"
            raise DataError(f"{what}; try again, or {advice(remote)}.", code="broken-off") from error
        what = f"{remote.title} is not on this machine and its publisher cannot be reached"
        raise DataError(f"{what}; try again with a network, or {advice(remote)}.", code="no-network") from error
    finally:
        for answer in answers:
            answer.close()


def _require_room(remote: Remote, folder: Path) -> None:
    if shutil.disk_usage(folder).free < remote.size:
        raise _no_room(remote, folder)


def _no_room(remote: Remote, folder: Path) -> DataError:
    free = _bytes(shutil.disk_usage(folder).free)
    return DataError(
        f"The disk has no room for {remote.title}: {free} are free and the file alone needs {_bytes(remote.size)}; "
        f"make room, or {advice(remote)}.",
        code="disk-full",
    )


def _write_record(record: Path, text: str) -> None:
    part = record.with_name(f"{record.name}.{os.getpid()}{PART}")
    part.write_text(text)
    part.replace(record)


def sweep(folder: Path) -> None:
    """Remove what a killed download or unpacking left behind."""
    for part in folder.glob(f"*{PART}"):
        with suppress(FileNotFoundError):
            if time() - part.stat().st_mtime > _STALE:
                shutil.rmtree(part) if part.is_dir() else part.unlink()


def _bytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count:,} bytes"
