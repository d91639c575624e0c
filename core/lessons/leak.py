"""The leak: takes of one recording on both sides of a split make a model look better than it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.contracts import Progress, no_progress
from core.fingerprint import numpy_generator
from core.lessons._contract import Claim, Lesson, Number, Outcome, Own
from core.lessons._pictures import Line, Lines, Picture, Strip
from core.media.spectrogram import MelConfig, log_mel
from core.methods._knobs import check, knob
from core.settings import Settings

_CLASSES = ("dog", "rain", "keyboard_typing", "footsteps", "crackling_fire", "chirping_birds")
_RATE, _HEARD = 44_100, 3  # seconds of each clip
_MEL = MelConfig(_RATE, 1024, 1024, 32, 50.0, 16_000.0)
_FIRST = 9000  # sources from here on are in no clip of the set
_SPLITS = 30
_CLOSE = 0.05  # accuracies nearer than this are called the same


@dataclass(frozen=True, slots=True)
class Config:
    sources: int = knob(5, "recordings of each class", least=3, most=8)
    takes: int = knob(3, "clips cut from each recording", least=2, most=5)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Clips:
    labels: np.ndarray  # (clips,) class
    sources: np.ndarray  # (clips,) recording
    takes: np.ndarray  # (clips,) place in its recording
    gaps: np.ndarray  # (clips, clips) squared distance of their spectra


@dataclass(frozen=True, slots=True)
class _Score:
    accuracy: float
    low: float
    high: float
    same: float  # share of answers that come from another clip of the same recording


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    takes = [_clip("dog", 0, 0, seed), _clip("dog", 0, 1, seed), _clip("dog", 1, 0, seed)]
    names = ("one dog", "the same dog again", "another dog")
    return (Strip("Three clips of one class, two of one recording", names, tuple(takes), _RATE),)


def compute(config: Config, seed: int, settings: Settings, progress: Progress = no_progress) -> Outcome:
    clips = _clips(config, seed, progress)
    by_clip, by_source = {}, {}
    for takes in range(1, config.takes + 1):
        few = clips.takes < takes
        by_clip[takes] = _scored(clips, few, seed, apart=False)
        by_source[takes] = _scored(clips, few, seed, apart=True)
    return _outcome(config, by_clip, by_source)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    return (
        Claim("a split by clips looks better", outcome["by clip 3"] > outcome["by recording 3"] + 0.1),
        Claim("most of its answers are the recording itself", outcome["same 3"] > 0.5),
        Claim("one clip a recording cannot leak", outcome["same 1"] == 0.0),
        Claim("the leak grows with the clips of a recording", outcome["by clip 3"] > outcome["by clip 1"]),
    )


def _clip(name: str, source: int, take: int, seed: int) -> np.ndarray:
    from core.data._soundbox.render import recording

    return recording(name, _FIRST + source, take, seed)[: _HEARD * _RATE]


def _clips(config: Config, seed: int, progress: Progress) -> _Clips:
    """Every clip as level and unrest of its mel bands, which is all that the model gets."""
    rows, facts = [], []
    for label, name in enumerate(_CLASSES):
        for source in range(config.sources):
            for take in range(config.takes):
                levels = log_mel(_clip(name, source, take, seed), _MEL)
                facts.append(np.concatenate([levels.mean(axis=0), levels.std(axis=0)]))
                rows.append((label, label * config.sources + source, take))
        progress(label + 1, len(_CLASSES), f"recording {name.replace('_', ' ')}")
    table = np.array(facts)
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    gaps = ((table[:, None] - table[None]) ** 2).sum(axis=-1)
    labels, sources, takes = np.array(rows).T
    return _Clips(labels, sources, takes, gaps)


def _scored(clips: _Clips, some: np.ndarray, seed: int, *, apart: bool) -> _Score:
    """The nearest clip's class, over many splits that set a third aside: of all clips, or of all recordings."""
    generator = numpy_generator("lesson leak", seed, apart)
    rows = np.flatnonzero(some)
    units = clips.sources[rows] if apart else rows
    found = []
    for _ in range(_SPLITS):
        held = np.zeros(len(rows), bool)
        for label in range(len(_CLASSES)):
            own = np.unique(units[clips.labels[rows] == label])
            held |= np.isin(units, generator.choice(own, max(1, round(len(own) / 3)), replace=False))
        test, train = rows[held], rows[~held]
        nearest = train[clips.gaps[np.ix_(test, train)].argmin(axis=1)]
        right = clips.labels[nearest] == clips.labels[test]
        found.append((right.mean(), (clips.sources[nearest] == clips.sources[test]).mean()))
    accuracy, same = np.array(found).T
    low, high = np.quantile(accuracy, (0.05, 0.95))
    return _Score(float(accuracy.mean()), float(low), float(high), float(same.mean()))


