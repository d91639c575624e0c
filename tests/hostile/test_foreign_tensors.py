"""What is in a stranger's weights file (rows C-09 to C-15, C-19 of the hazards): taken as it is meant, or refused."""

from __future__ import annotations

import pickle
import time
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.checkpoints.foreign._tensors import open_file
from tests.hostile import weights_files as forge
from tests.hostile.weights_files import refusal, taken

ROOT = Path(__file__).resolve().parents[2]


def test_too_many_tensors_are_refused_at_once(tmp_path: Path) -> None:
    many = {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(20_001)}
    begun = time.process_time()
    assert refusal(forge.safetensors(tmp_path / "x.safetensors", many)).code == "too-many-tensors"
    assert time.process_time() - begun < 1.0
    shared = torch.zeros(1)
    path = forge.saved({f"t{n}": shared for n in range(20_001)}, tmp_path / "x.pth")
    assert refusal(path).code == "too-many-tensors"
    records = {f"data/{n}": b"" for n in range(20_200)}
    assert refusal(forge.in_zip(tmp_path / "y.pth", pickle.dumps({}, protocol=2), records)).code == "too-many-tensors"


@pytest.mark.parametrize(
    "name", ["../../x", "a/b", "x" * 1_000_000, "__class__", "a.__init__", "a\x1b[31m", "a\nb", "", "a..b", "<script>"]
)
@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_odd_names_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "pth":
        forge.saved({name: torch.ones(2)}, path)
    else:
        forge.safetensors(path, {name: forge.entry(0, 8)}, bytes(8))
    assert refusal(path).code == "bad-name"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused_with_the_tensors_name(tmp_path: Path, value: float) -> None:
    state = forge.small_state()
    state["a.weight"][1, 2] = value
    assert "'a.weight'" in str(refusal(forge.saved(state, tmp_path / "x.pth")))
    save_file(state, tmp_path / "x.safetensors")
    assert refusal(tmp_path / "x.safetensors").code == "not-finite"
    too_large = {"a.weight": torch.tensor([1e300], dtype=torch.float64)}  # finite until it is float32
    assert refusal(forge.saved(too_large, tmp_path / "y.pth")).code == "not-finite"


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "ema.", "module.ema_model."])
def test_prefixes_of_other_tools_come_off_and_it_is_said(tmp_path: Path, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in forge.small_state().items()}
    found = taken(forge.saved({"model": OrderedDict(state), "epoch": 3}, tmp_path / "x.pth"))
    assert set(found.by_name) == {"a.weight", "a.bias"}
    assert [note.split()[2] for note in found.notes] == [f"{part}." for part in prefix.split(".")[:-1]]
    kept = taken(forge.saved({**state, "other": torch.ones(1)}, tmp_path / "y.pth"))
    assert set(kept.by_name) == {*state, "other"}, "one name without the prefix: it belongs to the names"


def test_averaged_weights_lose_their_counter(tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in forge.small_state().items()}
    found = taken(forge.saved({**state, "n_averaged": torch.tensor(7)}, tmp_path / "x.pth"))
    assert set(found.by_name) == {"a.weight", "a.bias"}
    assert any("averaged" in note for note in found.notes)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", ["pth", "old pth", "safetensors"])
def test_half_and_double_become_float32_and_it_is_said(tmp_path: Path, dtype: torch.dtype, kind: str) -> None:
    state = {name: tensor.to(dtype) for name, tensor in forge.small_state().items()}
    path = tmp_path / "x"
    if kind == "safetensors":
        save_file(state, path)
    else:
        forge.saved(state, path, legacy=kind == "old pth")
    found = taken(path)
    assert {tensor.dtype for tensor in found.by_name.values()} == {torch.float32}
    assert torch.equal(found.by_name["a.weight"], forge.small_state()["a.weight"])
    assert str(dtype).removeprefix("torch.") in found.notes[0]


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn, torch.complex64])
def test_types_that_lost_digits_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {"a.weight": torch.ones(4).to(dtype)}
    error = refusal(forge.saved(state, tmp_path / "x.pth"))
    assert error.code in {"bad-dtype", "unsafe"}
    if dtype is not torch.complex64:
        save_file(state, tmp_path / "x.safetensors")
        assert refusal(tmp_path / "x.safetensors").code == "bad-dtype"


@pytest.mark.parametrize("value", [0.0, -1e-6])
def test_a_variance_of_zero_is_refused(tmp_path: Path, value: float) -> None:
    state = {"bn.running_var": torch.tensor([1.0, value]), "bn.running_mean": torch.zeros(2)}
    assert "'bn.running_var'" in str(refusal(forge.saved(state, tmp_path / "x.pth")))


def test_what_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    for value in (
        [1, 2],
        {"epoch": 3},
        torch.ones(3),
        {"model": {"a": torch.ones(1), "b": "text"}},
        {"model": {3: torch.ones(1)}},
    ):
        assert refusal(forge.saved(value, tmp_path / "x.pth")).code == "layout"


def test_free_texts_in_a_header_are_not_used_and_it_is_said(tmp_path: Path) -> None:
    texts = {"<script>alert(1)</script>": "x" * 1_000_000, "classes": "a,b"}
    save_file(forge.small_state(), path := tmp_path / "x.safetensors", metadata=texts)
    opened = open_file(path)
    assert opened.notes == ("2 free texts in its header were not used",)
