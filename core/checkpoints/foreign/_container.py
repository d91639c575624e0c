"""What a file is, told by its bytes before anything reads it: its name says nothing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Literal

from core.checkpoints.foreign._refusal import MAX_FILE, MAX_TENSORS, ForeignError, shown

Container = Literal["safetensors", "torch zip", "torch pickle"]
_USABLE = "give a .pth or .pt with tensors (torch.save of a state dict), or a .safetensors file"
_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # how torch.save began before it wrote zips
_ENTRIES = MAX_TENSORS + 100
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF", "a Keras or HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "compressed (gzip, often joblib)"),
    (b"BZh", "compressed (bzip2)"),
    (b"\xfd7zXZ", "compressed (xz)"),
    (b"x\x9c", "compressed (zlib, often joblib)"),
    (b"x\x01", "compressed (zlib, often joblib)"),
    (b"x\xda", "compressed (zlib, often joblib)"),
    (b"<", "a web page or XML, not weights: the download has probably failed"),
    (b"version https://git-lfs", "a pointer to a file kept elsewhere (Git LFS)"),
)
_TEXT_PICKLE = b"(]}cilIFSV"  # first bytes of pickles in protocol 0


def sniff(path: Path) -> Container:
    """The container of a file that may be read here; any other is refused by what it is."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError:
        raise ForeignError(
            f"There is no readable file {shown(path.name)}; give the path of one.", code="missing"
        ) from None
    if size > MAX_FILE:
        raise ForeignError(
            f"The file has {size / 1e9:,.1f} GB and the limit is {MAX_FILE / 1e9:,.1f} GB: no network here is larger.",
            code="too-large",
        )
    if head[:2] == b"PK":
        return _zip(path, size)
    if head.startswith(_LEGACY):
        return "torch pickle"
    if _is_safetensors(head):
        return "safetensors"
    raise _refused(_name(head, path.suffix.lower()))


def _is_safetensors(head: bytes) -> bool:
    """Eight bytes of length, then JSON. A wild length is left to the reader, which says so."""
    return head[8:9] == b"{" and (head[9:10] in b'"} \n\t' or int.from_bytes(head[:8], "little") < 1 << 32)


def _name(head: bytes, suffix: str) -> str:
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first (URL's .pth.tar is no archive in spite of its name)"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if suffix == ".onnx" or (head[:1] == b"\x08" and b"onnx" in head[:64].lower()):
        return "an ONNX model"
    if head[:1] == b"\x80" or head[:1] in [bytes([c]) for c in _TEXT_PICKLE]:
        return "a pickle that torch.save did not write; reading it could run code"
    return "empty" if not head else "of no kind known here"


def _refused(what: str) -> ForeignError:
    return ForeignError(f"This file is {what}; {_USABLE}.", code="container")


def _zip(path: Path, size: int) -> Container:
    """A zip as torch.save writes it: nothing compressed, one data.pkl, no code, every CRC right."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > _ENTRIES:
                raise ForeignError(
                    f"The file holds {len(entries):,} parts, and no network here has over {MAX_TENSORS:,} tensors.",
                    code="too-many-tensors",
                )
            names = [entry.filename for entry in entries]
            inside = {name.partition("/")[2] for name in names}
            if (what := _other_zip(names, inside)) is not None:
                raise _refused(what)
            _refuse_odd(entries, names, size)
            if (bad := archive.testzip()) is not None:
                raise _broken(f"its part {shown(bad)} does not match its checksum")
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError) as error:
        raise _broken("its zip directory is not whole, as after a download that broke off") from error
    return "torch zip"


def _other_zip(names: list[str], inside: set[str]) -> str | None:
    if "constants.pkl" in inside or any(name.startswith("code/") for name in inside):
        return "a TorchScript program (torch.jit.save), which is code and not only weights"
    if "archive_format" in inside or any(name.startswith(("models/", "serialized_")) for name in [*names, *inside]):
        return "a torch.export program (.pt2), which is code and not only weights"
    if "model.weights.h5" in names or "config.json" in names:
        return "a Keras model"
    if any(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz)"
    return None if "data.pkl" in inside else "a zip that torch.save did not write"


def _refuse_odd(entries: list[zipfile.ZipInfo], names: list[str], size: int) -> None:
    if len({name.partition("/")[0] for name in names}) != 1 or len(set(names)) != len(names):
        raise _broken("its parts do not lie in one folder, each once")
    if any(".." in name or "\\" in name or name.startswith("/") for name in names):
        raise _broken("a part's name leaves its folder")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise _broken("its parts are compressed or encrypted, which torch.save does not do")
    if sum(entry.file_size for entry in entries) > size:
        raise _broken("its parts claim more bytes than it has")


def _broken(why: str) -> ForeignError:
    return ForeignError(f"The file is damaged or made to do harm: {why}; get another copy.", code="damaged")


def metadata_of(path: Path) -> tuple[str, ...]:
    """Names of the free texts in a safetensors header. They are not used; that there are some is told."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
    return tuple(shown(name) for name in header.get("__metadata__") or {})
