"""Reading doubt: what sharpening an answer spoils (calibration), what it cannot (the order), and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Moments, Progress, no_progress
from core.fingerprint import numpy_generator
from core.lessons._contract import Claim, Lesson, Number, Outcome, Own
from core.lessons._pictures import Line, Lines, Picture
from core.methods._knobs import check, knob
from core.metrics import reliability, retention
from core.metrics.selective import augrc, aurc, selective_risk
from core.posthoc import conformal
from core.settings import Settings

if TYPE_CHECKING:
    from core.checkpoints.heldout import Heldout

_MODELS = ("toybox-ensemble", "soundbox-ensemble", "esc10-ensemble", "cifar10-deterministic")
_ASKED = (0.6, 0.7, 0.8, 0.9, 0.95, 0.98)  # coverages of prediction sets
_BINS = 10
_MOVED = 0.01  # of accuracy: less is said to be hardly anything


@dataclass(frozen=True, slots=True)
class Config:
    model: str = knob(_MODELS[0], "whose held-out answers are read", choices=_MODELS)
    sharpness: float = knob(4.0, "every log-probability is multiplied by this", least=0.4, most=8.4)
    keep: float = knob(0.8, "share of the answers that is kept, the surest first", least=0.2, most=1.0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """One set of answers, read in every way."""

    kept: retention.Curve
    bins: reliability.Bins
    covered: np.ndarray  # (_ASKED,) share of sets that hold the truth
    sizes: np.ndarray  # (_ASKED,) classes in a set
    doubt: np.ndarray
    wrong: np.ndarray

    def accuracy(self, share: float) -> float:
        return float(self.kept.value[max(1, round(share * len(self.kept.value))) - 1])


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    held = _held(config, settings)
    read = _read(held.answers.probs, held.labels, seed)
    lines = (
        _line("the model", read.kept, "signal"),
        _line("random order", retention.chance(1.0 - read.wrong), "faint", "dot"),
    )
    said = f"{len(held.labels)} held-out answers; of all of them {read.accuracy(1.0):.1%} are right."
    return (Lines("Accuracy of the answers that are kept, the surest first", said, *_AXES, lines),)


def compute(config: Config, seed: int, settings: Settings, progress: Progress = no_progress) -> Outcome:
    held = _held(config, settings)
    plain = _read(held.answers.probs, held.labels, seed)
    progress(1, 2, "reading the answers as they are")
    sharp = _read(sharpened(held.answers.probs, config.sharpness), held.labels, seed)
    progress(2, 2, "reading them sharpened")
    return _outcome(config, plain, sharp)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    return (
        Claim("sharpening hardly moves what is kept", abs(outcome["kept sharp"] - outcome["kept plain"]) < _MOVED),
        Claim("sharpening spoils calibration", outcome["ece sharp"] > 2 * outcome["ece plain"]),
        Claim("sets cover what was asked, whatever the sharpness", outcome["covered sharp 0.9"] > 0.85),
        Claim("doubt finds errors", outcome["kept plain"] > outcome["accuracy"]),
        Claim("nor the area under the curve", abs(outcome["augrc sharp"] - outcome["augrc plain"]) < _MOVED),
    )


def sharpened(probs: np.ndarray, factor: float) -> np.ndarray:
    """Every log-probability times ``factor``, summing to 1 again: the most probable class stays what it was."""
    logs = factor * np.log(np.maximum(probs.astype(np.float64), 1e-30))
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _held(config: Config, settings: Settings) -> Heldout:
    from core.checkpoints.heldout import load_heldout

    return load_heldout(config.model, settings)


def _read(probs: np.ndarray, labels: np.ndarray, seed: int) -> _Read:
    confidence, right = reliability.judged(probs, labels)
    covered, sizes = _sets(probs, labels, seed)
    kept = retention.retention(1.0 - confidence, right)
    return _Read(kept, reliability.equal_mass(confidence, right, _BINS), covered, sizes, 1.0 - confidence, 1.0 - right)


def _sets(probs: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds from one half of the items, judged on the other."""
    fit, judge = np.array_split(numpy_generator("lesson sets", seed).permutation(len(labels)), 2)
    covered, sizes = [], []
    for asked in _ASKED:
        known = conformal.fit(_answer(probs[fit]), labels[fit], coverage=asked, score="lac")
        sets = conformal.predict_sets(known, _answer(probs[judge]))
        covered.append(sets[np.arange(len(judge)), labels[judge]].mean())
        sizes.append(sets.sum(axis=1).mean())
    return np.array(covered), np.array(sizes)


def _answer(probs: np.ndarray) -> Moments:
    """A point estimate, as the metrics take it."""
    return Moments(1, probs, np.zeros(len(probs)), np.zeros_like(probs))  # type: ignore[arg-type]


def _leaning(read: _Read) -> str:
    sure, right = (
        float(read.bins.count @ part / read.bins.count.sum()) for part in (read.bins.confidence, read.bins.accuracy)
    )
    return f"The model is now {'over' if sure > right else 'under'}confident ({sure:.0%} sure, {right:.0%} right)"


_AXES = ("share kept", "accuracy of what is kept")


def _line(name: str, curve: retention.Curve, meaning: str, dash: str = "solid") -> Line:
    points = np.unique(np.linspace(1, len(curve.kept) - 1, 60).astype(int))
    points = points[curve.kept[points] >= 0.05]
    return Line(name, curve.kept[points], curve.value[points], meaning, dash)  # type: ignore[arg-type]


