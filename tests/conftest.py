"""What every test shares: a Settings of its own, and no way out of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose every written byte lands in the test's own folder."""
    return Settings(home=tmp_path / "home", checkpoints=tmp_path / "checkpoints", device="cpu", offline=True)
