"""What some bytes are, told by their signature alone. Names and extensions are never asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.contracts import Kind
from core.errors import MediaError
from core.media._streams import adts_frame, mp3_frame, skip_id3

ACCEPTED = (
    "Accepted are sounds (WAV, FLAC, Ogg, MP3, AIFF, CAF, WebM, M4A, AAC) "
    "and pictures (PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, HEIC)."
)
_HEAD = 4096  # bytes looked at, behind an ID3 tag
_AT_START: tuple[tuple[bytes, Kind, str], ...] = (
    (b"fLaC", "audio", "flac"),
    (b"OggS", "audio", "ogg"),
    (b"caff", "audio", "caf"),
    (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00", "audio", "w64"),
    (b"\x89PNG\r\n\x1a\n", "image", "png"),
    (b"\xff\xd8\xff", "image", "jpeg"),
    (b"GIF87a", "image", "gif"),
    (b"GIF89a", "image", "gif"),
    (b"II*\0", "image", "tiff"),
    (b"MM\0*", "image", "tiff"),
    (b"II+\0", "image", "tiff"),
    (b"MM\0+", "image", "tiff"),
)
_FORMS: dict[tuple[bytes, bytes], tuple[Kind, str]] = {  # first four bytes, bytes 8 to 12
    (b"RIFF", b"WAVE"): ("audio", "wav"),
    (b"RIFX", b"WAVE"): ("audio", "wav"),
    (b"RF64", b"WAVE"): ("audio", "rf64"),
    (b"RIFF", b"WEBP"): ("image", "webp"),
    (b"FORM", b"AIFF"): ("audio", "aiff"),
    (b"FORM", b"AIFC"): ("audio", "aiff"),
}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_STILL_BRANDS = {b"mif1", b"msf1", b"mif2", b"miaf"}
_SOUND_BRANDS = re.compile(rb"M4[ABVP] |mp4[12]|iso[m2-9]|dash|3g[p2][0-9a-z]|qt  |avc1|MSNV|F4[AV] |NDSC|mmp4")
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS picture"),
    (b"SIMPLE  =", "a FITS picture"),
    (b"8BPS", "a Photoshop picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"icns", "an icon file"),
    (b"\0\0\x01\0", "an icon file"),
    (b"BLP1", "a BLP picture"),
    (b"BLP2", "a BLP picture"),
    (b"DDS ", "a DDS picture"),
    (b"\x01\xda", "an SGI picture"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (b"\x01\0\x09\0", "a Windows metafile"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"MThd", "a MIDI score, which holds no sound"),
    (b".snd", "an AU recording"),
    (b"#!AMR", "an AMR recording"),
    (b"BW64", "a BW64 recording"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file"),
    (b"FLV\x01", "a Flash video"),
    (b"\0\0\x01\xba", "an MPEG video"),
    (b"SQLite format 3\0", "a database"),
    (b"PAR1", "a Parquet table; give it as a manifest"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x02", "a pickle, which is never opened"),
    (b"\x80\x04", "a pickle, which is never opened"),
)


@dataclass(frozen=True, slots=True)
class Sniffed:
    kind: Kind
    container: str  # "wav", "rf64", "webm", "png" ...


def sniff(raw: bytes | memoryview) -> Sniffed:
    """The kind and container of a file, or a MediaError that names what arrived and what is accepted."""
    if not len(raw):
        raise MediaError(f"The file is empty. {ACCEPTED}", code="empty")
    head = bytes(raw[:_HEAD])
    found = _known(head) or _box(head) or _matroska(head)
    refused = None if found else _refused(head)
    if found is None and refused is None:
        found = _raw_frames(raw)
    if found is not None:
        return Sniffed(*found)
    raise MediaError(f"This is {refused or 'of no known format'}. {ACCEPTED}", code="unknown-format")


def _known(head: bytes) -> tuple[Kind, str] | None:
    for signature, kind, container in _AT_START:
        if head.startswith(signature):
            return kind, container
    if (form := (head[:4], head[8:12])) in _FORMS:
        return _FORMS[form]
    # two letters are a thin signature: the size of the header that follows must be a real one
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in {12, 16, 40, 52, 56, 64, 108, 124}:
        return "image", "bmp"
    return None


def _box(head: bytes) -> tuple[Kind, str] | None:
    """The ISO base media family: one box layout for M4A sounds, AVIF and HEIC pictures."""
    if head[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(head[:4], "big"), 512)
    major, others = head[8:12], {head[at : at + 4] for at in range(16, size, 4)}
    if major in _AVIF_BRANDS or (major in _STILL_BRANDS and others & _AVIF_BRANDS):
        return "image", "avif"
    if major in _HEIC_BRANDS or major in _STILL_BRANDS:
        return "image", "heic"
    return ("audio", "m4a") if _SOUND_BRANDS.fullmatch(major) else None


def _matroska(head: bytes) -> tuple[Kind, str] | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    return ("audio", "webm") if b"webm" in head[:64] or b"matroska" in head[:64] else None


def _raw_frames(raw: bytes | memoryview) -> tuple[Kind, str] | None:
    """MP3 and AAC have no signature, only frames: two in a row must agree, unless the file ends before."""
    start = skip_id3(raw)
    head = bytes(raw[start : start + 8192])
    if start and head[:4] == b"fLaC":
        return "audio", "flac"
    for container, read in (("mp3", mp3_frame), ("aac", adts_frame)):
        first = read(head)
        if first is None or first.size > len(raw) - start:
            continue
        rest = head[first.size : first.size + 16]
        if not rest or ((second := read(rest)) is not None and second.rate == first.rate):
            return "audio", container
    return ("audio", "mp3") if bytes(raw[:3]) == b"ID3" else None


def _refused(head: bytes) -> str | None:
    for signature, name in _REFUSED:
        if head.startswith(signature):
            return name
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[4:5] and head[4:6] in {b"\x11\xaf", b"\x12\xaf"}:
        return "a FLI animation"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text[:2048] and text.startswith(b"<"):
        return "an SVG drawing, which is never opened"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<script", b"<body")):
        return "a web page"
    if text.startswith(b"<?xml"):
        return "an XML document"
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and len(head) % 2 == 0 and 0 in head:
        return True
    if any(byte < 9 or 13 < byte < 27 for byte in head):
        return False
    try:
        head[: len(head) - 3 if len(head) == _HEAD else None].decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == _HEAD and error.start > len(head) - 8
    return True
