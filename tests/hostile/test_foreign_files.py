"""Strangers' weights files (rows C-01 to C-19 of the hazards): refused in one sentence, and nothing of them runs."""

from __future__ import annotations

import os
import pickle
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.checkpoints.foreign import _pickled
from core.checkpoints.foreign._container import sniff
from core.checkpoints.foreign._refusal import MAX_FILE
from core.checkpoints.foreign._tensors import open_file
from core.errors import UserFacingError
from tests.hostile import weights_files as forge
from tests.hostile.weights_files import refusal, taken

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", ["x.pt", "x.bin", "x.p", "x.txt", "x.safetensors"])
def test_a_pickle_that_calls_the_shell_is_refused_unread(
    tmp_path: Path, canary: Path, protocol: int, name: str
) -> None:
    raw = pickle.dumps(forge.Calls(os.system, f"touch {canary}"), protocol=protocol)
    (path := tmp_path / name).write_bytes(raw)
    assert refusal(path).code == "container"
    for wrapped in (forge.in_zip(path, raw), forge.in_legacy(path, raw)):
        assert refusal(wrapped).code == "unsafe"
    assert refusal(forge.in_zip(path, raw, spoil=True)).code == "damaged"
    assert not canary.exists()


@pytest.mark.parametrize(
    "name",
    [
        "pip main",
        "importlib import_module",
        "torch.utils.collect_env run",
        "numpy load",
        "asyncio.unix_events _UnixSubprocessTransport._start",
        "builtins eval",
        "builtins getattr",
        "__builtin__ eval",
        "torch load",
        "torch.hub load",
        "torch._dynamo.guards GuardBuilder.get",
        "torch.storage _load_from_bytes",
        "torch._tensor _rebuild_from_type_v2",
        "torch Tensor",
        "numpy.core.multiarray _reconstruct.__globals__",
        "operator attrgetter",
        "builtins bytearray",
        "collections Counter",
    ],
)
@pytest.mark.parametrize("wrap", [forge.in_zip, forge.in_legacy])
def test_a_name_off_the_list_is_refused_with_the_name(tmp_path: Path, name: str, wrap: Any) -> None:
    module, _, part = name.partition(" ")
    error = refusal(wrap(tmp_path / "x.pth", forge.named_global(module, part)))
    assert error.code == "unsafe"
    assert f"{module}.{part}" in str(error)


def test_the_list_holds_nothing_that_calls_or_looks_up() -> None:
    """Each allowed name is a container, a tensor's making, a storage type, or stands for an inert object."""
    ours = {" ".join(name.rsplit(".", 1)) for _, name in _pickled._STAND_INS}
    assert {item for item, _ in _pickled._STAND_INS} <= {
        _pickled.Inert,
        _pickled._Dtype,
        _pickled._scalar,
        _pickled._array,
    }
    rest = {name for name in _pickled.ALLOWED - ours if not re.fullmatch(r"torch [A-Z][A-Za-z0-9]+Storage", name)}
    assert rest == {
        "collections OrderedDict",
        "torch Size",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch.nn.parameter Parameter",
        "_codecs encode",
    }


def test_nothing_in_the_code_base_unpickles_unsafely() -> None:
    for path in sorted((ROOT / "core").rglob("*.py")):
        text = path.read_text()
        assert "weights_only=False" not in text, path
        assert not re.search(r"pickle\.(load|loads|Unpickler)|joblib\.load|allow_pickle=True|jit\.load", text), path


@pytest.mark.parametrize("version", ["2.9.1", "2.5.0+cu121", "1.13.1"])
def test_an_old_torch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    path = forge.saved(forge.small_state(), tmp_path / "x.pth")
    taken(path)
    monkeypatch.setattr(torch, "__version__", version)
    assert refusal(path).code == "torch-too-old"


