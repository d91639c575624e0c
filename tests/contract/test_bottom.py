"""Fingerprints, settings, registry, errors: the floor everything stands on."""

from __future__ import annotations

import hashlib
import sys
import types
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import registry
from core.contracts import Note, Receipt
from core.errors import UserFacingError
from core.fingerprint import (
    canonical,
    fingerprint,
    numpy_generator,
    seed_of,
    sha256_of,
    sha256_of_file,
    torch_generator,
)
from core.settings import Settings, load


@dataclass(frozen=True)
class Config:
    rate: int = 32000
    name: str = "a"


@dataclass(frozen=True)
class Other:
    rate: int = 32000
    name: str = "a"


def test_each_field_changes_the_fingerprint() -> None:
    seen = {fingerprint(c) for c in (Config(), Config(rate=16000), Config(name="b"), Other())}
    assert len(seen) == 4


def test_key_order_does_not_change_the_fingerprint() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_value_without_a_canonical_form_is_named() -> None:
    with pytest.raises(TypeError, match="set"):
        canonical({1, 2})
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("nan"))


@given(st.binary(max_size=200))
def test_sha256_is_the_standard_one(raw: bytes) -> None:
    assert sha256_of(raw) == hashlib.sha256(raw).hexdigest()


def test_file_hash_equals_bytes_hash(tmp_path: Path) -> None:
    raw = bytes(range(256)) * 9000  # longer than one block
    (tmp_path / "x").write_bytes(raw)
    assert sha256_of_file(tmp_path / "x") == sha256_of(raw)


def test_generators_follow_their_values_and_leave_the_global_state_alone() -> None:
    import torch

    before = torch.get_rng_state()
    first, again, other = (torch.rand(3, generator=torch_generator("x", n)) for n in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert numpy_generator("x", 1).random() == numpy_generator("x", 1).random() != numpy_generator("x", 2).random()
    assert 0 <= seed_of("x") < 2**63


def test_settings_read_the_environment_and_refuse_what_they_do_not_know(tmp_path: Path) -> None:
    given_ = {"PENUMBRA_HOME": str(tmp_path), "PENUMBRA_OFFLINE": "yes", "PENUMBRA_DECODERS": "3", "OTHER": "x"}
    assert load(given_) == replace(Settings(), home=tmp_path, offline=True, decoders=3)
    for key, value, told in (
        ("PENUMBRA_HOEM", "x", "PENUMBRA_HOEM"),
        ("PENUMBRA_OFFLINE", "perhaps", "use 1 or 0"),
        ("PENUMBRA_DECODERS", "0", "whole number"),
    ):
        with pytest.raises(ValueError, match=told):
            load({key: value})


def test_an_empty_variable_means_the_default() -> None:
    assert load({"PENUMBRA_DATA": "", "PENUMBRA_HOME": ""}) == Settings()


def plug_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **modules: str) -> str:
    """A package with the given modules, importable for this test only."""
    name = f"plugins_{tmp_path.name}"
    package = types.ModuleType(name)
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, name, package)
    for key, text in modules.items():
        (tmp_path / f"{key}.py").write_text("import types\n" + text)
    return name


def test_every_public_module_is_an_entry_under_its_file_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = "THING = types.SimpleNamespace(key={!r})"
    name = plug_in(monkeypatch, tmp_path, alpha=entry.format("alpha"), _support="", beta=entry.format("beta"))
    assert tuple(registry.discover(name, "THING")) == ("alpha", "beta")
    assert registry.pick(name, "THING", "beta").key == "beta"


def test_a_misnamed_or_missing_entry_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = plug_in(monkeypatch, tmp_path, alpha="THING = types.SimpleNamespace(key='beta')")
    with pytest.raises(TypeError, match="file name"):
        registry.discover(name, "THING")
    with pytest.raises(TypeError, match="no OTHER"):
        registry.discover(name, "OTHER")


def test_an_unknown_key_is_answered_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = plug_in(monkeypatch, tmp_path, soundbox="THING = types.SimpleNamespace(key='soundbox')")
    with pytest.raises(UserFacingError, match="did you mean soundbox"):
        registry.pick(name, "THING", "sound_box")


def test_a_receipt_survives_json() -> None:
    receipt = Receipt("wav", "PCM 16 bit", 44, rate=8000, seconds=1.5, notes=(Note("mono", "mixed to mono", True),))
    assert Receipt.from_json(receipt.to_json()) == receipt
    assert receipt.noting(Note("silent", "silent")).has("silent")
    assert not receipt.has("silent")
