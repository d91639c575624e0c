"""The ambiguity lab: one clean item on three roads, and what every measure makes of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Progress, no_progress
from core.lessons import _roads
from core.lessons._contract import Claim, Lesson, Number, Outcome, Own
from core.lessons._pictures import Line, Lines, Meaning, Picture, Strip
from core.lessons._roads import PICTURES, POSITIONS, SOUNDS, Ends, Step
from core.methods._knobs import check, knob
from core.metrics.ranks import auroc, spearman
from core.settings import Settings

if TYPE_CHECKING:
    from core.runner import Answer

_BOXES = {SOUNDS: "soundbox", PICTURES: "toybox"}
_SOURCES = 3  # beginnings; the charts show their mean
_MAIN = "ensemble"
_DRAWN = {"mc-dropout": "MC dropout", "det-flip": "Det-Flip", "laplace": "Laplace", "dropsembles": "Dropsembles"}
_SCORED = {"loss-prediction": "predicted loss", "energy": "energy", "knn": "k-NN distance"}
_ROADS: Mapping[str, tuple[Meaning, str]] = {
    "class": ("aleatoric", "solid"), "spoilt": ("total", "dash"), "stranger": ("epistemic", "dot"),
}  # fmt: skip
_UNITS = {"place in %": ("{:.0f} %", 105.0), "confidence": ("{:.0%}", 1.05), "nats": ("{:.2f} nats", None)}  # and top
_TELLS, _SPOKEN = ("aleatoric", "epistemic", "novelty"), ("ambiguity", "unfamiliarity", "novelty")  # as the options


@dataclass(frozen=True, slots=True)
class Config:
    thing: str = knob(SOUNDS, "what is turned into what", choices=(SOUNDS, PICTURES))
    pair: int = knob(0, "which classes: each number another beginning and other ends", least=0, most=_roads.PAIRS - 1)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What one model says, (roads, sources, positions) each."""

    confidence: np.ndarray
    doubts: Mapping[str, np.ndarray]
    places: Mapping[str, np.ndarray]  # per cent of the model's held-out items that have less


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    where = _roads.ends(config.thing, config.pair)
    first, strips = _roads.spoken(where.first).capitalize(), []
    for road, name in where.names().items():
        steps = [
            step for step in _roads.along(config.thing, config.pair, 0, seed, (0.0, 0.5, 1.0)) if step.road == road
        ]
        names = ("the beginning", "half way", "the end")
        items = tuple(step.media.samples for step in steps)
        strips.append(Strip(f"{first} {name}", names, items, steps[0].media.rate))
    return tuple(strips)


def compute(config: Config, seed: int, settings: Settings, progress: Progress = no_progress) -> Outcome:
    from core.runner import Here, Request

    total = _SOURCES + 1 + len(_DRAWN) + len(_SCORED)
    steps: list[Step] = []
    for source in range(_SOURCES):
        steps += _roads.along(config.thing, config.pair, source, seed)
        progress(source + 1, total, "making what is asked about")
    items = {step.media.sha256: step.media for step in steps}
    rows = np.array([list(items).index(step.media.sha256) for step in steps])
    here, box = Here(settings), _BOXES[config.thing]
    first = here.ask(Request(f"{box}-{_MAIN}", media=tuple(items.values()), seed=seed))
    answers = {_MAIN: first}
    for number, key in enumerate((*_DRAWN, *_SCORED), start=_SOURCES + 2):
        progress(number - 1, total, "asking the models")
        asked = Request(f"{box}-{key}", features=first.features, sha256s=tuple(items), seed=seed)
        answers[key] = here.ask(asked)  # they share one network, and it has been passed
    told = {key: _told(answer, rows, settings) for key, answer in answers.items()}
    progress(total, total, "asking the models")
    return _outcome(_roads.ends(config.thing, config.pair), _truth(steps), told)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    clean, half = (outcome[f"ensemble aleatoric class {position:g}"] for position in (0.0, 0.5))
    return (
        Claim("mixing two classes raises ambiguity", half > clean + 0.1),
        Claim("novelty tells strangers from mixtures", outcome["strangers by novelty"] > 0.8),
        Claim(
            "better than either part of the split",
            outcome["strangers by novelty"] > max(outcome["strangers by aleatoric"], outcome["strangers by epistemic"]),
        ),
        Claim(
            "what was never heard is called ambiguous too",
            outcome["ensemble aleatoric stranger 1"] > outcome["ensemble aleatoric stranger 0"] + 0.1,
        ),
        Claim("the two parts move together", outcome["agreement ensemble"] > 0.7),
        Claim("one draw has no unfamiliarity", abs(outcome["energy epistemic most"]) < 1e-6),
    )


