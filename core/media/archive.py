"""Zip archives from strangers: read once per content, in a child, into a folder of files named by their hash."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from core.contracts import Problem
from core.errors import ArchiveError
from core.fingerprint import sha256_of, sha256_of_file
from core.media._locks import alone
from core.media._names import BadName, archive_kind, likeness, litter, shown, tidy
from core.media._zip import BadEntry, Budget, Entry, entries_of, open_zip, starts_and_ends, unpack
from core.media.door import default_sandbox
from core.media.sandbox import Limits, Sandbox
from core.settings import Settings

_SECONDS = 1800.0  # for the whole of one archive
_RESERVE = 256 << 20  # bytes of disk that an archive never takes
_LISTING = "listing.json"
_PART = ".part"
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_METHODS = {
    1: "Shrink", 6: "Implode", 9: "Deflate64", 10: "Implode", 12: "BZIP2", 14: "LZMA", 16: "CMPSC", 18: "TERSE",
    19: "LZ77", 93: "Zstandard", 94: "MP3", 95: "XZ", 96: "JPEG", 97: "WavPack", 98: "PPMd", 99: "AES",
}  # fmt: skip
_TYPES = {0xA000: "a symbolic link", 0x1000: "a pipe", 0x2000: "a device", 0x6000: "a device", 0xC000: "a socket"}


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file that came out of an archive."""

    id: str  # the name, or the name and a number where another file is called the same
    name: str  # as shown: relative, with forward slashes
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Archive:
    """The files of one zip, on disk under their hashes, and what was refused."""

    sha256: str  # of the zip
    folder: Path
    files: tuple[ArchiveFile, ...]
    problems: tuple[Problem, ...] = ()
    skipped: int = 0  # folders and files that systems leave behind
    warnings: tuple[str, ...] = ()

    def path(self, file: ArchiveFile) -> Path:
        return self.folder / file.sha256[:2] / file.sha256

    def read(self, file: ArchiveFile) -> bytes:
        """The bytes of one file, checked against its hash."""
        try:
            raw = self.path(file).read_bytes()
        except OSError:
            raw = b""
        if sha256_of(raw) != file.sha256:
            reason = f"{file.name!r} changed on disk after it was unpacked; open the archive again."
            raise ArchiveError(reason, code="changed")
        return raw


def open_archive(
    source: bytes | Path, settings: Settings, *, sandbox: Sandbox | None = None, budget: Budget | None = None
) -> Archive:
    """The files of a zip. The same bytes are unpacked once, whoever asks and however many ask at once."""
    home = settings.uploads / "archives"
    home.mkdir(parents=True, exist_ok=True)
    seen = _identity(source)
    sha256 = sha256_of(source) if isinstance(source, bytes) else sha256_of_file(source)
    folder = home / sha256
    with alone(home / f"{sha256}.lock"):
        archive = _load(folder)
        if archive is None:
            _sweep(home, sha256)
            part = Path(tempfile.mkdtemp(prefix=f"{sha256}.", suffix=_PART, dir=home))
            try:
                _extract(source, part, sha256, sandbox, budget or Budget())
                if _identity(source) != seen:
                    raise ArchiveError("The archive changed while it was read; send it again.", code="changed")
                if folder.exists():  # damaged since: see _load
                    folder.rename(part / "old")
                (part / "new").rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
            archive = _load(folder)
    if archive is None:
        raise ArchiveError("The unpacked archive vanished from the disk; open it again.", code="changed")
    return archive


