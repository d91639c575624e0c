"""What a command found, kept as the document that it printed, with the command, the date and the machine.

Needs no torch: pages read it too.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.configs import from_json, to_json
from core.errors import UserFacingError
from core.settings import Settings
from core.training.run_files import read, write

Document = Mapping[str, Any]
_LONG = ("pieces", "runs", "retention", "calibration")  # what no table reads


@dataclass(frozen=True, slots=True)
class Recorded:
    command: str
    date: str
    machine: str
    seconds: float | None
    document: Document


def command_of(words: str) -> str:
    """``words`` begin with the module."""
    return f"python -m {words}"


def machine() -> str:
    return f"{os.cpu_count()} CPU cores, {platform.machine()}"


def places(settings: Settings) -> tuple[Path, Path]:
    """A visitor's own, and those that came with the app."""
    return settings.home / "evaluations", settings.checkpoints / "evaluations"


def named(name: str, settings: Settings) -> Recorded | None:
    """What cannot be read is none."""
    return next((one for folder in places(settings) if (one := _opened(folder / f"{name}.json")) is not None), None)


def record(name: str, words: str, settings: Settings, *, shipped: bool = False) -> int:
    """Runs it and keeps the JSON that it prints, whole or not at all; gives its exit code."""
    began = time.monotonic()
    done = call(words, settings, *(("--json",) if words.startswith("core ") else ()))
    if done.returncode == 0:
        folder = places(settings)[1 if shipped else 0]
        folder.mkdir(parents=True, exist_ok=True)
        today, seconds = datetime.now(UTC).date().isoformat(), round(time.monotonic() - began)
        found = Recorded(command_of(words), today, machine(), seconds, short(json.loads(done.stdout)))
        write(folder / f"{name}.json", to_json(found))
    return done.returncode


def call(words: str, settings: Settings, *more: str) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own with these settings; what it prints is given, what it reports is seen."""
    line = [sys.executable, "-m", *shlex.split(words), *more]
    told = {**os.environ, **settings.environ(), "PENUMBRA_JOB": ""}
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(line, stdout=subprocess.PIPE, check=False, cwd=root, env=told)


def short(document: Document) -> dict[str, Any]:
    """Without what is long and not read from here; the retention at 80 % stays."""
    found = {key: value for key, value in document.items() if key not in _LONG}
    if "retention" in document:
        found["kept80"] = {key: _at(curve, 0.8) for key, curve in document["retention"].items()}
    if "against" in document:
        found["against"] = short(document["against"])
    return found


def _at(curve: list[list[float]], share: float) -> float | None:
    return next((value for kept, value in curve if abs(kept - share) < 1e-6), None)


def _opened(path: Path) -> Recorded | None:
    found: dict[str, Any] = read(path)
    try:
        return from_json(Recorded, found) if found else None
    except (UserFacingError, TypeError, ValueError):
        return None
