"""The README says what is true: its tables equal the registries, its commands and files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tables import README, renewed

ROOT = Path(__file__).resolve().parent.parent
TEXT = README.read_text()


def test_the_tables_equal_the_registries() -> None:
    assert renewed(TEXT) == TEXT, "run 'python -m tests.tables'"


def test_a_missing_mark_is_told() -> None:
    with pytest.raises(ValueError, match="lacks the marks"):
        renewed("no tables here")


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", TEXT, re.MULTILINE))
    assert named, "the README names no target"
    assert named <= targets, named - targets


def test_every_file_it_links_to_exists() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link


def test_every_setting_is_described() -> None:
    from core.settings import Settings

    for name in Settings.__dataclass_fields__:
        assert f"`PENUMBRA_{name.upper()}`" in TEXT, name
