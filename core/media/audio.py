"""Sounds: any accepted container to mono float32 at the rate it was recorded, and what is done to it later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from core.contracts import Media, Note, Receipt
from core.errors import MediaError
from core.media._levels import Levels

MAX_SECONDS = 900.0  # of one upload; longer recordings are read in windows (recording.py)
MAX_SAMPLES = 900 * 96_000  # mono samples of one upload, so that 384 kHz stays within memory
RATES = (4_000, 384_000)  # Hz
MAX_CHANNELS = 8
_FFMPEG = {"webm", "m4a", "aac"}


class Reader(Protocol):
    """What a decoding library is to us: a header, then blocks (time, channels) of float32."""

    rate: int
    channels: int
    codec: str
    bits: int | None
    frames: int | None
    notes: list[Note]

    def blocks(self) -> Iterator[np.ndarray]: ...


def decode(raw: bytes, container: str, sha256: str) -> Media:
    """Runs in the decode child. Refuses by the header where it is honest, while decoding where it lies."""
    reader = _reader(raw, container)
    check_format(reader.rate, reader.channels)
    if reader.frames is not None:
        _check_length(reader.frames, reader.rate)
    levels, pool = Levels(reader.bits), bytearray()
    for block in reader.blocks():
        mono = mixed(block)
        levels.add(block, mono, reader.rate)
        _check_length(levels.frames, reader.rate)
        pool += mono.data.cast("B")
    if not levels.frames:
        raise MediaError("The file holds no samples; record or export it again.", code="no-samples")
    samples = np.frombuffer(pool, np.float32)
    samples.flags.writeable = False
    receipt = Receipt(
        container=container,
        codec=reader.codec,
        size_bytes=len(raw),
        rate=reader.rate,
        channels=reader.channels,
        seconds=len(samples) / reader.rate,
        notes=(*_mixing(reader.channels), *reader.notes, *levels.notes(reader.rate)),
    )
    return Media("audio", samples, reader.rate, sha256, receipt)


def _reader(raw: bytes, container: str) -> Reader:
    if container == "mp3":
        return _mp3_reader(raw)
    if container in _FFMPEG:
        from core.media._ffmpeg import Reader as Ffmpeg

        return Ffmpeg(raw, container)
    from core.media._libsndfile import Reader as Libsndfile

    return Libsndfile(raw, container)


def _mp3_reader(raw: bytes) -> Reader:
    """libsndfile believes the duration frame, and guesses without one: it only gets files with an honest one."""
    from core.media import _ffmpeg, _libsndfile, _streams

    walk = _streams.walk_mp3(raw)
    if walk is None or walk.frames < 2:  # no decoder starts on a single frame
        held = "no sound" if walk is None or not walk.frames else "a single frame of a few milliseconds"
        raise MediaError(f"The MP3 file holds {held}; send a longer one.", code="no-samples")
    if walk.honest:
        return _libsndfile.Reader(raw, "mp3")
    reader = _ffmpeg.Reader(raw[walk.start :], "mp3")
    reader.frames = walk.samples
    if walk.told is not None and walk.told > walk.frames:
        told = walk.told * walk.samples / walk.frames
        reader.notes.append(_libsndfile.truncated(walk.samples / walk.rate, told / walk.rate))
    elif walk.told is not None:
        reader.notes.append(Note("header-length", f"its header tells {walk.told:,} frames, {walk.frames:,} are there"))
    return reader


def check_format(rate: float, channels: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise MediaError(
            f"The file says {rate:,.0f} samples a second; {RATES[0] // 1000} to {RATES[1] // 1000} kHz are read. "
            "Export it at 44.1 or 48 kHz.",
            code="rate",
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise MediaError(
            f"The file says {channels:,} channels; 1 to {MAX_CHANNELS} are read. Export it in mono or stereo.",
            code="channels",
        )


def _check_length(frames: int, rate: int) -> None:
    limit = min(MAX_SECONDS, MAX_SAMPLES / rate)
    if frames > limit * rate:
        length = f"The recording is longer than {limit / 60:.3g} minutes, the limit of one upload"
        at_rate = f" at {rate / 1000:.0f} kHz" if limit < MAX_SECONDS else ""
        raise MediaError(f"{length}{at_rate}; cut it, or index it as a long recording.", code="too-long")


def mixed(block: np.ndarray) -> np.ndarray:
    """The mean of the channels, contiguous float32."""
    if block.shape[1] == 1:
        return np.ascontiguousarray(block[:, 0])
    return block.mean(axis=1, dtype=np.float32)


def _mixing(channels: int) -> tuple[Note, ...]:
    return () if channels == 1 else (Note("mono", f"mixed from {channels} channels to one"),)


def resample(media: Media, rate: int) -> Media:
    """soxr HQ, the same call in training and in serving; nothing happens when the rate is right."""
    if media.rate is None:
        raise TypeError("a picture has no rate")
    if media.rate == rate:
        return media
    import soxr

    samples = soxr.resample(media.samples, media.rate, rate, quality="HQ").astype(np.float32, copy=False)
    note = Note("resampled", f"resampled from {media.rate / 1000:g} to {rate / 1000:g} kHz")
    return _with(media, samples, note, rate)


def fit_length(media: Media, seconds: float) -> Media:
    """Exactly ``seconds``: the beginning of a longer sound, or a shorter one with zeros behind it."""
    if media.rate is None:
        raise TypeError("a picture has no length")
    size, held = round(seconds * media.rate), len(media.samples)
    if held == size:
        return media
    length = held / media.rate
    if held > size:
        note = Note("cropped", f"only the first {seconds:g} s of {length:.2f} s are used", alarm=True)
        return _with(media, media.samples[:size].copy(), note)
    samples = np.zeros(size, np.float32)
    samples[:held] = media.samples
    note = Note("padded", f"padded with silence from {length:.2f} to {seconds:g} s", alarm=held < size / 2)
    return _with(media, samples, note)


def window_starts(frames: int, size: int, hop: int) -> tuple[int, ...]:
    """Starts of the windows over a sound: every ``hop``, the last one moved to end with the sound.

    Every sample lies in a window when hop <= size; a sound not longer than a window has one (padded).
    """
    if size < 1 or hop < 1:
        raise ValueError("a window and a hop have at least one sample")
    if frames <= size:
        return (0,)
    starts = tuple(range(0, frames - size + 1, hop))
    return starts if starts[-1] + size == frames else (*starts, frames - size)


def windows(media: Media, seconds: float, hop_seconds: float) -> tuple[Media, ...]:
    """Overlapping cuts of one sound, each exactly ``seconds`` long; they share the sound's identity."""
    if media.rate is None:
        raise TypeError("a picture has no length")
    size, hop = round(seconds * media.rate), round(hop_seconds * media.rate)
    starts = window_starts(len(media.samples), size, hop)
    return tuple(fit_length(replace(media, samples=media.samples[at : at + size]), seconds) for at in starts)


def _with(media: Media, samples: np.ndarray, note: Note, rate: int | None = None) -> Media:
    samples.flags.writeable = False
    return replace(media, samples=samples, rate=rate or media.rate, receipt=media.receipt.noting(note))
