"""The door for untrusted sounds and pictures: bytes in, checked Media out, decoded in a child process."""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from core import fingerprint
from core.contracts import THING, Kind, Media, Receipt
from core.errors import MediaError
from core.media.audio import MAX_CHANNELS, MAX_SAMPLES, RATES
from core.media.recording import Probe
from core.media.sandbox import Limits, Sandbox
from core.media.sniff import ACCEPTED, sniff

MAX_BYTES = 256 << 20  # of one upload
LIMITS = Limits(seconds=20.0, memory=850 << 20, answer=640 << 20)
_MAX_TEXT = 200  # characters of a text that comes from the child
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One decoded file with what a page draws of it. The last four are None for pictures."""

    media: Media
    thumbnail: bytes  # WebP
    envelope: np.ndarray | None = None  # (2, n) float32, lowest and highest sample of n even stretches
    log_mel: np.ndarray | None = None  # (mels, frames) float16 in dB, for the eye, at the native rate
    hop_seconds: float | None = None  # between two frames
    band: tuple[float, float] | None = None  # Hz of the lowest and highest edge; Slaney's scale between


def open_media(
    raw: bytes, *, kind: Kind | None = None, expected: str | None = None, sandbox: Sandbox | None = None
) -> Media:
    """Decode one file. ``kind`` refuses the other kind; ``expected`` refuses bytes that changed since a scan."""
    answer_to, sha256 = _admitted(raw, kind, expected)
    answer = (sandbox or default_sandbox()).call("decode", answer_to, [raw], limits=LIMITS)
    return _rebuilt(answer.header, answer.blocks, sha256)


def open_view(raw: bytes, *, kind: Kind | None = None, sandbox: Sandbox | None = None) -> View:
    """Decode one file and make its thumbnail, waveform envelope and spectrogram."""
    answer_to, sha256 = _admitted(raw, kind, None)
    answer = (sandbox or default_sandbox()).call("view", answer_to, [raw], limits=LIMITS)
    media = _rebuilt(answer.header, answer.blocks, sha256)
    shown = answer.header.get("view")
    if media.rate is None or shown is None:
        return View(media, _block(answer.blocks, 1))
    envelope = _array(answer.blocks, 2, np.float32, (2, int(shown["columns"])))
    log_mel = _array(answer.blocks, 3, np.float16, (int(shown["mels"]), int(shown["frames"])))
    band = (float(shown["f_min"]), float(shown["f_max"]))
    return View(media, _block(answer.blocks, 1), envelope, log_mel, int(shown["hop"]) / media.rate, band)


def probe(path: Path, *, sandbox: Sandbox | None = None) -> Probe:
    """What a recording on disk is: rate, channels, frames. Its samples are not read."""
    answer = (sandbox or default_sandbox()).call("probe", {"path": str(path.resolve())}, limits=LIMITS)
    told = answer.header
    found = Probe(
        container=str(told["container"])[:_MAX_TEXT],
        codec=str(told["codec"])[:_MAX_TEXT],
        rate=int(told["rate"]),
        channels=int(told["channels"]),
        frames=int(told["frames"]),
        size_bytes=int(told["size_bytes"]),
        changed_ns=int(told["changed_ns"]),
    )
    if not RATES[0] <= found.rate <= RATES[1] or found.frames < 1:
        raise _untrusted()
    return found


def open_window(
    path: Path,
    start: int,
    frames: int,
    *,
    known: Probe | None = None,
    file_sha256: str | None = None,
    sandbox: Sandbox | None = None,
) -> Media:
    """A stretch of a long recording. Its identity names the file's bytes, the start and the length.

    Who reads many windows probes and hashes once and passes both; a file changed since is refused.
    """
    known = known or probe(path, sandbox=sandbox)
    file_sha256 = file_sha256 or fingerprint.sha256_of_file(path)
    params = {"path": str(path.resolve()), "probe": asdict(known), "start": start, "frames": frames}
    answer = (sandbox or default_sandbox()).call("window", params, limits=LIMITS)
    return _rebuilt(answer.header, answer.blocks, fingerprint.fingerprint("window", file_sha256, start, frames))


def default_sandbox() -> Sandbox:
    """The sandbox of this process, its children started ahead of the first file."""
    with _LOCK:
        return _process_sandbox(os.getpid())


@cache
def _process_sandbox(pid: int) -> Sandbox:
    """Keyed by process, so that a forked worker never shares its parent's pipes."""
    from core import settings

    sandbox = Sandbox(settings.load().decoders, LIMITS)
    sandbox.warm()
    atexit.register(sandbox.close)
    return sandbox


