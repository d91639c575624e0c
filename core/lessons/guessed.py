"""Guessing one's own loss: what it costs the network to be bent by the guess, and how good the guess is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Progress, no_progress
from core.data import digits
from core.fingerprint import numpy_generator
from core.lessons._contract import Claim, Lesson, Number, Outcome, Own
from core.lessons._pictures import Line, Lines, Meaning, Picture, Strip
from core.methods._knobs import check, knob
from core.metrics.ranks import spearman
from core.settings import Settings

if TYPE_CHECKING:
    from core.lessons._guesses import Course, Loss

_NEW = 700  # pictures that are only asked about
_SHOWN, _ENDS = 6, 2  # pictures before the guess, and of the smallest and of the largest guesses
_SCALE = 16  # screen pixels for one of a picture
_PARTS = 5  # of the new pictures, in the order of their guesses
_FITS: dict[str, tuple[Loss, bool]] = {
    "kept": ("squared", True), "squared": ("squared", False),
    "ranked": ("ranking", True), "ranking": ("ranking", False), "light": ("squared", False),
}  # fmt: skip
_LOOKS: dict[str, tuple[str, Meaning, str]] = {
    "kept": ("kept out", "kept", "solid"),
    "ranking": ("ranks, flows in", "predicted", "dot"),
    "squared": ("L2, flows in", "refused", "dash"),
}
_LIGHT = 1.0  # the authors' weight, in the fit of that name
_ALIKE = 0.02  # of accuracy


@dataclass(frozen=True, slots=True)
class Config:
    weight: float = knob(
        10.0, "of the guess, where the digits have 1; the authors take 1 for both", least=1.0, most=21.0
    )
    noise: float = knob(0.4, "grain laid over the pictures; more, and they are ambiguous", least=0.1, most=0.7)
    items: int = knob(600, "pictures to learn from", least=200, most=1000)
    epochs: int = knob(24, "times that each of them is seen", least=8, most=48)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Digits:
    known: tuple[np.ndarray, np.ndarray]  # (pictures, 64) and their labels
    new: tuple[np.ndarray, np.ndarray]


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    pictures, labels = _drawn(config, seed).known
    names = tuple(f"a {label}" for label in labels[:_SHOWN].tolist())
    return (Strip("What is learned: digits under grain", names, tuple(_shown(one) for one in pictures[:_SHOWN]), None),)


def compute(config: Config, seed: int, settings: Settings, progress: Progress = no_progress) -> Outcome:
    from core.lessons import _guesses

    drawn, found = _drawn(config, seed), {}
    for number, (name, (loss, stop)) in enumerate(_FITS.items()):
        progress(number, len(_FITS), f"learning digits and guesses, {'kept out' if stop else 'flowing in'} ({loss})")
        weight = _LIGHT if name == "light" else config.weight
        found[name] = _guesses.course(drawn.known, drawn.new, loss, stop, weight, config.epochs, seed)
    progress(len(_FITS), len(_FITS), "done")
    return _outcome(drawn, found)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    kept = outcome["accuracy kept"]
    return (
        Claim("a squared guess that flows in costs accuracy", outcome["accuracy squared"] < kept - 0.05),
        Claim("at the authors' weight of 1 it costs less", outcome["accuracy light"] > outcome["accuracy squared"]),
        Claim("a ranked one costs less", outcome["accuracy ranking"] > outcome["accuracy squared"] + 0.03),
        Claim("the squared guess pulls another way than the digits do", outcome["cosine squared"] < 0.3),
        Claim("guesses learned on known pictures are too small", outcome["guess"] < 0.8 * outcome["true"]),
        Claim("they order new pictures all the same", outcome["rank kept"] > 0.3 and outcome["rank ranked"] > 0.3),
        Claim("the entropy orders them better here", outcome["rank entropy"] > outcome["rank kept"]),
    )


def _drawn(config: Config, seed: int) -> _Digits:
    """Other pictures and other grain for every seed."""
    pictures, labels = digits.arrays()
    generator = numpy_generator("lesson guesses", seed)
    order = generator.permutation(len(labels))[: config.items + _NEW]
    grain = generator.normal(0.0, config.noise, (len(order), 64))
    seen = pictures[order].reshape(-1, 64) / 255.0 + grain
    return _Digits(*((seen[rows], labels[order][rows]) for rows in (slice(_NEW, None), slice(_NEW))))


def _shown(picture: np.ndarray) -> np.ndarray:
    """Dark ink on white, large enough to be seen."""
    grey = (255 * (1.0 - np.clip(picture, 0.0, 1.0))).astype(np.uint8).reshape(8, 8)
    return np.repeat(np.kron(grey, np.ones((_SCALE, _SCALE), np.uint8))[:, :, None], 3, axis=2)


def _outcome(drawn: _Digits, found: dict[str, Course]) -> Outcome:
    end = {name: float(one.accuracy[-1]) for name, one in found.items()}
    gain = end["squared"] - end["kept"]
    right = 0 if gain > _ALIKE else 1 if gain > -_ALIKE else 2
    said = (
        f"Of new digits {end['kept']:.0%} are read right where the guess is kept out, {end['squared']:.0%} where the "
        f"squared guess flows in, {end['ranking']:.0%} where the ranked one does. With the authors' weight of 1 the "
        f"squared guess leaves {end['light']:.0%}."
    )
    return Outcome(right, said, _pictures(drawn, found), _sentences(found), _numbers(found))


def _rank(one: Course, by: np.ndarray) -> float:
    return spearman(by, one.losses).value or 0.0


def _sentences(found: dict[str, Course]) -> tuple[str, ...]:
    kept, ranked, squared, ranking = (found[name] for name in ("kept", "ranked", "squared", "ranking"))
    return (
        "Both tasks pull at the shared layers. A cosine of 1 says the same way, 0 across, -1 against: on average it is "
        f"{squared.cosines.mean():.2f} with the squared guess, whose pull is {np.median(squared.lengths):.1f} times as "
        f"long as the digits' (ranked: {ranking.cosines.mean():.2f} and {np.median(ranking.lengths):.1f} times). Kept "
        "out, the guess reads and changes nothing.",
        f"The guesses were learned from pictures that the network knows: their mean loss is {kept.trained:.2f}, that "
        f"of new ones {kept.losses.mean():.2f}. So the squared guess promises {kept.guesses.mean():.2f}. Losses from a "
        "classifier that never saw the picture mend this; Train has them as target folds.",
        "A ranked guess learns only which of two pictures has the larger loss; its own size means nothing. Over new "
        f"pictures its rank correlation with the true loss is {_rank(ranked, ranked.guesses):.2f}, the squared one's "
        f"{_rank(kept, kept.guesses):.2f}.",
        f"The entropy of the same network needs no training and has {_rank(kept, kept.entropies):.2f}. A guess has to "
        "be learned, from as many pictures as can be had.",
    )


def _numbers(found: dict[str, Course]) -> tuple[Number, ...]:
    kept, ranked = found["kept"], found["ranked"]
    return (
        *(Number(f"accuracy {name}", f"accuracy on new digits, guess {says}", float(found[name].accuracy[-1]))
          for name, (says, _, _) in _LOOKS.items()),
        Number("accuracy light", "accuracy on new digits, guess L2, flows in, weight 1", found["light"].accuracy[-1]),
        *(Number(f"cosine {name}", f"mean cosine of the two gradients, guess {_LOOKS[name][0]}",
                 float(found[name].cosines.mean())) for name in ("squared", "ranking")),
        *(Number(f"length {name}", f"length of its gradient, in lengths of the digits' one, guess {_LOOKS[name][0]}",
                 float(np.median(found[name].lengths))) for name in ("squared", "ranking")),
        Number("known", "mean true loss of known digits, nats", kept.trained),
        Number("true", "mean true loss of new digits, nats", float(kept.losses.mean())),
        Number("guess", "mean guess (L2, kept out) of new digits, nats", float(kept.guesses.mean())),
        Number("rank kept", "rank correlation of the L2 guess with the true loss", _rank(kept, kept.guesses)),
        Number("rank ranked", "rank correlation of the ranked guess with the true loss", _rank(ranked, ranked.guesses)),
        Number("rank entropy", "rank correlation of the entropy with the true loss", _rank(kept, kept.entropies)),
    )  # fmt: skip


def _parts(by: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means over the parts, in the order of ``by``."""
    return np.array([part.mean() for part in np.array_split(values[np.argsort(by, kind="stable")], _PARTS)])


