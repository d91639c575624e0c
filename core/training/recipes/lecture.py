"""The lecture notes on ESC-50: four classes, an LSTM, a ConvNet, augmentation and transfer learning.

What the notes did by mistake and these recipes put right:
- the LSTM was given a batch as if it were one sequence of clips; here every clip is a sequence of its own;
- a shift by nothing blanked the whole spectrogram; here it leaves it alone;
- the transfer loop stepped another model's optimiser, so its layer never learned; here it does;
- augmented training went on from the trained network and augmented the validation clips; here it starts anew, and only
  training clips are augmented;
- batch normalisation learned from validation clips; here nothing does.
"""

from __future__ import annotations

from core.training.augmenting import LECTURE
from core.training.plan import Division, Plan, Recipe
from core.training.schedule import Schedule

CLASSES = ("dog", "cow", "chirping_birds", "vacuum_cleaner")
_FOUR = Division(by="fold", test_fold=1, classes=CLASSES)
_TEN = Schedule(epochs=10, batch=8, optimiser="adam", rate=1e-3, shape="constant")
_ESC50 = (("data=soundbox", ("division.by=split", "division.parts=clean")),)

RECIPES = (
    Recipe(
        "lecture-lstm",
        "LSTM on the waveform",
        "Lecture notes on ESC-50",
        "Sixteen units that read 80,000 samples as one step: it learns its training clips by heart.",
        Plan(data="soundbox", backbone="lecture_lstm", division=_FOUR, schedule=_TEN),
        _ESC50,
    ),
    Recipe(
        "lecture-convnet",
        "ConvNet on the spectrogram",
        "Lecture notes on ESC-50",
        "Four convolutions over a log-mel spectrogram.",
        Plan(data="soundbox", backbone="lecture_convnet", division=_FOUR, schedule=_TEN),
        _ESC50,
    ),
    Recipe(
        "lecture-augmented",
        "ConvNet with shifted spectrograms",
        "Lecture notes on ESC-50",
        "The same ConvNet from the same start, each training clip moved in time by up to a fifth.",
        Plan(data="soundbox", backbone="lecture_convnet", division=_FOUR, schedule=_TEN, augment=LECTURE),
        _ESC50,
    ),
    Recipe(
        "lecture-transfer",
        "Transfer from ImageNet",
        "Lecture notes on ESC-50",
        "A network that learned pictures reads the spectrogram as one; only its last layer is new and learns.",
        Plan(
            data="soundbox",
            backbone="efficientnet_lite",
            network=("kind=audio", "size=128"),
            start="published",
            fit="fixed",
            division=_FOUR,
            schedule=Schedule(epochs=5, batch=8, optimiser="adam", rate=1e-3, shape="constant"),
        ),
        _ESC50,
    ),
)
