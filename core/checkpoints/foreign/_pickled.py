"""The one place where a stranger's pickle is read: named parts only, tensors and plain values only.

Every instruction is looked at before torch sees the file; then ``torch.load(weights_only=True)``, whose allow-list is
widened by inert stand-ins: nothing of NumPy or argparse runs. There is no other way in when this one refuses.
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch
from torch import Tensor

from core.checkpoints.foreign._container import Container
from core.checkpoints.foreign._refusal import MAX_TENSORS, ForeignError, shown

_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_TORCH = {
    "collections OrderedDict",
    "torch Size",
    "torch._utils _rebuild_tensor",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch.nn.parameter Parameter",
    "_codecs encode",
    *(f"torch {name}Storage" for name in _STORAGES),
}
_FORBIDDEN = {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID"}
_OLDEST = (2, 10)  # torch before it had holes in weights_only (CVE-2025-32434, CVE-2026-24747)
_MAX_PICKLE = 64 << 20  # bytes of instructions; tensors are not among them
_MAX_STEPS = 4_000_000
_LEGACY_PICKLES = 5  # magic number, protocol, system, the object, storage keys


class Inert:
    """Stands for an object that is not needed: it keeps named values and does nothing."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state if isinstance(state, dict) else {"state": state})


class _Dtype(Inert):
    """numpy.dtype: a code as i8, and the byte order."""

    @property
    def code(self) -> str:
        order = self.__dict__.get("state", (3, "<"))[1]
        return f"{'>' if order == '>' else '<'}{self.values[0]}"


def _scalar(dtype: Any, raw: Any = b"") -> int | float | bool | Inert:
    """numpy's scalar as a plain number."""
    codes = {"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "f2": "e", "f4": "f", "f8": "d"}
    code = dtype.code if isinstance(dtype, _Dtype) else ""
    if code[1:] not in codes or not isinstance(raw, bytes) or len(raw) != int(code[2:]):
        return Inert(dtype, raw)
    return struct.unpack(code[0] + codes[code[1:]], raw)[0]


def _array(*_: Any) -> Inert:
    """numpy's array: samplers' and optimisers' business, not read."""
    return Inert()


# the file says the name on the right and gets what is on the left
_STAND_INS: Sequence[Any] = [
    (_Dtype, "numpy.dtype"),
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),
    (_array, "numpy.core.multiarray._reconstruct"),
    (_array, "numpy._core.multiarray._reconstruct"),
    (Inert, "numpy.ndarray"),
    (Inert, "argparse.Namespace"),
]
ALLOWED = frozenset(_TORCH | {" ".join(name.rsplit(".", 1)) for _, name in _STAND_INS})


def read_pickled(path: Path, container: Container) -> Any:
    """The object in a file of torch.save: dicts, lists and numbers with tensors in them."""
    if tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2]) < _OLDEST:
        raise ForeignError(
            f"torch {torch.__version__} reads strangers' files unsafely; install {_OLDEST[0]}.{_OLDEST[1]} or newer.",
            code="torch-too-old",
        )
    inspect(path, container)
    try:
        with torch.serialization.safe_globals(list(_STAND_INS)):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _unreadable() from error
    except (EOFError, OSError, MemoryError, AssertionError, UnicodeError, OverflowError, RecursionError) as error:
        raise _unreadable() from error
    _check_memory(found, path.stat().st_size)
    return found


def inspect(path: Path, container: Container) -> None:
    """Every instruction of the pickle, without carrying one out."""
    try:
        if container == "torch pickle":
            with path.open("rb") as stream:
                for _ in range(_LEGACY_PICKLES):
                    _scan(stream)
            return
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.partition("/")[2] == "data.pkl")
            if archive.getinfo(name).file_size > _MAX_PICKLE:
                raise ForeignError(
                    f"The file describes its tensors in more than {_MAX_PICKLE >> 20} MB; real ones need far less.",
                    code="damaged",
                )
            with archive.open(name) as stream:
                _scan(stream)
    except (ValueError, OSError, EOFError, IndexError, UnicodeError, OverflowError, zipfile.BadZipFile) as error:
        raise _unreadable() from error


def _scan(stream: IO[bytes]) -> None:
    tensors = 0
    for step, (operation, argument, _) in enumerate(pickletools.genops(stream)):
        if step > _MAX_STEPS:
            raise ForeignError(
                "The file describes more than a network has; it is damaged or made to do harm.", code="damaged"
            )
        if operation.name in _FORBIDDEN:
            raise ForeignError(
                f"Reading this file would need the pickle instruction {operation.name}, which can run code; "
                "only tensors and plain values are read here. Save its state dict with torch.save, or as safetensors.",
                code="unsafe",
            )
        if operation.name == "GLOBAL" and argument not in ALLOWED:
            raise ForeignError(
                f"Reading this file would use {shown(argument).replace(' ', '.')}, which is not on the list of safe "
                "parts; only tensors and plain values are read here. Save its state dict, or as safetensors.",
                code="unsafe",
            )
        tensors += operation.name == "BINPERSID"
        if tensors > MAX_TENSORS:
            raise ForeignError(
                f"The file holds more than {MAX_TENSORS:,} tensors; no network here has so many. Get another file.",
                code="too-many-tensors",
            )


def tensors_in(value: Any) -> list[Tensor]:
    """Every tensor once. What is listed many times is looked into once."""
    found, waiting, seen = [], [value], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Tensor):
            found.append(part)
        elif isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, (list, tuple, set)):
            waiting += part
    return found


def _check_memory(found: Any, size: int) -> None:
    """A small file may describe a large tensor (one number, repeated): refused before anything copies it."""
    storages: dict[int, int] = {}
    for tensor in tensors_in(found):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        if tensor.numel() * tensor.element_size() > storage.nbytes():
            raise _too_much()
    if sum(storages.values()) > size:
        raise _too_much()


def _too_much() -> ForeignError:
    return ForeignError(
        "A tensor claims more numbers than the file has; it is damaged or made to do harm.", code="damaged"
    )


def _unreadable() -> ForeignError:
    return ForeignError(
        "The file could not be read as weights: it is cut short, damaged or made to do harm; get another copy.",
        code="damaged",
    )
