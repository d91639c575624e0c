"""Network inputs prepared once: exact, aligned with what is known of their items, whole whatever happens."""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.backbones._entry import PictureEntry, SoundEntry
from core.backbones._network import StagedNetwork
from core.contracts import Dataset, Item, Kind, Progress, no_progress
from core.errors import DataError
from core.fingerprint import sha256_of
from core.layers import keys_of
from core.media import door
from core.settings import Settings
from core.training import hooks
from core.training.examples import Examples, Mapped, Selected
from core.training.plan import Plan
from core.training.prepared import PreparedSet, prepare, rows_where
from tests.fits import examples
from tests.hostile.audio_files import encoded, noise
from tests.patience import SECONDS

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PICTURES = PictureEntry((12, 16), MEAN, STD)
SOUNDS = SoundEntry(8000, 0.25)


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def dataset(files: dict[str, bytes], kind: Kind = "image") -> Dataset:
    """Items of two classes in turn; b"gone" is a file that cannot be read."""
    items = tuple(Item(name, label=number % 2, group=f"group {number}") for number, name in enumerate(files))

    def read(item: Item) -> bytes:
        if files[item.id] == b"gone":
            raise FileNotFoundError(item.id)
        return files[item.id]

    return Dataset("made", "Made", kind, ("a", "b"), items, read)


def network(kind: Kind = "image") -> StagedNetwork:
    return StagedNetwork("made", kind, 4, PICTURES if kind == "image" else SOUNDS)


def prepared(found: Dataset, settings: Settings, progress: Progress = no_progress) -> PreparedSet:
    return prepare(found, network(found.kind), settings, "multiclass", progress)


def assert_as_network_prepares(found: PreparedSet, source: Dataset, atol: float) -> None:
    rows = torch.arange(len(found.examples))
    got = found.examples.inputs.take(rows, 0)
    assert len(got) == len(found.items) == len(found.examples.labels) == len(found.examples.keys)
    for row, item in enumerate(found.items):
        media = door.open_media(source.read(item), kind=source.kind)
        want = network(source.kind).prepare(media).tensor
        torch.testing.assert_close(got[row], want, rtol=0, atol=atol, msg=item.id)
        assert int(found.examples.labels[row]) == item.label
        assert found.examples.ids[row] == item.id
        assert torch.equal(found.examples.keys[row : row + 1], keys_of([media.sha256]))


def test_pictures_are_kept_as_bytes_and_nothing_is_lost(settings: Settings) -> None:
    source = dataset({f"picture {number}": picture(number) for number in range(12)})
    found = prepared(source, settings)
    assert_as_network_prepares(found, source, atol=1e-6)
    (path,) = settings.home.glob("prepared/*/inputs.npy")
    assert np.load(path, mmap_mode="r").dtype == np.uint8


def test_sounds_are_kept_bit_for_bit(settings: Settings) -> None:
    waves = [noise(3000 + 900 * number, seed=number) for number in range(4)]
    source = dataset({f"sound {number}": encoded("WAV", samples=wave) for number, wave in enumerate(waves)}, "audio")
    assert_as_network_prepares(prepared(source, settings), source, atol=0.0)


def broken() -> dict[str, bytes]:
    """A file that is no picture first, one that is cut short within, one that is gone, and one last."""
    files = {f"item {number}": picture(number) for number in range(9)}
    return files | {"item 0": b"no picture", "item 3": picture(3)[:200], "item 5": b"gone", "item 8": b""}


def test_refused_files_are_problems_and_rows_stay_with_their_items(settings: Settings) -> None:
    source = dataset(broken())
    for _ in range(2):  # made, and found again
        found = prepared(source, settings)
        assert {problem.id for problem in found.problems} == {"item 0", "item 3", "item 5", "item 8"}
        assert all(problem.reason.endswith(".") and problem.code for problem in found.problems)
        assert_as_network_prepares(found, source, atol=1e-6)
    assert rows_where(found.items, {"item 4", "item 7", "item 0"}).tolist() == [2, 4]


def test_a_set_of_which_nothing_can_be_read_says_why(settings: Settings) -> None:
    source = dataset({"one": b"no picture", "two": b"none either"})
    for _ in range(2):
        with pytest.raises(DataError, match="None of the 2 items of Made could be read: ") as caught:
            prepared(source, settings)
        assert caught.value.code == "nothing-read"


