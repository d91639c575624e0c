"""Weights files made to do harm, or broken the way that real ones break. Nothing here is ever unpickled plainly."""

from __future__ import annotations

import io
import json
import pickle
import struct
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from core.checkpoints.foreign._tensors import Tensors, cleaned, open_file, state_dict_in
from core.errors import UserFacingError

_LEGACY_START = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})


class Calls:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


def taken(path: Path) -> Tensors:
    """All that happens to a file before a format looks at its names."""
    return cleaned(state_dict_in(open_file(path), "model")[0])


def refusal(path: Path) -> UserFacingError:
    begun = time.process_time()
    with pytest.raises(UserFacingError) as caught:
        taken(path)
    assert time.process_time() - begun < 5
    message = str(caught.value)
    assert message.endswith(".")
    assert message.isprintable()
    assert len(message) < 500
    assert str(path.parent) not in message, "a path of the server"
    return caught.value


def saved(value: Any, path: Path, *, legacy: bool = False) -> Path:
    """As torch.save writes it: a zip, or the form before it."""
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def in_zip(path: Path, pickled: bytes, records: Mapping[str, bytes] | None = None, **more: Any) -> Path:
    """A torch zip around any pickle. ``compress`` compresses it, ``spoil`` breaks a CRC."""
    method = zipfile.ZIP_DEFLATED if more.get("compress") else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for name, raw in (records or {}).items():
            archive.writestr(f"archive/{name}", raw)
        archive.writestr("archive/version", "3\n")
    if more.get("spoil"):
        raw = bytearray(path.read_bytes())
        raw[raw.index(pickled[:8]) + len(pickled) // 2] ^= 0xFF
        path.write_bytes(raw)
    return path


def in_legacy(path: Path, pickled: bytes) -> Path:
    """The old form: three short pickles, the object, the keys of no storages."""
    start = b"".join(pickle.dumps(part, protocol=2) for part in _LEGACY_START)
    path.write_bytes(start + pickled + pickle.dumps([], protocol=2))
    return path


def named_global(module: str, name: str, argument: str = "x") -> bytes:
    """A protocol 2 pickle that calls module.name(argument), without importing it here."""
    return (
        b"\x80\x02c"
        + f"{module}\n{name}\n".encode()
        + b"X"
        + struct.pack("<I", len(argument))
        + argument.encode()
        + b"\x85R."
    )


def one_storage(numbers: int, claimed: int, sizes: tuple[int, ...], strides: tuple[int, ...]) -> tuple[bytes, bytes]:
    """A pickled {"weight": tensor} over a record of ``numbers`` floats that is said to hold ``claimed``."""

    class Storage:
        pass

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", claimed) if isinstance(obj, Storage) else None

    stream = io.BytesIO()
    rebuild = torch._utils._rebuild_tensor_v2  # type: ignore[attr-defined]
    tensor = Calls(rebuild, Storage(), 0, sizes, strides, False, {})
    Pickler(stream, protocol=2).dump({"weight": tensor})
    return stream.getvalue(), struct.pack(f"<{numbers}f", *range(numbers))


def safetensors(path: Path, header: Any, body: bytes = b"", *, length: int | None = None) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + body)
    return path


def entry(start: int, stop: int, shape: tuple[int, ...] | None = None, dtype: str = "F32") -> dict[str, Any]:
    shape = ((stop - start) // 4,) if shape is None else shape
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


def small_state() -> dict[str, Tensor]:
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}
