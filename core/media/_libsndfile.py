"""Sound blocks through libsndfile: WAV, RF64, W64, AIFF, CAF, FLAC, Ogg and MP3. Runs in the decode child."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile

from core.contracts import Note
from core.errors import MediaError
from core.media import _containers, _streams

BLOCK = 1 << 16  # samples decoded at a time
_FLAC_BLOCK = 1 << 12  # frames; a block that breaks off is lost, so it is about one frame of FLAC
CHUNKED = {"wav", "rf64", "w64", "aiff", "caf"}
_PLAIN = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
_SUBTYPES = {
    "flac": {"PCM_S8", "PCM_16", "PCM_24"},
    "ogg": {"VORBIS", "OPUS", "PCM_S8", "PCM_16", "PCM_24"},
    "mp3": {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"},
}
_NAMES = {"VORBIS": "Vorbis", "OPUS": "Opus", "MPEG_LAYER_III": "MP3"}
_FLAC_DENSITY = 6000  # samples a byte of FLAC can hold at most; a header that tells more lies


class _Forward(soundfile.SoundFile):
    """Reads onward only: the ordinary class seeks after each read, which fails on damaged FLAC."""

    def seekable(self) -> bool:
        return False


class Reader:
    """One open sound: what its header says, then its blocks (time, channels) in order."""

    def __init__(self, raw: bytes, container: str) -> None:
        self.notes: list[Note] = []
        self.bits: int | None = None
        self.frames: int | None = None  # as told or counted; None when not known before decoding
        self._flac: _streams.Flac | None = None
        self._container = container
        stream = io.BytesIO(raw)
        if container in CHUNKED:
            header = _containers.declared(stream, container)
            self.rate, self.channels, self.frames = int(header.rate), header.channels, header.frames
            self.codec, self.bits = header.codec, header.bits
            self._note_length(header)
            stream.seek(0)
        else:
            stream = io.BytesIO(getattr(self, f"_open_{container}")(raw))
        self._stream = stream

    def _note_length(self, header: _containers.Declared) -> None:
        if header.streamed:
            self.notes.append(Note("streamed", "its header leaves the length open; read to the end"))
        elif header.missing:
            told = (header.frames + header.missing) / max(1.0, header.rate)
            self.notes.append(truncated(header.frames / max(1.0, header.rate), told))

    def _open_flac(self, raw: bytes) -> bytes:
        info = _streams.flac_info(raw)
        if info is None:
            raise MediaError("The FLAC file is truncated inside its header; send the whole file.", code="truncated")
        self._flac, self.rate, self.channels, self.bits = info, info.rate, info.channels, info.bits
        self.codec = f"FLAC {info.bits} bit"
        self.frames = info.total if 0 < info.total <= _FLAC_DENSITY * len(raw) else None
        return raw[_streams.skip_id3(raw) :]

    def _open_mp3(self, raw: bytes) -> bytes:
        walk = _streams.walk_mp3(raw)
        assert walk is not None, "audio.py sends only files with frames here"
        self.rate, self.channels, self.codec, self.frames = walk.rate, walk.channels, "MP3", walk.samples
        return raw[walk.start :]

    def _open_ogg(self, raw: bytes) -> bytes:
        walk = _streams.walk_ogg(raw)
        if walk.chained:
            self.notes.append(Note("first-stream", "several streams one after another; only the first is read", True))
        link = raw[: walk.end]
        with _open(io.BytesIO(link), "ogg") as probe:
            self.rate, self.channels, self.frames = probe.samplerate, probe.channels, None
            self.codec = _NAMES.get(str(probe.subtype), str(probe.subtype))
        told = _streams.ogg_seconds(link, walk.end)
        if told is not None and told < 1 << 30:
            self.frames = int(told * self.rate)
        if walk.cut:
            self.notes.append(Note("truncated", "the file breaks off inside a page", alarm=True))
        return link

    def blocks(self) -> Iterator[np.ndarray]:
        """All samples as float32; FLAC is checked against its own checksum on the way."""
        done = 0
        digest = hashlib.md5(usedforsecurity=False) if self._checkable() else None
        with _open(self._stream, self._container) as sound:
            self._compare(sound)
            size = _FLAC_BLOCK if self._flac else BLOCK // self.channels
            while True:
                try:
                    block = sound.read(size, dtype="int32" if digest else "float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    self._broken(error, done)
                    break
                if not len(block):
                    break
                done += len(block)
                if digest is not None:
                    digest.update(self._packed(block))
                    block = block.astype(np.float32) * np.float32(2.0**-31)
                yield block
        self._finish(done, digest.digest() if digest else None)

    def _checkable(self) -> bool:
        return self._flac is not None and self._flac.bits in (8, 16, 24) and any(self._flac.md5)

    def _packed(self, block: np.ndarray) -> bytes:
        """The integers as FLAC's checksum counts them: little endian, as many bytes as needed."""
        assert self._flac is not None
        width = self._flac.bits // 8
        return np.ascontiguousarray(block.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - width :]).tobytes()

    def _compare(self, sound: soundfile.SoundFile) -> None:
        """The library must see the rate and channels that we checked."""
        if (sound.samplerate, sound.channels) != (self.rate, self.channels):
            raise MediaError("The header of the file contradicts itself; export it again.", code="damaged")

    def _broken(self, error: soundfile.LibsndfileError, done: int) -> None:
        """A decoder that stops: at the end of the bytes it is a cut file, before it a corrupt one."""
        at = done / self.rate
        if "lost sync" not in str(error) or self._stream.read(1):
            raise corrupt(at) from None
        told = self._flac.total / self.rate if self._flac and self.frames else None
        self.notes.append(truncated(at, told))

    def _finish(self, done: int, digest: bytes | None) -> None:
        cut = any(note.code == "truncated" for note in self.notes)
        if self._flac is None or cut or not done:
            return
        if self._flac.total and done < self._flac.total:
            self.notes.append(truncated(done / self.rate, self._flac.total / self.rate))
        elif digest is not None and digest != self._flac.md5:
            raise MediaError(
                "The sound does not match the checksum inside its FLAC file, so it is corrupt; send another copy.",
                code="corrupt",
            )


def truncated(seconds: float, told: float | None) -> Note:
    promise = "" if told is None or told > 1e7 else f" of {told:.2f} s"
    return Note("truncated", f"shorter than its header says: {seconds:.2f} s{promise} are there", alarm=True)


def corrupt(seconds: float) -> MediaError:
    return MediaError(f"The sound is corrupt from {seconds:.1f} s on; send another copy.", code="corrupt")


def _open(stream: BinaryIO, container: str) -> soundfile.SoundFile:
    try:
        sound = _Forward(stream)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        name = container.upper()
        raise MediaError(f"The {name} file is damaged or truncated; send another copy.", code="damaged") from None
    allowed = _PLAIN if container in CHUNKED else _SUBTYPES[container]
    if sound.subtype not in allowed:
        held = sound.subtype_info
        sound.close()
        raise MediaError(f"The file holds {held} samples, which are not read; convert it to WAV.", code="coding")
    return sound