def _told(answer: Answer, rows: np.ndarray, settings: Settings) -> _Told:
    from core.checkpoints import calibrated
    from core.checkpoints.folders import read_card

    card = read_card(answer.model, settings)

    def laid(values: np.ndarray) -> np.ndarray:
        """(roads, sources, positions)."""
        return values[rows].reshape(_SOURCES, len(_ROADS), len(POSITIONS)).transpose(1, 0, 2)

    places = {name: calibrated.percentile(card.posthoc, name, values) for name, values in answer.doubts.items()}
    return _Told(
        laid(answer.mean.max(axis=1)),
        {name: laid(values) for name, values in answer.doubts.items()},
        {name: laid(values) for name, values in places.items() if values is not None},
    )


def _truth(steps: list[Step]) -> np.ndarray:
    """True entropy at each position between the two classes."""
    known = {step.position: step.truth for step in steps if step.road == "class"}
    return np.array([known[position] for position in POSITIONS], np.float64)


def _outcome(where: Ends, truth: np.ndarray, told: Mapping[str, _Told]) -> Outcome:
    main, names = told[_MAIN], where.names()
    apart = {name: _apart(main.doubts[name]) for name in _TELLS}
    right = max(range(len(_TELLS)), key=lambda place: apart[_TELLS[place]])
    pictures = [
        _chart("Novelty, as a place among held-out items", main.places["novelty"], names, "place in %"),
        _chart("Ambiguous, by the ensemble", main.doubts["aleatoric"], names, "nats", truth),
        _chart("Unfamiliar, by the ensemble", main.doubts["epistemic"], names, "nats"),
        _chart("How sure the ensemble is of its answer", main.confidence, names, "confidence"),
    ]
    for key, title in _DRAWN.items():
        pictures.append(_chart(f"Unfamiliar, by {title}", told[key].places["epistemic"], names, "place in %"))
    for key, title in _SCORED.items():
        pictures.append(_chart(f"{title[:1].upper()}{title[1:]}", told[key].places["score"], names, "place in %"))
    numbers = [
        *(Number(f"strangers by {name}", f"AUROC of what was never trained on against mixtures, by {name}", value)
          for name, value in apart.items()),
        *(Number(f"agreement {key}", f"{key}: rank correlation of its two parts", _agreement(told[key]))
          for key in (_MAIN, *_DRAWN)),
        Number("energy epistemic most", "most unfamiliarity of a model of one draw, nats",
               float(told["energy"].doubts["epistemic"].max())),
        *_numbers(main),
    ]  # fmt: skip
    said = (
        f"Of a stranger and a mixture, the stranger has more novelty in {apart['novelty']:.0%} of all pairs, more "
        f"unfamiliarity in {apart['epistemic']:.0%}, more ambiguity in {apart['aleatoric']:.0%}."
    )
    return Outcome(right, said, tuple(pictures), _sentences(where, truth, told, right), tuple(numbers))


def _apart(values: np.ndarray) -> float:
    """Chance that a step towards the stranger has more of it than a step towards the other class."""
    mixtures, strangers = values[0, :, 1:].ravel(), values[2, :, 1:].ravel()
    found = auroc(np.concatenate([mixtures, strangers]), np.repeat([0, 1], [len(mixtures), len(strangers)]))
    return 0.5 if found.value is None else float(found.value)


def _agreement(told: _Told) -> float:
    found = spearman(told.doubts["aleatoric"].ravel(), told.doubts["epistemic"].ravel()).value
    return float("nan") if found is None else float(found)