def _outcome(config: Config, by_clip: dict[int, _Score], by_source: dict[int, _Score]) -> Outcome:
    last, honest = by_clip[config.takes], by_source[config.takes]
    gap = last.accuracy - honest.accuracy
    right = 1 if abs(gap) < _CLOSE else 0 if gap > 0 else 2
    said = (
        f"The same model: {last.accuracy:.0%} right when clips are split, {honest.accuracy:.0%} when whole recordings "
        "are. Only the second says what it does with a recording that it has never met."
    )
    numbers = []
    for takes in by_clip:
        for name, scores in (("by clip", by_clip), ("by recording", by_source)):
            says = f"accuracy, split {name}, {takes} clips a recording"
            numbers.append(Number(f"{name} {takes}", says, scores[takes].accuracy))
        says = f"answers from the same recording, split by clip, {takes} clips a recording"
        numbers.append(Number(f"same {takes}", says, by_clip[takes].same))
    x = np.array(list(by_clip), np.float64)
    lines = []
    for name, scores, look in (("split by clip", by_clip, "refused"), ("split by recording", by_source, "kept")):
        values = np.array([(one.accuracy, one.low, one.high) for one in scores.values()]).T
        dash = "dash" if look == "refused" else "solid"
        lines.append(Line(name, x, values[0], look, dash, values[1], values[2]))  # type: ignore[arg-type]
    same = Line("same recording", x, np.array([one.same for one in by_clip.values()]), "signal")
    pictures = (
        Lines("The same model, two splits",
              f"With {config.takes} clips of each recording they differ by {100 * gap:.0f} points.",
              "clips cut from each recording", "accuracy", tuple(lines), 1.05),
        Lines("Where the answers of the first split come from",
              f"{last.same:.0%} of them are copied from another clip of the very same recording.",
              "clips cut from each recording", "share of the answers", (same,), 1.05),
    )  # fmt: skip
    return Outcome(right, said, pictures, _sentences(config, last, honest), tuple(numbers))


def _sentences(config: Config, last: _Score, honest: _Score) -> tuple[str, ...]:
    return (
        "Two clips of one recording share a room, a microphone and an animal. For "
        f"{last.same:.0%} of the held-out clips the nearest training clip was such a sibling: the model knew the "
        "recording, not the class.",
        f"The bands hold 90 of 100 splits: {last.low:.0%} to {last.high:.0%} by clip, {honest.low:.0%} to "
        f"{honest.high:.0%} by recording. No number of splits of the first kind would have told.",
        f"With one clip of each recording both splits mean the same. The leak is in how {config.takes} clips come from "
        "one source, not in the model.",
        "Where a data set names its recordings, this app lets none of them cross a split.",
    )


LESSON = Lesson(
    key="leak",
    number=2,
    title="The split that lies",
    idea="Clips of one recording on both sides of a split measure memory, and call it knowledge.",
    opening=(
        "A few recordings of six sounds are cut into clips. The plainest model there is answers with the class of the "
        "most similar training clip. It is judged twice: once a third of all **clips** is held out, once a third of "
        "all **recordings**, each with every clip of its own.",
    ),
    question="In which split does the model look better?",
    options=("By clips, clearly", "The same in both", "By recordings, clearly"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=(),
    own=Own(
        "On Train, give your own data with a column that names the recording: the folds will respect it.",
        "Train on data of your own", "pages/6_Train.py",
    ),
    seconds=5.0,
)  # fmt: skip
