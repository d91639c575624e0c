"""Four learners of the lecture notes on four classes, with the mistakes put right, and what transfer was worth."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import (
    Answer,
    Panel,
    Series,
    Study,
    less,
    mean_over,
    side,
    signed,
    sweeping,
    told,
    verdict_of,
)
from core.pipeline.swept import Point, Swept

_FOUR = "data=esc10 division.classes=dog,rooster,rain,helicopter"
_FOLDS = (1, 2, 3, 4, 5)
_NETWORKS = sweeping(
    "lecture-networks", "lecture-convnet", _FOUR, "backbone=lecture_lstm,lecture_convnet", minutes=1, folds=_FOLDS
)
_MOVED = sweeping("lecture-moved", "lecture-augmented", _FOUR, "augment.roll=0.2", minutes=1, folds=_FOLDS)
_CARRIED = sweeping(
    "lecture-transfer",
    "lecture-transfer",
    _FOUR,
    "backbone=efficientnet_lite,sfx",
    "schedule.rate=0,1e-3",
    minutes=1,
    folds=_FOLDS,
)
_STILL, _LEARNS = "schedule.rate=0", "schedule.rate=1e-3"
_LEARNERS: dict[str, tuple[str, Point]] = {
    "LSTM": (_NETWORKS.name, ("backbone=lecture_lstm",)),
    "ConvNet": (_NETWORKS.name, ("backbone=lecture_convnet",)),
    "moved": (_MOVED.name, ("augment.roll=0.2",)),
    "ImageNet": (_CARRIED.name, ("backbone=efficientnet_lite", _LEARNS)),
    "sounds": (_CARRIED.name, ("backbone=sfx", _LEARNS)),
}


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = {title: tables[name].values(point, "test", "accuracy") for title, (name, point) in _LEARNERS.items()}
    each = ", ".join(f"{told(mean_over(values), 2)} {title}" for title, values in found.items())
    still = tables[_CARRIED.name].mean(("backbone=efficientnet_lite", _STILL), "test", "accuracy")
    gains = {title: less(found[title], found["ConvNet"]) for title in ("ImageNet", "sounds")}
    sentence = (
        f"Accuracy: {each}. Against the ConvNet transfer changes it by {signed(gains['ImageNet'], 2)} from ImageNet "
        f"and by {signed(gains['sounds'], 2)} from a network of sounds; a last layer that never learns, as in the "
        f"notes, reaches {told(still, 2)}."
    )
    panel = Panel("", "accuracy", tuple(found), (
        Series("five folds", "total", tuple(mean_over(values) for values in found.values())),
    ), joined=False, guess=0.25)  # fmt: skip
    return Answer(sentence, verdict_of(-1 if side(one) > 0 else 1 for one in gains.values()), (panel,))


STUDY = Study(
    "lecture",
    "Four learners, and what transfer is worth",
    "Lecture notes on ESC-50",
    "https://github.com/karolpiczak/ESC-50",
    "LSTM, ConvNet, moved spectrograms or transfer: who learns four sounds best, and does transfer help?",
    "The ConvNet is best, and transfer gains nothing.",
    "Dog, rooster, rain and helicopter of ESC-10; the notes' transfer loop stepped another model's optimiser.",
    (_NETWORKS, _MOVED, _CARRIED),
    tell,
)
