"""The lock is exact, hashed and anonymous; the ways to run things say the same thing everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ["requirements.txt", "requirements-dev.txt", ".requirements/uv.txt"]


def entries(name: str) -> list[str]:
    """One string a requirement, continuation lines joined."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_exact_and_hashed(name: str) -> None:
    for entry in entries(name):
        assert re.match(r"[A-Za-z0-9._-]+==[^ ]+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_names_no_host_and_no_path(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"https?:|file:|--index|--find-links|@ |(^|\s)/", text)


def test_every_direct_requirement_is_in_the_lock_as_pinned() -> None:
    locked = {entry.split(" ")[0].split(";")[0] for name in LOCKS for entry in entries(name)}
    for source in ("app.in", "dev.in", "uv.in"):
        for line in (ROOT / ".requirements" / source).read_text().splitlines():
            if line and not line.startswith(("#", "-c")):
                assert line in locked, f"{line} of {source} is not in the lock: run 'make lock'"


def test_the_three_torches_are_the_set_that_works_together() -> None:
    locked = {entry.split(" ")[0] for entry in entries("requirements.txt")}
    assert {"torch==2.14.1", "torchvision==0.29.1", "torchaudio==2.11.0"} <= locked


def test_ci_runs_what_the_readme_tells_people_to_run() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_the_top_level_holds_only_what_the_architecture_allows() -> None:
    allowed = {"app.py", "pages", "core", "checkpoints", "tests", "requirements.txt", "README.md", "Makefile"}
    allowed |= {"Dockerfile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith((".", "requirements-", "__pycache__"))}
    assert found <= allowed, found - allowed


def test_the_project_speaks_of_itself_alone() -> None:
    """No machine path and no index host in any text file of the project."""
    telltale = re.compile(r"/work/|/root/|/opt/|file:///(?!etc/)|pypi\.org|pythonhosted")
    here = Path(__file__)
    for path in ROOT.rglob("*"):
        skipped = {".git", ".venv", ".penumbra", "__pycache__", ".hypothesis", ".ruff_cache"} & set(path.parts)
        if (
            skipped
            or path == here
            or path.suffix not in {".py", ".md", ".txt", ".toml", ".in", ".ini", ""}
            or not path.is_file()
        ):
            continue
        assert not telltale.search(path.read_text(errors="replace")), path.relative_to(ROOT)
