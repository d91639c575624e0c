"""From the object in a file to named tensors that a network may take: checked, in float32, under plain names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.checkpoints.foreign import _container
from core.checkpoints.foreign._pickled import read_pickled
from core.checkpoints.foreign._refusal import MAX_TENSORS, ForeignError, shown
from core.store._safetensors import check_header, check_name

# what other tools put before every name: parallel training, torch.compile, averaged weights
PREFIXES = ("module.", "_orig_mod.", "ema_model.", "ema.", "model_ema.")
_FLOATS = {torch.float16: "float16", torch.bfloat16: "bfloat16", torch.float64: "float64"}
_KEPT = {torch.float32, torch.int64, torch.int32, torch.int16, torch.bool}
_HEADER_TYPES = frozenset({"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"})


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A file as it was read: its object, before anybody chose a part of it."""

    value: Any
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Tensors:
    """Tensors under the names of a network, and what was done to get them."""

    by_name: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()


def open_file(path: Path) -> Opened:
    """Read one file of any container that is known; nothing in it is carried out."""
    container = _container.sniff(path)
    if container != "safetensors":
        return Opened(read_pickled(path, container))
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_header(path, _HEADER_TYPES)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ForeignError(
            "The file is damaged: its parts overlap, have holes or do not fit it; get another copy.", code="damaged"
        ) from error
    free = _container.metadata_of(path)
    return Opened(tensors, (f"{len(free)} free texts in its header were not used",) if free else ())


def state_dict_in(opened: Opened, *keys: str) -> tuple[Mapping[Any, Any], str | None]:
    """The part of a file that names tensors: under the first of the keys that is there, or the file itself."""
    value = opened.value
    if isinstance(value, dict):
        for key in keys:
            if isinstance(part := value.get(key), dict):
                return part, key
        if any(isinstance(part, Tensor) for part in value.values()):
            return value, None
    told = f"expected one under {' or '.join(keys)}, or names with tensors" if keys else "expected names with tensors"
    raise ForeignError(f"The file holds no state dict: {told}. Choose the format it is of.", code="layout")


def cleaned(state: Mapping[Any, Any]) -> Tensors:
    """Every tensor looked at: name, type, finite numbers, variances above 0. Others' prefixes are taken off."""
    if len(state) > MAX_TENSORS:
        raise ForeignError(
            f"The file holds more than {MAX_TENSORS:,} tensors; get another file.", code="too-many-tensors"
        )
    named, notes = _without_prefixes(state)
    changed: set[str] = set()
    found: dict[str, Tensor] = {}
    for name, tensor in named.items():
        found[name] = _usable(name, tensor, changed)
    if changed:
        notes.append(f"converted from {' and '.join(sorted(changed))} to float32")
    return Tensors(found, tuple(notes))


def _without_prefixes(state: Mapping[Any, Any]) -> tuple[dict[str, Tensor], list[str]]:
    named: dict[str, Tensor] = {}
    notes: list[str] = []
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            what = f"{shown(name)!r} is no tensor" if isinstance(name, str) else "a name is no text"
            raise ForeignError(f"The state dict holds more than tensors: {what}. Get another file.", code="layout")
        check_name(name)
        named[name] = tensor
    if named.pop("n_averaged", None) is not None:
        notes.append("weights averaged over training (n_averaged left out)")
    while named and (prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in named)), None)):
        named = {name.removeprefix(prefix): tensor for name, tensor in named.items()}
        notes.append(f"the prefix {prefix} taken off every name")
    if not named:
        raise ForeignError("The state dict is empty; get another file.", code="layout")
    return named, notes


def _usable(name: str, tensor: Tensor, changed: set[str]) -> Tensor:
    plain = tensor.layout == torch.strided and not tensor.is_quantized
    if not plain or (tensor.dtype not in _KEPT and tensor.dtype not in _FLOATS):
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ForeignError(
            f"The tensor {name!r} is of type {kind}, which lost digits for speed; "
            "give the file in float32, float16 or bfloat16.",
            code="bad-dtype",
        )
    if tensor.dtype in _FLOATS:
        changed.add(_FLOATS[tensor.dtype])
        tensor = tensor.float()
    tensor = tensor.detach().contiguous()
    if tensor.is_floating_point() and not _finite(tensor):
        raise ForeignError(
            f"The tensor {name!r} has values that are not finite (NaN or infinite) in float32; "
            "these weights cannot be used.",
            code="not-finite",
        )
    if name.endswith("running_var") and not bool((tensor > 0).all()):
        raise ForeignError(
            f"The tensor {name!r} has a variance of 0 or below, which no training leaves; get another file.",
            code="variance",
        )
    return tensor


def _finite(tensor: Tensor) -> bool:
    """Every number, in one pass: the extremes are NaN where any is."""
    return tensor.numel() == 0 or all(math.isfinite(float(extreme)) for extreme in tensor.aminmax())
