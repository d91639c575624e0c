"""The adapters of published sets, each on a small faithful copy of its official layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.contracts import Dataset, groups_of
from core.data import open_dataset
from core.data._cifar import CIFAR10
from core.data._esc import ESC50
from core.errors import UserFacingError
from core.settings import Settings
from tests.contract.published import (
    CATEGORIES,
    TEN,
    cifar,
    digest,
    esc50_files,
    fsdd_files,
    lay,
    published,
    tarred,
    zipped,
)


def refusal(key: str, settings: Settings, location: Path | None = None) -> str:
    with pytest.raises(UserFacingError) as caught:
        open_dataset(key, settings, location)
    message = str(caught.value)
    assert message.endswith(".")
    assert str(settings.home.parent) not in message, "a path of the server"
    return message


def assert_esc50(dataset: Dataset, files: dict[str, bytes]) -> None:
    assert dataset.classes == CATEGORIES
    assert len(dataset.items) == 100
    for item in dataset.items:
        fold, source, take, target = item.id.removesuffix(".wav").split("-")
        assert (item.fold, item.group, item.label) == (int(fold), source, int(target))
        assert ("take", take) in item.extra
        assert dataset.read(item) == files[f"audio/{item.id}"]


@pytest.fixture
def copies(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a folder of local copies, still empty."""
    (tmp_path / "copies").mkdir()
    return replace(settings, data=tmp_path / "copies")


@pytest.mark.parametrize("place", ["esc50", "esc50/ESC-50-master", "."])
def test_esc50_reads_its_official_layout(copies: Settings, place: str) -> None:
    assert copies.data is not None
    files = esc50_files()
    lay(copies.data / place, files)
    assert_esc50(open_dataset("esc50", copies), files)


def test_esc50_reads_an_unopened_archive_without_its_other_files(settings: Settings, tmp_path: Path) -> None:
    files = esc50_files()
    archive = tmp_path / "ESC-50-master.zip"
    archive.write_bytes(zipped("ESC-50-master", files))
    dataset = open_dataset("esc50", settings, archive)
    assert_esc50(dataset, files)
    assert_esc50(open_dataset("esc50", settings, tmp_path), files)
    (unpacked,) = (settings.home / "downloads" / "esc50").iterdir()
    assert {path.name for path in unpacked.iterdir()} == {"meta", "audio"}


def test_esc10_is_the_marked_part_with_alphabetical_labels(copies: Settings) -> None:
    assert copies.data is not None
    files = esc50_files()
    lay(copies.data / "esc50", files)
    dataset = open_dataset("esc10", copies)
    assert dataset.classes == tuple(sorted(CATEGORIES[target] for target in TEN))
    assert len(dataset.items) == 20
    for item in dataset.items:
        target = int(dict(item.extra)["esc50_target"])
        assert item.label is not None
        assert dataset.classes[item.label] == CATEGORIES[target]
        assert dataset.read(item) == files[f"audio/{item.id}"]


def test_esc10_reads_a_flat_copy_of_its_part_alone(settings: Settings, tmp_path: Path) -> None:
    table = ["filename,fold,target,category,src_file,take"]
    table += [f"{CATEGORIES[target]}/a.ogg,{target % 5 + 1},{target},{CATEGORIES[target]},{target},A" for target in TEN]
    clips = {f"{CATEGORIES[target]}/a.ogg": b"clip %d" % target for target in TEN}
    lay(tmp_path / "flat", {"esc10.csv": "\n".join(table).encode(), **clips})
    dataset = open_dataset("esc10", settings, tmp_path / "flat")
    assert len(dataset.items) == 10
    assert all(dataset.read(item) == clips[item.id] for item in dataset.items)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1-100000-A-0.wav,1,0,dog", "1-100000-A-0.wav,6,0,dog", "line 2: fold '6'"),
        ("1-100000-A-0.wav,1,0,dog", "1-100000-A-0.wav,１,0,dog", "line 2: fold"),
        ("1-100000-A-0.wav,1,0,dog", "1-100000-A-0.wav,1,1,dog", "target '1' is not 'dog'"),
        ("1-100000-A-0.wav,1,0,dog", "../../secret.wav,1,0,dog", "no plain file name"),
        ("1-100000-A-0.wav,1,0,dog", "/secret.wav,1,0,dog", "no plain file name"),
        ("1-100000-A-0.wav,1,0,dog", "1-100000-B-0.wav,1,0,dog", "twice"),
        ("1-100000-A-0.wav,1,0,dog", "1-100000-A-0.wav,2,0,dog", "is in folds 2 and 1"),
        ("1-100000-A-0.wav,1,0,dog", "1-100000-Z-0.wav,1,0,dog", "1-100000-Z-0.wav is missing"),
        ("src_file", "source", "no column 'src_file'"),
        ("rooster", "rooster\x81", "UTF-8"),
    ],
)
def test_a_wrong_esc_table_is_refused_with_the_place(
    settings: Settings, tmp_path: Path, old: str, new: str, words: str
) -> None:
    files = esc50_files()
    table = files["meta/esc50.csv"].decode()
    assert old in table
    files["meta/esc50.csv"] = table.replace(old, new).encode("latin-1" if "\x81" in new else "utf-8")
    assert words in refusal("esc50", settings, lay(tmp_path / "wrong", files))


