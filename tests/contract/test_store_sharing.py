"""Collections shared by processes: readers beside one writer, leases, roots, compaction, layouts."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from core.errors import StoreError
from core.store import About, UncertaintyRow, Writer, delete, names, open_collection
from core.store._head import advance_head, connected, read_head
from core.store._schema import HEAD_SHAPE, SHAPES, Shape, arrow_schema
from tests.stored import RECEIPT, TOY, item, plain_state, sha, vector

AUDIO = About("audio", title="Test", classes=("b", "a"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "collections"


def written(root: Path, name: str = "one") -> Writer:
    return open_collection(root, name, create=AUDIO, write=True)


def filled(root: Path, count: int = 6) -> Path:
    with written(root) as writer:
        writer.add_vectors(TOY, [sha(n) for n in range(count)], np.stack([vector(n) for n in range(count)]))
        writer.add([item(n, label="ab"[n % 2]) for n in range(count)])
    return root


def test_a_reader_sees_only_what_was_flushed_and_needs_no_reopening(root: Path) -> None:
    with written(root) as writer:
        reader = open_collection(root, "one")
        writer.add([item(1)])
        assert (reader.counts().items, dict(writer.stored(["clip-1"]))) == (0, {"clip-1": sha(1)})
        version = reader.version
        writer.flush()
        assert reader.counts().items == 1
        assert reader.version > version
        writer.flush()  # nothing waits: no commit
        assert reader.version == version + 1


def test_an_error_inside_the_context_keeps_the_last_commit(root: Path) -> None:
    with pytest.raises(KeyError), written(filled(root)) as writer:  # noqa: PT012
        writer.add([item(50)])
        raise KeyError
    assert open_collection(root, "one").counts().items == 6
    writer.add([item(1)])
    with pytest.raises(StoreError, match="was closed"):
        writer.flush()


def test_a_second_writer_is_refused_with_the_pid_of_the_first(root: Path) -> None:
    code = (
        "import sys; from core.store import open_collection\n"
        "writer = open_collection(sys.argv[1], 'one', write=True); print(writer._lease.holder.pid, flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(filled(root))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        pid = other.stdout.readline().strip()
        assert pid == str(other.pid)
        with pytest.raises(StoreError, match=f"is being written by process {pid}") as refusal:
            written(root)
        assert refusal.value.code == "in-use"
        with pytest.raises(StoreError, match="is being written"):
            delete(root, "one")
        assert open_collection(root, "one").counts().items == 6  # reading goes on
        other.kill()
    with written(root) as writer:  # the lease of the dead is free at once
        writer.add([item(6)])
    assert open_collection(root, "one").counts().items == 7


def test_a_writer_that_lost_its_lease_changes_nothing(root: Path) -> None:
    old = written(filled(root))
    old.add([item(100)])
    (root / "one" / "writer.lock").rename(root / "one" / "stolen")  # as if another machine held the lock
    with written(root) as new:
        new.add([item(200)])
        with pytest.raises(StoreError, match="taken over"):
            old.flush()
        old._committer._lease = None  # even without its own check the head refuses the older token
        with pytest.raises(StoreError, match="Another process has written"):
            old.flush()
        new.flush()
    old.close(flush=False)
    assert set(plain_state(root / "one").items) == {*(f"clip-{n}" for n in range(6)), "clip-200"}


def test_the_head_moves_on_only_from_its_newest_state_and_never_to_an_older_token(root: Path) -> None:
    filled(root)
    db = connected(str(root / "one"))
    head = read_head(db)
    assert head is not None
    assert not advance_head(db, replace(head, sequence=head.sequence - 1), head.next(fence=head.fence + 1))
    assert not advance_head(db, head, head.next(fence=head.fence - 1))
    assert read_head(db) == head
    assert advance_head(db, head, head.next(fence=head.fence + 1))
    assert read_head(db) == head.next(fence=head.fence + 1)


def test_a_closed_writer_makes_room_and_names_are_listed_and_deleted(root: Path) -> None:
    filled(root)
    written(root, "two").close()
    (root / "not a collection").mkdir()
    (root / "empty").mkdir()
    assert names(root) == ("one", "two")
    delete(root, "one")
    assert names(root) == ("two",)
    assert not list(root.glob(".deleted*"))
    with pytest.raises(StoreError, match="there are: two"):
        open_collection(root, "one")
    assert names(root / "nowhere") == ()


def test_a_uri_is_a_root_like_a_folder(root: Path) -> None:
    uri = filled(root).as_uri()
    assert names(uri) == ("one",)
    assert open_collection(uri, "one").vectors(TOY).ids == tuple(f"clip-{n}" for n in range(6))
    with open_collection(uri, "far", create=AUDIO, write=True) as writer:
        writer.add([item(1)])
    assert open_collection(uri, "far").counts().items == 1
    delete(uri, "far")
    assert names(uri) == ("one",)


def test_compaction_changes_nothing_that_is_read(root: Path) -> None:
    with written(root) as writer:
        for number in range(20):
            writer.add_vectors(TOY, [sha(number)], vector(number)[None])
            writer.add([item(number)])
            writer.flush()
        before = plain_state(root / "one")
        writer.compact()
        writer.add([item(20)])
    assert len(list((root / "one" / "items.lance" / "data").iterdir())) < 60
    after = plain_state(root / "one")
    assert set(after.items) - set(before.items) == {"clip-20"}
    assert after.vectors == before.vectors


def first_layout() -> dict[str, pa.Schema]:
    """Layout 1 as it was written: items without their length, doubts without the classes, no models."""
    later = {"items": "seconds", "uncertainties": "top"}
    return {
        name: arrow_schema(Shape(tuple(c for c in shape.columns if c[0] != later.get(name)), shape.key))
        for name, shape in SHAPES.items()
        if name != "models"
    }


def test_a_collection_of_the_first_layout_opens_with_everything_in_it(root: Path) -> None:
    import lancedb

    db = lancedb.connect(str(root / "old"))
    versions = {name: db.create_table(name, schema=schema).version for name, schema in first_layout().items()}
    receipts = [json.dumps(replace(RECEIPT, seconds=length).to_json()) for length in (1.5, 20.25, None)]
    rows = [
        {
            "id": f"clip-{n}",
            "sha256": sha(n),
            "kind": "audio",
            "extra": "[]",
            "receipt": r,
            "thumbnail": b"",
            "added": n,
        }
        for n, r in enumerate(receipts)
    ]
    versions["items"] = db.open_table("items").add(pa.Table.from_pylist(rows, first_layout()["items"])).version
    doubt = pa.Table.from_pylist([{"id": "clip-1", "model": "m", "total": 0.5}], first_layout()["uncertainties"])
    versions["uncertainties"] = db.open_table("uncertainties").add(doubt).version
    state = {
        "versions": versions,
        "backbones": {},
        "about": {"kind": "audio", "title": "", "source": "", "classes": []},
    }
    head = {"sequence": 5, "fence": 2, "layout": 1, "arrivals": 3, "state": json.dumps(state)}
    db.create_table("head", pa.Table.from_pylist([head], arrow_schema(HEAD_SHAPE)))

    reader = open_collection(root, "old")
    assert reader.items(["id", "seconds"]).to_pylist() == [
        {"id": f"clip-{n}", "seconds": length} for n, length in enumerate((1.5, 20.25, None))
    ]
    assert reader.uncertainties("m") == (UncertaintyRow("clip-1", "m", 0.5),)
    assert reader.models() == ()
    with open_collection(root, "old", write=True) as writer:
        writer.add([item(3)])
    written(root, "fresh").close()
    for name in SHAPES:  # migrated and made today are the same
        fresh = lancedb.connect(str(root / "fresh")).open_table(name).schema
        assert lancedb.connect(str(root / "old")).open_table(name).schema.equals(fresh), name
    assert reader.counts().items == 4


def test_a_newer_layout_is_refused_and_left_alone(root: Path) -> None:
    import lancedb

    head = lancedb.connect(str(filled(root) / "one")).open_table("head")
    head.update(values={"layout": 99})
    with pytest.raises(StoreError, match="newer version of this program"):
        open_collection(root, "one", write=True)
