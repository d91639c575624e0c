"""Switches of the tests on real data. They are skipped where the data are absent, unless REAL_DATA_REQUIRED=1."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project."""
    if not SHARED.is_dir():
        reason = "the real data are not here: no ../shared/data beside the project"
        if os.environ.get("REAL_DATA_REQUIRED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return SHARED


@pytest.fixture(scope="session")
def full() -> bool:
    """True when the whole of the data is asked for; a small part otherwise."""
    return os.environ.get("REAL_DATA_FULL") == "1"
