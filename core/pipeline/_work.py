"""One piece of an index walk, done in a worker thread: read, hash, decode in a child, draw the thumbnail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.contracts import Dataset, Item, Media, Problem, Receipt
from core.errors import UserFacingError
from core.fingerprint import fingerprint, sha256_of, sha256_of_file
from core.media import door
from core.media.audio import MAX_SECONDS
from core.media.recording import Probe
from core.media.sandbox import Sandbox

_WHOLE = 16 << 20  # bytes; larger files on disk are asked for their length before they are read


@dataclass(frozen=True, slots=True)
class Recording:
    """A long recording on disk: what it was when it was hashed, and its windows."""

    item: Item
    path: Path
    probe: Probe
    sha256: str
    frames: int  # of a window

    @property
    def windows(self) -> int:
        return -(-self.probe.frames // self.frames)


@dataclass(frozen=True, slots=True)
class Job:
    """One item, or one window of a long one, and what the collection knows of it."""

    id: str
    item: Item
    recording: Recording | None = None
    start: int = 0
    frames: int = 0
    stored: str | None = None  # sha256 under this id
    complete: bool = False  # with a vector, where vectors are wanted

    def knowing(self, stored: str | None, *, complete: bool) -> Job:
        return replace(self, stored=stored, complete=complete)


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What became of one job: an item, or a problem."""

    job: Job
    sha256: str = ""
    receipt: Receipt | None = None
    thumbnail: bytes = b""
    taken: Any = None  # what a network takes of it; only where vectors are wanted
    already: bool = False
    problem: Problem | None = None


Prepare = Callable[[Media], Any]


def decoded(
    job: Job, dataset: Dataset, sandbox: Sandbox | None, seconds: float, prepare: Prepare | None
) -> Done | Recording:
    """Do one job. A recording too long to be read at once comes back as such."""
    stage = "read"
    try:
        if job.recording is not None:
            stage = "decode"
            return _window(job, job.recording, sandbox, prepare)
        path = _file(job, dataset)
        if path is not None and path.stat().st_size > _WHOLE and _is_long(path, sandbox):
            return _recording(job.item, path, seconds, sandbox)
        raw = dataset.read(job.item)
        sha = sha256_of(raw)
        if job.complete and job.stored == sha:
            return Done(job, sha, already=True)
        stage = "decode"
        view = door.open_view(raw, kind=dataset.kind, sandbox=sandbox)
        stage = "prepare"
        taken = None if prepare is None else prepare(view.media)
        return Done(job, sha, view.media.receipt, view.thumbnail, taken, already=job.stored == sha)
    except UserFacingError as error:
        if error.code == "too-long" and job.recording is None and (path := _file(job, dataset)) is not None:
            return _recording_or_problem(job, path, seconds, sandbox)
        return _refused(job, stage, error.code, str(error))
    except OSError:
        return _refused(job, stage, "unreadable", "The file could not be read; check that it exists and may be read.")


def _recording(item: Item, path: Path, seconds: float, sandbox: Sandbox | None) -> Recording:
    """Probe first, then hash: a change after the probe is seen by every window."""
    probe = door.probe(path, sandbox=sandbox)
    return Recording(item, path, probe, sha256_of_file(path), max(1, round(seconds * probe.rate)))


def windows_of(recording: Recording) -> Iterator[Job]:
    """Windows side by side; the last one is what is left. Ids name start and end in seconds."""
    rate, total = recording.probe.rate, recording.probe.frames
    for start in range(0, total, recording.frames):
        frames = min(recording.frames, total - start)
        name = f"{recording.item.id}#{start / rate:.10g}-{(start + frames) / rate:.10g}"
        yield Job(name, recording.item, recording, start, frames)


def _window(job: Job, recording: Recording, sandbox: Sandbox | None, prepare: Prepare | None) -> Done:
    sha = fingerprint("window", recording.sha256, job.start, job.frames)  # as the door names it
    if job.complete and job.stored == sha:
        return Done(job, sha, already=True)
    media = door.open_window(
        recording.path,
        job.start,
        job.frames,
        known=recording.probe,
        file_sha256=recording.sha256,
        sandbox=sandbox,
    )
    taken = None if prepare is None else prepare(media)
    return Done(job, media.sha256, media.receipt, _thumbnail(media), taken, already=job.stored == sha)


def _thumbnail(media: Media) -> bytes:
    from core.media import decode, thumbnail

    assert media.rate is not None
    return thumbnail.of_sound(decode.display_log_mel(media.samples, decode.display_config(media.rate))[0])


def _file(job: Job, dataset: Dataset) -> Path | None:
    """The sound's own file, where it has one that can be read in windows."""
    return None if dataset.kind != "audio" or dataset.locate is None else dataset.locate(job.item)


def _is_long(path: Path, sandbox: Sandbox | None) -> bool:
    """Too long or too large to be read at once. What cannot be streamed is left to the ordinary way."""
    try:
        probe = door.probe(path, sandbox=sandbox)
    except UserFacingError:
        return False
    return probe.seconds > MAX_SECONDS or probe.size_bytes > door.MAX_BYTES


def _recording_or_problem(job: Job, path: Path, seconds: float, sandbox: Sandbox | None) -> Done | Recording:
    try:
        return _recording(job.item, path, seconds, sandbox)
    except UserFacingError as error:
        return _refused(job, "decode", error.code, str(error))
    except OSError:
        return _refused(job, "read", "unreadable", "The file could not be read; check that it exists and may be read.")


def _refused(job: Job, stage: str, code: str, reason: str) -> Done:
    return Done(job, problem=Problem(job.id, stage, code, reason))
