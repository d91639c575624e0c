"""A few recordings of each class, cut into pieces: some to train on, and others to be judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from core.contracts import Progress
from core.errors import DataError
from core.lessons._pictures import Spectrogram
from core.media.spectrogram import MelConfig, log_mel, mel_edges
from core.settings import Settings

RATE, SECONDS = 16_000, 2.5  # of a piece; a recording of five seconds has two
_PIECES = 2
_FIRST = 9500  # Soundbox's sources from here on are in no clip of the set
SOUNDBOX, ESC50 = "Soundbox", "ESC-50"
_MEL = MelConfig(RATE, 1024, 256, 64, 50.0, 8000.0)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    names: tuple[str, ...]
    waves: np.ndarray  # (pieces, time) float32 at RATE
    labels: np.ndarray  # (pieces,)
    held: np.ndarray  # (pieces,) booleans: of a recording that nothing is trained on


def pieces(
    data: str, names: tuple[str, ...], train: int, held: int, seed: int, settings: Settings, progress: Progress
) -> Pieces:
    """Of ``train`` recordings of each class, and of ``held`` others."""
    if data == ESC50:
        return _esc50(names, train, held, settings, progress)
    return soundbox(names, train, held, seed, progress)


def soundbox(names: tuple[str, ...], train: int, held: int, seed: int, progress: Progress, rate: int = RATE) -> Pieces:
    made = []
    for number, name in enumerate(names):
        made.append([_recording(name, source, seed, rate) for source in range(train + held)])
        progress(number + 1, len(names), f"recording {spoken(name)}")
    return cut(names, made, train, rate)


def _esc50(names: tuple[str, ...], train: int, held: int, settings: Settings, progress: Progress) -> Pieces:
    """Folds 2 to 5 to train on, and fold 1 to be judged by."""
    from core.data import open_source
    from core.media.door import open_media

    try:
        dataset = open_source("esc50", replace(settings, offline=True))  # a lesson downloads nothing
    except DataError as error:
        if error.code != "offline":
            raise
        raise DataError(
            "No copy of ESC-50 is on this machine; put one into a folder 'esc50' inside the one that PENUMBRA_DATA "
            "names, or stay with Soundbox.",
            code="offline",
        ) from None
    made = []
    for number, name in enumerate(names):
        own = [item for item in dataset.items if item.label == dataset.classes.index(name)]
        chosen = [item for item in own if item.fold != 1][:train] + [item for item in own if item.fold == 1][:held]
        found = [open_media(dataset.read(item), kind="audio") for item in chosen]
        made.append([at_rate(one.samples, one.rate or RATE) for one in found])
        progress(number + 1, len(names), f"reading {spoken(name)}")
    return cut(names, made, train)


def cut(names: tuple[str, ...], recordings: Sequence[Sequence[np.ndarray]], train: int, rate: int = RATE) -> Pieces:
    waves, labels, held = [], [], []
    for label, of_class in enumerate(recordings):
        for number, samples in enumerate(of_class):
            found = pieces_of(samples, rate)
            waves += found
            labels += [label] * len(found)
            held += [number >= train] * len(found)  # on the side of their recording
    return Pieces(names, np.array(waves, np.float32), np.array(labels), np.array(held))


def pieces_of(samples: np.ndarray, rate: int = RATE) -> list[np.ndarray]:
    """The first of a recording; what is shorter ends in silence."""
    length = round(SECONDS * rate)
    parts = [samples[start * length : (start + 1) * length] for start in range(_PIECES)]
    return [np.pad(part, (0, length - len(part))) for part in parts if len(part)]


@lru_cache(maxsize=512)
def _recording(name: str, source: int, seed: int, rate: int) -> np.ndarray:
    """Remembered, since lessons share their clips, and a reader who turns a knob asks for them again."""
    from core.data._soundbox.render import recording
    from core.data._soundbox.signal import RATE as MADE

    return at_rate(recording(name, _FIRST + source, 0, seed), MADE, rate)


def at_rate(samples: np.ndarray, rate: int, wanted: int = RATE) -> np.ndarray:
    import soxr

    return np.asarray(soxr.resample(samples, rate, wanted, "HQ"), np.float32)


def picture(samples: np.ndarray, title: str, finding: str) -> Spectrogram:
    """Of samples at RATE."""
    levels = log_mel(samples, _MEL).T.astype(np.float32)
    return Spectrogram(title, finding, levels, mel_edges(_MEL.f_min, _MEL.f_max, _MEL.mels)[1:-1], len(samples) / RATE)


def spoken(name: str) -> str:
    return name.removeprefix("ship_").replace("_", " ")
