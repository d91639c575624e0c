"""Pure readers of the frame formats: ID3 tags, MP3 and AAC frames, Ogg pages, the FLAC header.

They look at headers only and never follow a length beyond the bytes that are there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

Raw = bytes | memoryview
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits
_MP3_KBITS = {  # (MPEG 1?, layer): kbit/s by index 1 to 14
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_MAX_TAGS = 4


@dataclass(frozen=True, slots=True)
class Frame:
    size: int  # bytes, header included
    rate: int
    channels: int
    samples: int


@dataclass(frozen=True, slots=True)
class Mp3:
    start: int  # where the frames begin: behind tags, and behind the duration frame unless it is honest
    frames: int
    rate: int
    channels: int
    samples: int
    told: int | None  # frames that a duration frame promises
    honest: bool  # and it is right


@dataclass(frozen=True, slots=True)
class Flac:
    rate: int
    channels: int
    bits: int
    total: int  # samples; 0 means: not told
    md5: bytes


@dataclass(frozen=True, slots=True)
class Ogg:
    end: int  # where the first logical stream's chain link ends
    chained: bool  # another link follows
    cut: bool  # the last page is not whole


def skip_id3(raw: Raw) -> int:
    """Where the sound starts behind ID3v2 tags; a tag that claims more than the file ends it."""
    at = 0
    for _ in range(_MAX_TAGS):
        head = bytes(raw[at : at + 10])
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
            break
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte
        at += 10 + size + (10 if head[5] & 0x10 else 0)
    return min(at, len(raw))


def mp3_frame(head: bytes) -> Frame | None:
    """An MPEG audio frame header; every reserved value is a refusal, since four bytes prove little."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    index, rate_index, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or index in (0, 15) or rate_index == 3:
        return None
    rate, kbits = _MP3_RATES[version][rate_index], _MP3_KBITS[version == 3, layer][index - 1]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    slot = 4 if layer == 1 else 1  # bytes that the padding bit adds
    size = (samples // (8 * slot) * kbits * 1000 // rate + padding) * slot
    return Frame(size, rate, 1 if head[3] >> 6 == 3 else 2, samples)


def adts_frame(head: bytes) -> Frame | None:
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    rate_index, size = head[2] >> 2 & 15, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate_index >= len(_AAC_RATES) or size < 7:
        return None
    return Frame(size, _AAC_RATES[rate_index], (head[2] & 1) << 2 | head[3] >> 6, 1024 * (1 + (head[6] & 3)))


def walk_mp3(raw: Raw) -> Mp3 | None:
    """Count the frames that are there. None without a single frame."""
    start, count, samples = skip_id3(raw), 0, 0
    at, end, first = start, len(raw), None
    while at + 4 <= end:
        frame = mp3_frame(bytes(raw[at : at + 4]))
        if frame is None:
            at = _next_sync(raw, at + 1)
            continue
        if at + frame.size > end:
            break
        first = first or (at, frame)
        count, samples, at = count + 1, samples + frame.samples, at + frame.size
    if first is None:
        return None
    begin, frame = first
    promised = _promised(bytes(raw[begin : begin + frame.size]))
    if promised is None:
        return Mp3(begin, count, frame.rate, frame.channels, samples, None, False)
    honest = abs(promised - (count - 1)) <= 1
    samples -= frame.samples
    begin += 0 if honest else frame.size
    return Mp3(begin, count - 1, frame.rate, frame.channels, samples, promised, honest)


def _next_sync(raw: Raw, at: int) -> int:
    found = bytes(raw[at : at + 65536]).find(b"\xff")
    return at + found if found >= 0 else min(at + 65536, len(raw))


def _promised(frame: bytes) -> int | None:
    """The frame count that a Xing, Info or VBRI frame tells; such a frame holds no sound."""
    for mark in (b"Xing", b"Info"):
        at = frame.find(mark, 4, 64)
        if at >= 0 and len(frame) >= at + 12:
            return int.from_bytes(frame[at + 8 : at + 12], "big") if frame[at + 7] & 1 else None
    if frame[36:40] == b"VBRI" and len(frame) >= 54:
        return int.from_bytes(frame[50:54], "big")
    return None


def flac_info(raw: Raw) -> Flac | None:
    start = skip_id3(raw)
    head = bytes(raw[start : start + 42])
    if len(head) < 42 or head[:4] != b"fLaC" or head[4] & 127 != 0:
        return None
    packed = int.from_bytes(head[18:26], "big")
    return Flac(packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, packed & (1 << 36) - 1, head[26:42])


def walk_ogg(raw: Raw) -> Ogg:
    """The extent of the first link of a chain: streams that all begin before any of them goes on."""
    at, end, going_on = 0, len(raw), False
    while at + 27 <= end and bytes(raw[at : at + 4]) == b"OggS":
        flags, segments = raw[at + 5], raw[at + 26]
        if flags & 2 and going_on:
            return Ogg(at, True, False)
        going_on = going_on or not flags & 2
        size = 27 + segments + sum(raw[at + 27 : at + 27 + segments])
        if at + size > end:
            return Ogg(end, False, True)
        at += size
    return Ogg(end, False, 0 < end - at < 27)


def ogg_seconds(raw: Raw, end: int) -> float | None:
    """The length that the last page tells, for Vorbis and Opus; None when it does not."""
    head = bytes(raw[:256])
    rate = 48000 if b"OpusHead" in head else None
    if (at := head.find(b"\x01vorbis")) >= 0 and len(head) >= at + 16:
        rate = struct.unpack_from("<I", head, at + 12)[0]
    last = bytes(raw[max(0, end - 65536 - 282) : end]).rfind(b"OggS")
    if not rate or last < 0:
        return None
    place = max(0, end - 65536 - 282) + last
    position = int.from_bytes(bytes(raw[place + 6 : place + 14]), "little", signed=True)
    return position / rate if position >= 0 else None
