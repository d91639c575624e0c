"""Two networks on four sounds: one learns its clips by heart, the other learns what they have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.lessons import _pieces
from core.lessons._contract import Claim, Heard, Lesson, Number, Outcome, Own, Telling, untold
from core.lessons._pictures import Line, Lines, Meaning, Picture, Strip, Table
from core.lessons._pieces import ESC50, RATE, SECONDS, SOUNDBOX, Pieces, spoken
from core.methods._knobs import check, knob
from core.settings import Settings

if TYPE_CHECKING:
    from core.lessons._fits import Curves, Learned

_CLASSES = ("dog", "cow", "chirping_birds", "vacuum_cleaner")
_NETWORKS: Mapping[str, tuple[str, Meaning]] = {
    "lecture_convnet": ("ConvNet", "kept"), "lecture_lstm": ("LSTM", "refused"),
}  # fmt: skip
_RATES = {"lecture_convnet": 2e-3, "lecture_lstm": 6e-3}  # of learning: what each needs to get through its pieces
_HELD = 3  # recordings of each class
_BATCH = 4
_LATER = 10  # ms
_WELL = 0.5  # of new pieces right, where guessing gets a quarter


@dataclass(frozen=True, slots=True)
class Config:
    data: str = knob(SOUNDBOX, "whose sounds; ESC-50 where a copy of it is here", choices=(SOUNDBOX, ESC50))
    recordings: int = knob(4, "recordings of each class to learn from; each gives two pieces", least=2, most=6)
    rounds: int = knob(7, "times that every piece is seen", least=3, most=15)

    def __post_init__(self) -> None:
        check(self)


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    found = _pieces.pieces(config.data, _CLASSES, 1, 0, seed, settings, untold)
    first = tuple(found.waves[found.labels == label][0] for label in range(len(_CLASSES)))
    return (
        Strip("One piece of each class", tuple(spoken(name) for name in _CLASSES), first, RATE),
        _wave(first[0]),
        _pieces.picture(
            first[0], "What the ConvNet looks at: the dog's spectrogram", "Pitches over time; lighter is louder."
        ),
    )


def _wave(samples: np.ndarray) -> Lines:
    """The loudest sample of each of many short stretches."""
    groups = np.abs(samples[: len(samples) // 100 * 100]).reshape(-1, 100).max(axis=1)
    line = Line("dog", np.arange(len(groups)) * 100 / RATE, groups, "signal")
    said = f"{len(samples) // 1000} 000 samples, each an input of its own: sample 1 has other weights than sample 2."
    return Lines("What the LSTM is handed: the dog's samples", said, "time in seconds", "size", (line,))


def compute(config: Config, seed: int, settings: Settings, progress: Telling = untold) -> Outcome:
    pieces, found = _trained(config, seed, settings, progress)
    return _outcome(config, pieces, found)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    conv_own, lstm_own = outcome["lecture_convnet own"], outcome["lecture_lstm own"]
    return (
        Claim("the ConvNet does well on new recordings", outcome["lecture_convnet new"] > _WELL),
        Claim("the LSTM hardly does better than guessing", outcome["lecture_lstm new"] < 0.4),
        Claim("though it learned its own pieces", lstm_own > outcome["lecture_lstm new"] + 0.2),
        Claim("by heart: a moment later it knows them no more", outcome["lecture_lstm later"] < lstm_own - 0.2),
        Claim("which the ConvNet hardly notices", abs(outcome["lecture_convnet later"] - conv_own) < 0.1),
    )


def hear(
    samples: np.ndarray, rate: int, config: Config, seed: int, settings: Settings, progress: Telling = untold
) -> Heard:
    own = _pieces.pieces_of(_pieces.at_rate(samples, rate))
    _, found = _trained(config, seed, settings, progress)
    said = []
    for key, one in found.items():
        probs = one.probs(np.array(own)).mean(axis=0)
        said.append(f"the {_NETWORKS[key][0]} says {spoken(_CLASSES[int(probs.argmax())])}, {probs.max():.0%} sure")
    says = (
        f"Of your sound {said[0]}, and {said[1]}. They have four words, whatever they hear; and each has heard "
        f"{config.recordings} recordings of every one."
    )
    names = tuple(f"piece {number}" for number in range(1, len(own) + 1))
    return Heard(
        says,
        (
            Strip("What they were given", names, tuple(own), RATE),
            _pieces.picture(own[0], "What the ConvNet looks at", "The first piece, as pitches over time."),
        ),
    )


def _trained(
    config: Config, seed: int, settings: Settings, progress: Telling
) -> tuple[Pieces, Mapping[str, Learned]]:  # fmt: skip
    """Remembered for who asks about a sound of their own."""
    from core.lessons import _fits
    from core.training.schedule import Schedule

    def train() -> tuple[Pieces, Mapping[str, Learned]]:
        total = len(_CLASSES) + len(_NETWORKS) * config.rounds

        def told(done: int, total_: int, stage: str) -> None:
            progress(done, total, stage)

        pieces = _pieces.pieces(config.data, _CLASSES, config.recordings, _HELD, seed, settings, told)
        found: dict[str, Learned] = {}
        curves: dict[str, Curves] = {}
        for place, (key, (name, _)) in enumerate(_NETWORKS.items()):

            def look(now: Curves, key: str = key, name: str = name, place: int = place) -> None:
                curves[key] = now
                done = len(_CLASSES) + place * config.rounds + round(now.epochs[-1])
                progress(done, total, f"the {name} is learning", _chart(config, curves))

            schedule = Schedule(config.rounds, _BATCH, "adam", _RATES[key], shape="constant")
            found[key] = _fits.learned(_fits.ready(key, pieces, seed), schedule, seed, look)
        return pieces, found

    return _fits.remembered(("networks", config, seed), train)


def _outcome(config: Config, pieces: Pieces, found: Mapping[str, Learned]) -> Outcome:
    later = np.pad(pieces.waves, ((0, 0), (RATE * _LATER // 1000, 0)))[:, : pieces.waves.shape[1]]
    numbers, tables, share = [], [], {}
    for key, one in found.items():
        name = _NETWORKS[key][0]
        own, new = one.curves.accuracy[-1]
        answers = one.probs(later[~pieces.held]).argmax(axis=1)
        share[key] = (float(own), float(new), float((answers == pieces.labels[~pieces.held]).mean()))
        numbers += [
            Number(f"{key} own", f"{name}: share right of the pieces it learned", share[key][0]),
            Number(f"{key} new", f"{name}: share right of pieces of new recordings", share[key][1]),
            Number(f"{key} later", f"{name}: share right of the learned, begun {_LATER} ms later", share[key][2]),
            Number(f"{key} loss", f"{name}: loss on new recordings, nats", float(one.curves.loss[-1, 1])),
            Number(f"{key} weights", f"{name}: weights", one.weights),
        ]
        tables.append(_table(name, pieces, one))
    conv, lstm = share["lecture_convnet"], share["lecture_lstm"]
    right = {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[conv[1] > _WELL, lstm[1] > _WELL]
    said = (
        f"On new recordings the ConvNet is right in {conv[1]:.0%} of the pieces and the LSTM in {lstm[1]:.0%}; "
        "guessing gets 25 %."
    )
    curves = {key: one.curves for key, one in found.items()}
    pictures = (_chart(config, curves), *tables, _losses(curves))
    return Outcome(right, said, pictures, _sentences(found, share), tuple(numbers))


def _chart(config: Config, curves: Mapping[str, Curves]) -> Lines:
    lines = []
    for key, one in curves.items():
        name, look = _NETWORKS[key]
        lines.append(Line(f"{name}, new", one.epochs, one.accuracy[:, 1], look))
        lines.append(Line(f"{name}, learned", one.epochs, one.accuracy[:, 0], look, "dot"))
    gaps = [
        f"{_NETWORKS[key][0]} {100 * (one.accuracy[-1, 0] - one.accuracy[-1, 1]):.0f} points"
        for key, one in curves.items()
    ]
    said = f"From the pieces that are learned to new ones, accuracy drops by: {', '.join(gaps)}."
    return Lines("While they learn", said, "rounds", "share right", tuple(lines), 1.05)


def _losses(curves: Mapping[str, Curves]) -> Lines:
    lines, said = [], []
    for key, one in curves.items():
        name, look = _NETWORKS[key]
        lines.append(Line(f"{name}, new", one.epochs, one.loss[:, 1], look))
        lines.append(Line(f"{name}, learned", one.epochs, one.loss[:, 0], look, "dot"))
        best = int(one.loss[:, 1].argmin())
        said.append(f"{name} after {one.epochs[best]:g} ({one.loss[best, 1]:.2f}, at the end {one.loss[-1, 1]:.2f})")
    finding = f"Where the loss on new recordings was lowest: {', '.join(said)}."
    return Lines("What their errors cost", finding, "rounds", "loss in nats", tuple(lines))


def _table(name: str, pieces: Pieces, one: Learned) -> Table:
    answers, labels = one.probs(pieces.waves[pieces.held]).argmax(axis=1), pieces.labels[pieces.held]
    counts = np.zeros((len(_CLASSES), len(_CLASSES)), np.int64)
    np.add.at(counts, (labels, answers), 1)
    most = int(counts.sum(axis=0).argmax())
    said = (
        f"{int((answers == labels).sum())} of {len(labels)} are right; its most frequent answer is "
        f"{spoken(_CLASSES[most])}, {int(counts[:, most].sum())} times."
    )
    return Table(f"New recordings, as the {name} takes them", said, tuple(spoken(name) for name in _CLASSES), counts)


def _sentences(found: Mapping[str, Learned], share: Mapping[str, tuple[float, float, float]]) -> tuple[str, ...]:
    conv, lstm = (share[key] for key in _NETWORKS)
    large, small = found["lecture_lstm"].weights, found["lecture_convnet"].weights
    return (
        f"Of the pieces it learned the LSTM gets {lstm[0]:.0%} right, of new ones {lstm[1]:.0%}. A training curve that "
        "rises says nothing by itself: look at what was held out.",
        f"The same learned pieces, begun {_LATER} ms later, which no ear notices: the LSTM goes from {lstm[0]:.0%} to "
        f"{lstm[2]:.0%}, the ConvNet from {conv[0]:.0%} to {conv[2]:.0%}. The LSTM knew numbers at their places; a "
        "moment later each stands at another place.",
        f"The LSTM has {large / 1e6:.1f} million weights, the ConvNet {small / 1e3:.0f} thousand. What helps is not "
        "their number: the ConvNet asks the same question at every time and pitch, so that what it learns at one place "
        "holds at all others.",
        "Where a held-out loss rises while the learned one falls, a network begins to overfit: stop there, give it "
        "more recordings, or vary those that it has, as the next lesson does.",
    )


LESSON = Lesson(
    key="networks",
    number=3,
    title="By heart, or by ear",
    idea="A network that gets its training clips right may have learned nothing else: only new recordings tell.",
    opening=(
        f"A few recordings of four sounds are cut into pieces of {SECONDS:g} s. An **LSTM** is handed the "
        f"{round(SECONDS * RATE / 1000)} 000 samples of a piece just as they are. A **ConvNet** is handed its "
        "spectrogram, and slides small windows over it. After every round both are asked about the pieces they learn, "
        "and about pieces of recordings that they never hear.",
    ),
    question="After some rounds, how do they do on recordings that they never heard?",
    options=(
        "Both do well", "The ConvNet does well, the LSTM does not", "The LSTM does well, the ConvNet does not",
        "Neither does well",
    ),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=(),
    own=Own(
        "A model that learned 16 such classes from many more recordings waits on Inspect.",
        "Ask it about your file", "pages/1_Inspect.py", (("model", "soundbox-deterministic"),),
    ),
    seconds=6.0,
    hear=hear,
)  # fmt: skip
