"""Identity and seeded randomness: sha256 of bytes and of configs, generators derived from them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

_BLOCK = 1 << 20  # bytes read at a time while hashing a file
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_of(raw: bytes | memoryview) -> str:
    return hashlib.sha256(raw).hexdigest()


def sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def canonical(value: Any) -> str:
    """JSON that is equal for equal configs: sorted keys, dataclasses with their class name."""
    return _ENCODER.encode(_plain(value))


def fingerprint(*values: Any) -> str:
    """sha256 of the canonical JSON of some configs."""
    return sha256_of(canonical(list(values)).encode())


def seed_of(*values: Any) -> int:
    """A 63-bit seed that any change of any value changes."""
    return int(fingerprint(*values)[:16], 16) >> 1


def key_of(sha256: str) -> int:
    """An item's key from the sha256 of its bytes, in hexadecimal: a signed 64-bit number."""
    word = int(sha256[:16], 16)
    return word - (1 << 64) if word >> 63 else word


def numpy_generator(*values: Any) -> np.random.Generator:
    return np.random.default_rng(seed_of(*values))


def torch_generator(*values: Any) -> torch.Generator:
    import torch

    return torch.Generator().manual_seed(seed_of(*values))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__} has no canonical form; pass numbers, text or dataclasses")
