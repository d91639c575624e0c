"""Artifacts: a folder with safetensors files and a JSON card that names their bytes; whole or not there.

A new version is written beside the old one, forced to disk, read again, and moved into place. A process
that dies on the way leaves the old version under its name or, between two renames, as the previous
one, which ``load`` and the next ``save`` know. A folder may leave tensors out that a neighbour has, see ``_lent``.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import StoreError
from core.fingerprint import sha256_of_file
from core.store._faults import CommitStep, no_step, sync, told
from core.store._lent import FOLDER, Lent, in_common, of_json
from core.store._safetensors import check_finite, check_name, read_tensors

CARD = "card.json"
_PART = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_MAX_CARD = 16 << 20

Tensors = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A saved folder whose card was read; tensors are read and checked when asked for."""

    folder: Path
    card: Mapping[str, Any]  # what was given to save, without the list of files
    files: Mapping[str, tuple[int, str]]  # part -> (bytes, sha256), of the whole part wherever its tensors lie
    lent: Mapping[str, Lent] = field(default_factory=dict)  # parts that a neighbour has tensors of

    def tensors(self, part: str = "model") -> dict[str, np.ndarray]:
        """One part, compared with the card first."""
        if part not in self.files:
            raise StoreError(f"{self.folder.name!r} has no part {part[:40]!r}.", code="missing")
        here = _here(self.files, self.lent)
        with told("read", f"the artifact {self.folder.name!r}"):
            own: dict[str, np.ndarray] = {}
            if part in here:
                size, sha256 = here[part]
                own = read_tensors(self.folder / _file(part), sha256=sha256, size=size)
            return own if part not in self.lent else {**own, **self._borrowed(part)}

    def _borrowed(self, part: str) -> dict[str, np.ndarray]:
        lent = self.lent[part]
        lender = load(self.folder.parent / lent.by)
        pinned = part not in lender.lent and lender.files.get(part, (0, ""))[1] == lent.sha256
        there = lender.tensors(part) if pinned else {}
        if not there.keys() >= set(lent.tensors):
            raise StoreError(
                f"{self.folder.name!r} shares its {part[:40]!r} with {lent.by!r}, which was changed since; restore "
                "both from a copy.",
                code="damaged",
            )
        return {name: there[name] for name in lent.tensors}


