"""Transfer: a network that learned photographs and one that learned sounds, each under a new last layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.lessons import _pieces
from core.lessons._contract import Claim, Heard, Lesson, Number, Outcome, Own, Telling, untold
from core.lessons._pictures import Line, Lines, Meaning, Picture, Strip, Table
from core.lessons._pieces import Pieces, spoken
from core.methods._knobs import check, knob
from core.settings import Settings

if TYPE_CHECKING:
    from core.lessons._fits import Learned
    from core.lessons._transfer import Source

_COMPANY, _SHIPS = "four strangers", "four ships"
_CLASSES = {  # the sound network learned none of them
    _COMPANY: ("rooster", "crying_baby", "chainsaw", "ship_ferry"),
    _SHIPS: ("ship_tanker", "ship_ferry", "ship_tug", "ship_motorboat"),
}
_RATE = 32_000  # Hz: what both networks take
_HELD = 3  # recordings of each class
_FROZEN, _TUNED = (1, 2, 4), (1, 2)  # recordings of each class that are learned
_NETWORKS: Mapping[str, tuple[str, Meaning]] = {
    "picture": ("picture network", "predicted"), "sound": ("sound network", "kept"),
}  # fmt: skip
_CLOSE = 0.03  # of accuracy: nearer ones are called the same


@dataclass(frozen=True, slots=True)
class Config:
    sounds: str = knob(_COMPANY, "which new sounds are to be told apart", choices=tuple(_CLASSES))
    rounds: int = knob(8, "rounds of fine-tuning", least=2, most=22)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    pieces: Pieces
    sources: Mapping[str, Source]
    learned: Mapping[tuple[str, str, int], Learned]  # network, way, recordings

    def curve(self, key: str, way: str) -> tuple[np.ndarray, np.ndarray]:
        """Recordings, and share of new pieces right."""
        counts = _FROZEN if way == "frozen" else _TUNED
        right = [self.learned[key, way, count].curves.accuracy[-1, 1] for count in counts]
        return np.array(counts, np.float64), np.array(right)


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    names = _CLASSES[config.sounds]
    found = _pieces.soundbox(names, 1, 0, seed, untold, _RATE)
    first = tuple(found.waves[found.labels == label][0] for label in range(len(names)))
    return (Strip("Sounds that neither network has learned", tuple(spoken(name) for name in names), first, _RATE),)


def compute(config: Config, seed: int, settings: Settings, progress: Telling = untold) -> Outcome:
    return _outcome(_trained(config, seed, settings, progress))


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    last = _FROZEN[-1]
    return (
        Claim("a network of photographs tells sounds apart", outcome[f"picture frozen {last}"] > 0.5),
        Claim("one of sounds does at least as well", outcome["sound mean"] > outcome["picture mean"] - _CLOSE),
        Claim("and is less sure where it errs", outcome["sound loss"] < outcome["picture loss"]),
        Claim("more recordings help", outcome[f"sound frozen {last}"] >= outcome["sound frozen 1"]),
        Claim("fine-tuning on so little does not help on average", outcome["mean gained"] < 0.05),
    )


def hear(
    samples: np.ndarray, rate: int, config: Config, seed: int, settings: Settings, progress: Telling = untold
) -> Heard:
    own = np.array(_pieces.pieces_of(_pieces.at_rate(samples, rate, _RATE), _RATE))
    found, said = _trained(config, seed, settings, progress), []
    for key, (name, _) in _NETWORKS.items():
        _, features = found.sources[key].passed(own)
        probs = found.learned[key, "frozen", _FROZEN[-1]].answers(features).mean(axis=0)
        said.append(f"the {name} says {spoken(found.pieces.names[int(probs.argmax())])}, {probs.max():.0%} sure")
    names = tuple(f"piece {number}" for number in range(1, len(own) + 1))
    says = f"Of your sound {said[0]}, and {said[1]}. They know no other words: a stranger gets one of these too."
    return Heard(says, (Strip("What they were given", names, tuple(own), _RATE),))


def _trained(config: Config, seed: int, settings: Settings, progress: Telling) -> _Found:
    """Remembered for who asks about a sound of their own."""
    from core.lessons import _fits, _transfer

    names = _CLASSES[config.sounds]
    steps = len(_NETWORKS) * (1 + len(_FROZEN) + len(_TUNED))
    total = len(names) + steps

    def train() -> _Found:
        def told(done: int, of: int, stage: str) -> None:
            progress(done, total, stage)

        pieces = _pieces.soundbox(names, _FROZEN[-1], _HELD, seed, told, _RATE)
        order = np.cumsum(np.ones(len(pieces.labels), int)) - 1
        recording = order // 2 % (_FROZEN[-1] + _HELD)  # of its class
        done, learned, sources = len(names), {}, {}
        for key, source in _transfer.sources(pieces, settings):
            sources[key] = source
            done += 1
            progress(done, total, f"the {_NETWORKS[key][0]} hears every piece once")
            for way, counts in (("frozen", _FROZEN), ("tuned", _TUNED)):
                for count in counts:
                    own = ~pieces.held & (recording < count)
                    if way == "frozen":
                        learned[key, way, count] = _transfer.frozen(source, pieces, own, seed)
                    else:
                        learned[key, way, count] = _transfer.tuned(source, pieces, own, seed, config.rounds)
                    done += 1
                    progress(done, total, f"the {_NETWORKS[key][0]}, {way}, learns {count} recordings of each")
        return _Found(pieces, sources, learned)

    return _fits.remembered(("transfer", config, seed), train)


def _outcome(found: _Found) -> Outcome:
    numbers, mean, gained = [], {}, []
    for key, (name, _) in _NETWORKS.items():
        for way in ("frozen", "tuned"):
            for count, right in zip(*found.curve(key, way), strict=True):
                says = f"{name}, {way}: share of new pieces right, {count:g} recordings of each class"
                numbers.append(Number(f"{key} {way} {count:g}", says, float(right)))
        fixed, tuned = found.curve(key, "frozen")[1], found.curve(key, "tuned")[1]
        gained += list(tuned - fixed[: len(tuned)])
        mean[key] = float(fixed.mean())
        loss = np.mean([found.learned[key, "frozen", count].curves.loss[-1, 1] for count in _FROZEN])
        numbers.append(Number(f"{key} mean", f"{name}, frozen: share right, mean over the counts", mean[key]))
        numbers.append(Number(f"{key} loss", f"{name}, frozen: loss on new pieces in nats, mean", float(loss)))
    numbers.append(Number("mean gained", "what fine-tuning gained, share right, mean", float(np.mean(gained))))
    numbers.append(Number("least gained", "the least that fine-tuning gained, share right", float(min(gained))))
    numbers.append(Number("most gained", "the most that fine-tuning gained, share right", float(max(gained))))
    apart = mean["sound"] - mean["picture"]
    right = 1 if abs(apart) < _CLOSE else 2 if apart > 0 else 0
    said = (
        f"Over 1, 2 and 4 recordings of each class the network of sounds is right in {mean['sound']:.0%} of new "
        f"pieces, the network of photographs in {mean['picture']:.0%}; guessing gets {1 / len(found.pieces.names):.0%}."
    )
    return Outcome(right, said, _pictures(found), _sentences(found, numbers), tuple(numbers))


def _pictures(found: _Found) -> tuple[Picture, ...]:
    from core.lessons import _transfer

    lines, tables, pieces = [], [], found.pieces
    for key, (name, look) in _NETWORKS.items():
        lines.append(Line(f"{name}, frozen", *found.curve(key, "frozen"), look))
        lines.append(Line(f"{name}, tuned", *found.curve(key, "tuned"), look, "dot"))
        source, one = found.sources[key], found.learned[key, "frozen", _FROZEN[-1]]
        tables.append(_table(name, pieces, one.answers(source.features[pieces.held]).argmax(axis=1)))
    best = max(lines, key=lambda line: float(line.y[-1]))
    said = f"Most right at its last point: {best.name}, {best.y[-1]:.0%} with {best.x[-1]:g} recordings of each class."
    first = [pieces.waves[pieces.labels == label][0] for label in range(3)]
    names = tuple(spoken(name) for name in pieces.names)
    return (
        Lines("New sounds from few recordings", said, "recordings of each class",
              "share of new pieces right", tuple(lines), 1.05),
        *tables,
        Strip("What the picture network is shown", names[:3], tuple(_transfer.shown(first)), None),
    )  # fmt: skip


def _table(name: str, pieces: Pieces, answers: np.ndarray) -> Table:
    labels, names = pieces.labels[pieces.held], tuple(spoken(one) for one in pieces.names)
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (labels, answers), 1)
    said = f"{int((answers == labels).sum())} of {len(labels)} are right after {_FROZEN[-1]} recordings of each class."
    return Table(f"New pieces, as the frozen {name} takes them", said, names, counts)


def _sentences(found: _Found, numbers: list[Number]) -> tuple[str, ...]:
    value = {number.key: number.value for number in numbers}
    last, trained = _FROZEN[-1], {key: source.features.shape[1] for key, source in found.sources.items()}
    return (
        "Both have learned edges, rises and textures, and a spectrogram has those too. A new last layer is all that "
        f"is trained here: {trained['picture']} numbers a piece from the one, {trained['sound']} from the other, "
        "computed once and kept.",
        f"With one recording of each class the sound network gets {value['sound frozen 1']:.0%}, with {last} "
        f"{value[f'sound frozen {last}']:.0%}; the picture network {value['picture frozen 1']:.0%} and "
        f"{value[f'picture frozen {last}']:.0%}.",
        f"Its errors cost the picture network {value['picture loss']:.1f} nats a piece, the sound network "
        f"{value['sound loss']:.1f}: on strange ground a network is sure even of what it gets wrong.",
        f"Fine-tuning lets the last blocks learn too. With one or two recordings it changes accuracy by "
        f"{100 * value['least gained']:+.0f} to {100 * value['most gained']:+.0f} points: so few cannot teach so many "
        "weights.",
        "A fair warning: the sound network learned 16 other sounds that were made by the same program. It plays at "
        "home.",
    )


LESSON = Lesson(
    key="transfer",
    number=5,
    title="Borrowed ears, borrowed eyes",
    idea="What a network learned elsewhere can be borrowed: a few recordings are enough for a new last layer.",
    opening=(
        "Two networks are taken as they are. **EfficientNet** learned a million photographs; it is shown a spectrogram "
        "as a grey picture. The **sound network** learned sixteen kinds of sound. Each gets a new last layer, for "
        "sounds that neither knows: with the network below **frozen**, or **fine-tuned** in its last blocks.",
    ),
    question="With one to four recordings of each new sound: which frozen network does better?",
    options=("The one that learned photographs", "Both about the same", "The one that learned other sounds"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=(),
    own=Own(
        "On Train, give a folder of your own sounds and choose “Transfer from ImageNet”, or begin with any model here.",
        "Borrow a network for your data", "pages/6_Train.py",
    ),
    seconds=6.0,
    hear=hear,
)  # fmt: skip
