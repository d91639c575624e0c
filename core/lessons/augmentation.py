"""Augmentation: pieces that are changed anew in every round, what that sounds like, and what becomes of the gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.lessons import _pieces
from core.lessons._contract import Claim, Heard, Lesson, Number, Outcome, Own, Telling, untold
from core.lessons._pictures import Line, Lines, Meaning, Picture, Strip
from core.lessons._pieces import RATE, SOUNDBOX, Pieces, spoken
from core.methods._knobs import check, knob
from core.settings import Settings

if TYPE_CHECKING:
    from core.lessons._fits import Curves, Learned

_CLASSES = ("dog", "cow", "chirping_birds", "vacuum_cleaner")
_MOVED, _HOLED, _MIXED, _ALL = "moved", "with holes", "mixed", "all three"
_MOVES, _HOLES = {"roll": 0.5}, {"time_stripes": 1, "time_width": 20, "mel_stripes": 1, "mel_width": 24}
_MIXES = {"mixup": 0.2, "mix": "partners"}
_CHANGES: Mapping[str, Mapping[str, Any]] = {
    _MOVED: _MOVES, _HOLED: _HOLES, _MIXED: _MIXES, _ALL: {**_MOVES, **_HOLES, **_MIXES},
}  # fmt: skip
_LOOKS: Mapping[str, tuple[str, Meaning, str]] = {
    "plain": ("as they are", "refused", "dash"), "changed": ("changed", "kept", "solid"),
}  # fmt: skip
_HELD = 3  # recordings of each class
_BATCH, _RATE, _EVERY = 4, 2e-3, 4
_SAME = 0.02  # of accuracy: less is called no change
_BAND, _SILENCE = (1000.0, 2500.0), (0.6, 0.75)  # of the piece that is heard: Hz, and shares of its length


@dataclass(frozen=True, slots=True)
class Config:
    recordings: int = knob(2, "recordings of each class to learn from; each gives two pieces", least=1, most=6)
    rounds: int = knob(16, "times that every piece is seen", least=8, most=32)
    change: str = knob(_ALL, "what is done to a piece each time it is learned", choices=tuple(_CHANGES))

    def __post_init__(self) -> None:
        check(self)


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    found = _pieces.pieces(SOUNDBOX, _CLASSES[:2], 1, 0, seed, settings, untold)
    dog, cow = found.waves[0], found.waves[2]
    heard = {"as it is": dog, **_changed(dog, cow)}
    return (
        Strip("A dog, changed in three ways", tuple(heard), tuple(heard.values()), RATE),
        _pieces.picture(dog, "As it is", "Pitches over time; lighter is louder."),
    )


def compute(config: Config, seed: int, settings: Settings, progress: Telling = untold) -> Outcome:
    from core.lessons import _fits
    from core.training.augment import Augment
    from core.training.schedule import Schedule

    total = len(_CLASSES) + len(_LOOKS) * config.rounds

    def told(done: int, of: int, stage: str) -> None:
        progress(done, total, stage)

    pieces = _pieces.pieces(SOUNDBOX, _CLASSES, config.recordings, _HELD, seed, settings, told)
    start = _fits.ready("lecture_convnet", pieces, seed)
    schedule = Schedule(config.rounds, _BATCH, "adam", _RATE, shape="cosine", warmup=0.15)
    found: dict[str, Learned] = {}
    curves: dict[str, Curves] = {}
    for place, (way, (name, *_)) in enumerate(_LOOKS.items()):
        augment = Augment(**_CHANGES[config.change]) if place else Augment()

        def look(now: Curves, way: str = way, name: str = name, place: int = place) -> None:
            curves[way] = now
            done = len(_CLASSES) + place * config.rounds + round(now.epochs[-1])
            progress(done, total, f"learning pieces {name}", _chart(curves))

        found[way] = _fits.learned(start, schedule, seed, look, augment=augment, every=_EVERY)
    return _outcome(config, pieces, found)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    return (
        Claim("pieces as they are are learned by heart", outcome["plain own"] > 0.85),
        Claim("changed ones less well", outcome["changed own"] < outcome["plain own"] - 0.1),
        Claim("the gap in loss is narrower", outcome["changed gap"] < outcome["plain gap"]),
        Claim("and new recordings are answered less surely", outcome["changed sure"] < outcome["plain sure"]),
    )


def hear(
    samples: np.ndarray, rate: int, config: Config, seed: int, settings: Settings, progress: Telling = untold
) -> Heard:
    own = _pieces.pieces_of(_pieces.at_rate(samples, rate))[0]
    dog = _pieces.pieces(SOUNDBOX, _CLASSES[:1], 1, 0, seed, settings, untold).waves[0]
    says = (
        "A network would meet your sound like this, changed in another way in every round. Is it still what it was, "
        "to your ear? Only then may it keep its label."
    )
    heard = _changed(own, dog)
    strip = Strip("Your sound", ("as it is", *heard), (own, *heard.values()), RATE)
    return Heard(says, (strip, _pieces.picture(own, "As it is", "Its first piece."), *_shown(heard, _CLASSES[0])))


def _shown(heard: Mapping[str, np.ndarray], with_a: str) -> tuple[Picture, ...]:
    said = {
        _MOVED: "What leaves at the end enters at the beginning: the same sounds at other times.",
        _HOLED: "A moment and a band of pitches are gone: no single place may be all that is known.",
        _MIXED: f"Three fifths of it and two of a {spoken(with_a)}; the label is shared out in the same way.",
    }
    return tuple(_pieces.picture(wave, way.capitalize(), said[way]) for way, wave in heard.items())


def _changed(samples: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
    """One example of each change, of those that training draws anew each time."""
    length = len(samples)
    spectrum, hertz = np.fft.rfft(samples), np.fft.rfftfreq(length, 1 / RATE)
    spectrum[(hertz >= _BAND[0]) & (hertz < _BAND[1])] = 0.0
    holed = np.fft.irfft(spectrum, length).astype(np.float32)
    holed[round(_SILENCE[0] * length) : round(_SILENCE[1] * length)] = 0.0
    level = np.sqrt(np.mean(samples**2) / max(float(np.mean(other**2)), 1e-12))
    mixed = np.clip(0.6 * samples + 0.4 * level * other, -1.0, 1.0).astype(np.float32)
    return {_MOVED: np.roll(samples, round(0.3 * length)), _HOLED: holed, _MIXED: mixed}


def _outcome(config: Config, pieces: Pieces, found: Mapping[str, Learned]) -> Outcome:
    numbers, own, new, sure = [], {}, {}, {}
    for way, one in found.items():
        name, losses = _LOOKS[way][0], one.curves.loss[-1]
        own[way], new[way] = (float(value) for value in one.curves.accuracy[-1])
        sure[way] = float(one.probs(pieces.waves[pieces.held]).max(axis=1).mean())
        gap = float(losses[1] - losses[0])
        numbers += [
            Number(f"{way} own", f"learned {name}: share right of the learned pieces", own[way]),
            Number(f"{way} new", f"learned {name}: share right of new recordings", new[way]),
            Number(f"{way} sure", f"learned {name}: mean confidence on new recordings", sure[way]),
            Number(f"{way} loss", f"learned {name}: loss on new recordings, nats", float(losses[1])),
            Number(f"{way} gap", f"learned {name}: that, less the loss on learned pieces", gap),
        ]
    more = new["changed"] - new["plain"]
    right = 1 if abs(more) < _SAME else 0 if more > 0 else 2
    said = (
        f"Learned as they are: {own['plain']:.0%} of the learned pieces right, {new['plain']:.0%} of new ones. Learned "
        f"{_how(config)}: {own['changed']:.0%} and {new['changed']:.0%}."
    )
    curves = {way: one.curves for way, one in found.items()}
    dog, cow = (pieces.waves[pieces.labels == label][0] for label in (0, 1))
    pictures = (_chart(curves), _losses(curves), *_shown(_changed(dog, cow), _CLASSES[1]))
    return Outcome(right, said, pictures, _sentences(config, found, own, new, sure), tuple(numbers))


def _how(config: Config) -> str:
    return f"{_MOVED}, {_HOLED} and {_MIXED}" if config.change == _ALL else config.change


def _chart(curves: Mapping[str, Curves]) -> Lines:
    lines, gaps = [], []
    for way, one in curves.items():
        name, look, _ = _LOOKS[way]
        lines.append(Line(f"new, {name}", one.epochs, one.accuracy[:, 1], look))
        lines.append(Line(f"learned, {name}", one.epochs, one.accuracy[:, 0], look, "dot"))
        gaps.append(f"{100 * (one.accuracy[-1, 0] - one.accuracy[-1, 1]):.0f} points {name}")
    said = f"From learned to new pieces accuracy drops by: {', '.join(gaps)}."
    return Lines("While it learns", said, "rounds", "share right", tuple(lines), 1.05)


def _losses(curves: Mapping[str, Curves]) -> Lines:
    lines, said = [], []
    for way, one in curves.items():
        name, look, dash = _LOOKS[way]
        lines.append(Line(name, one.epochs, one.loss[:, 1], look, dash))
        said.append(f"{one.loss[-1, 1]:.2f} nats {name}")
    return Lines("What errors on new recordings cost", f"At the end, learned: {', '.join(said)}.", "rounds",
                 "loss in nats", tuple(lines))  # fmt: skip


def _sentences(
    config: Config, found: Mapping[str, Learned], own: Mapping[str, float], new: Mapping[str, float],
    sure: Mapping[str, float],
) -> tuple[str, ...]:  # fmt: skip
    plain, changed = (found[way].curves.loss[-1] for way in _LOOKS)
    return (
        f"The gap in loss between learned and new pieces is {plain[1] - plain[0]:.2f} nats when they are learned as "
        f"they are, {changed[1] - changed[0]:.2f} when they are learned {_how(config)}. A gap closes from above or "
        f"from below: the learned pieces went from {own['plain']:.0%} to {own['changed']:.0%} right, new ones from "
        f"{new['plain']:.0%} to {new['changed']:.0%}.",
        f"Learned as they are: {sure['plain']:.0%} sure of the answers to new recordings, {new['plain']:.0%} right. "
        f"Learned changed: {sure['changed']:.0%} sure, {new['changed']:.0%} right. What was learned by heart is sure "
        "of itself even where it is wrong.",
        "Changed pieces are harder, so the same number of rounds teaches less of them. Turn up the rounds or the "
        "recordings, or take one change alone, before you judge it.",
        "Only pieces that are learned are changed. Change what is held out too, and you measure another task.",
    )


LESSON = Lesson(
    key="augmentation",
    number=4,
    title="The same clip, a little different",
    idea="Changing what is learned in every round makes it hard to learn by heart; that alone is no knowledge yet.",
    opening=(
        "With a handful of recordings a network soon knows each of them. So a piece is changed a little every time it "
        "is learned: **moved** in time, **with holes** in time and pitch, **mixed** with another one. The ConvNet of "
        "the last lesson learns twice from the same start and for as many rounds: the pieces as they are, and pieces "
        "that are changed.",
    ),
    question="With so few rounds, how does the network that learned changed pieces do on new recordings?",
    options=("It is right more often than the other", "As often", "Less often"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=(),
    own=Own(
        "On Train, each of these changes is a setting, and “ConvNet with shifted spectrograms” is a recipe.",
        "Train with changed sounds", "pages/6_Train.py",
    ),
    seconds=5.0,
    hear=hear,
)  # fmt: skip
