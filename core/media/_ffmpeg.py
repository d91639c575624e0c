"""Sound blocks through PyAV: WebM, Matroska, M4A/MP4, raw AAC and some MP3, from memory. Runs in the decode child."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from core.contracts import Note
from core.errors import MediaError
from core.media._libsndfile import corrupt, truncated

_DEMUXERS = {"webm": "matroska", "m4a": "mov", "aac": "aac", "mp3": "mp3"}
_CODECS = {
    "aac": "AAC",
    "alac": "ALAC",
    "flac": "FLAC",
    "mp3": "MP3",
    "mp3float": "MP3",
    "opus": "Opus",
    "vorbis": "Vorbis",
    "pcm_s16le": "PCM 16 bit",
    "pcm_s16be": "PCM 16 bit",
    "pcm_s24le": "PCM 24 bit",
    "pcm_f32le": "float 32 bit",
}
# The demuxer is fixed by the signature and may open nothing: no external references, no protocol at all.
_CLOSED = {"protocol_whitelist": "none", "enable_drefs": "0", "use_absolute_path": "0", "probesize": "1000000"}
_SCALES = {"u8": 2.0**-7, "s16": 2.0**-15, "s32": 2.0**-31}


class Reader:
    """One open sound, with the same face as the reader of libsndfile."""

    def __init__(self, raw: bytes, container: str) -> None:
        self.notes: list[Note] = []
        self.bits: int | None = None
        self._container = container
        import av
        import av.error

        try:
            self._file: Any = av.open(
                io.BytesIO(raw), format=_DEMUXERS[container], options=dict(_CLOSED), metadata_errors="ignore"
            )
        except (av.error.FFmpegError, ValueError):
            raise MediaError(
                f"The {container.upper()} file is damaged or truncated; send the whole file.", code="damaged"
            ) from None
        sounds = self._file.streams.audio
        if not sounds:
            raise MediaError("The file holds no sound track; send one with sound.", code="no-sound")
        self._track: Any = sounds[0]
        context = self._track.codec_context
        name = context.codec.canonical_name if context else "?"
        if name not in _CODECS:
            raise MediaError(f"The sound is coded as {name}, which is not read; convert it to WAV.", code="coding")
        self.codec, self.rate, self.channels = _CODECS[name], int(context.sample_rate), int(context.channels)
        context.thread_count = 1
        self.frames = self._told()
        if len(sounds) > 1:
            self.notes.append(Note("first-stream", f"{len(sounds)} sound tracks; only the first is read", alarm=True))
        if self._file.streams.video:
            self.notes.append(Note("video", "the pictures of the video are not used"))

    def _told(self) -> int | None:
        """Frames by the track's own duration, or the file's; raw frames only give a guess."""
        if self._container in {"aac", "mp3"}:
            return None
        if self._track.duration and self._track.time_base:
            return int(self._track.duration * self._track.time_base * self.rate)
        return int(self._file.duration / 1e6 * self.rate) if self._file.duration else None

    def blocks(self) -> Iterator[np.ndarray]:
        import av.error

        done, failed = 0, False
        with self._file:
            for packet in self._packets():
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    failed = True
                    continue
                if failed and frames:  # more sound behind the broken packet: a hole, not a cut
                    raise corrupt(done / self.rate)
                for frame in frames:
                    block = self._block(frame)
                    done += len(block)
                    yield block
        self._finish(done, failed)

    def _packets(self) -> Iterator[Any]:
        import av.error

        try:
            yield from self._file.demux(self._track)
        except av.error.FFmpegError:
            self.notes.append(Note("truncated", "the file breaks off", alarm=True))

    def _block(self, frame: Any) -> np.ndarray:
        if frame.sample_rate != self.rate or len(frame.layout.channels) != self.channels:
            raise MediaError("The sound changes its rate or channels on the way; export it again.", code="damaged")
        values = frame.to_ndarray()
        values = values.T if frame.format.is_planar else values.reshape(-1, self.channels)
        if values.dtype.kind == "f":
            return values.astype(np.float32)
        centre = 128 if values.dtype == np.uint8 else 0
        return (values.astype(np.float64) - centre).astype(np.float32) * np.float32(_SCALES[frame.format.packed.name])

    def _finish(self, done: int, failed: bool) -> None:
        if any(note.code == "truncated" for note in self.notes):
            return
        short = self.frames is not None and done < 0.98 * self.frames - 0.2 * self.rate
        if failed or short:
            self.notes.append(truncated(done / self.rate, self.frames / self.rate if self.frames else None))