def _admitted(raw: bytes, kind: Kind | None, expected: str | None) -> tuple[dict[str, Any], str]:
    """Size, signature, kind and identity: decided before a child sees the bytes."""
    if len(raw) > MAX_BYTES:
        raise MediaError(
            f"The file has {len(raw) >> 20} MB; at most {MAX_BYTES >> 20} MB are read at once. Send a shorter one.",
            code="too-large",
        )
    found = sniff(raw)
    if kind is not None and found.kind != kind:
        raise MediaError(
            f"This is a {THING[found.kind]} ({found.container.upper()}) where a {THING[kind]} belongs. {ACCEPTED}",
            code="wrong-kind",
        )
    sha256 = fingerprint.sha256_of(raw)
    if expected is not None and sha256 != expected:
        raise MediaError("The file was changed after it was scanned; scan it again.", code="changed")
    return {"kind": found.kind, "container": found.container}, sha256


def _rebuilt(header: dict[str, Any], blocks: tuple[bytes, ...], sha256: str) -> Media:
    """The child may have been taken over by what it decoded: nothing it says is believed unchecked."""
    try:
        kind, shape, rate = header["kind"], tuple(int(side) for side in header["shape"]), header["rate"]
        receipt = _receipt(header["receipt"])
    except (KeyError, TypeError, ValueError):
        raise _untrusted() from None
    if kind == "audio":
        if len(shape) != 1 or not 1 <= shape[0] <= MAX_SAMPLES:
            raise _untrusted()
        if not isinstance(rate, int) or not RATES[0] <= rate <= RATES[1]:
            raise _untrusted()
        samples = _array(blocks, 0, np.float32, shape)
        if not np.isfinite(samples).all():
            raise _untrusted()
        return Media("audio", samples, rate, sha256, receipt)
    if kind != "image" or rate is not None or len(shape) != 3 or shape[2] != 3:
        raise _untrusted()
    return Media("image", _array(blocks, 0, np.uint8, shape), None, sha256, receipt)


def _receipt(record: dict[str, Any]) -> Receipt:
    """Plain values of bounded length only."""
    notes = [
        {"code": str(n["code"])[:40], "text": str(n["text"])[:_MAX_TEXT], "alarm": bool(n["alarm"])}
        for n in record["notes"][:50]
    ]
    numbers = {k: record[k] for k in ("size_bytes", "rate", "channels", "seconds", "width", "height")}
    if any(not (value is None or isinstance(value, (int, float))) for value in numbers.values()):
        raise TypeError("a number was expected")
    texts = {k: str(record[k])[:_MAX_TEXT] for k in ("container", "codec")}
    found = Receipt.from_json({**texts, **numbers, "notes": notes})
    if not 1 <= found.channels <= MAX_CHANNELS:
        raise ValueError("channels")
    return found


def _block(blocks: tuple[bytes, ...], index: int) -> bytes:
    if index >= len(blocks):
        raise _untrusted()
    return blocks[index]


def _array(blocks: tuple[bytes, ...], index: int, dtype: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
    raw = _block(blocks, index)
    if min(shape) < 1 or len(raw) != int(np.prod(shape)) * np.dtype(dtype).itemsize:
        raise _untrusted()
    return np.frombuffer(raw, dtype).reshape(shape)  # read-only, as bytes are


def _untrusted() -> MediaError:
    return MediaError("The decoder gave an answer that does not add up; send another copy of the file.", code="crashed")
