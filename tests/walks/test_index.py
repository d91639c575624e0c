"""The walk into a collection: every item given is stored or a problem, again and again, whatever happens."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tracemalloc
import wave
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from core.contracts import Dataset, Item, Media
from core.data.folder import DATASET as FOLDER
from core.errors import DataError, StoreError
from core.fingerprint import sha256_of
from core.media import door
from core.media.sandbox import Sandbox
from core.pipeline.index import Embedder, Passed, Summary, index
from core.settings import PROJECT, Settings
from core.store import About, Backbone, Where, Writer, open_collection
from tests.patience import SECONDS
from tests.stored import plain_state

MEAN = Backbone("mean", "1", 2)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    one = Sandbox(2, door.LIMITS)
    yield one
    one.close()


def wav(seed: int, seconds: float = 0.05, rate: int = 8000) -> bytes:
    samples = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * rate), dtype=np.int16)
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return stream.getvalue()


def dataset(files: dict[str, bytes | Exception], kind: str = "audio") -> Dataset:
    """A data set in memory: an exception is what reading that item raises."""

    def read(item: Item) -> bytes:
        found = files[item.id]
        if isinstance(found, Exception):
            raise found
        return found

    items = tuple(Item(id_, n % 2, fold=n % 5, group=f"g{n // 2}") for n, id_ in enumerate(files))
    return Dataset("made", "Made", "image" if kind == "image" else "audio", ("dog", "cat"), items, read)


def opened(root: Path, kind: str = "audio") -> Writer:
    return open_collection(root, "one", create=About("image" if kind == "image" else "audio"), write=True)


def indexed(root: Path, source: Dataset, sandbox: Sandbox, **options: object) -> Summary:
    with opened(root, source.kind) as writer:
        summary = index(source, writer, sandbox=sandbox, **options)  # pyright: ignore[reportArgumentType]
    assert summary.given == summary.stored + summary.problems
    return summary


class Counting:
    """An embedder that notes every call; its vectors are the mean and the length of a sound."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.parts = (lambda media: media, self)

    def __call__(self, batch: Sequence[Media], sha256s: Sequence[str]) -> Passed:
        self.calls.append(tuple(sha256s))
        return Passed(np.array([[media.samples.mean(), len(media.samples)] for media in batch], np.float32))


class NoSandbox(Sandbox):
    """For walks that have nothing to decode."""

    def call(self, operation: str, *_: object, **__: object) -> NoReturn:
        raise AssertionError(f"asked to {operation}")


def test_one_poisoned_file_among_many_is_one_problem_row(tmp_path: Path, sandbox: Sandbox) -> None:
    files: dict[str, bytes | Exception] = {f"clip-{n:03}.wav": wav(n) for n in range(150)}
    files["clip-077.wav"] = b"RIFF\xff\xff\xff\xffWAVEfmt " + bytes(40)
    seen: list[tuple[int, int, str]] = []
    summary = indexed(tmp_path, dataset(files), sandbox, chunk=64, on_progress=lambda *at: seen.append(at))
    assert (summary.given, summary.stored, summary.problems, summary.already) == (150, 149, 1, 0)
    assert [at[0] for at in seen] == list(range(1, 151))
    reader = open_collection(tmp_path, "one")
    (problem,) = reader.problems()
    assert (problem.id, problem.stage) == ("clip-077.wav", "decode")
    assert reader.items(["id"])["id"].to_pylist() == [id_ for id_ in files if id_ != "clip-077.wav"]
    (row,) = reader.fetch(["clip-003.wav"])
    assert (row.sha256, row.label, row.fold, row.group) == (sha256_of(wav(3)), "cat", 3, "g1")
    assert (row.receipt.rate, row.receipt.seconds) == (8000, 0.05)
    assert Image.open(io.BytesIO(row.thumbnail)).format == "WEBP"


def test_each_way_to_refuse_has_its_stage_and_no_path_in_its_reason(tmp_path: Path, sandbox: Sandbox) -> None:
    files: dict[str, bytes | Exception] = {
        "good": wav(0),
        "gone": FileNotFoundError(2, "No such file", "/home/secret/gone.wav"),
        "refused": DataError("The row has no bytes; give some.", code="empty"),
        "text": b"hello, this is no sound",
        "picture": picture(1),
        "nothing": b"",
    }
    summary = indexed(tmp_path, dataset(files), sandbox)
    assert (summary.stored, summary.problems) == (1, 5)
    problems = {problem.id: problem for problem in open_collection(tmp_path, "one").problems()}
    assert {id_: problem.stage for id_, problem in problems.items()} == {
        "gone": "read",
        "refused": "read",
        "text": "decode",
        "picture": "decode",
        "nothing": "decode",
    }
    assert problems["picture"].code == "wrong-kind"
    assert all("secret" not in problem.reason and len(problem.reason) < 300 for problem in problems.values())