def save(
    folder: Path,
    parts: Mapping[str, Tensors],
    card: Mapping[str, Any],
    *,
    lender: str | None = None,
    save_step: CommitStep = no_step,
) -> Artifact:
    """Write ``model.safetensors`` (and further parts) with a card, replacing what was there as one.

    What the folder ``lender`` beside it holds as well is left to that one, which must then stay as it is.
    """
    _check(folder, parts)
    with told("write", f"the artifact {folder.name!r}"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _restore(folder)
        for leftover in folder.parent.glob(f".{folder.name}.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh = folder.parent / f".{folder.name}.new-{uuid.uuid4().hex}"
        fresh.mkdir()
        try:
            _write(fresh, parts, card, lender, save_step)
            _verify(load(fresh), parts)
            save_step("verified")
            _move(fresh, folder, save_step)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return load(folder)


def load(folder: Path) -> Artifact:
    """Open a folder by its card; the files' sizes are compared at once, their bytes when they are read."""
    place = folder if folder.is_dir() else _previous(folder)
    path = place / CARD
    try:
        if path.stat().st_size > _MAX_CARD:
            raise StoreError(f"The card of {folder.name!r} is too large to be one.", code="damaged")
        record = json.loads(path.read_bytes())
        files = {str(part): (int(size), str(sha256)) for part, (size, sha256) in record.pop("files").items()}
        lent = {str(part): of_json(one) for part, one in record.pop("lent", {}).items()}
    except FileNotFoundError:
        raise StoreError(f"There is no artifact called {folder.name!r}.", code="missing") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"The card of {folder.name!r} is damaged; restore it from a copy.", code="damaged") from error
    for part, (size, _) in _here(files, lent).items():
        file = place / _file(part) if _PART.fullmatch(part) else None
        if file is None or not file.is_file() or file.stat().st_size != size:
            raise StoreError(
                f"{folder.name!r} is damaged: its {part[:40]!r} part is missing or has the wrong size; restore it "
                "from a copy.",
                code="damaged",
            )
    return Artifact(place, record, files, lent)


def check_name_of(folder: str) -> None:
    """Can a folder be called so?"""
    if not FOLDER.fullmatch(folder):
        raise StoreError(
            f"{folder[:80]!r} cannot name an artifact; use small letters, digits, . - and _.", code="bad-name"
        )


def _check(folder: Path, parts: Mapping[str, Tensors]) -> None:
    check_name_of(folder.name)
    for part, tensors in parts.items():
        if not _PART.fullmatch(part):
            raise StoreError(f"{part[:40]!r} cannot name a part of an artifact.", code="bad-name")
        if not tensors:
            raise StoreError(f"The part {part!r} holds no tensor.", code="empty")
        for name, tensor in tensors.items():
            check_name(name)
            check_finite(name, tensor)


def _write(
    folder: Path, parts: Mapping[str, Tensors], card: Mapping[str, Any], lender: str | None, step: CommitStep
) -> None:
    files, lent = {}, {}
    there = None if lender is None else load(folder.parent / lender)
    for part, tensors in parts.items():
        path = folder / _file(part)
        files[part] = _write_part(path, tensors)
        if there is not None and part in there.files and part not in there.lent:
            names = in_common(tensors, there.tensors(part))
            rest = {name: tensor for name, tensor in tensors.items() if name not in names}
            if names:
                path.unlink()
                left = _write_part(path, rest) if rest else None
                lent[part] = Lent(str(lender), there.files[part][1], names, left).to_json()
        step(f"{part}-written")
    record = {**card, "files": files} | ({"lent": lent} if lent else {})
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")
    sync(folder / CARD)
    sync(folder)
    step("card-written")


def _write_part(path: Path, tensors: Tensors) -> tuple[int, str]:
    from safetensors.numpy import save_file

    save_file({name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}, path)
    path.chmod(0o644)
    sync(path)
    return path.stat().st_size, sha256_of_file(path)


def _verify(artifact: Artifact, parts: Mapping[str, Tensors]) -> None:
    """What was written is what was given, bit for bit."""
    for part, tensors in parts.items():
        for name, found in artifact.tensors(part).items():
            given = np.asarray(tensors[name])
            if found.dtype != given.dtype or found.shape != given.shape or found.tobytes() != given.tobytes():
                raise StoreError(
                    f"The tensor {name!r} came back changed from the disk; try another disk.", code="damaged"
                )


def _move(fresh: Path, folder: Path, step: CommitStep) -> None:
    previous = _previous(folder)
    if folder.exists():
        folder.rename(previous)
        step("old-moved")
    fresh.rename(folder)
    sync(folder.parent)
    step("new-moved")
    shutil.rmtree(previous, ignore_errors=True)
    step("old-removed")


def _restore(folder: Path) -> None:
    """Finish or undo what a dead process left between its two renames."""
    previous = _previous(folder)
    if previous.is_dir():
        if folder.is_dir():
            shutil.rmtree(previous, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                previous.rename(folder)


def _previous(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.previous"


def _here(files: Mapping[str, tuple[int, str]], lent: Mapping[str, Lent]) -> dict[str, tuple[int, str]]:
    """Bytes and sha256 of the files that lie in the folder itself."""
    left = {part: one.left for part, one in lent.items()}
    found = {part: left.get(part, whole) for part, whole in files.items()}
    return {part: one for part, one in found.items() if one is not None}


def _file(part: str) -> str:
    return f"{part}.safetensors"