def test_what_was_prepared_is_found_for_the_same_data_and_the_same_way_in(settings: Settings) -> None:
    files = {f"item {number}": picture(number) for number in range(4)}
    stages: list[str] = []

    def asked(source: Dataset, into: StagedNetwork) -> bool:
        stages.clear()
        prepare(source, into, settings, "multiclass", lambda done, total, stage: stages.append(stage))
        return "prepare" in stages

    assert asked(dataset(files), network())
    assert not asked(dataset(files), network())
    assert asked(dataset({**files, "item 2": picture(7)}), network())
    wider = StagedNetwork("made", "image", 4, replace(PICTURES, size=(12, 17)))
    assert asked(dataset(files), wider)


@pytest.mark.parametrize("harm", ["inputs cut short", "inputs gone", "note cut short"])
def test_what_is_damaged_is_prepared_again(settings: Settings, harm: str) -> None:
    source = dataset({f"item {number}": picture(number) for number in range(4)})
    prepared(source, settings)
    (folder,) = settings.home.glob("prepared/*")
    path = folder / ("inputs.json" if harm.startswith("note") else "inputs.npy")
    if harm.endswith("gone"):
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:90])
    assert_as_network_prepares(prepared(source, settings), source, atol=1e-6)


def test_a_draft_of_a_process_that_died_is_removed_and_one_of_a_living_stays(settings: Settings) -> None:
    source = dataset({f"item {number}": picture(number) for number in range(3)})
    prepared(source, settings)
    (folder,) = settings.home.glob("prepared/*")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, os.getppid()):
        (folder / f".{process}-inputs.npy").write_bytes(b"draft")
    (folder / "inputs.json").unlink()
    prepared(source, settings)
    assert {path.name for path in folder.glob(".*")} == {f".{os.getppid()}-inputs.npy"}


def _prepare(settings: Settings, start: Any, answers: Any) -> None:
    source = dataset(broken())
    start.wait()
    found = prepared(source, settings)
    answers.put(found.examples.inputs.take(torch.arange(len(found.items)), 0).numpy().tobytes())


def test_two_processes_that_prepare_at_once_both_end_with_all_of_it(settings: Settings, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, answers = context.Event(), context.Queue()
    workers = [context.Process(target=_prepare, args=(settings, start, answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    start.set()
    found = {answers.get(timeout=SECONDS) for _ in workers}
    for worker in workers:
        worker.join(timeout=SECONDS)
    alone = prepared(dataset(broken()), replace(settings, home=tmp_path / "other"))
    assert found == {alone.examples.inputs.take(torch.arange(5), 0).numpy().tobytes()}
    (folder,) = settings.home.glob("prepared/*")
    assert {path.name for path in folder.iterdir()} == {"inputs.npy", "inputs.json"}


def test_targets_of_other_folds_stay_with_their_items_where_files_were_refused(settings: Settings) -> None:
    """Every item's fold is that of its recording, not of the row that it would have had."""
    from core.methods._contract import FitContext
    from tests.fits import wanted
    from tests.tiny import tiny

    case = wanted("loss_prediction", "head")
    names = tuple(f"item {row}" for row in range(len(case.train)))
    train = replace(case.train, ids=names)
    items = [Item(name, group=f"recording {row // 2}") for row, name in enumerate(names)]
    refused = [Item(f"refused {number}", group=f"lost {number}") for number in range(3)]
    plan = Plan(method="loss_prediction", target_folds=3)
    context = FitContext("multiclass", 3, len(train), seed=0)
    state = case.method.init(case.config, case.network, context, torch.Generator().manual_seed(0))
    made = []
    for known in (items, [*refused[:2], *reversed(items), refused[2]]):
        ready = hooks.prepare_of(plan, tiny(), train, known, context, settings)  # type: ignore[arg-type]
        made.append(ready(state).targets)
    assert torch.equal(made[0].keys, made[1].keys)
    assert torch.equal(made[0].losses, made[1].losses)
    assert sha256_of(made[0].losses.numpy().tobytes()) != sha256_of(torch.zeros(len(train)).numpy().tobytes())


def test_views_and_selections_take_what_they_say() -> None:
    array = np.arange(2 * 5 * 3, dtype=np.float32).reshape(2, 5, 3)
    some = Selected(Mapped(array), torch.tensor([4, 0, 2]))
    assert (len(Mapped(array)), len(some)) == (5, 3)
    assert some.take(torch.tensor([1, 0]), 3).tolist() == array[1][[0, 4]].tolist()
    source: Examples = replace(examples("head", items=6), ids=tuple("abcdef"))
    part = source.part(torch.tensor([5, 1])).part(torch.tensor([1]))
    assert part.ids == ("b",)
    assert torch.equal(part.labels, source.labels[[1]])
    assert torch.equal(part.inputs.take(torch.tensor([0]), 0), source.inputs.take(torch.tensor([1]), 0))
