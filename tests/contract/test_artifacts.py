"""Artifacts: whole or not there, and no file is believed before it was looked at."""

from __future__ import annotations

import json
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from core.errors import StoreError
from core.store import artifacts
from core.store._safetensors import MAX_TENSORS, read_tensors
from tests.patience import SECONDS

STEPS = ("model-written", "heldout-written", "card-written", "verified", "old-moved", "new-moved", "old-removed")


def parts(number: float) -> dict[str, dict[str, np.ndarray]]:
    return {
        "model": {"head.0.weight": np.full((3, 4), number, np.float32), "head.0.steps": np.array(7)},
        "heldout": {"features": np.arange(6, dtype=np.float16).reshape(2, 3), "ids": np.frombuffer(b"ab", np.uint8)},
    }


def crafted(path: Path, header: bytes, body: bytes = b"", *, length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + body)
    return path


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_what_is_saved_is_what_is_loaded_and_plain_safetensors_agrees(tmp_path: Path) -> None:
    saved = artifacts.save(tmp_path / "toy", parts(0.5), {"recipe": "toy", "classes": ["a", "ü"]})
    found = artifacts.load(tmp_path / "toy")
    assert found.card == saved.card == {"recipe": "toy", "classes": ["a", "ü"]}
    for part, tensors in parts(0.5).items():
        plain = load_file(tmp_path / "toy" / f"{part}.safetensors")
        for name, tensor in tensors.items():
            for one in (found.tensors(part)[name], plain[name]):
                assert one.dtype == tensor.dtype
                assert np.array_equal(one, tensor)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "card.json",
        "heldout.safetensors",
        "model.safetensors",
        "toy",
    ]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_old_or_the_new_artifact_loads(tmp_path: Path, step: str) -> None:
    folder = tmp_path / "toy"
    artifacts.save(folder, parts(1), {"number": 1})
    code = """
import os, signal, sys
from pathlib import Path
from core.store import artifacts
from tests.contract.test_artifacts import parts
def save_step(name):
    if name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
artifacts.save(Path(sys.argv[1]), parts(2), {"number": 2}, save_step=save_step)
"""
    done = subprocess.run([sys.executable, "-c", code, str(folder), step], timeout=SECONDS, check=False)
    assert done.returncode == -signal.SIGKILL
    number = 2 if STEPS.index(step) >= STEPS.index("new-moved") else 1
    found = artifacts.load(folder)
    assert found.card == {"number": number}
    assert found.tensors()["head.0.weight"][0, 0] == number
    artifacts.save(folder, parts(3), {"number": 3})
    assert artifacts.load(folder).card == {"number": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["toy"], "something was left lying about"


def test_a_save_that_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    artifacts.save(tmp_path / "toy", parts(1), {"number": 1})

    def full(name: str) -> None:
        if name == "card-written":
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="The disk is full"):
        artifacts.save(tmp_path / "toy", parts(2), {"number": 2}, save_step=full)
    for bad in (np.nan, np.inf):
        with pytest.raises(StoreError, match=r"'head\.0\.weight' has values that are not finite"):
            artifacts.save(tmp_path / "toy", parts(bad), {})
    with pytest.raises(StoreError, match="cannot name an artifact"):
        artifacts.save(tmp_path / "..", parts(1), {})
    with pytest.raises(StoreError, match="A tensor is called"):
        artifacts.save(tmp_path / "toy", {"model": {"../x": np.zeros(1)}}, {})
    assert artifacts.load(tmp_path / "toy").card == {"number": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_any_flipped_bit_and_any_cut_of_a_part_is_found(tmp_path: Path) -> None:
    artifacts.save(tmp_path / "toy", parts(1), {})
    path = tmp_path / "toy" / "model.safetensors"
    whole, spots = path.read_bytes(), np.random.default_rng(5)
    for _ in range(100):
        at, bit = int(spots.integers(len(whole))), 1 << int(spots.integers(8))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        with pytest.raises(StoreError, match="its sha256 is not the recorded one"):
            artifacts.load(tmp_path / "toy").tensors()
    for length in (0, 7, len(whole) // 2, len(whole) - 1, len(whole) + 1):
        path.write_bytes(whole[:length].ljust(length, b"\0"))
        with pytest.raises(StoreError, match="missing or has the wrong size"):
            artifacts.load(tmp_path / "toy")


@pytest.mark.parametrize(
    "card",
    [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"files": {"model": 3}}', b'{"files": {"../x": [1, "a"]}}', b"[" * 5000],
)
def test_a_damaged_card_is_refused(tmp_path: Path, card: bytes) -> None:
    artifacts.save(tmp_path / "toy", parts(1), {})
    (tmp_path / "toy" / "card.json").write_bytes(card)
    with pytest.raises(StoreError, match="damaged"):
        artifacts.load(tmp_path / "toy")
    with pytest.raises(StoreError, match="no artifact called"):
        artifacts.load(tmp_path / "other")


HEADERS: dict[str, tuple[dict[str, Any], bytes, str]] = {
    "overlap": ({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12), "damaged"),
    "hole": ({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12), "damaged"),
    "trailing bytes": ({"a": entry([1], 0, 4)}, bytes(8), "damaged"),
    "truncated": ({"a": entry([4], 0, 16)}, bytes(8), "damaged"),
    "shape overflow": ({"a": entry([1 << 40, 1 << 40], 0, 4)}, bytes(4), "damaged"),
    "negative offset": ({"a": entry([1], -4, 0)}, bytes(4), "damaged"),
    "nothing in it": ({}, b"", "holds no tensor"),
    "metadata only": ({"__metadata__": {"a": "<b>"}}, b"", "holds no tensor"),
    "no entry": ({"a": 3}, b"", "of type '3'"),
    "bf16": ({"a": entry([2], 0, 4, "BF16")}, bytes(4), "of type 'BF16'; save it as one of"),
    "fp8": ({"a": entry([4], 0, 4, "F8_E4M3")}, bytes(4), "of type 'F8_E4M3'"),
    "path": ({"../../x": entry([1], 0, 4)}, bytes(4), "A tensor is called"),
    "slash": ({"/etc/x": entry([1], 0, 4)}, bytes(4), "A tensor is called"),
    "dunder": ({"layer.__class__": entry([1], 0, 4)}, bytes(4), "A tensor is called"),
    "control": ({"a\x1b[2J": entry([1], 0, 4)}, bytes(4), "A tensor is called"),
    "long name": ({"a" * 1_000_000: entry([1], 0, 4)}, bytes(4), "A tensor is called"),
    "nan": ({"ok": entry([1], 0, 4), "odd": entry([1], 4, 8)}, struct.pack("<ff", 1, np.nan), "'odd' has values"),
    "inf": ({"odd": entry([1], 0, 2, "F16")}, b"\x00\x7c", "'odd' has values that are not finite"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_file_made_to_do_harm_is_refused_by_name(tmp_path: Path, case: str) -> None:
    header, body, message = HEADERS[case]
    path = crafted(tmp_path / "x.safetensors", json.dumps(header).encode(), body)
    with pytest.raises(StoreError, match=message) as refusal:
        read_tensors(path)
    assert str(tmp_path) not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_headers_that_lie_about_themselves_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for length in (1 << 63, (1 << 64) - 1, 200 << 20):
        with pytest.raises(StoreError, match="more than any real file has"):
            read_tensors(crafted(path, b"{}", length=length))
    for header, message in (
        (b"not json", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not a table"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
         "names 'a' twice"),
        (b'{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', "names 'dtype' twice"),
    ):  # fmt: skip
        with pytest.raises(StoreError, match=message):
            read_tensors(crafted(path, header, bytes(4)))
    path.write_bytes(b"\x01\x00")
    with pytest.raises(StoreError, match="shorter than its header says"):
        read_tensors(path)


def test_too_many_tensors_are_refused_and_the_limit_itself_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({f"t{n}": np.zeros(1, np.uint8) for n in range(MAX_TENSORS)}, path)
    assert len(read_tensors(path)) == MAX_TENSORS
    save_file({f"t{n}": np.zeros(1, np.uint8) for n in range(MAX_TENSORS + 1)}, path)
    with pytest.raises(StoreError, match="more than 20,000 tensors"):
        read_tensors(path)


def test_torch_reads_the_same_numbers(tmp_path: Path) -> None:
    """In a process of its own, which loads torch; this one stays light."""
    artifacts.save(tmp_path / "toy", parts(0.25), {})
    code = (
        "import sys; from safetensors.torch import load_file; print(load_file(sys.argv[1])['head.0.weight'].tolist())"
    )
    path = tmp_path / "toy" / "model.safetensors"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout.strip() == str([[0.25] * 4] * 3), done.stderr


def shared(number: float) -> dict[str, dict[str, np.ndarray]]:
    """Two parts, of which a neighbour may hold the features and all of what was seen."""
    features = np.arange(4096, dtype=np.float16)
    return {
        "heldout": {"features": features, "probs": np.full(3, number, np.float32)},
        "seen": {"keys": np.arange(2048)},
        "model": {"weight": np.full((2, 2), number, np.float32)},
    }


def test_what_a_neighbour_holds_is_stored_once_and_comes_back_whole(tmp_path: Path) -> None:
    artifacts.save(tmp_path / "network", shared(1), {})
    alone = artifacts.save(tmp_path / "alone", shared(2), {"number": 2})
    saved = artifacts.save(tmp_path / "head", shared(2), {"number": 2}, lender="network")
    assert saved.files == alone.files, "a part is known by all of its tensors, wherever they lie"
    assert saved.card == alone.card
    for part, tensors in shared(2).items():
        found = saved.tensors(part)
        assert {name: array.tobytes() for name, array in found.items()} == {n: t.tobytes() for n, t in tensors.items()}
    assert list(load_file(tmp_path / "head" / "heldout.safetensors")) == ["probs"]
    assert not (tmp_path / "head" / "seen.safetensors").exists()
    assert "model" not in saved.lent, "four numbers are not worth depending on a neighbour"
    second = artifacts.save(tmp_path / "second", shared(2), {}, lender="head")
    assert "seen" not in second.lent, "what is borrowed is not lent again"


def test_a_neighbour_that_changed_is_noticed(tmp_path: Path) -> None:
    artifacts.save(tmp_path / "network", shared(1), {})
    artifacts.save(tmp_path / "head", shared(2), {}, lender="network")
    artifacts.save(tmp_path / "network", shared(3), {})
    head = artifacts.load(tmp_path / "head")
    assert head.tensors("seen")["keys"].tolist() == list(range(2048)), "that part is the same still"
    with pytest.raises(StoreError, match="shares its 'heldout' with 'network', which was changed since"):
        head.tensors("heldout")
    shutil.rmtree(tmp_path / "network")
    with pytest.raises(StoreError, match="no artifact called 'network'"):
        head.tensors("seen")


@pytest.mark.parametrize("by", ["../network", "", "/", "head"])
def test_a_card_cannot_borrow_from_elsewhere_or_from_itself(tmp_path: Path, by: str) -> None:
    artifacts.save(tmp_path / "network", shared(1), {})
    artifacts.save(tmp_path / "head", shared(2), {}, lender="network")
    card = tmp_path / "head" / "card.json"
    card.write_text(card.read_text().replace('"by": "network"', f'"by": "{by}"'))
    with pytest.raises(StoreError, match=r"damaged|changed since"):
        artifacts.load(tmp_path / "head").tensors("seen")


def test_a_card_that_borrows_what_its_neighbour_does_not_hold_is_damaged(tmp_path: Path) -> None:
    artifacts.save(tmp_path / "network", shared(1), {})
    artifacts.save(tmp_path / "head", shared(2), {}, lender="network")
    card = tmp_path / "head" / "card.json"
    card.write_text(card.read_text().replace('"keys"', '"locks"'))
    with pytest.raises(StoreError, match="restore both"):
        artifacts.load(tmp_path / "head").tensors("seen")
