"""What every test shares: a Settings of its own, and no way out of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import Settings

ORDER = ("hostile", "contract", "browser", "real", "walks", "tests", "maths")  # folders


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, many quick ones last: so two workers end at the same time."""
    known = {folder: place for place, folder in enumerate(ORDER)}
    items.sort(key=lambda item: known.get(item.path.parent.name, 0))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose every written byte lands in the test's own folder."""
    return Settings(home=tmp_path / "home", checkpoints=tmp_path / "checkpoints", device="cpu", offline=True)


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """A page run in this process leaves itself as ``__main__``: the next test's child processes would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
