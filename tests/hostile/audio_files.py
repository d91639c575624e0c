"""Sounds that mean harm or trouble, made on the spot: rows A-01 to A-25 of the table of bad inputs."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile

RATE = 16_000


@dataclass(frozen=True, slots=True)
class Case:
    """One row: the bytes, and either the code of the refusal or the notes of the receipt."""

    row: str
    name: str
    make: Callable[[], bytes]
    refused: str | None = None
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()  # notes that would be a false alarm
    frames: int | None = None

    @property
    def id(self) -> str:
        return f"{self.row}-{self.name}"


def noise(frames: int = RATE, channels: int = 1, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels)).astype(np.float32)
    return values[:, 0] if channels == 1 else values


def encoded(form: str, subtype: str | None = None, samples: np.ndarray | None = None, rate: int = RATE) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, noise() if samples is None else samples, rate, format=form, subtype=subtype)
    return stream.getvalue()


def wav(
    body: bytes,
    *,
    rate: int = RATE,
    channels: int = 1,
    bits: int = 16,
    tag: int = 1,
    data_size: int | None = None,
    riff_size: int | None = None,
    extra: bytes = b"",
    before: bytes = b"",
) -> bytes:
    """A WAV file whose every field can lie."""
    align = min(channels * bits // 8, 65535)
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits) + extra
    chunks = before + b"fmt " + struct.pack("<I", len(head)) + head
    chunks += b"data" + struct.pack("<I", len(body) if data_size is None else data_size) + body
    return b"RIFF" + struct.pack("<I", len(chunks) + 4 if riff_size is None else riff_size) + b"WAVE" + chunks


def ints(frames: int = 1600) -> bytes:
    return (noise(frames) * 32767).astype("<i2").tobytes()


def floats(*bad: float) -> bytes:
    values = noise(1600)
    values[800 : 800 + len(bad)] = bad
    return wav(values.tobytes(), bits=32, tag=3)


def flac_with_total(total: int) -> bytes:
    raw = bytearray(encoded("FLAC", "PCM_16"))
    packed = int.from_bytes(raw[18:26], "big") >> 36 << 36 | total
    raw[18:26] = packed.to_bytes(8, "big")
    return bytes(raw)


def flipped(raw: bytes, place: int, bits: int = 0x10) -> bytes:
    changed = bytearray(raw)
    changed[place] ^= bits
    return bytes(changed)


def id3(body: bytes, claimed: int | None = None) -> bytes:
    size = len(body) if claimed is None else claimed
    return b"ID3\x04\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + body


def mp3_with_frames(count: int) -> bytes:
    """The duration frame rewritten to tell ``count`` frames."""
    raw = bytearray(encoded("MP3"))
    at = raw.find(b"Xing")
    raw[at + 8 : at + 12] = struct.pack(">I", count)
    return bytes(raw)


def mp3_bare(frames: int) -> bytes:
    """A few frames without a duration frame (which is the first one that the encoder writes)."""
    from core.media._streams import mp3_frame

    raw = encoded("MP3", samples=noise(2 * RATE))
    at, taken = 0, b""
    for index in range(frames + 1):
        frame = mp3_frame(raw[at : at + 4])
        assert frame is not None
        taken += raw[at : at + frame.size] if index else b""
        at += frame.size
    return taken


def riff_chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def zip_of_nothing() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "a")
    return stream.getvalue()


def streamed_flac(seconds: int, rate: int) -> bytes:
    return encoded("FLAC", "PCM_16", np.zeros(seconds * rate, np.float32), rate)


def title(text: bytes) -> bytes:
    info = b"INFO" + riff_chunk(b"INAM", text)
    return wav(ints(), before=riff_chunk(b"LIST", info))


HOSTILE_TITLE = b"<script>alert(1)</script>\x00\x1b[31m\xe2\x80\xae\xed\xa0\x80" * 250_000

CASES = (
    Case("A-01", "empty", lambda: b"", "empty"),
    Case("A-02", "no-frames", lambda: wav(b""), "no-samples"),
    Case("A-02", "flac-no-frames", lambda: flac_with_total(0)[:42].replace(b"fLaC\0", b"fLaC\x80"), "no-samples"),
    Case("A-03", "30-bytes", lambda: wav(ints())[:30], "truncated"),
    Case("A-04", "4-GB-told", lambda: wav(ints(), data_size=0xFFFFFFF0), notes=("truncated",), frames=1600),
    Case("A-04", "odd-byte-left", lambda: wav(ints())[:-1], notes=("truncated",), frames=1599),
    Case(
        "A-05",
        "streamed",
        lambda: wav(ints(), data_size=0xFFFFFFFF, riff_size=0xFFFFFFFF),
        notes=("streamed",),
        absent=("truncated",),
        frames=1600,
    ),
    Case("A-06", "rate-0", lambda: wav(ints(), rate=0), "rate"),
    Case("A-06", "rate-4G", lambda: wav(ints(), rate=2**32 - 1), "rate"),
    Case("A-07", "rate-1", lambda: wav(ints(), rate=1), "rate"),
    Case("A-08", "no-channels", lambda: wav(ints(), channels=0), "channels"),
    Case("A-08", "65535-channels", lambda: wav(ints(), channels=65535), "channels"),
    Case("A-09", "1024-channels", lambda: wav(ints(10 * 1024), channels=1024), "channels"),
    Case("A-09", "9-channels", lambda: encoded("WAV", samples=noise(100, 9)), "channels"),
    Case("A-09", "8-channels", lambda: encoded("WAV", samples=noise(8000, 8)), notes=("mono",), frames=8000),
    Case("A-10", "nan", lambda: floats(float("nan")), "non-finite"),
    Case("A-10", "infinite", lambda: floats(float("-inf")), "non-finite"),
    Case("A-10", "1e30", lambda: floats(1e30), "over-range"),
    Case("A-10", "over-full-scale", lambda: floats(1.5), notes=("over-range",), frames=1600),
    Case("A-11", "silence", lambda: encoded("WAV", samples=np.zeros(RATE, np.float32)), notes=("silent",)),
    Case("A-12", "offset", lambda: encoded("WAV", samples=np.ones(RATE, np.float32)), notes=("clipped", "dc-offset")),
    Case(
        "A-12",
        "square",
        lambda: encoded("WAV", samples=np.where(np.arange(RATE) // 40 % 2, 1.0, -1.0)),
        notes=("clipped",),
        absent=("dc-offset",),
    ),
    Case("A-12", "clean", lambda: encoded("WAV"), absent=("clipped", "dc-offset", "silent", "truncated", "short")),
    Case("A-13", "1-hour", lambda: streamed_flac(3600, 8000), "too-long"),
    Case("A-13", "16-minutes-of-lie", lambda: _flac_untold(961, 4000), "too-long"),
    Case("A-14", "2^36-1", lambda: flac_with_total(2**36 - 1), notes=("truncated",), frames=RATE),
    Case("A-14", "untold", lambda: flac_with_total(0), absent=("truncated",), frames=RATE),
    Case("A-15", "wrong-md5", lambda: flipped(encoded("FLAC", "PCM_16"), 26), "corrupt"),
    Case("A-15", "wrong-md5-24-bit", lambda: flipped(encoded("FLAC", "PCM_24"), 26), "corrupt"),
    Case("A-15", "flipped-frame", lambda: _flipped_middle(encoded("FLAC", samples=noise(3 * RATE))), "corrupt"),
    Case("A-15", "half", lambda: _half(encoded("FLAC", samples=noise(3 * RATE))), notes=("truncated",)),
    Case("A-16", "ima-adpcm", lambda: wav(ints(), bits=4, tag=0x11, extra=struct.pack("<HH", 2, 50_000)), "coding"),
    Case("A-16", "ms-adpcm", lambda: wav(ints(), bits=4, tag=2, extra=struct.pack("<HH", 4, 50_000)), "coding"),
    Case("A-16", "gsm", lambda: encoded("WAV", "GSM610", rate=8000), "coding"),
    Case("A-16", "w64-adpcm", lambda: encoded("W64", "IMA_ADPCM"), "coding"),
    Case("A-16", "aiff-ima4", lambda: encoded("AIFF", "IMA_ADPCM"), "coding"),
    Case("A-16", "caf-alac", lambda: encoded("CAF", "ALAC_16"), "coding"),
    Case("A-17", "50-MB-cover", lambda: id3(bytes(50 << 20)) + encoded("MP3"), frames=RATE),
    Case("A-17", "tag-of-256-MB", lambda: id3(b"", (1 << 28) - 1) + encoded("MP3"), "no-samples"),
    Case("A-18", "no-frames", lambda: id3(bytes(100)), "no-samples"),
    Case("A-18", "1-frame", lambda: mp3_bare(1), "no-samples"),
    Case("A-18", "2-frames", lambda: mp3_bare(2), notes=("short",), frames=1152),
    Case("A-18", "tells-fewer", lambda: mp3_with_frames(3), notes=("header-length",)),
    Case("A-18", "tells-more", lambda: mp3_with_frames(10**6), notes=("truncated",)),
    Case(
        "A-19",
        "chained",
        lambda: encoded("OGG", "VORBIS") + encoded("OGG", "OPUS", noise(9600, 2), 48_000),
        notes=("first-stream",),
        frames=RATE,
    ),
    Case("A-20", "1-sample-opus", lambda: encoded("OGG", "OPUS", noise(1), 48_000), notes=("short",), frames=1),
    Case("A-21", "html", lambda: b"<!DOCTYPE html><html></html>", "unknown-format"),
    Case("A-21", "zip", zip_of_nothing, "unknown-format"),
    Case("A-21", "elf", lambda: b"\x7fELF\x02\x01\x01" + bytes(200), "unknown-format"),
    Case("A-22", "wav-and-zip", lambda: wav(ints()) + zip_of_nothing(), frames=1600),
    Case("A-22", "wav-and-html", lambda: wav(ints()) + b"<html><script>alert(1)</script>", frames=1600),
    Case("A-23", "10-MB-title", lambda: title(HOSTILE_TITLE), frames=1600),
    Case("A-25", "1-sample", lambda: wav(ints(1)), notes=("short",), frames=1),
)


def _flac_untold(seconds: int, rate: int) -> bytes:
    """Longer than allowed, with a header that does not tell."""
    raw = bytearray(streamed_flac(seconds, rate))
    packed = int.from_bytes(raw[18:26], "big") >> 36 << 36
    raw[18:26] = packed.to_bytes(8, "big")
    return bytes(raw)


def _flipped_middle(raw: bytes) -> bytes:
    return flipped(raw, len(raw) // 2)


def _half(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def through_ffmpeg(container: str, samples: np.ndarray | None = None, rate: int = 48_000) -> bytes:
    """What browsers and phones record: Opus in WebM, AAC in M4A, bare AAC frames. Samples (time, channels)."""
    import av

    values = noise(4000) if samples is None else samples
    values = values[:, None] if values.ndim == 1 else values
    form, codec = {"webm": ("webm", "libopus"), "m4a": ("ipod", "aac"), "aac": ("adts", "aac")}[container]
    stream, layout = io.BytesIO(), "mono" if values.shape[1] == 1 else "stereo"
    with av.open(stream, "w", format=form) as file:
        track = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(values.T), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        fifo = av.AudioFifo()
        convert = av.AudioResampler(format=track.codec_context.format, layout=layout, rate=rate)
        for part in convert.resample(frame):
            fifo.write(part)
        size = track.codec_context.frame_size or 1024
        while (part := fifo.read(size)) or (part := fifo.read(size, partial=True)):
            file.mux(track.encode(part))
        file.mux(track.encode(None))
    return stream.getvalue()
