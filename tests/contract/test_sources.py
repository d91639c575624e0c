"""Folders, manifests and zips: the same content is the same data set, and nothing outside is opened."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from core.contracts import Dataset, Item
from core.data import manifest, open_source
from core.data._fingerprint import dataset_fingerprint
from core.errors import ArchiveError, DataError, TableError
from core.settings import Settings
from tests.contract.dataset_contract import assert_promises

KINDS = ("cat", "dog")


def tone(pitch: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.5 * np.sin(np.arange(800) * pitch / 100), 8000, format="WAV")
    return buffer.getvalue()


def picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


SOUNDS = {f"{kind}/{n}.wav": tone(10 * k + n) for k, kind in enumerate(KINDS) for n in range(4)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Eight sounds in two class folders."""
    root = tmp_path / "sounds"
    for name, raw in SOUNDS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(raw)
    return root


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows_of(names: list[str]) -> list[dict[str, str]]:
    return [{"filename": name, "category": name.split("/")[0]} for name in names]


def zipped(root: Path, inside: str = "") -> Path:
    target = root.parent / "sent.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, f"{inside}{path.relative_to(root)}")
    return target


def as_csv(root: Path) -> Path:
    return write_table(root / "sounds.csv", rows_of(sorted(SOUNDS, reverse=True)))


def as_bytes(root: Path) -> Path:
    names = list(SOUNDS)
    columns = {"file": names, "label": [n.split("/")[0] for n in names], "audio": [SOUNDS[n] for n in names]}
    pq.write_table(pa.table(columns), root / "sounds.parquet", row_group_size=3)
    return root / "sounds.parquet"


def as_manifest_inside(root: Path) -> Path:
    write_table(root / "manifest.csv", rows_of(sorted(SOUNDS)))
    return root


def as_zip(root: Path) -> Path:
    return zipped(root)


def as_zip_with_top(root: Path) -> Path:
    return zipped(root, "sounds/")


def as_zip_of_table(root: Path) -> Path:
    as_csv(root)
    return zipped(root, "sounds/")


def as_zip_of_bytes(root: Path) -> Path:
    path = as_bytes(root)
    with zipfile.ZipFile(root.parent / "sent.zip", "w") as archive:
        archive.write(path, path.name)
    return root.parent / "sent.zip"


FORMS = (Path, as_csv, as_bytes, as_manifest_inside, as_zip, as_zip_with_top, as_zip_of_table, as_zip_of_bytes)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_same_content_is_the_same_data_set(tree: Path, settings: Settings, form: Callable[[Path], Path]) -> None:
    dataset = open_source(str(form(tree)), settings)
    assert (dataset.kind, dataset.classes) == ("audio", KINDS)
    assert {item.id: dataset.classes[item.label or 0] for item in dataset.items} == {n: n[:3] for n in SOUNDS}
    assert {item.id: dataset.read(item) for item in dataset.items} == SOUNDS
    known = tuple(Item(name, KINDS.index(name[:3])) for name in SOUNDS)
    plain = Dataset("x", "x", "audio", KINDS, known, lambda item: SOUNDS[item.id])
    assert dataset_fingerprint(dataset) == dataset_fingerprint(plain)


@pytest.mark.parametrize("form", [Path, as_csv, as_zip], ids=lambda form: form.__name__)
def test_each_source_keeps_what_every_data_set_promises(
    tree: Path, settings: Settings, form: Callable[[Path], Path]
) -> None:
    module = {"Path": "folder", "as_csv": "manifest", "as_zip": "zip"}[form.__name__]
    spec = __import__(f"core.data.{module}", fromlist=["DATASET"]).DATASET
    assert_promises(open_source(str(form(tree)), settings), spec)


