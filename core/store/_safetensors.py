"""Reading safetensors from anywhere: our own look at the header before the library sees the file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import StoreError
from core.fingerprint import sha256_of_file

MAX_HEADER = 100_000_000  # bytes, as the format's own limit
MAX_TENSORS = 20_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]{0,255}")
_DTYPES = frozenset({"F64", "F32", "F16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"})


def read_tensors(path: Path, *, sha256: str | None = None, size: int | None = None) -> dict[str, np.ndarray]:
    """All tensors of a file, refused when anything about it is odd. Nothing is ever unpickled."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    _check_file(path, sha256, size)
    header = check_header(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, "its parts overlap, have holes or do not fit the file") from error
    if set(tensors) != set(header):
        raise _damaged(path, "its header and its content name different tensors")
    for name, tensor in tensors.items():
        check_finite(name, tensor)
    return tensors


def check_header(path: Path, dtypes: Set[str] = _DTYPES) -> Mapping[str, Any]:
    """The tensors' entries of the header, after every check that the library leaves out."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        room = path.stat().st_size - 8
        if length > MAX_HEADER:
            raise StoreError(
                f"The header of {path.name!r} claims {length:,} bytes, more than any real file has; it is damaged or "
                "made to do harm. Get another copy.",
                code="bad-header",
            )
        if room < 0 or length > room:
            raise _damaged(path, "it is shorter than its header says")
        raw = stream.read(length)
    if raw.count(b'"data_offsets"') > MAX_TENSORS:
        raise StoreError(
            f"{path.name!r} holds more than {MAX_TENSORS:,} tensors; no network here has so many. Get another file.",
            code="too-many-tensors",
        )
    try:
        header = json.loads(raw, object_pairs_hook=_unique)
    except _DuplicateError as error:
        raise _damaged(path, f"it names {error.args[0]!r} twice") from None
    except (ValueError, RecursionError):
        raise _damaged(path, "its header is not JSON") from None
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a table")
    header.pop("__metadata__", None)
    if not header:
        raise _damaged(path, "it holds no tensor")
    for name, entry in header.items():
        check_name(name)
        if not isinstance(entry, dict) or entry.get("dtype") not in dtypes:
            shown = str(entry.get("dtype") if isinstance(entry, dict) else entry)[:20]
            raise StoreError(
                f"The tensor {name!r} is of type {shown!r}; save it as one of {', '.join(sorted(dtypes))}.",
                code="bad-dtype",
            )
    return header


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or ".." in name or re.search(r"(^|\.)__", name):
        shown = name[:40].encode("unicode_escape").decode()
        raise StoreError(
            f"A tensor is called {shown!r}; expected letters, digits and . _ : + - as networks have. Get another file.",
            code="bad-name",
        )


def check_finite(name: str, tensor: np.ndarray) -> None:
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise StoreError(
            f"The tensor {name!r} has values that are not finite (NaN or infinite); these weights cannot be used.",
            code="not-finite",
        )


def _check_file(path: Path, sha256: str | None, size: int | None) -> None:
    if not path.is_file():
        raise StoreError(f"The file {path.name!r} is missing; restore it from a copy.", code="missing")
    found = path.stat().st_size
    if size is not None and found != size:
        raise _damaged(path, f"it has {found:,} bytes instead of {size:,}")
    if sha256 is not None and sha256_of_file(path) != sha256:
        raise _damaged(path, "its sha256 is not the recorded one")


class _DuplicateError(Exception):
    """A key that appears twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateError(key[:40].encode("unicode_escape").decode())
        found[key] = value
    return found


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(f"{path.name!r} is damaged: {why}. Restore it from a copy.", code="damaged")