@pytest.mark.parametrize(
    ("numbers", "claimed", "sizes", "strides"),
    [
        (4, 4_000, (4_000,), (1,)),  # more than the record holds
        (4, 4, (1_000_000_000,), (0,)),  # one number, a thousand million times
        (4, 4, (100,), (1,)),  # beyond the storage
        (4, 4, (2,), (-1,)),
        (4, -4, (4,), (1,)),
        (4, 1 << 60, (4,), (1,)),
    ],
)
def test_a_tensor_that_claims_more_than_its_bytes_is_refused(
    tmp_path: Path, numbers: int, claimed: int, sizes: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    honest, record = forge.one_storage(4, 4, (2, 2), (2, 1))
    assert taken(forge.in_zip(tmp_path / "fine.pth", honest, {"data/0": record})).by_name["weight"].tolist() == [
        [0, 1],
        [2, 3],
    ]
    pickled, record = forge.one_storage(numbers, claimed, sizes, strides)
    assert refusal(forge.in_zip(tmp_path / "x.pth", pickled, {"data/0": record})).code == "damaged"


def test_what_refers_to_itself_a_million_times_is_read_once(tmp_path: Path) -> None:
    bomb: Any = [torch.ones(1)]
    for _ in range(60):
        bomb = [bomb, bomb]
    path = forge.saved({"model": forge.small_state(), "bomb": bomb}, tmp_path / "x.pth")
    assert set(taken(path).by_name) == {"a.weight", "a.bias"}


def other_containers(tmp_path: Path) -> dict[str, Path]:
    """What each file is called in the refusal, and the file."""
    files = {
        "TorchScript": forge.in_zip(tmp_path / "a.pt", b"x", {"constants.pkl": b"x", "code/__torch__.py": b"x"}),
        "torch.export": forge.in_zip(tmp_path / "b.pt2", b"x", {"models/model.json": b"{}", "archive_format": b"pt2"}),
        "compressed (zlib": tmp_path / "c.joblib",
        "HDF5": tmp_path / "d.h5",
        "ONNX": tmp_path / "e.onnx",
        "empty": tmp_path / "f.pth",
        "web page": tmp_path / "g.pth",
        "tar archive": tmp_path / "h.tar",
        "Lite": tmp_path / "i.tflite",
        "Git LFS": tmp_path / "j.pth",
        "NumPy array": tmp_path / "k.npy",
        "no kind known": tmp_path / "l.pth",
    }
    bodies = {
        "c.joblib": zlib.compress(pickle.dumps(np.ones(9))),
        "d.h5": b"\x89HDF\r\n\x1a\n" + bytes(99),
        "e.onnx": b"\x08\x08\x12\x07pytorch\x1a\x05" + bytes(99),
        "f.pth": b"",
        "g.pth": b"<!DOCTYPE html><title>404</title>",
        "h.tar": bytes(257) + b"ustar" + bytes(300),
        "i.tflite": b"\x1c\0\0\0TFL3" + bytes(99),
        "j.pth": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        "k.npy": b"\x93NUMPY\x01\0" + bytes(99),
        "l.pth": bytes(range(200, 256)),
    }
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    return files


def test_other_containers_are_refused_by_what_they_are(tmp_path: Path) -> None:
    for told, path in other_containers(tmp_path).items():
        error = refusal(path)
        assert error.code == "container"
        assert told in str(error), path
    with pytest.raises(UserFacingError) as caught:
        open_file(tmp_path / "absent.pth")
    assert caught.value.code == "missing"


def test_a_keras_archive_is_refused(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", b"\x89HDF")
    assert "Keras" in str(refusal(tmp_path / "x.keras"))


def test_safetensors_with_odd_headers_are_refused(tmp_path: Path) -> None:
    one = forge.entry(0, 8)
    path = tmp_path / "x.safetensors"
    four = bytes(16)
    assert "header" in str(refusal(forge.safetensors(path, {"a": one}, bytes(8), length=1 << 63)))
    assert "header" in str(refusal(forge.safetensors(path, {"a": one}, bytes(8), length=200_000_000)))
    for header in (b"{not json}", b"{}", b'{"__metadata__": {"a": "b"}}', b'{"a": 1}', b'{"a": {"dtype": "F32"}}'):
        refusal(forge.safetensors(path, header))
    overlapping = {"a": forge.entry(0, 8), "b": forge.entry(4, 12)}
    hole = {"a": forge.entry(0, 4), "b": forge.entry(8, 16)}
    assert refusal(forge.safetensors(path, overlapping, bytes(12))).code == "damaged"
    assert refusal(forge.safetensors(path, hole, four)).code == "damaged"
    assert refusal(forge.safetensors(path, {"a": one}, bytes(9))).code == "damaged"  # trailing
    assert refusal(forge.safetensors(path, {"a": forge.entry(0, 8, (1 << 62, 8))}, bytes(8))).code == "damaged"
    twice = (
        b'{"a":'
        + b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    )
    assert "twice" in str(refusal(forge.safetensors(path, twice, bytes(8))))


@pytest.mark.parametrize("kind", ["pth", "old pth", "safetensors"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_file_cut_short_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "x"
    state = {f"a{n}": torch.rand(100, generator=torch.Generator().manual_seed(n)) for n in range(20)}
    if kind == "safetensors":
        save_file(state, path)
    else:
        forge.saved(state, path, legacy=kind == "old pth")
    assert len(taken(path).by_name) == 20
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    assert refusal(path).code in {"damaged", "container"}


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (path := tmp_path / "x.pth").open("wb") as stream:
        stream.write(b"PK")
        stream.truncate(MAX_FILE + 1)  # sparse
    assert refusal(path).code == "too-large"


@pytest.mark.parametrize("place", [0, 7, 15])
def test_one_changed_byte_of_a_tensor_is_noticed(tmp_path: Path, place: int) -> None:
    pickled, record = forge.one_storage(4, 4, (4,), (1,))
    path = forge.in_zip(tmp_path / "x.pth", pickled, {"data/0": record})
    assert taken(path).by_name["weight"].tolist() == [0, 1, 2, 3]
    raw = bytearray(path.read_bytes())
    raw[raw.index(record) + place] ^= 1
    path.write_bytes(raw)
    assert refusal(path).code == "damaged"


def test_compressed_or_doubled_zips_are_refused(tmp_path: Path) -> None:
    pickled, record = forge.one_storage(4, 4, (4,), (1,))
    assert "compressed" in str(refusal(forge.in_zip(tmp_path / "x.pth", pickled, {"data/0": record}, compress=True)))
    with pytest.warns(UserWarning, match="Duplicate"):
        forge.in_zip(tmp_path / "y.pth", pickled, {"data/0": record, "data.pkl": pickled})
    assert refusal(tmp_path / "y.pth").code == "damaged"
    assert refusal(forge.in_zip(tmp_path / "z.pth", pickled, {"../../data/0": record})).code == "damaged"


def test_numbers_and_arrays_of_numpy_come_without_numpy(tmp_path: Path) -> None:
    """Heads tables and samplers hold them: numbers are read, arrays are passed over, and no code of numpy runs."""
    value = {
        "model": forge.small_state(),
        "n": np.int64(78),
        "x": np.float32(0.5),
        "b": np.bool_(True),
        "a": np.arange(5),
    }
    for legacy in (False, True):
        found = open_file(forge.saved(value, tmp_path / "x.pth", legacy=legacy)).value
        assert (found["n"], found["x"], found["b"]) == (78, 0.5, True)
        assert [type(found[key]) for key in "nxb"] == [int, float, bool]
        assert type(found["a"]) is _pickled.Inert


def test_random_damage_gives_a_refusal_or_the_same_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for legacy in (False, True):
        raw = forge.saved({"model": forge.small_state()}, tmp_path / "x.pth", legacy=legacy).read_bytes()
        for _ in range(60):
            spoiled = bytearray(raw)
            for place in rng.integers(0, len(raw), rng.integers(1, 6)):
                spoiled[place] = int(rng.integers(0, 256))
            (tmp_path / "y.pth").write_bytes(spoiled)
            try:
                found = taken(tmp_path / "y.pth")
            except UserFacingError:
                continue
            assert all(tensor.isfinite().all() for tensor in found.by_name.values())


def test_a_real_file_is_told_from_its_bytes_whatever_its_name(tmp_path: Path) -> None:
    assert sniff(forge.saved(forge.small_state(), tmp_path / "a.safetensors")) == "torch zip"
    assert sniff(forge.saved(forge.small_state(), tmp_path / "b.onnx", legacy=True)) == "torch pickle"
    save_file(forge.small_state(), tmp_path / "c.pth")
    assert sniff(tmp_path / "c.pth") == "safetensors"