@pytest.mark.parametrize(
    "change",
    [{"label": 1}, {"fold": 2}, {"group": "g"}, {"split": "test"}, {"id": "other"}],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_sees_every_field_and_every_byte(change: dict[str, object]) -> None:
    item = Item("a", 0)
    sets = [
        Dataset("x", "x", "audio", KINDS, (item,), lambda _: b"raw"),
        Dataset("x", "x", "audio", KINDS, (replace(item, **change),), lambda _: b"raw"),
        Dataset("x", "x", "audio", KINDS, (item,), lambda _: b"rav"),
        Dataset("x", "x", "audio", KINDS[::-1], (item,), lambda _: b"raw"),
    ]
    sets += [replace(sets[0], task="multilabel", items=(Item("a", labels=has),)) for has in ((0,), (1,))]
    assert len({dataset_fingerprint(dataset) for dataset in sets}) == 6


def test_a_flat_folder_has_no_labels(tree: Path, settings: Settings) -> None:
    dataset = open_source(str(tree / "dog"), settings)
    assert dataset.classes == ()
    assert [item.label for item in dataset.items] == [None] * 4


def test_split_folders_become_splits(tree: Path, settings: Settings) -> None:
    for split in ("train", "val"):
        (tree / split).mkdir()
    (tree / "dog").rename(tree / "train" / "dog")
    (tree / "cat").rename(tree / "val" / "cat")
    dataset = open_source(str(tree), settings)
    assert dataset.classes == KINDS
    assert {(item.id[:3], item.split) for item in dataset.items} == {("tra", "train"), ("val", "validation")}


def test_the_minority_the_strange_and_the_hidden_are_left_out_and_told(tree: Path, settings: Settings) -> None:
    (tree / "dog" / "photo.png").write_bytes(picture(1))
    (tree / "dog" / "photo.wav").write_bytes(picture(2))  # the name is not asked
    (tree / "dog" / "readme.txt").write_text("hello")
    (tree / "dog" / "Thumbs.db").write_text("x")
    (tree / ".git").mkdir()
    (tree / ".git" / "x.wav").write_bytes(tone(1))
    (tree / "loose.wav").write_bytes(tone(99))
    dataset = open_source(str(tree), settings)
    assert {item.id for item in dataset.items} == set(SOUNDS)
    told = "\n".join(dataset.notes)
    assert "skipped pictures among sounds: 2 (dog/photo.png, dog/photo.wav)" in told
    assert "readme.txt: this is text" in told
    assert "loose.wav" in told
    assert "Thumbs" not in told


def test_links_may_not_leave_the_folder(tree: Path, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(tone(7))
    (tree / "dog" / "out.wav").symlink_to(tmp_path / "secret.wav")
    (tree / "dog" / "in.wav").symlink_to(tree / "cat" / "0.wav")
    (tree / "bird").symlink_to(tmp_path)
    dataset = open_source(str(tree), settings)
    assert {item.id for item in dataset.items} == {*SOUNDS, "dog/in.wav"}
    assert any("dog/out.wav" in note and "bird" in note for note in dataset.notes)
    item = next(item for item in dataset.items if item.id == "dog/in.wav")
    (tree / "dog" / "out.wav").replace(tree / "dog" / "in.wav")  # now it leads outside
    with pytest.raises(DataError, match="can no longer be read"):
        dataset.read(item)


OUTSIDE = {
    "T-10 parent": "../secret.wav",
    "T-10 parent in the middle": "dog/../../secret.wav",
    "T-10 absolute": "{root}/../secret.wav",
    "T-10 file URL": "file://{root}/dog/0.wav",
    "T-10 http": "http://169.254.169.254/latest/x.wav",
    "T-10 UNC": "\\\\host\\share\\x.wav",
    "T-10 drive": "C:\\x.wav",
    "T-10 pipe": "dog/0.wav | touch canary",
    "T-10 command": "$(touch canary).wav",
    "T-10 link": "dog/link.wav",
}


@pytest.mark.parametrize("cell", OUTSIDE.values(), ids=OUTSIDE.keys())
@pytest.mark.parametrize("form", ["csv", "zip"])
def test_a_path_cell_never_opens_anything_outside(
    tree: Path, settings: Settings, tmp_path: Path, cell: str, form: str
) -> None:
    (tmp_path / "secret.wav").write_bytes(tone(7))
    if form == "csv":
        (tree / "dog" / "link.wav").symlink_to(tmp_path / "secret.wav")
    bad = {"filename": cell.format(root=tree), "category": "dog"}
    path = write_table(tree / "sounds.csv", [*rows_of(sorted(SOUNDS)), bad])
    dataset = open_source(str(path if form == "csv" else zipped(tree)), settings)
    assert {item.id: dataset.read(item) for item in dataset.items} == SOUNDS
    assert any("row 10" in note for note in dataset.notes)
    assert not list(tmp_path.rglob("canary"))


def test_a_manifest_gives_folds_groups_splits_and_the_rest(tree: Path, settings: Settings) -> None:
    columns = ("filename", "fold", "target", "category", "src_file", "split", "take")
    cells = [("dog/1.wav", "2", "7", "dog", "r1", "train", "A"), ("cat/0.wav", "", "30", "cat", "", "val", "B")]
    path = write_table(tree / "x.csv", [dict(zip(columns, row, strict=True)) for row in cells])
    dataset = open_source(str(path), settings)
    assert dataset.classes == ("dog", "cat")  # in the order of their numbers
    assert dataset.items == (
        Item("dog/1.wav", 0, 2, "r1", "train", None, (("take", "A"),)),
        Item("cat/0.wav", 1, None, None, "validation", None, (("take", "B"),)),
    )


@pytest.mark.parametrize("name", sorted(manifest.SPLITS))
def test_every_known_split_name_is_understood(tree: Path, settings: Settings, name: str) -> None:
    path = write_table(tree / "x.csv", [{"path": "dog/0.wav", "split": name.upper()}])
    assert open_source(str(path), settings).items[0].split == manifest.SPLITS[name]


def test_votes_become_true_probabilities(settings: Settings, tmp_path: Path) -> None:
    columns = {
        "file": ["a.png", "b.png"],
        "label": ["dog", "cat"],
        "image": [picture(1), picture(2)],
        "human_counts": [[1, 3], [5, 0]],
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    dataset = open_source(str(tmp_path / "x.parquet"), settings)
    assert (dataset.kind, dataset.classes) == ("image", KINDS)
    assert [item.truth and item.truth.probs for item in dataset.items] == [(0.25, 0.75), (1.0, 0.0)]


def test_two_rows_for_one_file_get_their_own_ids(tree: Path, settings: Settings) -> None:
    (tree / "dog" / "0.wav#2").write_bytes(tone(50))
    rows = [{"path": name} for name in ("dog/0.wav", "dog/0.wav", "dog/0.wav#2")]
    dataset = open_source(str(write_table(tree / "x.csv", rows)), settings)
    assert [item.id for item in dataset.items] == ["dog/0.wav", "dog/0.wav#3", "dog/0.wav#2"]
    assert [dataset.read(item) for item in dataset.items] == [SOUNDS["dog/0.wav"]] * 2 + [tone(50)]


def test_a_zip_refuses_its_bad_entries_and_opens_with_the_others(tree: Path, settings: Settings) -> None:
    path = zipped(tree)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil.wav", tone(3))
    dataset = open_source(str(path), settings)
    assert {item.id for item in dataset.items} == set(SOUNDS)
    assert any("refused entries: 1" in note and "evil.wav" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ("a,b\n1,2\n", "no-path-column"),
        ("path,fold\ndog/0.wav,1.5\n", "label"),
        ("path,split\ndog/0.wav,sometimes\n", "label"),
        ("path\nnowhere.wav\n", "no-media"),
    ],
    ids=["T-01 no file column", "T-15 fold 1.5", "T-07 unknown split", "T-10 nothing found"],
)
def test_a_manifest_that_cannot_be_used_says_why(tree: Path, settings: Settings, table: str, code: str) -> None:
    (tree / "x.csv").write_text(table)
    with pytest.raises((TableError, DataError)) as caught:
        open_source(str(tree / "x.csv"), settings)
    assert caught.value.code == code
    assert "x.csv" in str(caught.value)


def test_empty_folders_and_zips_are_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="holds no sound and no picture"):
        open_source(str(tmp_path / "nothing"), settings)
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    with pytest.raises(ArchiveError, match="no file that can be used"):
        open_source(str(tmp_path / "empty.zip"), settings)