def extract_operation(params: Mapping[str, Any], blocks: Sequence[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Runs in the decode child: a zip at ``path`` into ``folder``; answers files and problems as two JSON lists."""
    budget = Budget(**params.get("budget", {}))
    folder = Path(params["folder"])
    folder.mkdir()
    run = _Extraction(folder, budget)
    try:
        with open(params["path"], "rb") as stream:
            run.all(stream, int(params["free"]))
    except OSError as error:
        if error.errno not in _FULL_DISK:
            raise
        raise ArchiveError("The disk is full; free some space and open the archive again.", code="disk-full") from None
    lists = [json.dumps(rows, ensure_ascii=True).encode() for rows in (run.files, run.problems)]
    return {"skipped": run.skipped, "twins": run.twins, "first_twin": run.first_twin}, lists


@dataclass(slots=True)
class _Extraction:
    """The state of one pass over an archive; it lives in the child."""

    folder: Path
    budget: Budget
    files: list[tuple[str, str, str, int]] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)  # likeness -> how often
    skipped: int = 0
    twins: int = 0
    first_twin: str = ""

    def all(self, stream: BinaryIO, free: int) -> None:
        directory = open_zip(stream, self.budget)
        starts, bounds = starts_and_ends(stream, directory)
        announced, links = 0, set[str]()
        for entry in entries_of(stream, directory):
            if (entry.mode & 0xF000) == 0xA000:
                links.add(entry.name)
            elif refusal_of(entry, self.budget) is None:
                announced += entry.size  # and no entry is ever unpacked beyond its announced size
        self.demand_room(announced, free)
        for entry in entries_of(stream, directory):
            self.one(stream, entry, bounds[bisect_left(starts, entry.offset)], links)
        (self.folder / "part").unlink(missing_ok=True)  # of a refused entry

    def demand_room(self, announced: int, free: int) -> None:
        wanted = f"The archive unpacks to {announced / 2**20:,.0f} MiB and "
        if announced > self.budget.total:
            allowed = f"{self.budget.total / 2**20:,.0f} MiB are allowed; split it."
            raise ArchiveError(wanted + allowed, code="too-large")
        if announced > free:
            room = f"only {max(0, free) / 2**20:,.0f} MiB of disk are free for it here."
            raise ArchiveError(wanted + room, code="disk-full")

    def one(self, stream: BinaryIO, entry: Entry, bound: int, links: set[str]) -> None:
        try:
            name = _name(entry, links)
            if litter(name) or (entry.folder and not entry.size):
                self.skipped += 1
                return
            if (refusal := refusal_of(entry, self.budget)) is not None:
                raise refusal
            if entry.folder:
                raise BadEntry("inconsistent", "it is a folder with content")
            sha256 = self.write(stream, entry, bound, name)
        except BadEntry as refusal:
            self.problems.append((shown(entry.name, 120), refusal.code, str(refusal)))
            return
        self.files.append((self.identifier(name), name, sha256, entry.size))

    def identifier(self, name: str) -> str:
        alike = likeness(name)
        times = self.names.get(alike, 0)
        identifier = name
        if times:
            self.twins += 1
            self.first_twin = self.first_twin or name
        while likeness(identifier) in self.names:
            times += 1
            identifier = f"{name}#{times}"
        self.names[alike] = max(times, 1)
        self.names.setdefault(likeness(identifier), 1)
        return identifier

    def write(self, stream: BinaryIO, entry: Entry, bound: int, name: str) -> str:
        part = self.folder / "part"
        digest, first = hashlib.sha256(), True
        with part.open("wb") as target:
            for block in unpack(stream, entry, bound, self.budget):
                if first and (kind := archive_kind(name, block)) is not None:
                    raise BadEntry("nested", f"it is an archive ({kind}) inside the archive; unpack it first")
                first = False
                digest.update(block)
                target.write(block)
        home = self.folder / digest.hexdigest()[:2]
        home.mkdir(exist_ok=True)
        part.rename(home / digest.hexdigest())
        return digest.hexdigest()


def refusal_of(entry: Entry, budget: Budget) -> BadEntry | None:
    """Why an entry cannot be unpacked, told from its record alone."""
    if entry.flags & 0x2041 or entry.method == 99:
        aes = " (AES)" if entry.method == 99 else ""
        return BadEntry("encrypted", f"it is encrypted{aes}; send it without a password")
    if entry.flags & 0x20:
        return BadEntry("method", "it is a patch, not a file")
    if entry.method not in {0, 8}:
        name = _METHODS.get(entry.method, f"number {entry.method}")
        return BadEntry("method", f"it is packed with the method {name}; only stored and deflated entries are read")
    if entry.mode & 0xF000 not in {0, 0x8000, 0x4000}:
        kind = _TYPES.get(entry.mode & 0xF000, "of an unknown file type")
        return BadEntry("not-a-file", f"it is {kind}, not a file")
    if entry.size > budget.entry:
        sizes = f"{entry.size / 2**20:,.0f} MiB and {budget.entry / 2**20:,.0f} MiB"
        return BadEntry("too-large", f"it unpacks to {sizes} are allowed")
    if entry.method == 0 and entry.size != entry.packed:
        return BadEntry("inconsistent", "it is stored, yet its two sizes differ")
    return None


def _name(entry: Entry, links: set[str]) -> str:
    if entry.flags & 0x800:
        try:
            entry.raw_name.decode("utf-8")
        except UnicodeDecodeError:
            raise BadEntry("name", "its name is not the UTF-8 it announces") from None
    try:
        name = tidy(entry.name)
    except BadName as fault:
        raise BadEntry("name", str(fault)) from None
    steps = entry.name.split("/")
    if links and any("/".join(steps[:depth]) in links for depth in range(1, len(steps))):
        raise BadEntry("not-a-file", "its name leads through a symbolic link")
    return name


def _extract(source: bytes | Path, part: Path, sha256: str, sandbox: Sandbox | None, budget: Budget) -> None:
    path = source if isinstance(source, Path) else part / "sent"
    if isinstance(source, bytes):
        path.write_bytes(source)
    free = shutil.disk_usage(part).free - _RESERVE
    params = {"path": str(path.resolve()), "folder": str(part / "new"), "free": free, "budget": asdict(budget)}
    limits = Limits(seconds=_SECONDS)
    answer = (sandbox or default_sandbox()).call("extract", params, limits=limits)
    files, problems = (json.loads(block) for block in answer.blocks)
    record = {"sha256": sha256, "files": files, "problems": problems, **answer.header}
    with (part / "new" / _LISTING).open("w") as stream:
        json.dump(record, stream)
        stream.flush()
        os.fsync(stream.fileno())


def _load(folder: Path) -> Archive | None:
    """What an earlier call unpacked; None where that is missing or no longer whole."""
    try:
        record = json.loads((folder / _LISTING).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    problems = tuple(Problem(name, "read", code, reason) for name, code, reason in record["problems"])
    twins = record["twins"]
    warning = f"{twins:,} files share their name with another, such as {record['first_twin']!r}; all were kept"
    files = tuple(ArchiveFile(*row) for row in record["files"])
    archive = Archive(record["sha256"], folder, files, problems, record["skipped"], (warning,) if twins else ())
    try:
        whole = all(archive.path(file).stat().st_size == file.size for file in files)
    except OSError:
        return None
    return archive if whole else None


def _identity(source: bytes | Path) -> tuple[int, ...]:
    if isinstance(source, bytes):
        return ()
    facts = source.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def _sweep(home: Path, mine: str) -> None:
    """Remove what killed extractions left: whoever can take an archive's lock knows that its writer is dead."""
    for left in home.glob(f"*{_PART}"):
        sha256 = left.name.partition(".")[0]
        if sha256 == mine:
            shutil.rmtree(left, ignore_errors=True)
            continue
        with alone(home / f"{sha256}.lock", wait=False) as free:
            if free:
                shutil.rmtree(left, ignore_errors=True)
