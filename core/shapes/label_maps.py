"""A person's own label map as what is seen of a shape, and volumes of answers as files.

Foreign bytes are parsed in the decode child (``core.media.volume``); what it answers is checked here again. One label
is the shape; where a file has several, one must be chosen. Files go out as NIfTI and NRRD with the same affine.
"""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import MediaError
from core.media.door import LIMITS, MAX_BYTES, default_sandbox
from core.media.sandbox import Sandbox
from core.shapes.observe import Observation
from core.shapes.solids import spacing_of

SPACINGS = (0.05, 20.0)  # millimetres that a voxel may measure
_SKEW = 0.02  # cosine between two axes that are still taken to stand on each other
_NRRD_TYPES = {"u1": "uchar", "i4": "int", "f4": "float"}


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """What a file holds: whole numbers on a grid, 0 for nothing."""

    values: np.ndarray  # int32
    affine: np.ndarray  # (4, 4) to right, front, head in millimetres
    labels: tuple[int, ...]  # that occur, without 0

    def shape_of(self, label: int | None = None) -> Observation:
        """One label's shape. A file with one label needs no choice."""
        if label is None and len(self.labels) > 1:
            some = ", ".join(map(str, self.labels[:10])) + (" ..." if len(self.labels) > 10 else "")
            raise MediaError(
                f"This label map has {len(self.labels)} labels ({some}); choose the one to fill in.", code="labels"
            )
        chosen = next(iter(self.labels)) if label is None else label
        if chosen not in self.labels:
            raise MediaError(
                f"This label map has no label {chosen}; it has {', '.join(map(str, self.labels[:10]))}.", code="labels"
            )
        inside = self.values == chosen
        if inside.all():
            raise MediaError("Every voxel of this label map is inside; send one with its surroundings.", code="full")
        return Observation(inside, np.ones(inside.shape, bool), self.affine)


def opened(raw: bytes, *, sandbox: Sandbox | None = None) -> LabelMap:
    """Parse one file; whatever cannot be used is refused in a sentence."""
    if not raw:
        raise MediaError("The file is empty; send a label map as NIfTI or NRRD.", code="empty-file")
    if len(raw) > MAX_BYTES:
        raise MediaError(
            f"The file has {len(raw) >> 20} MB, the limit is {MAX_BYTES >> 20} MB; crop it to one shape.",
            code="too-large",
        )
    answer = (sandbox or default_sandbox()).call("volume", {}, [raw], limits=LIMITS)
    found = _rebuilt(answer.header, answer.blocks)
    _check_affine(found.affine)
    if not found.labels:
        raise MediaError("Every voxel of this label map is 0, so nothing is drawn in it; send another.", code="empty")
    return found


def nifti(values: np.ndarray, affine: np.ndarray) -> bytes:
    """A .nii.gz file; equal volumes give equal bytes."""
    import nibabel

    image: Any = nibabel.Nifti1Image(_compact(values), affine)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), mtime=0)


def nrrd(values: np.ndarray, affine: np.ndarray) -> bytes:
    """A .nrrd file, gzip inside; equal volumes give equal bytes."""
    values = _compact(values)
    directions = " ".join(_vector(affine[:3, axis]) for axis in range(3))
    head = (
        "NRRD0004",
        f"type: {_NRRD_TYPES[values.dtype.str[1:]]}",
        "dimension: 3",
        "space: right-anterior-superior",
        f"sizes: {' '.join(map(str, values.shape))}",
        f"space directions: {directions}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(affine[:3, 3])}",
    )
    body = gzip.compress(values.astype(values.dtype.newbyteorder("<")).tobytes(order="F"), mtime=0)
    return "\n".join(head).encode() + b"\n\n" + body


def _compact(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    return values.astype(np.int32 if np.issubdtype(values.dtype, np.integer) else np.float32)


def _vector(numbers: np.ndarray) -> str:
    return "(" + ",".join(f"{float(number):.9g}" for number in numbers) + ")"


def _check_affine(affine: np.ndarray) -> None:
    """A grid of space: finite, not squashed, with axes that stand on each other."""
    spacing = spacing_of(affine) if np.isfinite(affine).all() else (math.nan,) * 3
    low, high = SPACINGS
    if not all(low <= step <= high for step in spacing):
        steps = " x ".join(f"{step:.3g}" for step in spacing)
        raise MediaError(
            f"The voxels of this file measure {steps} mm, and {low:g} to {high:g} mm were expected; "
            "its affine is wrong, export it anew.",
            code="affine",
        )
    axes = affine[:3, :3] / np.array(spacing)
    if np.abs(axes.T @ axes - np.eye(3)).max() > _SKEW:
        raise MediaError(
            "The axes of this file's voxels do not stand on each other; its affine is wrong, or it must be resampled.",
            code="affine",
        )


def _rebuilt(header: dict[str, Any], blocks: tuple[bytes, ...]) -> LabelMap:
    """The child parses foreign bytes, so its answer is not believed either."""
    try:
        shape = tuple(int(count) for count in header["shape"])
        affine = np.array(header["affine"], np.float64).reshape(4, 4)
        labels = tuple(int(label) for label in header["labels"] if label)
        values = np.frombuffer(blocks[0], np.int32)
        if len(shape) != 3 or min(shape) < 2 or values.size != math.prod(shape):
            raise ValueError(shape)
    except (KeyError, IndexError, TypeError, ValueError):
        raise MediaError(
            "The decoder gave an answer that does not add up; send another copy of the file.", code="crashed"
        ) from None
    return LabelMap(values.reshape(shape), affine, labels)
