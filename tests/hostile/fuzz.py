"""Mutated real files through the sandbox: ``python -m tests.hostile.fuzz --count 10000 --seed 0 --out fuzz.json``.

Every input must be accepted or refused in one sentence. A child that dies is answered too, but counted apart;
a hang, or any error that is not meant for people, is a fault of ours.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from dataclasses import asdict, dataclass, field

import numpy as np
from PIL import Image

from core.errors import UserFacingError
from core.media import door
from core.media.sandbox import Sandbox
from tests.hostile import audio_files, image_files

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
_WIDE = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 0x10000)


@dataclass(slots=True)
class Report:
    """What came of all inputs; ``faults`` must stay empty."""

    count: int = 0
    seed: int = 0
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)  # by the code of the refusal
    crashed: list[str] = field(default_factory=list)  # answered, but the child died
    hung: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    by_format: dict[str, dict[str, int]] = field(default_factory=dict)

    def took(self, name: str, outcome: str, which: str, seconds: float) -> None:
        self.count += 1
        self.slowest_seconds = max(self.slowest_seconds, round(seconds, 3))
        self.by_format.setdefault(name, {}).setdefault(outcome, 0)
        self.by_format[name][outcome] += 1
        if outcome == "accepted":
            self.accepted += 1
        elif outcome == "crashed":
            self.crashed.append(which)
        elif outcome == "timeout":
            self.hung.append(which)
        elif outcome.startswith("fault"):
            self.faults.append(f"{which}: {outcome}")
        else:
            self.refused[outcome] = self.refused.get(outcome, 0) + 1


def seeds() -> dict[str, bytes]:
    """One small real file of every container and of the codings that differ in their decoder."""
    short, stereo = audio_files.noise(2000), audio_files.noise(2000, 2)
    forms = {
        "wav-16": ("WAV", "PCM_16"),
        "wav-24": ("WAVEX", "PCM_24"),
        "wav-float": ("WAV", "FLOAT"),
        "wav-ulaw": ("WAV", "ULAW"),
        "rf64": ("RF64", "PCM_16"),
        "w64": ("W64", "PCM_16"),
        "aiff": ("AIFF", "PCM_16"),
        "caf": ("CAF", "PCM_16"),
        "flac": ("FLAC", "PCM_16"),
        "flac-24": ("FLAC", "PCM_24"),
        "vorbis": ("OGG", "VORBIS"),
        "opus": ("OGG", "OPUS"),
        "mp3": ("MP3", None),
    }
    made = {name: audio_files.encoded(*form, samples=short) for name, form in forms.items()}
    made["mp3-stereo"] = audio_files.encoded("MP3", samples=stereo, rate=44_100)
    made |= {name: audio_files.through_ffmpeg(name) for name in ("webm", "m4a", "aac")}
    for form in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF"):
        made[form.lower()] = image_files.plain(form)
    picture = Image.fromarray(image_files.pixels())
    made["jpeg-progressive"] = image_files.saved(picture, "JPEG", progressive=True)
    made["tiff-lzw"] = image_files.saved(picture, "TIFF", compression="tiff_lzw")
    made["tiff-jpeg"] = image_files.saved(picture, "TIFF", compression="jpeg")
    made["png-alpha-palette"] = image_files.saved(picture.quantize(16), "PNG", transparency=3)
    made["webp-animated"] = image_files.animated("WEBP", 3)
    made["gif-animated"] = image_files.animated("GIF", 3)
    return made


def mutated(raw: bytes, other: bytes, chance: np.random.Generator) -> bytes:
    """One to eight changes: flipped bits, odd bytes and lengths, cuts, repeats, and pieces of another file."""
    data = bytearray(raw)
    for _ in range(int(chance.integers(1, 9))):
        if not data:
            break
        # half of all changes hit the first 256 bytes, where the headers are
        reach = min(len(data), 256) if chance.random() < 0.5 else len(data)
        at, size = int(chance.integers(reach)), int(chance.integers(1, 65))
        kind = int(chance.integers(7))
        if kind == 0:
            data[at] ^= 1 << int(chance.integers(8))
        elif kind == 1:
            data[at] = int(chance.choice(_INTERESTING))
        elif kind == 2:
            order = "little" if chance.random() < 0.5 else "big"
            data[at : at + 4] = int(chance.choice(_WIDE)).to_bytes(4, order)
        elif kind == 3:
            del data[at : at + size]
        elif kind == 4:
            data[at:at] = data[at : at + size]
        elif kind == 5 and chance.random() < 0.3:
            del data[at:]
        elif kind == 6:
            source = int(chance.integers(max(1, len(other) - size)))
            data[at : at + size] = other[source : source + size]
    return bytes(data)


def run(count: int, seed: int, sandbox: Sandbox, *, progress: bool = False) -> Report:
    files = seeds()
    names, report = list(files), Report(seed=seed)
    for index in range(count):
        chance = np.random.default_rng([seed, index])  # any single input can be made again
        name = names[index % len(names)]
        raw = mutated(files[name], files[names[int(chance.integers(len(names)))]], chance)
        begun = time.monotonic()
        outcome = _outcome(raw, sandbox)
        report.took(name, outcome, f"{name} #{index}", time.monotonic() - begun)
        if progress and index % 500 == 499:
            print(f"{index + 1}/{count}", file=sys.stderr)
    return report


def _outcome(raw: bytes, sandbox: Sandbox) -> str:
    try:
        view = door.open_view(raw, sandbox=sandbox)
    except UserFacingError as error:
        message = str(error)
        clear = 10 < len(message) < 400 and "\n" not in message and "Traceback" not in message
        return error.code if clear else f"fault: unclear message {message[:80]!r}"
    except Exception as error:  # the very thing looked for
        return f"fault: {type(error).__name__} {str(error)[:80]}"
    Image.open(io.BytesIO(view.thumbnail)).load()
    finite = view.media.kind == "image" or np.isfinite(view.media.samples).all()
    return "accepted" if finite else "fault: not finite"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="-")
    chosen = parser.parse_args()
    sandbox = Sandbox(1, door.LIMITS)
    try:
        report = run(chosen.count, chosen.seed, sandbox, progress=True)
    finally:
        sandbox.close()
    text = json.dumps(asdict(report), indent=1)
    if chosen.out == "-":
        print(text)
    else:
        with open(chosen.out, "w") as stream:
            stream.write(text + "\n")
    return 1 if report.faults or report.hung else 0


if __name__ == "__main__":
    raise SystemExit(main())
