"""Label maps from untrusted bytes: NIfTI and NRRD to whole numbers on a grid. Runs in the decode child only.

Sizes are taken from the header and checked before a voxel is unpacked. Space is the patient's right, front and head
(RAS) in millimetres, whatever the file's own convention is.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from core.errors import MediaError

MAX_VOXELS = 32 << 20
MAX_LABELS = 64
_MAX_UNPACKED = 300 << 20  # bytes
_HEADER = 64 << 10  # bytes of an NRRD header
_GZIP = b"\x1f\x8b"
_MILLIMETRES = {"meter": 1000.0, "micron": 0.001}
_TYPES = {
    "i1": "signed char,int8,int8_t",
    "u1": "uchar,unsigned char,uint8,uint8_t",
    "i2": "short,short int,signed short,signed short int,int16,int16_t",
    "u2": "ushort,unsigned short,unsigned short int,uint16,uint16_t",
    "i4": "int,signed int,int32,int32_t",
    "u4": "uint,unsigned int,uint32,uint32_t",
    "f4": "float",
    "f8": "double",
}
_SIGNS = {"left": -1.0, "right": 1.0, "posterior": -1.0, "anterior": 1.0, "inferior": -1.0, "superior": 1.0}
_SHORT = {"l": "left", "r": "right", "p": "posterior", "a": "anterior", "i": "inferior", "s": "superior"}


def volume_operation(params: dict[str, Any], blocks: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """bytes -> shape, affine, labels that occur; the labels as int32 in C order."""
    raw = _unpacked(blocks[0]) if blocks[0][:2] == _GZIP else blocks[0]
    if raw[:4] == b"NRRD":
        values, affine = _nrrd(raw)
    elif raw[344:348] == b"n+1\0" or raw[4:8] == b"n+2\0":
        values, affine = _nifti(raw)
    elif raw[344:348] == b"ni1\0":
        raise _in_two_files()
    else:
        raise _refused("This is no volume; a label map as .nii, .nii.gz or .nrrd file is needed.", "no-volume")
    labels = _whole(values)
    found = np.unique(labels)
    if len(found) > MAX_LABELS:
        raise _refused(
            f"This volume has {len(found):,} values, so it is a picture; send the label map drawn on it.",
            "no-labels",
        )
    header = {"shape": list(labels.shape), "affine": affine.ravel().tolist(), "labels": found.tolist()}
    return header, [np.ascontiguousarray(labels).tobytes()]


def _nifti(raw: bytes) -> tuple[np.ndarray, np.ndarray]:
    import nibabel

    kind = nibabel.Nifti2Image if raw[4:8] == b"n+2\0" else nibabel.Nifti1Image
    image = kind.from_bytes(raw)
    shape = tuple(int(n) for n in image.shape)
    _check_size(shape[:3] if shape[3:] == (1,) * (len(shape) - 3) else shape)
    affine = np.array(image.affine, np.float64)
    affine[:3] *= _MILLIMETRES.get(str(image.header.get_xyzt_units()[0]), 1.0)
    return np.asanyarray(image.dataobj).reshape(shape[:3]), affine


def _nrrd(raw: bytes) -> tuple[np.ndarray, np.ndarray]:
    head, gap, body = raw.partition(b"\n\n")
    if b"\r\n\r\n" in raw[: len(head)]:
        head, gap, body = raw.partition(b"\r\n\r\n")
    if not gap or len(head) > _HEADER:
        raise _in_two_files()
    told = _fields(head)
    if "data file" in told or "datafile" in told:
        raise _in_two_files()
    shape = tuple(int(n) for n in told["sizes"].split())
    _check_size(shape)
    code = next((code for code, names in _TYPES.items() if told["type"].lower() in names.split(",")), None)
    encoding = told["encoding"].lower()
    if code is None or encoding not in ("raw", "gzip", "gz"):
        raise _refused(
            f"Voxels of type {told['type'][:20]!r}, packed as {encoding[:20]!r}, are not read; save the label map with "
            "whole numbers, raw or gzip.",
            "encoding",
        )
    order = ">" if told.get("endian", "little").lower() == "big" else "<"
    data = body if encoding == "raw" else _unpacked(body)
    count = int(np.prod(shape))
    values = np.frombuffer(data, np.dtype(order + code), count).reshape(shape, order="F")
    return values, _nrrd_affine(told)


def _fields(head: bytes) -> dict[str, str]:
    """``name: value`` lines; comments and a writer's own ``key:=value`` pairs say nothing of the grid."""
    lines = [line for line in head.decode("ascii", "replace").splitlines()[1:] if not line.startswith("#")]
    pairs = [line.partition(":") for line in lines if ":=" not in line]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _nrrd_affine(told: dict[str, str]) -> np.ndarray:
    """To right, front, head; files without a space are taken to be in it, with their spacings."""
    affine = np.eye(4)
    space = told.get("space", "right-anterior-superior").lower()
    words = space.split("-") if "-" in space else [_SHORT.get(letter, "") for letter in space]
    pairs = (("left", "right"), ("posterior", "anterior"), ("inferior", "superior"))
    if len(words) < 3 or any(word not in pair for word, pair in zip(words, pairs, strict=False)):
        raise _refused(f"The space {space[:40]!r} of this file is not one of a patient; export it in RAS.", "affine")
    if "space directions" in told:
        vectors = told["space directions"].replace(" ", "").strip("()").split(")(")
        affine[:3, :3] = np.array([_vector(text) for text in vectors]).T
    elif "spacings" in told:
        affine[:3, :3] = np.diag([float(number) for number in told["spacings"].split()])
    if "space origin" in told:
        affine[:3, 3] = _vector(told["space origin"])
    return np.diag([*(_SIGNS[word] for word in words[:3]), 1.0]) @ affine


def _vector(text: str) -> list[float]:
    return [float(number) for number in text.strip(" ()").split(",")]


def _unpacked(raw: bytes) -> bytes:
    found = zlib.decompressobj(31).decompress(raw, _MAX_UNPACKED + 1)
    if len(found) > _MAX_UNPACKED:
        raise _refused(f"The volume unpacks to more than {_MAX_UNPACKED >> 20} MB; crop it to one shape.", "too-large")
    return found


def _check_size(shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise _refused(f"This file has {len(shape)} axes; a label map of one volume has three.", "axes")
    if min(shape) < 2:
        raise _refused(f"A volume of {_by(shape)} voxels is flat; send one with several slices.", "flat")
    if int(np.prod([int(n) for n in shape], dtype=object)) > MAX_VOXELS:
        raise _refused(
            f"A volume of {_by(shape)} voxels is larger than {MAX_VOXELS >> 20} million; crop it to one shape.",
            "too-large",
        )


def _whole(values: np.ndarray) -> np.ndarray:
    labels = np.rint(values).astype(np.int32) if np.isfinite(values).all() and np.abs(values).max() < 2**31 else None
    if labels is None or not np.array_equal(labels, values):
        raise _refused(
            "The voxels of this volume are no whole numbers, so it is a picture; send the label map drawn on it.",
            "no-labels",
        )
    return labels


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{count:,}" for count in shape)


def _in_two_files() -> MediaError:
    return _refused("This header keeps its voxels in another file; save it as one .nii.gz or .nrrd file.", "two")


def _refused(sentence: str, code: str) -> MediaError:
    return MediaError(sentence, code=code)