def _chart(
    title: str, values: np.ndarray, names: Mapping[str, str], unit: str,
    truth: np.ndarray | None = None,
) -> Lines:  # fmt: skip
    x, mean = np.array(POSITIONS), values.mean(axis=1)
    lines = [Line(names[road].split(",")[0], x, mean[row], *look) for row, (road, look) in enumerate(_ROADS.items())]
    if truth is not None:
        lines.append(Line("true ambiguity", x, truth, "faint", "longdash"))
    half, (form, top) = len(POSITIONS) // 2, _UNITS[unit]
    said = (
        f"Half way {names['class']}: {form.format(mean[0, half])}; {names['stranger'].split(',')[0]}, at the end: "
        f"{form.format(mean[2, -1])}; at the beginning: {form.format(mean[0, 0])}."
    )
    return Lines(title, said, "how far along the road", unit, tuple(lines), top)


def _sentences(where: Ends, truth: np.ndarray, told: Mapping[str, _Told], right: int) -> tuple[str, ...]:
    main, half = told[_MAIN], len(POSITIONS) // 2
    ambiguous, names = main.doubts["aleatoric"].mean(axis=1), where.names()
    stranger, second = _roads.spoken(where.stranger), _roads.spoken(where.second)
    agreement = {key: _agreement(told[key]) for key in (_MAIN, *_DRAWN)}
    sure, place = main.confidence[2, :, -1].max(), main.places["novelty"][2, :, -1].mean()
    return (
        f"Half way into {second} the truth is {truth[half]:.2f} nats of ambiguity; the ensemble says "
        f"{ambiguous[0, half]:.2f}.",
        f"The road {names['stranger']}, raises ambiguity to {ambiguous[2, -1]:.2f} nats, though nothing on it is "
        f"ambiguous: the model has no word for a {stranger}, and shares its answer among the words it has.",
        f"At the end of that road no answer can be right, and yet the ensemble was up to {sure:.0%} sure of one: a "
        f"confident model that is wrong. Novelty stands at {place:.0f} % there; the measure that tells this road from "
        f"a mixture best is {_SPOKEN[right]}.",
        f"What the split cannot tell: over all these items the two parts of the ensemble have a rank correlation of "
        f"{agreement[_MAIN]:.2f} (others {min(agreement.values()):.2f} to {max(agreement.values()):.2f}). They are two "
        "readings of one dial more than two dials. Models of one draw have no second part at all: it is 0.",
        f"The predicted loss stands at {told['loss-prediction'].places['score'][0].mean(axis=0)[half]:.0f} % half way "
        f"into {second} and at {told['loss-prediction'].places['score'][2].mean(axis=0)[-1]:.0f} % at the {stranger}: "
        "it learned from errors on known classes.",
        "These are few items of one pair. Turn the pair and the seed before you believe any of it: the answer changes.",
    )


def _numbers(main: _Told) -> list[Number]:
    return [
        Number(f"ensemble {name} {road} {position:g}", f"ensemble: {name} at {position:g} of the road “{road}”",
               float(main.doubts[name][row, :, column].mean()))
        for name in _TELLS
        for row, road in enumerate(_ROADS)
        for column, position in enumerate(POSITIONS)
    ]  # fmt: skip


LESSON = Lesson(
    key="ambiguity",
    number=12,
    title="The ambiguity lab",
    idea="Between two classes, into noise, into the unknown: three reasons to doubt, and measures that mix them up.",
    opening=(
        "Everything here is made on the spot, so its truth is known. One clean item is turned, step by step, into "
        "another class, into noise or blur, and into something that no model was ever trained on. Models that came "
        "with the app are asked at every step.",
    ),
    question="Which measure of an ensemble tells the road into the unknown from a mere mixture best?",
    options=("Ambiguous (aleatoric)", "Unfamiliar (epistemic)", "Novelty, a distance to what it was trained on"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=("aleatoric", "epistemic", "novelty", "score", "max_softmax"),
    own=Own(
        "Open it on Inspect and choose “Perturb”: mix it with another file, bury it in noise, and watch the same "
        "measures.",
        "Mix and spoil a file of your own", "pages/1_Inspect.py", (("model", "soundbox-ensemble"),),
    ),
    seconds=7.0,
)  # fmt: skip
