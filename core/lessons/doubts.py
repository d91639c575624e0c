"""Two kinds of doubt in the plane: where classes overlap, and where nothing was ever seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Progress, no_progress
from core.lessons import _plane
from core.lessons._contract import Claim, Lesson, Number, Outcome, Own
from core.lessons._pictures import Field, Line, Lines, Picture, Plane
from core.lessons._plane import CLOUDS, FAR, MOONS, World
from core.methods._knobs import check, knob
from core.metrics.ranks import spearman
from core.metrics.uncertainty import bernoulli
from core.settings import Settings

if TYPE_CHECKING:
    from core.lessons._plane_fits import Answered
    from core.training._plane_moons import Points

_NEAR = 0.3  # to a point: here the model was told what is what
_STEPS, _QUICK = 100, 80  # of a fit, and of those along a knob
_OVERLAPS, _COUNTS = (0.15, 0.35, 0.55), (20, 80, 320)
_TOP = math.log(2.0)  # the most doubt that two classes allow, in nats
_SURE = (0.65, 0.9)  # confidence that is called a guess, and from where on it is called sure


@dataclass(frozen=True, slots=True)
class Config:
    shape: str = knob(MOONS, "what the two classes look like", choices=(MOONS, CLOUDS))
    overlap: float = knob(0.25, "how far each class spreads; more, and they mix", least=0.1, most=0.6)
    hidden: float = knob(0.25, "share of the points, from the top, that no model gets to see", least=0.0, most=0.5)
    points: int = knob(120, "how many points there are", least=20, most=420)
    added: str = knob("", "points of your own")

    def __post_init__(self) -> None:
        check(self)
        _plane.read_points(self.added)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """The places that are asked about, and what is true of them."""

    world: World
    points: Points
    x: np.ndarray
    y: np.ndarray
    places: np.ndarray
    near: np.ndarray
    far: np.ndarray

    def plane(self, title: str, finding: str, *fields: Field) -> Plane:
        return Plane(title, finding, self.x, self.y, fields, self.points.places, self.points.labels)

    def field(self, title: str, meaning: str, values: np.ndarray, top: float = _TOP) -> Field:
        shape = (len(self.y), len(self.x))
        return Field(title, meaning, values.reshape(shape).astype(np.float32), top)  # type: ignore[arg-type]


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    scene = _scene(config, seed)
    count = len(scene.points)
    return (
        scene.plane("What the models are given", f"{count} points of two classes; the rest of the plane is empty."),
    )


def compute(config: Config, seed: int, settings: Settings, progress: Progress = no_progress) -> Outcome:
    from core.lessons import _plane_fits

    scene = _scene(config, seed)
    total = len(_plane_fits.keys()) + len(_OVERLAPS) + len(_COUNTS)
    found: list[Answered] = []
    for one in _plane_fits.answered(scene.points, scene.places, seed, _STEPS):
        found.append(one)
        progress(len(found), total, f"{one.title} is trained")
    overlaps = []
    for number, value in enumerate(_OVERLAPS, start=len(found) + 1):
        overlaps.append(_along(World(config.shape, value), 240, seed))
        progress(number, total, "more and more overlap")
    counts = []
    for number, value in enumerate(_COUNTS, start=len(found) + len(_OVERLAPS) + 1):
        counts.append(_along(World(config.shape, config.overlap), value, seed))
        progress(number, total, "more and more points")
    return _outcome(scene, found, np.array(overlaps), np.array(counts))


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    def rises(name: str, steps: Sequence[float]) -> float:
        values = [outcome[f"{name} {step:g}"] for step in steps]
        return spearman(np.array(values), np.array(steps)).value or 0.0

    return (
        Claim("a single network is sure where it has seen nothing", outcome["confidence far"] > _SURE[1]),
        Claim("and right less often than it is sure", outcome["right far"] < outcome["confidence far"] - 0.03),
        Claim("one draw has no unfamiliarity anywhere", outcome["deterministic epistemic far"] == 0.0),
        Claim(
            "the ensemble is less familiar with far places than with near ones",
            outcome["ensemble epistemic far"] > 2 * outcome["ensemble epistemic near"],
        ),
        Claim("overlap raises ambiguity", rises("overlap aleatoric", _OVERLAPS) > 0.99),
        Claim("points lower unfamiliarity", outcome["points epistemic 320"] < 0.5 * outcome["points epistemic 20"]),
        Claim("distance to the points tells far from near", outcome["knn far"] > outcome["knn near"]),
    )


def _scene(config: Config, seed: int) -> _Scene:
    world = World(config.shape, config.overlap)
    points = _plane.seen(world, config.points, config.hidden, config.added, seed)
    x, y, places = _plane.grid()
    gaps = _plane.distance(places, points)
    return _Scene(world, points, x, y, places, gaps < _NEAR, gaps > FAR)


def _along(world: World, count: int, seed: int) -> tuple[float, float]:
    """Mean ambiguity and unfamiliarity of an ensemble at the places where points of this world lie."""
    from core.lessons import _plane_fits

    everywhere = _plane.seen(world, 400, 0.0, "", seed + 1).places
    answer = _plane_fits.ensemble(_plane.seen(world, count, 0.0, "", seed), everywhere, seed, _QUICK)
    return float(answer.doubt.aleatoric.mean()), float(answer.doubt.epistemic.mean())


def _outcome(scene: _Scene, found: Sequence[Answered], overlaps: np.ndarray, counts: np.ndarray) -> Outcome:
    numbers = [
        *(one for answer in found for one in _numbers(scene, answer)),
        *_steps("overlap", _OVERLAPS, overlaps),
        *_steps("points", _COUNTS, counts),
    ]
    single = found[0]
    sure = np.maximum(single.probs, 1.0 - single.probs)
    near, far = _mean(sure, scene.near), _mean(sure, scene.far)
    right_far = _mean((single.probs > 0.5) == (scene.world.truth(scene.places) > 0.5), scene.far)
    numbers += [
        Number("confidence near", "mean confidence of the single network near the points", near),
        Number("confidence far", "mean confidence of the single network far from all points", far),
        Number("right far", "share of far places where it names the likelier class", right_far),
    ]
    right = 0 if far < _SURE[0] else 2 if far >= _SURE[1] else 1
    said = (
        f"Far from every point the single network is {far:.0%} sure of one class, and it is the likelier one in "
        f"{right_far:.0%} of these places."
    )
    border = f"All its doubt lies on the border that it drew: {float((sure < 0.9).mean()):.0%} of the plane."
    pictures = (
        scene.plane("How sure the single network is", border, scene.field("confidence", "signal", sure, 1.0)),
        _true(scene),
        *(_picture(scene, one) for one in sorted(found[1:], key=lambda one: one.key != "ensemble")),
        _sweep("overlap", "spread of each class", _OVERLAPS, overlaps),
        _sweep("points", "points in the training set", _COUNTS, counts),
    )
    return Outcome(right, said, pictures, _sentences(found, scene, overlaps, counts, far), tuple(numbers))


def _true(scene: _Scene) -> Plane:
    """What a perfect model would tell: where nature decides by chance, and where nothing was seen."""
    truth = scene.world.truth(scene.places)
    gaps = _plane.distance(scene.places, scene.points)
    said = "True ambiguity lies between the classes alone; what is unseen follows from the points."
    return scene.plane(
        "The truth", said, scene.field("ambiguous, in truth", "aleatoric", bernoulli(truth)),
        scene.field("distance to a point", "epistemic", gaps, float(gaps.max())),
    )  # fmt: skip


def _picture(scene: _Scene, one: Answered) -> Plane:
    if one.score is not None:
        usual = np.sort(one.score[scene.near])
        place = np.searchsorted(usual, one.score) / max(1, len(usual))
        said = f"{_mean(place, scene.far):.0%} of the near places have a smaller score than a far place."
        return scene.plane(one.title, said, scene.field("score, as a place among near ones", "predicted", place, 1.0))
    doubt = one.doubt
    said = (
        f"Unfamiliar: {_mean(doubt.epistemic, scene.near):.2f} near the points, "
        f"{_mean(doubt.epistemic, scene.far):.2f} far from them, of at most ln 2 = 0.69 nats."
    )
    return scene.plane(
        one.title, said, scene.field("ambiguous", "aleatoric", doubt.aleatoric),
        scene.field("unfamiliar", "epistemic", doubt.epistemic),
    )  # fmt: skip


def _sweep(name: str, x_title: str, steps: Sequence[float], found: np.ndarray) -> Lines:
    x = np.array(steps, np.float64)
    lines = (
        Line("ambiguous", x, found[:, 0], "aleatoric"),
        Line("unfamiliar", x, found[:, 1], "epistemic", "dot"),
    )
    said = (
        f"From {steps[0]:g} to {steps[-1]:g} ambiguity goes from {found[0, 0]:.3f} to {found[-1, 0]:.3f} nats, "
        f"unfamiliarity from {found[0, 1]:.3f} to {found[-1, 1]:.3f}."
    )
    title = "Turn the overlap" if name == "overlap" else "Turn the number of points"
    return Lines(title, said, x_title, "mean doubt of an ensemble in nats", lines)


def _sentences(
    found: Sequence[Answered], scene: _Scene, overlaps: np.ndarray, counts: np.ndarray, far: float
) -> tuple[str, ...]:
    drawn = [one for one in found if one.score is None and one.doubt.epistemic.max() > 0]
    rise = {one.title: _mean(one.doubt.epistemic, scene.far) - _mean(one.doubt.epistemic, scene.near) for one in drawn}
    most, least = max(rise, key=lambda name: rise[name]), min(rise, key=lambda name: rise[name])
    return (
        "Why a confident model can be wrong: its confidence says on which side of its border a place lies, and how far "
        "from it. It does not say how near the place is to anything that was ever seen.",
        f"The knob that shows it is “Hidden”: it takes the points at the top away. The single network stays sure up "
        f"there ({far:.0%} far from all points, as it is now); unfamiliar and the distances fill that region instead.",
        f"{most} notices the empty plane best: its unfamiliarity rises by {rise[most]:.2f} nats from near to far. "
        f"{least} does so least ({rise[least]:+.2f}).",
        f"Overlap raises the ensemble's ambiguity from {overlaps[0, 0]:.2f} to {overlaps[-1, 0]:.2f} nats. That is in "
        "the data: no method and no further points remove it.",
        f"{_COUNTS[-1] // _COUNTS[0]} times more points leave {counts[-1, 1] / counts[0, 1]:.0%} of the unfamiliarity "
        "where the classes live. Points are what it asks for.",
    )


def _numbers(scene: _Scene, one: Answered) -> list[Number]:
    rows = []
    for name, where in (("near", scene.near), ("far", scene.far)):
        if one.score is not None:
            rows.append(Number(f"{one.key} {name}", f"{one.title}: mean score {name}", _mean(one.score, where)))
            continue
        for part in ("aleatoric", "epistemic"):
            value = _mean(getattr(one.doubt, part), where)
            rows.append(Number(f"{one.key} {part} {name}", f"{one.title}: mean {part} doubt {name}, nats", value))
    return rows


def _steps(name: str, steps: Sequence[float], found: np.ndarray) -> list[Number]:
    return [
        Number(f"{name} {part} {step:g}", f"ensemble: mean {part} doubt at {name} {step:g}, nats", float(value))
        for column, part in enumerate(("aleatoric", "epistemic"))
        for step, value in zip(steps, found[:, column], strict=True)
    ]


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    """Of some places; with points everywhere no place is far, and then of all."""
    return float(values[where].mean() if where.any() else values.mean())


LESSON = Lesson(
    key="doubts",
    number=6,
    title="Two kinds of doubt",
    idea="Things that overlap and things never seen are two reasons to doubt; a single network knows only the first.",
    opening=(
        "Two classes live in a plane. A small network learns which is which from the points below. Between the classes "
        "even a perfect model must waver: that is **ambiguity**, and it is in the data. Far from all points no model "
        "can know anything: that is **unfamiliarity**, and it is in the model.",
    ),
    question="A single network, trained the usual way, is asked about places far from all points. What does it say?",
    options=("About 50 : 50", "One class, without much confidence", "One class, nearly surely"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=("aleatoric", "epistemic", "score"),
    own=Own(
        "Give a model something it never learned, and compare its confidence with its novelty.",
        "Inspect your own file", "pages/1_Inspect.py",
    ),
    seconds=7.0,
)  # fmt: skip
