"""Names that strangers chose: which are refused, which are skipped, and how the rest is shown.

Names are data. Nothing is ever written under one; they are shown, compared and used as ids.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from core.fingerprint import sha256_of

SHOWN = 240  # characters of a name that are kept; a longer one is cut and gets a mark of its whole
_LITTER = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini", "ehthumbs.db"}
_ARCHIVES = (".zip", ".zipx", ".jar", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst", ".lz4")
_ARCHIVES += (".7z", ".rar", ".cab", ".iso", ".arj", ".lzma", ".lz", ".z", ".ace", ".dmg", ".whl", ".apk")
_SIGNATURES = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"MSCF\0\0\0\0", "cab"),
    (b"\x1f\x9d", "compress"),
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_DRIVE = re.compile(r"[A-Za-z]:")


class BadName(ValueError):
    """A name that could point outside; its text says how."""


def tidy(name: str) -> str:
    """The form in which a relative name is kept: forward slashes, no empty steps, nothing invisible, not too long."""
    return shown(relative(name))


def relative(name: str) -> str:
    """A name with forward slashes and no empty steps, or BadName where it could lead anywhere else."""
    if "\0" in name:
        raise BadName("its name holds a NUL byte")
    if _URL.match(name):
        raise BadName("it is a web or file address, and none is ever fetched")
    steps = name.replace("\\", "/").split("/")
    if steps[0] == "" and len(steps) > 1:
        raise BadName("its name is an absolute path")
    if _DRIVE.match(steps[0]):
        raise BadName("its name starts with a drive letter")
    if ".." in steps:
        raise BadName("its name leads out of the folder (..)")
    kept = "/".join(step for step in steps if step not in {"", "."})
    if not kept:
        raise BadName("it has no name")
    return kept


def shown(name: str, limit: int = SHOWN) -> str:
    """A name that can be printed: control and direction marks as escapes, cut with a mark that keeps it unique."""
    text = name if name.isascii() and name.isprintable() else "".join(_visible(letter) for letter in name)
    if len(text) <= limit:
        return text
    mark = sha256_of(name.encode("utf-8", "surrogatepass"))[:8]
    suffix = PurePosixPath(text[-12:]).suffix
    return f"{text[: limit - 10 - len(suffix)]}…{mark}{suffix}"


def _visible(letter: str) -> str:
    if letter == " " or letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}"


def likeness(name: str) -> str:
    """Equal for names that some file systems, or some eyes, do not tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def litter(name: str) -> bool:
    """Files that systems leave behind, and hidden ones: nobody means to send them."""
    return any(step.startswith(".") or step.casefold() in _LITTER for step in name.split("/"))


def archive_kind(name: str, head: bytes) -> str | None:
    """Which kind of archive a file is, by its first bytes or by its suffix; None for a file that is none."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    if head[:3] == b"BZh" and head[4:10] == b"1AY&SY":
        return "bzip2"
    suffix = PurePosixPath(name).suffix.lower()
    return suffix[1:] if suffix in _ARCHIVES else None
