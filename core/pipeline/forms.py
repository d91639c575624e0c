"""What a training can be set to, and whether it can be: asked of a process of its own, for a server without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from core.configs import Setting
from core.contracts import Kind, Scope
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.settings import PROJECT, Settings
from core.training.run_files import read, write

_PATIENCE = 180.0  # seconds; a busy machine imports torch slowly
_SOURCES = ("core/methods", "core/backbones", "core/configs.py", "core/cli/forms.py")


@dataclass(frozen=True, slots=True)
class MethodForm:
    key: str
    title: str
    summary: str
    paper: str
    scopes: tuple[Scope, ...]
    single_pass: bool  # it gathers statistics: no epochs, no curves
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class NetworkForm:
    key: str
    title: str
    kind: Kind | None  # None: as its setting says
    summary: str
    settings: tuple[Setting, ...]

    @property
    def published(self) -> bool:
        """Are there weights of others to begin with?"""
        return self.key == "sfx" or any(one.name == "pretrained" for one in self.settings)


@dataclass(frozen=True, slots=True)
class Forms:
    methods: Mapping[str, MethodForm]
    networks: Mapping[str, NetworkForm]


def forms(settings: Settings) -> Forms:
    """Kept on disk for as long as methods and networks are the same files."""
    told = _kept("train", _mark_of_sources(), ("forms",), settings)
    methods = {key: MethodForm(key, **_typed(one)) for key, one in told["methods"].items()}
    return Forms(methods, {key: NetworkForm(key, **_typed(one)) for key, one in told["backbones"].items()})


def timm_names(settings: Settings) -> tuple[str, ...]:
    """Every network that the installed timm knows."""
    try:
        mark = version("timm")
    except PackageNotFoundError:
        return ()
    return tuple(_kept("timm", mark, ("forms", "timm"), settings)["timm"])


def check(words: Sequence[str], settings: Settings) -> Mapping[str, Any]:
    """What ``python -m core`` with these words of a training would do. Raises UserFacingError with its refusal."""
    return _asked((*words, "--check"), settings)


def data_facts(source: str, settings: Settings) -> Mapping[str, Any]:
    """What ``python -m core data show`` says of a source that is on this machine. Raises UserFacingError."""
    return _asked(("data", "show", source), replace(settings, offline=True))


def _kept(name: str, mark: str, words: Sequence[str], settings: Settings) -> dict[str, Any]:
    path = settings.home / "forms" / f"{name}.json"
    known = read(path)
    if known.get("mark") == mark:
        return known["told"]
    told = _asked(words, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, {"mark": mark, "told": told})
    return told


def _asked(words: Sequence[str], settings: Settings) -> dict[str, Any]:
    environment = {**os.environ, **settings.environ(), "PENUMBRA_JOB": ""}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "core", *words, "--json"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise UserFacingError("This machine is too busy to look at these settings; try again.", code="busy") from error
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == 2 and said:
        raise UserFacingError(said[-1], code="refused")
    if done.returncode:
        raise UserFacingError("These settings could not be looked at; start the app again.", code="broken")
    return json.loads(done.stdout)


def _mark_of_sources() -> str:
    places = [PROJECT / source for source in _SOURCES]
    files = sorted(path for place in places for path in (place.glob("*.py") if place.is_dir() else [place]))
    return fingerprint([(path.name, *_stamp(path)) for path in files])


def _stamp(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_mtime_ns, told.st_size


def _typed(record: Mapping[str, Any]) -> dict[str, Any]:
    settings = tuple(Setting(**{**one, "choices": tuple(one["choices"])}) for one in record["settings"])
    lists = {name: tuple(value) for name, value in record.items() if isinstance(value, list) and name != "settings"}
    return {**record, **lists, "settings": settings}