@pytest.mark.parametrize("form", ["recordings", "digit folders", "archive"])
def test_spoken_digits_have_the_official_split_and_speaker_folds(settings: Settings, tmp_path: Path, form: str) -> None:
    files = fsdd_files()
    place = tmp_path / "fsdd"
    if form == "archive":
        place = tmp_path / "free-spoken-digit-dataset-1.0.10.zip"
        place.write_bytes(zipped("free-spoken-digit-dataset-1.0.10", files))
    elif form == "digit folders":
        lay(place, {f"{name.split('/')[1][0]}/{name.split('/')[1]}": raw for name, raw in files.items() if "/" in name})
    else:
        lay(place, files)
    dataset = open_dataset("fsdd", settings, place)
    assert len(dataset.items) == 10 * 3 * 4
    for item in dataset.items:
        digit, speaker, take = item.id.split("_")
        assert item.label == int(digit)
        assert item.fold == {"george": 1, "jackson": 2, "theo": 3}[speaker]
        assert item.split == ("test" if int(take) <= 4 else "train")
        assert dict(item.extra) == {"speaker": speaker, "take": take}
        assert dataset.read(item) == files[f"recordings/{item.id}.wav"]
    train, test = ([item for item in dataset.items if item.split == split] for split in ("train", "test"))
    assert not groups_of(train) & groups_of(test)
    assert any("1 george, 2 jackson, 3 theo" in note for note in dataset.notes)
    assert any("120 of the 3,000" in note for note in dataset.notes)


def test_half_a_set_of_spoken_digits_says_what_is_missing(settings: Settings, tmp_path: Path) -> None:
    files = {name: raw for name, raw in fsdd_files().items() if not name.startswith("recordings/7")}
    assert "no recording of digit 7" in refusal("fsdd", settings, lay(tmp_path / "half", files))
    misplaced = lay(tmp_path / "misplaced", {"3/4_theo_0.wav": b"x"})
    assert "4_theo_0.wav lies in the folder of digit 3" in refusal("fsdd", settings, misplaced)


@pytest.mark.parametrize("key", ["esc50", "esc10", "fsdd", "cifar10", "cifar10h"])
def test_offline_without_a_copy_tells_what_to_do(settings: Settings, key: str) -> None:
    message = refusal(key, settings)
    assert "PENUMBRA_OFFLINE" in message
    assert "PENUMBRA_DATA" in message


@pytest.mark.parametrize("key", ["esc50", "esc10", "fsdd", "cifar10", "cifar10h"])
def test_an_unrelated_folder_is_named_and_nothing_is_downloaded(copies: Settings, tmp_path: Path, key: str) -> None:
    assert copies.data is not None
    lay(copies.data / key, {"holiday.jpg": b"x"})
    assert f"The folder '{key}' holds no copy" in refusal(key, copies)
    assert "There is no 'nowhere'" in refusal(key, copies, tmp_path / "nowhere")


def test_an_item_of_another_set_opens_nothing(settings: Settings, tmp_path: Path) -> None:
    for key, files in {"esc50": esc50_files(), "cifar10": cifar(2).files}.items():
        dataset = open_dataset(key, settings, lay(tmp_path / key, files))
        with pytest.raises(UserFacingError, match="has no item"):
            dataset.read(replace(dataset.items[0], id="../../etc/passwd"))


def test_a_first_download_is_unpacked_and_its_sha256_noted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made, online = cifar(), replace(settings, offline=False)
    esc = esc50_files()
    tar, zipped_esc = tarred("cifar-10-batches-bin", made.files), zipped("ESC-50-master", esc)
    with published(**{"c.tar.gz": tar, "e.zip": zipped_esc}) as publisher:
        small = replace(CIFAR10, url=f"{publisher.address}/c.tar.gz", checksum=digest("md5", tar), size=len(tar))
        monkeypatch.setattr("core.data.cifar10.CIFAR10", small)
        monkeypatch.setattr("core.data.esc50.ESC50", replace(ESC50, url=f"{publisher.address}/e.zip", size=10**6))
        first = open_dataset("cifar10", online)
        again = open_dataset("cifar10", settings)
        assert_esc50(open_dataset("esc50", online), esc)
        assert publisher.requests == ["/c.tar.gz", "/e.zip"]
    assert digest("sha256", tar).removeprefix("sha256:") in " ".join(first.notes)
    assert again.items == first.items
    assert again.notes == first.notes
    assert again.read(again.items[3]) == first.read(first.items[3])
