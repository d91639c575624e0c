"""Headers of the chunked containers (WAV, RF64, W64, AIFF, CAF), read before any library sees the file.

What is decided here: the coding of the samples (others than plain ones are refused, since the decoders
of rare codings are where the advisories are), the declared length, and how much of it is really there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.errors import MediaError

PLAIN = "plain PCM of 8 to 32 bits, float, A-law and µ-law"
_UNKNOWN = 0xFFFFFFFF  # the length field of a writer that could not seek back
_MAX_CHUNKS = 2000
_WAV_TAGS = {1: "PCM", 3: "float", 6: "A-law", 7: "µ-law"}
_OTHER_TAGS = {2: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3", 0x161: "WMA"}
_AIFF_CODINGS = {
    b"NONE": "PCM",
    b"twos": "PCM",
    b"sowt": "PCM",
    b"raw ": "PCM",
    b"in24": "PCM",
    b"in32": "PCM",
    b"fl32": "float",
    b"FL32": "float",
    b"fl64": "float",
    b"FL64": "float",
    b"alaw": "A-law",
    b"ALAW": "A-law",
    b"ulaw": "µ-law",
    b"ULAW": "µ-law",
}
_CAF_CODINGS = {b"lpcm": "PCM", b"alaw": "A-law", b"ulaw": "µ-law"}


@dataclass(frozen=True, slots=True)
class Declared:
    """What a header says, checked for its coding only."""

    codec: str  # "PCM 16 bit"
    bits: int | None  # of integer samples
    rate: float
    channels: int
    frames: int  # that are in the file
    missing: int  # frames that the header promises beyond the end of the file
    streamed: bool = False  # the writer left the length open


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: bytes
    start: int
    size: int


def declared(stream: BinaryIO, container: str) -> Declared:
    """Read the header of one of the chunked containers; the stream is left where it is."""
    end = stream.seek(0, 2)
    stream.seek(0)
    try:
        return _READERS[container](stream, end)
    except struct.error:
        raise _cut(container) from None


def _wav(stream: BinaryIO, end: int) -> Declared:
    opening = _take(stream, 0, 12)
    order = ">" if opening[:4] == b"RIFX" else "<"
    long = 0
    header: bytes | None = None
    for chunk in _chunks(stream, 12, end, order + "4sI", pad=2):
        if chunk.name == b"ds64":
            long = struct.unpack("<8xQ", _take(stream, chunk.start, 16))[0]
        elif chunk.name == b"fmt ":
            header = _take(stream, chunk.start, min(chunk.size, 40))
        elif chunk.name == b"data":
            if header is None:
                raise MediaError("The WAV file has samples but does not say how to read them; send another copy.")
            size = long if chunk.size == _UNKNOWN and long else chunk.size
            streamed = size == _UNKNOWN or (struct.unpack(order + "I", opening[4:8])[0] == _UNKNOWN and not long)
            return _riff_format(header, order, size, max(0, end - chunk.start), streamed)
    raise _cut("wav")


def _w64(stream: BinaryIO, end: int) -> Declared:
    header: bytes | None = None
    for chunk in _chunks(stream, 40, end, "<16sQ", pad=8):
        if chunk.name[:4] == b"fmt ":
            header = _take(stream, chunk.start, min(chunk.size, 40))
        elif chunk.name[:4] == b"data" and header is not None:
            return _riff_format(header, "<", chunk.size, max(0, end - chunk.start), False)
    raise _cut("w64")


def _riff_format(header: bytes, order: str, size: int, present: int, streamed: bool) -> Declared:
    tag, channels, rate, _, align, bits = struct.unpack_from(order + "HHIIHH", header)
    if tag == 0xFFFE and len(header) >= 26:
        tag = struct.unpack_from(order + "H", header, 24)[0]
    if tag not in _WAV_TAGS:
        raise _refused_coding(_OTHER_TAGS.get(tag, f"coding 0x{tag:04X}"))
    align = align or max(1, channels * bits // 8)
    there = min(size, present) // align
    missing = 0 if streamed else max(0, size // align - there)
    return _declare(_WAV_TAGS[tag], bits, rate, channels, there, missing, streamed)


def _aiff(stream: BinaryIO, end: int) -> Declared:
    compressed = _take(stream, 8, 4) == b"AIFC"
    header = None
    for chunk in _chunks(stream, 12, end, ">4sI", pad=2):
        if chunk.name == b"COMM":
            header = _take(stream, chunk.start, 22 if compressed else 18)
        elif chunk.name == b"SSND" and header is not None:
            channels, frames, bits, power, mantissa = struct.unpack_from(">HIHHQ", header)
            coding = header[18:22] if compressed else b"NONE"
            if coding not in _AIFF_CODINGS:
                raise _refused_coding(_shown(coding))
            rate = mantissa * 2.0 ** ((power & 0x7FFF) - 16383 - 63)
            width = 1 if _AIFF_CODINGS[coding][1:] == "-law" else -(-bits // 8)
            there = max(0, end - chunk.start - 8) // max(1, channels * width)
            return _declare(
                _AIFF_CODINGS[coding], bits, rate, channels, min(frames, there), max(0, frames - there), False
            )
    raise _cut("aiff")


def _caf(stream: BinaryIO, end: int) -> Declared:
    header = None
    for chunk in _chunks(stream, 8, end, ">4sQ", pad=1):
        if chunk.name == b"desc":
            header = _take(stream, chunk.start, 32)
        elif chunk.name == b"data" and header is not None:
            rate, coding, flags, packet, _, channels, bits = struct.unpack(">d4s5I", header)
            if coding not in _CAF_CODINGS:
                raise _refused_coding(_shown(coding))
            streamed = chunk.size >= 1 << 63  # minus one: until the end
            size, present = chunk.size - 4, max(0, end - chunk.start - 4)
            there = min(size, present) // max(1, packet)
            missing = 0 if streamed else max(0, size // max(1, packet) - there)
            name = "float" if coding == b"lpcm" and flags & 1 else _CAF_CODINGS[coding]
            return _declare(name, bits, rate, channels, there, missing, streamed)
    raise _cut("caf")


_READERS: dict[str, Callable[[BinaryIO, int], Declared]] = {
    "wav": _wav,
    "rf64": _wav,
    "w64": _w64,
    "aiff": _aiff,
    "caf": _caf,
}


def _declare(coding: str, bits: int, rate: float, channels: int, frames: int, missing: int, streamed: bool) -> Declared:
    law = coding.endswith("-law")
    if not law and bits not in ({8, 16, 24, 32} if coding == "PCM" else {32, 64}):
        raise _refused_coding(f"{coding} of {bits} bits")
    codec = coding if law else f"{coding} {bits} bit"
    return Declared(codec, bits if coding == "PCM" else None, rate, channels, frames, missing, streamed)


def _chunks(stream: BinaryIO, at: int, end: int, layout: str, pad: int) -> Iterator[_Chunk]:
    head = struct.calcsize(layout)
    for _ in range(_MAX_CHUNKS):
        if at + head > end:
            return
        name, size = struct.unpack(layout, _take(stream, at, head))
        if head == 24:
            size = max(0, size - head)  # W64 counts the chunk's own head
        yield _Chunk(name, at + head, size)
        at += head + size + (-size % pad)


def _take(stream: BinaryIO, at: int, size: int) -> bytes:
    stream.seek(at)
    return stream.read(size)


def _shown(coding: bytes) -> str:
    return "".join(chr(byte) if 32 < byte < 127 else "?" for byte in coding)


def _refused_coding(name: str) -> MediaError:
    return MediaError(f"The file holds {name} samples; {PLAIN} are read. Convert it to WAV or FLAC.", code="coding")


def _cut(container: str) -> MediaError:
    return MediaError(
        f"The {container.upper()} file is truncated: it ends before its samples begin. Send the whole file.",
        code="truncated",
    )
