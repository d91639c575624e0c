"""Full disks, read-only places, damaged files: one sentence, and nothing that was stored is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import StoreError
from core.store import About, matrix, open_collection
from tests.patience import SECONDS
from tests.stored import TOY, item, plain_state, sha, vector

STEPS = ("begin", "vectors-written", "items-written", "before-head", "compacted", "compaction-named", "cleaned")


def filled(root: Path, count: int = 40) -> Path:
    with open_collection(root, "one", create=About("audio"), write=True) as writer:
        writer.add_vectors(TOY, [sha(n) for n in range(count)], np.stack([vector(n) for n in range(count)]))
        writer.add([item(n) for n in range(count)])
    return root


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_write_that_fails_at_any_step_can_simply_be_repeated(tmp_path: Path, step: str, number: int) -> None:
    failing = []

    def commit_step(name: str) -> None:
        if failing and name == step:
            failing.clear()
            raise OSError(number, os.strerror(number))

    with open_collection(filled(tmp_path), "one", write=True, commit_step=commit_step) as writer:
        before = plain_state(tmp_path / "one")
        writer.add_vectors(TOY, [sha(100)], vector(100)[None])
        writer.add([item(100)])
        failing.append(True)
        code = {errno.ENOSPC: "disk-full", errno.EROFS: "no-permission"}[number]
        with pytest.raises(StoreError) as refusal:
            writer.compact()
        assert refusal.value.code == code
        found = plain_state(tmp_path / "one")
        assert set(before.items.items()) <= set(found.items.items())
        assert ("clip-100" in found.items) == (step in STEPS[4:]), "a commit is whole or not there"
        writer.flush()
    assert plain_state(tmp_path / "one").items == {**before.items, "clip-100": sha(100)}


def test_a_disk_that_takes_no_large_file_is_full_and_the_rest_stays(tmp_path: Path) -> None:
    """The system itself refuses: a limit on the size of files, as a quota or a full disk would."""
    code = """
