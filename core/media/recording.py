"""Long recordings on disk, read window by window: memory depends on the window, not on the hours."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.contracts import Media, Note, Receipt
from core.errors import MediaError
from core.media import _containers, _streams
from core.media.audio import MAX_SAMPLES, check_format, mixed
from core.media.sniff import sniff

_HEAD = 1 << 18
_STREAMED = ("wav", "rf64", "w64", "aiff", "caf", "flac", "ogg", "mp3")


@dataclass(frozen=True, slots=True)
class Probe:
    """What a recording on disk is, and its state at that moment (size and time of change)."""

    container: str
    codec: str
    rate: int
    channels: int
    frames: int
    size_bytes: int
    changed_ns: int

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


def probe(path: Path) -> Probe:
    """Runs in the decode child. Refuses what is not a plain file before opening it."""
    with _plain_file(path) as (stream, status):
        head = stream.read(_HEAD)
        found = sniff(head)
        if found.container not in _STREAMED:
            raise MediaError(
                f"Long recordings are read from {', '.join(name.upper() for name in _STREAMED)}; this is "
                f"{found.container.upper()}. Convert it, or send it as a single upload.",
                code="not-a-recording",
            )
        codec, told = found.container.upper(), None
        if found.container in ("wav", "rf64", "w64", "aiff", "caf"):
            header = _containers.declared(stream, found.container)
            codec, told = header.codec, header.frames
            check_format(header.rate, header.channels)
        elif found.container == "flac" and (info := _streams.flac_info(head)) is not None:
            codec = f"FLAC {info.bits} bit"
        stream.seek(0)
        rate, channels, frames = _library_view(stream)
    check_format(rate, channels)
    frames = frames if told is None else min(frames, told)
    if not 0 < frames < 1 << 40:
        raise MediaError("The recording does not tell its length; convert it to WAV or FLAC.", code="no-samples")
    return Probe(found.container, codec, rate, channels, frames, status.st_size, status.st_mtime_ns)


def read_window(path: Path, known: Probe, start: int, frames: int, sha256: str) -> Media:
    """Mono samples ``start`` to ``start + frames``; a file that changed since its probe is refused."""
    import numpy as np
    import soundfile

    from core.media._levels import Levels

    if not (0 <= start < known.frames and 0 < frames <= MAX_SAMPLES):
        raise MediaError("The window lies outside the recording; choose one inside it.", code="outside")
    frames = min(frames, known.frames - start)
    with _plain_file(path) as (stream, status):
        if (status.st_size, status.st_mtime_ns) != (known.size_bytes, known.changed_ns):
            raise MediaError("The recording was changed after it was scanned; scan it again.", code="changed")
        levels, parts = Levels(None), []
        try:
            with soundfile.SoundFile(stream) as sound:
                sound.seek(start)
                for at in range(0, frames, 1 << 18):
                    block = sound.read(min(1 << 18, frames - at), dtype="float32", always_2d=True)
                    parts.append(mixed(block))
                    levels.add(block, parts[-1], known.rate)
        except soundfile.LibsndfileError:
            raise MediaError(
                f"The recording is corrupt near {(start + levels.frames) / known.rate:.1f} s; send another copy.",
                code="corrupt",
            ) from None
    if levels.frames != frames:
        raise MediaError("The recording ends before its header says; scan it again.", code="truncated")
    samples = np.concatenate(parts)
    samples.flags.writeable = False
    begin, until = start / known.rate, (start + frames) / known.rate
    notes = [Note("window", f"{begin:.2f} to {until:.2f} s of {known.seconds:.2f} s")]
    if known.channels > 1:
        notes.append(Note("mono", f"mixed from {known.channels} channels to one"))
    receipt = Receipt(
        container=known.container,
        codec=known.codec,
        size_bytes=known.size_bytes,
        rate=known.rate,
        channels=known.channels,
        seconds=frames / known.rate,
        notes=(*notes, *levels.notes(known.rate)),
    )
    return Media("audio", samples, known.rate, sha256, receipt)


@contextmanager
def _plain_file(path: Path) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """No device, pipe or folder: opening one could wait for ever."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        raise MediaError(
            "The recording cannot be opened; check that it exists and may be read.", code="no-file"
        ) from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise MediaError("This is not a plain file; give the recording itself.", code="no-file")
    with os.fdopen(handle, "rb") as stream:
        yield stream, status


def _library_view(stream: BinaryIO) -> tuple[int, int, int]:
    import soundfile

    try:
        with soundfile.SoundFile(stream) as sound:
            if sound.subtype in {"MS_ADPCM", "IMA_ADPCM", "GSM610"}:
                raise MediaError("The recording uses a coding that is not read; convert it to WAV.", code="coding")
            return sound.samplerate, sound.channels, sound.frames
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        raise MediaError("The recording is damaged; send another copy.", code="damaged") from None