def picture(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (9, 7, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_several_labels_stand_in_one_column_beside_the_others(tmp_path: Path, sandbox: Sandbox) -> None:
    made = dataset({f"{n}.wav": wav(n) for n in range(3)})
    labels = {"0.wav": (0, 1), "1.wav": (1,), "2.wav": ()}
    items = (Item(id_, labels=classes, extra=(("place", "yard"),)) for id_, classes in labels.items())
    indexed(tmp_path, replace(made, task="multilabel", items=tuple(items)), sandbox)
    rows = open_collection(tmp_path, "one").fetch(sorted(labels))
    assert [row.label for row in rows] == [None] * 3
    assert [dict(row.extra) for row in rows] == [{"place": "yard", "labels": names} for names in ("dog|cat", "cat", "")]


def test_pictures_are_walked_the_same_way(tmp_path: Path, sandbox: Sandbox) -> None:
    summary = indexed(tmp_path, dataset({f"p{n}": picture(n) for n in range(5)}, "image"), sandbox)
    assert (summary.stored, summary.problems) == (5, 0)
    (row,) = open_collection(tmp_path, "one").fetch(["p3"])
    assert (row.receipt.width, row.receipt.height) == (7, 9)
    with opened(tmp_path) as writer, pytest.raises(StoreError, match="holds image items and the source audio"):
        index(dataset({}), writer, sandbox=sandbox)


def test_a_second_run_decodes_nothing_and_a_changed_file_replaces_its_row(tmp_path: Path, sandbox: Sandbox) -> None:
    files: dict[str, bytes | Exception] = {f"c{n}": wav(n) for n in range(6)}
    indexed(tmp_path, dataset(files), sandbox)
    before = open_collection(tmp_path, "one").version
    again = indexed(tmp_path, dataset(files), NoSandbox(0))
    assert (again.stored, again.already) == (6, 6)
    assert open_collection(tmp_path, "one").version <= before + 2, "a run without news writes no rows"
    files |= {"c2": wav(99), "c3": b"no longer a sound", "c4": FileNotFoundError(2, "gone")}
    third = indexed(tmp_path, dataset(files), sandbox)
    assert (third.stored, third.already, third.problems) == (4, 3, 2)
    reader = open_collection(tmp_path, "one")
    stored = reader.stored(list(files))
    assert stored["c2"] == sha256_of(wav(99))
    assert "c3" not in stored
    assert "c4" in stored, "a file that cannot be read now is flagged, its row stays"
    files |= {"c3": wav(3), "c4": wav(4)}
    assert indexed(tmp_path, dataset(files), sandbox).problems == 0
    assert (reader.counts().items, reader.problems()) == (6, ())


def test_the_same_bytes_under_two_ids_share_one_vector_and_one_call(tmp_path: Path, sandbox: Sandbox) -> None:
    files: dict[str, bytes | Exception] = {f"c{n}": wav(n // 2) for n in range(8)}
    counting = Counting()
    indexed(tmp_path, dataset(files), sandbox, chunk=3, embedder=Embedder(MEAN, *counting.parts))
    called = [sha for call in counting.calls for sha in call]
    assert sorted(called) == sorted({sha256_of(wav(n)) for n in range(4)})
    reader = open_collection(tmp_path, "one")
    assert (reader.counts().items, reader.counts().vectors) == (8, 4)
    found = reader.vectors(MEAN)
    assert found.ids == tuple(files)
    assert np.array_equal(found.matrix[0::2], found.matrix[1::2])
    assert set(found.matrix[:, 1]) == {400}
    indexed(tmp_path, dataset(files), NoSandbox(0), embedder=Embedder(MEAN, *counting.parts))
    assert len([sha for call in counting.calls for sha in call]) == 4, "what has its vector is not embedded again"


def test_vectors_of_a_further_model_join_what_is_stored(tmp_path: Path, sandbox: Sandbox) -> None:
    files: dict[str, bytes | Exception] = {f"c{n}": wav(n) for n in range(4)}
    indexed(tmp_path, dataset(files), sandbox)
    counting = Counting()
    summary = indexed(tmp_path, dataset(files), sandbox, embedder=Embedder(MEAN, *counting.parts))
    assert (summary.already, len(counting.calls)) == (4, 1)
    indexed(tmp_path, dataset(files), sandbox, embedder=Embedder(replace(MEAN, version="2"), *counting.parts))
    assert len(counting.calls) == 2
    assert open_collection(tmp_path, "one").counts().vectors == 8


def test_a_walk_that_is_killed_goes_on_where_it_was(tmp_path: Path, sandbox: Sandbox) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for number in range(60):
        (files / f"clip-{number:02}.wav").write_bytes(wav(number))
    code = """
import os, signal, sys
from pathlib import Path
from core.data.folder import DATASET
from core.pipeline.index import index
from core.settings import PROJECT, Settings
from core.store import About, open_collection
def watch(done, total, stage):
    if done == 37:
        os.kill(os.getpid(), signal.SIGKILL)
with open_collection(sys.argv[2], "one", create=About("audio"), write=True) as writer:
    index(DATASET.open(Path(sys.argv[1]), Settings()), writer, chunk=10, on_progress=watch)
"""
    root = tmp_path / "collections"
    command = [sys.executable, "-c", code, str(files), str(root)]
    assert subprocess.run(command, cwd=PROJECT, timeout=SECONDS, check=False).returncode == -signal.SIGKILL
    kept = plain_state(root / "one").items
    assert len(kept) == 30, "three chunks of ten were committed"
    summary = indexed(root, FOLDER.open(files, Settings()), sandbox, chunk=10)
    assert (summary.stored, summary.already) == (60, 30)
    assert plain_state(root / "one").items == {f"clip-{number:02}.wav": sha256_of(wav(number)) for number in range(60)}


def recording(folder: Path, seconds: int, rate: int = 8000) -> Path:
    """A long WAV whose samples count seconds, so that every window has its own bytes."""
    folder.mkdir(exist_ok=True)
    path = folder / "night.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        for second in range(seconds):
            file.writeframes(np.full(rate, second, np.int16).tobytes())
    return path


def test_a_recording_over_fifteen_minutes_is_stored_as_windows(tmp_path: Path, sandbox: Sandbox) -> None:
    path = recording(tmp_path / "files", 1005)
    (path.parent / "short.wav").write_bytes(wav(1))
    source = FOLDER.open(path.parent, Settings())
    counting = Counting()
    root = tmp_path / "collections"
    summary = indexed(root, source, sandbox, window_seconds=50, embedder=Embedder(MEAN, *counting.parts), chunk=8)
    assert (summary.given, summary.stored, summary.problems) == (22, 22, 0)
    reader = open_collection(root, "one")
    spans = [(start, min(start + 50, 1005)) for start in range(0, 1005, 50)]
    windows = [f"night.wav#{start}-{end}" for start, end in spans]
    assert set(reader.items(["id"])["id"].to_pylist()) == {*windows, "short.wav"}
    found = dict(zip(reader.vectors(MEAN).ids, reader.vectors(MEAN).matrix, strict=True))
    for name, (start, end) in zip(windows, spans, strict=True):
        wanted = [np.mean(np.arange(start, end)) / 32768, (end - start) * 8000]
        assert np.allclose(found[name], wanted, rtol=1e-5)
    assert reader.items(["id"], Where(groups=["night.wav"])).num_rows == 21
    assert all(row.thumbnail for row in reader.fetch(windows))
    again = indexed(root, source, sandbox, window_seconds=50, embedder=Embedder(MEAN, *counting.parts))
    assert again.already == 22


def test_memory_does_not_grow_with_the_length_of_a_recording(tmp_path: Path, sandbox: Sandbox) -> None:
    peaks = []
    for number, seconds in enumerate((1000, 4000)):
        source = FOLDER.open(recording(tmp_path / f"files{number}", seconds).parent, Settings())
        tracemalloc.start()
        summary = indexed(tmp_path / f"store{number}", source, sandbox, window_seconds=100, chunk=4)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert summary.stored == seconds // 100
    size = 4000 * 8000 * 2
    assert peaks[1] < peaks[0] * 1.5 + 2e6
    assert peaks[1] < size


def test_a_recording_changed_while_it_is_read_is_a_problem_not_a_mixture(tmp_path: Path, sandbox: Sandbox) -> None:
    path = recording(tmp_path / "files", 1000)
    source = FOLDER.open(path.parent, Settings())

    def change(done: int, total: int, stage: str) -> None:
        if done == 1:
            with path.open("r+b") as stream:
                stream.seek(1000)
                stream.write(b"\x11\x22")
            os.utime(path, ns=(1, 1))

    root = tmp_path / "collections"
    summary = indexed(root, source, sandbox, window_seconds=100, workers=1, on_progress=change)
    assert summary.given == 10
    assert summary.problems >= 6
    problems = open_collection(root, "one").problems()
    assert {problem.code for problem in problems} == {"changed"}
    again = indexed(root, source, sandbox, window_seconds=100)
    assert (again.stored, again.already, again.problems) == (10, 0, 0), "one file, one hash"
