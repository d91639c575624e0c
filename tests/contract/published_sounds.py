"""Small faithful copies of the published layouts of sound sets."""

from __future__ import annotations

import csv
import io

from tests.contract.published import tone

URBAN = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)
PLACES = (
    *("bus", "busystreet", "office", "openairmarket", "park"),
    *("quietstreet", "restaurant", "supermarket", "tube", "tubestation"),
)
SHIPS = {  # type in a file's name -> group
    **dict.fromkeys(("Fishboat", "Trawler", "Musselboat", "Tugboat", "Dredger"), "A"),
    **dict.fromkeys(("Motorboat", "Pilotship", "Sailboat"), "B"),
    "Passengers": "C",
    **dict.fromkeys(("Oceanliner", "RORO"), "D"),
    "Naturalambientnoise": "E",
}


def urbansound_files() -> dict[str, bytes]:
    """Two slices a class, cut from one recording, in the folds 1 to 10."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"])
    files: dict[str, bytes] = {}
    for label, category in enumerate(URBAN):
        source, fold = 100_000 + label, label + 1
        for piece in (0, 3):
            name = f"{source}-{label}-0-{piece}.wav"
            writer.writerow([name, source, 0.5 * piece, 0.5 * piece + 4, 1 + (piece > 0), fold, label, category])
            files[f"audio/fold{fold}/{name}"] = tone(10 * label + piece, 22050)
    return {"metadata/UrbanSound8K.csv": table.getvalue().encode(), **files, "UrbanSound8K_README.txt": b"about"}


def dcase_files() -> dict[str, bytes]:
    """Two recordings of each place on either side; their numbers have gaps, and both sides share names."""
    return {
        f"{folder}/{place}{number:02d}.wav": tone(1000 * side + 10 * at + number, 44100)
        for side, folder in enumerate(("scenes_stereo", "scenes_stereo_testset"))
        for at, place in enumerate(PLACES)
        for number in (1, 7)
    }


def shipsear_files() -> dict[str, bytes]:
    """One recording of each type, two of motor boats."""
    names = [f"{kind}_{number}__10_07_13_name{number}_Entra.wav" for number, kind in enumerate(SHIPS, 6)]
    names.append("Motorboat_79__23_07_13_H3_zodiac.wav")
    return {name: tone(at) for at, name in enumerate(names)}


MACHINES = [f"/m/0{number:04x}" for number in range(526)] + ["/t/dd00088"]
PIECES = {  # list -> video, start, numbers of its labels
    "balanced_train_segments": [("--PJHxphWEs", 30, (0, 526)), ("-0RWZT-miFs", 420, (3,)), ("gone1234567", 0, (5,))],
    "eval_segments": [("-0xzrMun0Rs", 30, (1, 3, 500)), ("Ystartswith", 10, (0,))],
}


def audioset_files() -> dict[str, bytes]:
    """Five pieces, of which one lost its sound, and sounds under the names that collectors give them."""
    names = [f"Sound {number}, of some kind" for number in range(525)] + ["Hiss", "Hiss"]
    rows = [f'{at},{machine},"{name}"' for at, (machine, name) in enumerate(zip(MACHINES, names, strict=True))]
    files = {"class_labels_indices.csv": ("index,mid,display_name\n" + "\n".join(rows) + "\n").encode()}
    for name, pieces in PIECES.items():
        head = (
            "# Segments csv created Sun Mar  5 10:54:31 2017\n"
            f"# num_ytids={len(pieces)}, num_segs={len(pieces)}, num_unique_labels=527, num_positive_labels=9\n"
            "# YTID, start_seconds, end_seconds, positive_labels\n"
        )
        lines = [
            f'{video}, {start:.3f}, {start + 10:.3f}, "{",".join(MACHINES[label] for label in labels)}"\n'
            for video, start, labels in pieces
        ]
        files[f"{name}.csv"] = (head + "".join(lines)).encode()
    sounds = (
        "audios/balanced_train_segments/Y--PJHxphWEs.wav",
        "audios/balanced_train_segments/-0RWZT-miFs_420_430.wav",
        "audios/eval_segments/part00/-0xzrMun0Rs_30.000.wav",
        "audios/eval_segments/YYstartswith.wav",
    )
    return files | {name: tone(at, 32000) for at, name in enumerate(sounds)} | {"audios/notes.txt": b"x"}
