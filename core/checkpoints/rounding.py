"""How a model's matrices are stored: as they are, in 16 bits, or in 8 bits, row by row.

Equation:
    x ~ low_r + step_r q,  q in 0..255,  low_r = min of row r,  step_r = (max - min of row r) / 255
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Numbers = Literal["float32", "float16", "int8"]

_MOST_HALF = torch.finfo(torch.float16).max
_LEVELS = 255
_LOW, _STEP = ":low", ":step"  # beside a matrix in 8 bits


def encoded(tensors: Mapping[str, Tensor], numbers: Numbers) -> dict[str, np.ndarray]:
    """Vectors and single numbers stay as they are: they are few, and much hangs on them."""
    found: dict[str, np.ndarray] = {}
    for path, tensor in tensors.items():
        tensor = tensor.detach().cpu()
        whole = tensor.ndim > 1 and tensor.dtype in (torch.float32, torch.float64)
        if whole and numbers == "int8":
            found |= _in_rows(path, tensor)
        elif whole and numbers == "float16" and not bool((tensor.abs() > _MOST_HALF).any()):
            found[path] = tensor.half().numpy()
        else:
            found[path] = tensor.numpy()
    return found


def decoded(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """What is stored in fewer bits comes back in 32."""
    found: dict[str, Tensor] = {}
    for path, array in arrays.items():
        if path.endswith((_LOW, _STEP)):
            continue
        tensor = torch.from_numpy(np.array(array))
        if path + _STEP in arrays:
            low, step = (torch.from_numpy(np.array(arrays[path + end])) for end in (_LOW, _STEP))
            tensor = low + step * tensor.float()
        found[path] = tensor.float() if tensor.dtype == torch.float16 else tensor
    return found


def rounded(tensors: Mapping[str, Tensor], numbers: Numbers) -> dict[str, Tensor]:
    """As they will be when they were stored and read."""
    back = decoded(encoded(tensors, numbers))
    return {path: back[path].to(tensor.dtype) for path, tensor in tensors.items()}


def _in_rows(path: str, tensor: Tensor) -> dict[str, np.ndarray]:
    rows = tensor.double().flatten(1)
    shape = (-1, *(1 for _ in tensor.shape[1:]))
    low, most = rows.amin(dim=1), rows.amax(dim=1)
    step = (most - low) / _LEVELS
    # rounded first, so that the whole numbers fit the low and the step that are stored
    low, step = low.float().double(), step.float().double()
    q = ((rows - low[:, None]) / torch.where(step > 0, step, torch.ones_like(step))[:, None]).round()
    return {
        path: q.clamp(0, _LEVELS).to(torch.uint8).reshape(tensor.shape).numpy(),
        path + _LOW: low.float().reshape(shape).numpy(),
        path + _STEP: step.float().reshape(shape).numpy(),
    }