def _outcome(config: Config, plain: _Read, sharp: _Read) -> Outcome:
    kept = {"plain": plain.accuracy(config.keep), "sharp": sharp.accuracy(config.keep)}
    moved = kept["sharp"] - kept["plain"]
    right = 0 if moved < -_MOVED else 2 if moved > _MOVED else 1
    at = _ASKED.index(0.9)
    numbers = [Number("accuracy", "accuracy of all answers", plain.accuracy(1.0))]
    for name, read in (("plain", plain), ("sharp", sharp)):
        numbers += [
            Number(f"kept {name}", f"accuracy of the surest {config.keep:.0%}, {name}", kept[name]),
            Number(f"ece {name}", f"expected calibration error, {name}", read.bins.gap),
            Number(f"aurc {name}", f"AURC, {name}", aurc(read.doubt, read.wrong).value or 0.0),
            Number(f"augrc {name}", f"AUGRC, {name}", augrc(read.doubt, read.wrong).value or 0.0),
            Number(f"covered {name} 0.9", f"sets that were to hold the truth in 90 %, {name}", float(read.covered[at])),
            Number(f"size {name} 0.9", f"classes in such a set, {name}", float(read.sizes[at])),
        ]
    said = (
        f"The surest {config.keep:.0%} were right in {kept['plain']:.1%} of cases, and in {kept['sharp']:.1%} after "
        f"every answer was made {config.sharpness:g} times as sharp."
    )
    sentences = (
        "Sharpening keeps the order of the answers almost as it was, and retention reads nothing but the order.",
        f"Calibration reads the numbers themselves: the mean gap between confidence and accuracy went from "
        f"{plain.bins.gap:.1%} to {sharp.bins.gap:.1%}. {_leaning(sharp)}, and no retention curve shows it.",
        f"A set that is to hold the truth in 90 % of cases holds it in {sharp.covered[at]:.1%} even so, with "
        f"{sharp.sizes[at]:.2f} classes: its threshold is learned from errors, not believed.",
        "AURC is the area under the error of what is kept; AUGRC counts the errors kept among all items, so that early "
        "errors weigh no more than late ones. Both are about order: smaller is better.",
    )
    return Outcome(right, said, _pictures(plain, sharp), sentences, tuple(numbers))


def _pictures(plain: _Read, sharp: _Read) -> tuple[Picture, ...]:
    right, few = 1.0 - plain.wrong, len(plain.wrong) // 20
    apart = float(np.abs(plain.kept.value[few:] - sharp.kept.value[few:]).max())  # the first few decide nothing
    kept = (
        _line("as it is", plain.kept, "signal"),
        _line("sharpened", sharp.kept, "refused", "dash"),
        _line("oracle", retention.oracle(right), "ink"),
        _line("random", retention.chance(right), "faint", "dot"),
    )
    even = np.array([0.0, 1.0])
    bins = [
        Line("as it is", plain.bins.confidence, plain.bins.accuracy, "signal"),
        Line("sharpened", sharp.bins.confidence, sharp.bins.accuracy, "refused", "dash"),
        Line("honest", even, even, "faint", "dot"),
    ]
    asked = np.array(_ASKED)
    sets = (
        Line("as it is", asked, plain.covered, "signal"),
        Line("sharpened", asked, sharp.covered, "refused", "dash"),
        Line("promised", asked, asked, "faint", "dot"),
    )
    steps = np.arange(1, len(plain.wrong) + 1) / len(plain.wrong)
    risk = selective_risk(plain.doubt, plain.wrong)
    thin = np.unique(np.linspace(len(risk) // 20, len(risk) - 1, 80).astype(int))
    risks = (
        Line("among the kept: AURC", steps[thin], risk[thin], "signal"),
        Line("among all: AUGRC", steps[thin], (risk * steps)[thin], "predicted", "dash"),
    )
    return (
        Lines("The order: accuracy of what is kept", f"At most {100 * apart:.1f} points lie between the two.", *_AXES,
              kept, 1.02),
        Lines("The numbers: is 80 % sure right in 80 %?",
              f"Mean gap {plain.bins.gap:.1%} as it is, {sharp.bins.gap:.1%} sharpened.", "confidence", "accuracy",
              tuple(bins), 1.02),
        Lines("Sets that promise to hold the truth",
              f"Largest shortfall {float(np.max(asked - sharp.covered).clip(0)):.1%} when sharpened.",
              "coverage asked for", "coverage on new items", sets, 1.02),
        Lines("Two areas", f"With everything kept both end at the error rate, {float(plain.wrong.mean()):.1%}.",
              "share kept", "errors", risks),
    )  # fmt: skip


LESSON = Lesson(
    key="reading",
    number=11,
    title="Reading doubt",
    idea="Doubt can be right in its order and wrong in its numbers: two promises, two ways to read it.",
    opening=(
        "A model answered items that it was never trained on. Keep the surest and set the rest aside, and accuracy "
        "should rise: that reads the **order** of its doubts. Ask whether 80 % sure is right in 80 % of cases, and you "
        "read the **numbers**. We now make every answer sharper, so that the model sounds far surer than it did.",
    ),
    question="The answers are sharpened. What happens to the accuracy of the surest 80 %?",
    options=("It falls", "It hardly moves", "It rises"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=("max_softmax", "total"),
    own=Own(
        "On Retention, drag the operating point of any model, or bring answers of your own.",
        "Open Retention", "pages/3_Retention.py",
    ),
    seconds=0.5,
)  # fmt: skip
