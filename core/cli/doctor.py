"""python -m core doctor: is this machine ready, and if not, what to do."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from core.cli import Command, Outcome
from core.settings import PROJECT, Settings

_MEMORY_WANTED = 4 << 30  # bytes: torch, one model and the app
_DISK_WANTED = 2 << 30  # bytes beside the installed packages
_PORT = 8501
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+) *(?:; *([^\\]+))?", re.MULTILINE)
_MARK = {"ok": "ok  ", "warn": "note", "fail": "FAIL"}


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def checks(settings: Settings) -> Iterator[Check]:
    yield _python()
    yield _packages(PROJECT / "requirements.txt")
    yield _device(settings)
    yield _memory()
    yield _disk(settings.home)
    yield _decoder()
    yield _weights(settings.checkpoints)
    yield _port(_PORT)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036 - someone may start it with an older one
        return Check("python", "fail", version, "use Python 3.11 or newer")
    return Check("python", "ok", version)


def _packages(lock: Path) -> Check:
    """Every pinned package that this platform needs, at the pinned version."""
    from packaging.markers import Marker

    wrong, count = [], 0
    for name, version, marker in _PIN.findall(lock.read_text()):
        if marker and not Marker(marker.strip()).evaluate():
            continue
        count += 1
        try:
            have = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            have = "missing"
        if have != version:
            wrong.append(f"{name} {have}, wanted {version}")
    if wrong:
        return Check("packages", "fail", "; ".join(wrong[:5]), "run 'make app', or pip install -r requirements.txt")
    return Check("packages", "ok", f"{count} as pinned")


def _device(settings: Settings) -> Check:
    from core.device import choose, devices
    from core.errors import UserFacingError

    names = "; ".join(f"{device.key} ({device.title})" for device in devices())
    try:
        chosen = choose(settings.device)
    except UserFacingError as error:
        return Check("device", "fail", names, str(error))
    advice = "" if chosen.key != "cpu" else "no GPU found: everything works, training takes longer"
    return Check("device", "ok" if chosen.key != "cpu" else "warn", f"{chosen.key} of {names}", advice)


def _memory() -> Check:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return Check("memory", "warn", "unknown", "this system does not tell; 4 GB are wanted")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    state = "ok" if total >= _MEMORY_WANTED else "warn"
    return Check("memory", state, _bytes(total), "" if state == "ok" else "less than 4 GB: use small models only")


def _disk(home: Path) -> Check:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        return Check(
            "disk", "fail", "the folder for the app's data is read-only", "set PENUMBRA_HOME to a writable one"
        )
    state = "ok" if free >= _DISK_WANTED else "fail"
    return Check("disk", state, f"{_bytes(free)} free", "" if state == "ok" else "free at least 2 GB")


def _decoder() -> Check:
    """One tiny sound through the decode child, as an upload would go."""
    import io
    import wave

    from core.errors import UserFacingError
    from core.media.door import open_media

    target = io.BytesIO()
    with wave.open(target, "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(range(256)) * 25)
    try:
        media = open_media(target.getvalue())
    except UserFacingError as error:
        return Check("decoder", "fail", str(error), "reinstall soundfile and av: run 'make app'")
    return Check("decoder", "ok", f"child process answers ({len(media.samples):,} samples)")


def _weights(folder: Path) -> Check:
    cards = sorted(folder.glob("*/card.json"))
    damaged = []
    for card in cards:
        try:
            json.loads(card.read_text())
        except ValueError:
            damaged.append(card.parent.name)
    if damaged:
        return Check(
            "weights", "fail", f"damaged: {', '.join(damaged)}", "restore them with 'git checkout checkpoints'"
        )
    return Check(
        "weights", "ok" if cards else "warn", f"{len(cards)} models", "" if cards else "no trained model is here yet"
    )


def _port(port: int) -> Check:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if taken:
        return Check("port", "warn", f"{port} is in use", "the app will take the next free one, or is running already")
    return Check("port", "ok", f"{port} is free")


def _bytes(count: int) -> str:
    return f"{count / 1e9:.0f} GB"


def _run(options: argparse.Namespace, settings: Settings) -> Outcome:
    found = tuple(checks(settings))
    lines = tuple(f"{_MARK[c.state]}  {c.name:<9} {c.found}" + (f" - {c.advice}" if c.advice else "") for c in found)
    failed = any(check.state == "fail" for check in found)
    return Outcome({"ok": not failed, "checks": [asdict(c) for c in found]}, lines, code=int(failed))


COMMAND = Command(
    "doctor", "check Python, packages, device, memory, disk, weights and ports", lambda parser: None, _run
)