def _pictures(drawn: _Digits, found: dict[str, Course]) -> tuple[Picture, ...]:
    kept, ranked = found["kept"], found["ranked"]
    epochs, parts = np.arange(len(kept.accuracy), dtype=np.float64), np.arange(1.0, _PARTS + 1)
    order = np.argsort(kept.guesses, kind="stable")
    ends = (*order[:_ENDS], *order[-_ENDS:])
    hard = _parts(kept.guesses, kept.losses)
    return (
        Lines("Reading digits", f"After {len(epochs) - 1} epochs: " + ", ".join(
                  f"{found[name].accuracy[-1]:.0%} {says}" for name, (says, _, _) in _LOOKS.items()) + ".",
              "epochs", "accuracy on new digits", tuple(
                  Line(says, epochs, found[name].accuracy, meaning, dash)
                  for name, (says, meaning, dash) in _LOOKS.items()
              ), top=1.0),
        Lines("Do the two tasks pull the same way?", f"Mean cosine {found['squared'].cosines.mean():.2f} for the "
              f"squared guess, {found['ranking'].cosines.mean():.2f} for the ranked one.",
              "epochs", "cosine of the two gradients", (
                  *(Line(_LOOKS[name][0], epochs[1:], found[name].cosines, *_LOOKS[name][1:])
                    for name in ("squared", "ranking")),
                  Line("across", epochs[1:], np.zeros(len(epochs) - 1), "faint", "dash"),
              ), top=1.0, bottom=-1.0),
        Lines("The guess against the truth", f"The fifth with the largest guesses has a mean loss of {hard[-1]:.2f} "
              f"nats, the fifth with the smallest {hard[0]:.2f}.", "fifths of the new digits, by guess", "nats", (
                  Line("true, by L2", parts, hard, "ink"),
                  Line("guessed, L2", parts, _parts(kept.guesses, kept.guesses), "predicted", "dash"),
                  Line("true, by ranks", parts, _parts(ranked.guesses, ranked.losses), "predicted", "dot"),
                  Line("true, by entropy", parts, _parts(kept.entropies, kept.losses), "aleatoric", "dashdot"),
              )),
        Strip("Smallest and largest guesses",
              tuple(f"guess {kept.guesses[at]:.2f}, true {kept.losses[at]:.2f}" for at in ends),
              tuple(_shown(drawn.new[0][at]) for at in ends), None),
    )  # fmt: skip


LESSON = Lesson(
    key="guessed",
    number=10,
    title="Guessing one's own mistakes",
    idea="A network can learn to say how wrong it will be; given too much weight, that spoils what it says.",
    opening=(
        "Beside its answer a network can give a number: the loss that it expects. A second, small network learns it "
        "from the true losses of the training pictures. It reads what the first one has made of a picture, and its "
        "mistakes send a gradient back, into the layers that both share, unless it is stopped.",
        "**L2** asks for the loss itself. **Ranking** asks only which of two pictures has the larger one.",
    ),
    question="The gradient of an L2 guess that weighs much is let into the shared layers. How are digits read then?",
    options=("Better: two tasks teach more than one", "As well, give or take 2 points",
             "Worse: the guess bends what the digits need"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=("score", "aleatoric"),
    own=Own(
        "Take a sound of your own to a model that guesses its loss beside its answer.",
        "Inspect your own file", "pages/1_Inspect.py", (("model", "soundbox-loss-prediction"),),
    ),
    seconds=5.0,
)  # fmt: skip