import resource, sys
from core.errors import StoreError
from core.store import open_collection
from tests.stored import item
from dataclasses import replace
writer = open_collection(sys.argv[1], "one", write=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writer.add([replace(item(n), thumbnail=bytes(n % 251 for _ in range(5000))) for n in range(100, 200)])
try:
    writer.flush()
except StoreError as error:
    print(error.code, error)
"""
    root = filled(tmp_path)
    before = plain_state(root / "one")
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout.startswith("disk-full The disk is full, so the collection could not be written."), done.stderr
    assert plain_state(root / "one") == before
    with open_collection(root, "one", write=True) as writer:
        writer.add([item(41)])
    assert set(plain_state(root / "one").items) == {*before.items, "clip-41"}


def test_a_place_that_may_not_be_written_is_read_all_the_same() -> None:
    """As another user where the tests run as root, whom no permission stops."""
    code = """
import os, sys
import lancedb
from core.errors import StoreError
from core.store import About, matrix, open_collection
from tests.stored import TOY
if os.geteuid() == 0:
    os.seteuid(65534)
reader = open_collection(sys.argv[1], "one")
print(reader.counts().items, len(reader.vectors(TOY).ids))
for name in ("one", "new"):
    try:
        open_collection(sys.argv[1], name, create=About("audio"), write=True)
    except StoreError as error:
        print(error.code)
"""
    with tempfile.TemporaryDirectory() as folder:
        root = filled(Path(folder))
        places = [root, *(path for path in root.rglob("*") if path.is_dir())]
        for place in places:
            place.chmod(0o555)
        try:
            command = [sys.executable, "-c", code, folder]
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        finally:
            for place in places:
                place.chmod(0o755)
    assert done.stdout.split() == ["40", "40", "no-permission", "no-permission"], done.stderr


def test_a_damaged_memory_map_is_built_anew(tmp_path: Path) -> None:
    reader = open_collection(filled(tmp_path), "one")
    wanted = np.array(reader.vectors(TOY).matrix)
    assert np.array_equal(wanted, np.stack([vector(n) for n in range(40)]))
    spots = np.random.default_rng(3)
    for suffix in (".f32", ".json"):
        (path,) = (tmp_path / "one" / "matrix").glob(f"*{suffix}")
        whole = path.read_bytes()
        for turn in range(100):
            at, bit = int(spots.integers(len(whole))), 1 << int(spots.integers(8))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            assert matrix.load(path.parent, path.stem, TOY.dim) is None, "the flipped bit was not found"
            if turn >= 8:  # building is the slow part
                continue
            found = reader.vectors(TOY)
            assert np.array_equal(found.matrix, wanted)
            assert found.ids == tuple(f"clip-{n}" for n in range(40))
            assert path.read_bytes() == whole
        path.write_bytes(whole[: len(whole) // 2])
        assert np.array_equal(reader.vectors(TOY).matrix, wanted)
        path.unlink()
        assert np.array_equal(reader.vectors(TOY).matrix, wanted)


def test_the_memory_map_is_read_only_and_follows_the_tables(tmp_path: Path) -> None:
    root = filled(tmp_path)
    reader = open_collection(root, "one")
    old = reader.vectors(TOY)
    assert isinstance(old.matrix, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        old.matrix[0, 0] = 1
    with open_collection(root, "one", write=True) as writer:
        writer.add_vectors(TOY, [sha(0), sha(50)], np.stack([vector(0) * 2, vector(50)]))
        writer.add([item(50)])
    new = reader.vectors(TOY)
    assert np.array_equal(new.matrix, np.stack([vector(0) * 2, *(vector(n) for n in range(1, 40)), vector(50)]))
    assert np.array_equal(old.matrix[0], vector(0))  # who holds an old map keeps it
    assert len(list((root / "one" / "matrix").iterdir())) == 2


@pytest.mark.parametrize("victim", ["head", "items"])
def test_a_collection_with_a_missing_or_broken_file_says_so(tmp_path: Path, victim: str) -> None:
    table = filled(tmp_path) / "one" / f"{victim}.lance"
    for manifest in (table / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"\x00" * 40)
    with pytest.raises(StoreError) as refusal:
        open_collection(tmp_path, "one").items(["id"])
    assert refusal.value.code == "damaged"


def test_a_lost_head_never_becomes_an_empty_collection(tmp_path: Path) -> None:
    head = filled(tmp_path) / "one" / "head.lance"
    for path in sorted(head.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(StoreError, match="its head is lost"):
        open_collection(tmp_path, "one", create=About("audio"), write=True)


def test_what_a_power_cut_leaves_is_what_was_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only files that were forced to disk survive; a copy of just those is the state before or after."""
    forced: set[Path] = set()
    fsync = os.fsync

    def noting(handle: int) -> None:
        forced.add(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    def survivors(name: str) -> set[str]:
        for path in forced:
            if path.is_file() and path.parent.parent in forced:  # a file whose folder's name is safe too
                place = tmp_path / name / path.relative_to(disk)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
        return set(plain_state(tmp_path / name / "one").items)

    def commit_step(name: str) -> None:
        if watching and name in {"items-written", "before-head"}:
            seen.append(survivors(name))
        if watching and name == "before-head":  # the head might reach the disk by chance, before all it names
            files = {path for kind in ("data", "_versions", "_deletions") for path in disk.glob(f"one/*/{kind}/*.*")}
            late.update(path.name for path in files - forced if path.suffix != ".json")

    disk = tmp_path / "disk"
    late: set[str] = set()
    monkeypatch.setattr(os, "fsync", noting)
    watching: list[bool] = []
    seen: list[set[str]] = []
    with open_collection(disk, "one", create=About("audio"), write=True, commit_step=commit_step) as writer:
        writer.add([item(1)])
        writer.flush()
        watching.append(True)
        writer.add([item(2)])
        writer.add_vectors(TOY, [sha(2)], vector(2)[None])
        writer.flush()
        seen.append(survivors("after"))
    assert late == set()
    assert seen == [{"clip-1"}, {"clip-1"}, {"clip-1", "clip-2"}]
    assert open_collection(tmp_path / "after", "one").vectors(TOY).ids == ("clip-2",)
