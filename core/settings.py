"""One frozen Settings; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how much may be used. Every field has a variable PENUMBRA_<NAME>."""

    home: Path = PROJECT / ".penumbra"  # everything the app writes
    data: Path | None = None  # a folder with local copies of real data sets, one sub-folder a key
    checkpoints: Path = PROJECT / "checkpoints"
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    offline: bool = False  # True: never try a download
    decoders: int = 2  # child processes that decode untrusted files
    heavy: int = 1  # long jobs at once; further ones wait their turn
    job: Path | None = None  # the folder of the job that this process is; set by what starts a job

    @property
    def built(self) -> Path:
        """Rendered built-in data."""
        return self.home / "data"

    @property
    def collections(self) -> Path:
        return self.home / "collections"

    @property
    def models(self) -> Path:
        """Models trained or imported here; those that came with the app are in ``checkpoints``."""
        return self.home / "models"

    @property
    def runs(self) -> Path:
        """Trainings: where each was when it was last saved, and what was measured on the way."""
        return self.home / "runs"

    @property
    def uploads(self) -> Path:
        """Extracted archives and stored uploads, named by content."""
        return self.home / "uploads"

    @property
    def jobs(self) -> Path:
        """One folder a job: its request, how far it is, what came of it."""
        return self.home / "jobs"

    def environ(self) -> dict[str, str]:
        """The variables from which another process loads equal settings; an empty one means the default."""
        return {f"PENUMBRA_{name.upper()}": _text(getattr(self, name)) for name in self.__dataclass_fields__}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; a bad value is named with what is allowed."""
    given = os.environ if environ is None else environ
    text = {key.removeprefix("PENUMBRA_").lower(): value for key, value in given.items() if key.startswith("PENUMBRA_")}
    known = set(Settings.__dataclass_fields__)
    if unknown := sorted(set(text) - known):
        raise ValueError(f"unknown setting PENUMBRA_{unknown[0].upper()}; known: {', '.join(sorted(known))}")
    readers = {
        "home": _path,
        "data": _path,
        "checkpoints": _path,
        "device": lambda name, value: value,
        "offline": _flag,
        "decoders": _count,
        "heavy": _count,
        "job": _path,
    }
    return Settings(**{key: readers[key](key.upper(), value) for key, value in text.items() if value})


def _text(value: object) -> str:
    """What the readers below read back as ``value``."""
    if value is None:
        return ""
    if isinstance(value, Path):
        return str(value.resolve())
    return str(int(value)) if isinstance(value, bool) else str(value)


def _path(name: str, text: str) -> Path:
    return Path(text).expanduser().resolve()


def _flag(name: str, text: str) -> bool:
    if text.lower() in {"1", "true", "yes"}:
        return True
    if text.lower() in {"0", "false", "no", ""}:
        return False
    raise ValueError(f"PENUMBRA_{name} is {text!r}; use 1 or 0")


def _count(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    raise ValueError(f"PENUMBRA_{name} is {text!r}; use a whole number from 1")
