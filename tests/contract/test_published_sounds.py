"""UrbanSound8K, DCASE 2013, ShipsEar and AudioSet on small faithful copies, and on broken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.contracts import Item
from core.data import open_dataset
from core.data._splits import leaks, split_by_fold
from core.errors import UserFacingError
from core.settings import Settings
from tests.contract.published import lay, tarred, tone, zipped
from tests.contract.published_sounds import (
    MACHINES,
    PIECES,
    PLACES,
    SHIPS,
    URBAN,
    audioset_files,
    dcase_files,
    shipsear_files,
    urbansound_files,
)


def refusal(key: str, settings: Settings, location: Path | None = None) -> str:
    with pytest.raises(UserFacingError) as caught:
        open_dataset(key, settings, location)
    message = str(caught.value)
    assert message.endswith(".")
    assert str(settings.home.parent) not in message, "a path of the server"
    return message


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_urbansound8k_has_its_folds_and_recordings(settings: Settings, tmp_path: Path, form: str) -> None:
    files = urbansound_files()
    place = lay(tmp_path / "UrbanSound8K", files)
    if form == "archive":
        place = tmp_path / "UrbanSound8K.tar.gz"
        place.write_bytes(tarred("UrbanSound8K", files))
    dataset = open_dataset("urbansound8k", settings, place)
    assert dataset.classes == URBAN
    assert len(dataset.items) == 20
    for item in dataset.items:
        folder, name = item.id.split("/")
        source, label, _, piece = name.removesuffix(".wav").split("-")
        assert (f"fold{item.fold}", item.group, item.label) == (folder, source, int(label))
        assert dict(item.extra) == {"salience": "foreground" if piece == "0" else "background"}
        assert dataset.read(item) == files[f"audio/{item.id}"]
    assert not leaks(dataset)
    assert {item.fold for item in split_by_fold(dataset, 10).test} == {10}
    assert any("20 of the 8,732" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("100003-3-0-3.wav,100003,1.5,5.5,2,4,", "100003-3-0-3.wav,100003,1.5,5.5,2,5,", "is in folds 4 and 5"),
        ("2,4,3,dog_bark", "2,11,3,dog_bark", "line 9: fold '11' is not 1 to 10"),
        ("2,4,3,dog_bark", "2,4,4,dog_bark", "classID '4' is not 'dog_bark'"),
        ("2,4,3,dog_bark", "2,4,10,dog_bark", "classID '10' is not"),
        ("100003-3-0-3.wav", "../100003-3-0-3.wav", "no plain file name"),
        ("100003-3-0-3.wav", "100003-3-0-0.wav", "twice"),
        ("100003-3-0-3.wav", "100003-3-0-9.wav", "fold4/100003-3-0-9.wav is missing"),
        ("100003-3-0-3.wav,100003,", "100003-3-0-3.wav,,", "fsID is empty"),
        ("classID", "class_id", "no column 'classID'"),
    ],
)
def test_a_wrong_urbansound8k_table_is_refused_with_the_place(
    settings: Settings, tmp_path: Path, old: str, new: str, words: str
) -> None:
    files = urbansound_files()
    table = files["metadata/UrbanSound8K.csv"].decode()
    assert old in table
    files["metadata/UrbanSound8K.csv"] = table.replace(old, new).encode()
    assert words in refusal("urbansound8k", settings, lay(tmp_path / "wrong", files))


@pytest.mark.parametrize("form", ["folders", "archives", "flat archives"])
def test_dcase_scenes_train_on_the_development_set_and_test_on_the_other(
    settings: Settings, tmp_path: Path, form: str
) -> None:
    files = dcase_files()
    place = tmp_path / "dcase"
    if form == "folders":
        lay(place, files)
    else:
        place.mkdir()
        for top in ("scenes_stereo", "scenes_stereo_testset"):
            inside = {name.removeprefix(f"{top}/"): raw for name, raw in files.items() if name.startswith(f"{top}/")}
            (place / f"{top}.zip").write_bytes(zipped(top if form == "archives" else ".", inside))
    dataset = open_dataset("dcase2013", settings, place)
    assert dataset.classes == PLACES
    assert len(dataset.items) == 40
    for item in dataset.items:
        side, name = item.id.split("/")
        assert item.split == side
        assert item.label == PLACES.index(name[:-6])
        folder = "scenes_stereo" if side == "train" else "scenes_stereo_testset"
        assert dataset.read(item) == files[f"{folder}/{name}"]
    assert any("20 of the 100 published test recordings" in note for note in dataset.notes)


def test_half_a_dcase_says_which_half_is_missing(settings: Settings, tmp_path: Path) -> None:
    files = dcase_files()
    first = lay(tmp_path / "first", {name: raw for name, raw in files.items() if "testset" not in name})
    assert "no copy of DCASE 2013 scenes (evaluation)" in refusal("dcase2013", settings, first)
    no_tube = lay(tmp_path / "tube", {name: raw for name, raw in files.items() if "stereo/tube0" not in name})
    assert "no recording of 'tube'" in refusal("dcase2013", settings, no_tube)
    strange = lay(tmp_path / "strange", {**files, "scenes_stereo/harbour01.wav": tone(1)})
    assert "'harbour01.wav' is not called after" in refusal("dcase2013", settings, strange)
    (tmp_path / "one.zip").write_bytes(zipped("scenes_stereo", files))
    assert "the folder that holds both" in refusal("dcase2013", settings, tmp_path / "one.zip")


def test_shipsear_reads_types_and_recordings_from_names(settings: Settings, tmp_path: Path) -> None:
    files = shipsear_files()
    dataset = open_dataset("shipsear", settings, lay(tmp_path / "ships", files))
    assert [name[0] for name in dataset.classes] == list("ABCDE")
    assert len(dataset.items) == 13
    for item in dataset.items:
        kind, number = item.id.split("_")[:2]
        assert item.label is not None
        assert (dataset.classes[item.label][0], item.group) == (SHIPS[kind], number)
        assert dict(item.extra) == {"type": kind}
        assert dataset.read(item) == files[item.id]
        assert dataset.locate is not None
        assert dataset.locate(item) == tmp_path / "ships" / item.id
    assert any("13 of the 90" in note for note in dataset.notes)


TABLE = (
    "filename;type;class;recording\n"
    + "".join(
        f"{group}/{number}__cut{part}.wav;{kind};{group};\n"
        for number, (kind, group) in enumerate((("Mussel boat", "A"), ("Sailboat", "B"), ("Passengers", "C")), 6)
        for part in (1, 2)
    )
    + "D/x.wav;;D;liner\nD/y.wav;Ocean liner;;liner\nE/z.wav;Natural ambient noise;E;\n"
)


def test_shipsear_reads_pieces_of_recordings_from_a_table(settings: Settings, tmp_path: Path) -> None:
    names = [line.partition(";")[0] for line in TABLE.splitlines()[1:]]
    files = {name: tone(at) for at, name in enumerate(names)}
    dataset = open_dataset("shipsear", settings, lay(tmp_path / "cut", {"shipsear.csv": TABLE.encode(), **files}))
    found = {item.id: (dataset.classes[item.label or 0][0], item.group) for item in dataset.items}
    assert found["A/6__cut1.wav"] == found["A/6__cut2.wav"] == ("A", "6")
    assert found["D/x.wav"] == found["D/y.wav"] == ("D", "liner")
    assert found["E/z.wav"] == ("E", "z")
    assert all(dataset.read(Item(name)) == raw for name, raw in files.items())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Sailboat;B", "Submarine;B", "line 4: 'Submarine' is no type of ship"),
        ("Sailboat;B", "Sailboat;C", "line 4: class 'C' is not the group"),
        ("Sailboat;B", "Sailboat;AB", "line 4: class 'AB' is not the group"),
        ("Sailboat;B", ";", "line 4: it has neither type nor class"),
        ("B/7__cut2.wav;Sailboat;B;", "B/7__cut2.wav;Sailboat;B;6", "recording '6' is in two"),
        ("B/7__cut2.wav", "../7__cut2.wav", "no plain file name"),
        ("B/7__cut2.wav", "B/7__cut1.wav", "twice"),
        ("B/7__cut2.wav", "B/7__cut3.wav", "B/7__cut3.wav is missing"),
        ("Natural ambient noise;E", "Passengers;C", "no recording of group 'E"),
        ("filename", "name", "needs the columns 'filename'"),
    ],
)
def test_a_wrong_shipsear_table_is_refused_with_the_place(
    settings: Settings, tmp_path: Path, old: str, new: str, words: str
) -> None:
    names = [line.partition(";")[0] for line in TABLE.splitlines()[1:]]
    assert old in TABLE
    files = {"shipsear.csv": TABLE.replace(old, new).encode(), **{name: tone(1) for name in names}}
    assert words in refusal("shipsear", settings, lay(tmp_path / "wrong", files))


def test_a_recording_without_a_type_in_its_name_is_named(settings: Settings, tmp_path: Path) -> None:
    place = lay(tmp_path / "ships", {**shipsear_files(), "Kayak_97__today.wav": tone(1)})
    assert "'Kayak_97__today.wav' does not start with the type" in refusal("shipsear", settings, place)


def test_audioset_items_have_all_their_labels(settings: Settings, tmp_path: Path) -> None:
    files = audioset_files()
    dataset = open_dataset("audioset", settings, lay(tmp_path / "audioset", files))
    assert dataset.task == "multilabel"
    assert len(dataset.classes) == 527
    assert dataset.classes[3] == "Sound 3, of some kind"
    assert dataset.classes[-2:] == ("Hiss", f"Hiss ({MACHINES[526]})")
    told = {video: (labels, start, name) for name, rows in PIECES.items() for video, start, labels in rows}
    assert {item.id for item in dataset.items} == set(told) - {"gone1234567"}
    for item in dataset.items:
        labels, start, name = told[item.id]
        assert item.labels == labels
        assert item.label is None
        assert item.split == ("test" if name == "eval_segments" else "train")
        assert dict(item.extra) == {"list": name.removesuffix("_segments"), "start": f"{start:.3f}"}
        (path,) = (path for path in files if path.endswith(".wav") and item.id in path)
        assert dataset.read(item) == files[path]
    assert any("want of a sound: 1" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("class_labels_indices.csv", "index,mid", "number,mid", "does not start with"),
        ("class_labels_indices.csv", f"526,{MACHINES[526]},Hiss\n", "", "has 526 labels, expected 527"),
        ("class_labels_indices.csv", f"526,{MACHINES[526]},", f"526,{MACHINES[0]},", "line 528"),
        ("class_labels_indices.csv", f"526,{MACHINES[526]},", f"527,{MACHINES[526]},", "line 528"),
        ("eval_segments.csv", "# YTID", "YTID", "3 lines that begin with #"),
        ("eval_segments.csv", MACHINES[500], "/m/other", "line 4: '/m/other' is no label"),
        ("eval_segments.csv", "-0xzrMun0Rs,", "../../../x,", "line 4: '../../../x' is no video"),
        ("eval_segments.csv", "-0xzrMun0Rs,", "--PJHxphWEs,", "is in its lists twice"),
        ("eval_segments.csv", ', 40.000, "', ', "', "line 4: it has 3 of 4 cells"),
        ("eval_segments.csv", ', 40.000, "', ', 40.000, "" x', "no list of cells"),
        ("eval_segments.csv", ", 40.000", ", " + "4" * 5000, "line 4"),
    ],
)
def test_a_wrong_audioset_list_is_refused_with_the_place(
    settings: Settings, tmp_path: Path, name: str, old: str, new: str, words: str
) -> None:
    files = audioset_files()
    text = files[name].decode().replace('"Hiss"', "Hiss")
    assert old in text
    files[name] = text.replace(old, new, 1).encode()
    assert words in refusal("audioset", settings, lay(tmp_path / "wrong", files))


def test_lists_without_sounds_and_labels_without_lists_are_refused(settings: Settings, tmp_path: Path) -> None:
    files = audioset_files()
    mute = {name: raw for name, raw in files.items() if not name.endswith(".wav")}
    assert "none of the 5 pieces" in refusal("audioset", settings, lay(tmp_path / "mute", mute))
    alone = {"class_labels_indices.csv": files["class_labels_indices.csv"]}
    assert "balanced_train_segments.csv is missing" in refusal("audioset", settings, lay(tmp_path / "alone", alone))


@pytest.mark.parametrize(("key", "why"), [("shipsear", "on request"), ("audioset", "lists of its pieces")])
def test_what_nobody_can_download_says_why(settings: Settings, key: str, why: str) -> None:
    message = refusal(key, settings)
    assert why in message
    assert "PENUMBRA_DATA" in message
