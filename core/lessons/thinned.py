"""Dropsembles: thinned members of one network, what they forget when they learn, and what their disagreement is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Progress, no_progress
from core.fingerprint import numpy_generator
from core.lessons._contract import Claim, Lesson, Number, Outcome, Own
from core.lessons._pictures import Field, Line, Lines, Meaning, Picture, Plane, Wiring
from core.methods._knobs import check, knob
from core.metrics.uncertainty import bernoulli
from core.settings import Settings
from core.training._plane_moons import CENTRE, Moons, Points

if TYPE_CHECKING:
    from core.lessons._plane_fits import Answered

_NOISE, _SHIFT = 0.2, (0.25, -0.25)
_OLD, _TEST, _SIDE = 200, 400, 29
_NEW, _GRID = slice(_TEST, 2 * _TEST), slice(2 * _TEST, None)  # of all places that are asked about; first the old world
_STEPS, _LATER, _EVERY = 150, 100, 10
_STRENGTHS = (0.0, 100.0, 1000.0, 10000.0)
_LOOKS: tuple[tuple[Meaning, str], ...] = (
    ("refused", "solid"), ("predicted", "dash"), ("signal", "dot"), ("kept", "dashdot"),
)  # fmt: skip
_WORLDS = (("old", "the old world"), ("given", "the given half of the new one"), ("hidden", "its hidden half"))
_LITTLE, _MUCH = 0.02, 0.1  # of accuracy


@dataclass(frozen=True, slots=True)
class Config:
    degrees: int = knob(45, "how far the new world is turned against the old one", least=0, most=100)
    given: int = knob(20, "points of the new world, all from its right half", least=10, most=110)
    rate: float = knob(0.2, "share of the units that a member loses", least=0.1, most=0.5)
    members: int = knob(4, "thinned networks", least=2, most=6)
    strength: float = knob(0.0, "anchor (lambda) of the members whose doubt is drawn", choices=_STRENGTHS)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Worlds:
    old: Points
    given: Points
    old_test: Points
    new_test: Points
    new: Moons
    given_half: np.ndarray  # of the new test points: those of the half that the given ones are from
    x: np.ndarray
    y: np.ndarray

    @property
    def grid(self) -> np.ndarray:
        return np.stack([part.ravel() for part in np.meshgrid(self.x, self.y)], axis=1)

    def plane(self, title: str, finding: str, points: Points, *fields: Field) -> Plane:
        return Plane(title, finding, self.x, self.y, fields, points.places, points.labels)

    def field(self, title: str, meaning: Meaning, values: np.ndarray, top: float) -> Field:
        return Field(title, meaning, values.reshape(len(self.y), len(self.x)).astype(np.float32), top)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    kept: np.ndarray  # (members, layers, units)
    right: np.ndarray  # (strengths, times, 3) accuracy on the old world, the given half of the new one, the hidden one
    drawn: Answered
    halves: np.ndarray  # (strengths, 2) mean disagreement in the given half and in the hidden one
    truth: np.ndarray  # (2,) mean true ambiguity of the same


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture, ...]:
    worlds = _worlds(config, seed)
    return (
        worlds.plane("The old world", f"{_OLD} points; a network with dropout has learned them.", worlds.old),
        worlds.plane("The new world", f"{config.given} points of a copy that is turned by {config.degrees}° and moved; "
                     "of its left half there are none.", worlds.given),
    )  # fmt: skip


def compute(config: Config, seed: int, settings: Settings, progress: Progress = no_progress) -> Outcome:
    from core.lessons import _plane_fits, _thinned
    from core.methods import dropsembles

    worlds, total = _worlds(config, seed), 1 + len(_STRENGTHS)
    asked = np.concatenate([worlds.old_test.places, worlds.new_test.places, worlds.grid])
    labels = np.concatenate([worlds.old_test.labels, worlds.new_test.labels])
    halves = worlds.given_half, ~worlds.given_half
    progress(0, total, "a network learns the old world")
    network = _thinned.knowing(worlds.old, config.rate, seed, _STEPS)
    right, answers, kept = [], [], np.empty(0)
    for number, strength in enumerate(_STRENGTHS, start=1):
        progress(number, total, f"members learn the new world, lambda {strength:g}")
        begun = _thinned.thinned(network, worlds.old, worlds.given, strength, config.members, seed)
        kept = _thinned.masks_of(begun)
        states = _thinned.taught(begun, worlds.given, _LATER, _EVERY)
        course = [_plane_fits.said(dropsembles.METHOD, state, asked, seed) for state in states]
        hits = [(one.probs[: 2 * _TEST] > 0.5) == (labels == 1) for one in course]
        right.append([[one[:_TEST].mean(), *(one[_NEW][half].mean() for half in halves)] for one in hits])
        answers.append(course[-1])
    truth = bernoulli(worlds.new.truth(worlds.new_test.places)[:, 1])
    odd = [[one.doubt.epistemic[_NEW][half].mean() for half in halves] for one in answers]
    drawn = answers[_STRENGTHS.index(config.strength)]
    found = _Found(kept, np.array(right), drawn, np.array(odd), np.array([truth[half].mean() for half in halves]))
    return _outcome(config, worlds, found)


def _worlds(config: Config, seed: int) -> _Worlds:
    old, new = Moons(_NOISE), Moons(_NOISE, float(config.degrees), _SHIFT)

    def drawn(world: Moons, count: int, purpose: str, half: bool = False) -> Points:
        return world.drawn(count, numpy_generator("lesson thinned", purpose, seed), half=half)

    test = drawn(new, _TEST, "new test")
    return _Worlds(
        drawn(old, _OLD, "old"), drawn(new, config.given, "given", half=True), drawn(old, _TEST, "old test"), test,
        new, new.unmoved(test.places)[:, 0] > CENTRE[0], np.linspace(-2.0, 3.0, _SIDE), np.linspace(-2.0, 2.2, _SIDE),
    )  # fmt: skip


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    free, strong = f"{_STRENGTHS[0]:g}", f"{_STRENGTHS[-1]:g}"
    return (
        Claim("without an anchor part of the old world is forgotten", outcome["old before"] > outcome[f"old {free}"]),
        Claim("a strong anchor keeps more of it", outcome[f"old {strong}"] > outcome[f"old {free}"]),
        Claim("and a weak one hinders no learning", outcome["given 100"] > outcome[f"given {free}"] - 0.05),
        Claim("members differ in what they lost", 0.0 < outcome["shared"] < 1.0),
        Claim("they disagree where nothing was given",
              outcome[f"odd hidden {free}"] > 2 * outcome[f"odd given {free}"]),
        Claim("though both halves are as ambiguous",
              0.5 < outcome["truth hidden"] / outcome["truth given"] < 2.0),
    )  # fmt: skip


def _outcome(config: Config, worlds: _Worlds, found: _Found) -> Outcome:
    was, now = found.right[0, 0], found.right[0, -1]
    lost = was[0] - now[0]
    right = 0 if lost < _LITTLE else 1 if lost < _MUCH else 2
    said = (
        f"Without an anchor accuracy on the old world goes from {was[0]:.0%} to {now[0]:.0%}, on the given half of the "
        f"new one from {was[1]:.0%} to {now[1]:.0%}."
    )
    return Outcome(right, said, _pictures(config, worlds, found), _sentences(config, found), _numbers(found))


def _sentences(config: Config, found: _Found) -> tuple[str, ...]:
    last, free, some = found.right[-1, -1], found.right[0, -1], found.right[1, -1, 1]
    odd, held = found.halves[_STRENGTHS.index(config.strength)], found.kept.mean(axis=(1, 2))
    told = "it tells what was not seen, not what is left to chance" if odd[1] > odd[0] else "here it tells neither"
    return (
        f"A member is the same trained network without some of its {found.kept[0].size} hidden units: each keeps "
        f"{held.min():.0%} to {held.max():.0%} of them. All begin from what one training taught, so that they cost "
        "little more than one network.",
        "The anchor (elastic weight consolidation) pulls every weight back to where it was, the harder the more it "
        f"mattered for the old points. With lambda = {_STRENGTHS[-1]:g} the old world stays at {last[0]:.0%}, and of "
        f"the given half of the new one {last[1]:.0%} are right; {free[1]:.0%} without an anchor, {some:.0%} with "
        f"lambda = {_STRENGTHS[1]:g}.",
        f"Of the half that was not given {free[2]:.0%} are right without an anchor, {last[2]:.0%} with that one: what "
        "was never shown is guessed from the old world, which was not turned.",
        f"Both halves of the new world are about as ambiguous ({found.truth[0]:.2f} and {found.truth[1]:.2f} nats, by "
        f"its own truth). The members disagree by {odd[0]:.3f} nats in the given half and by {odd[1]:.3f} in the "
        f"other: {told}.",
    )


def _numbers(found: _Found) -> tuple[Number, ...]:
    both = found.kept[0] & found.kept[1]
    return (
        *(Number(f"{key} before", f"accuracy of the members on {says}, before", value)
          for (key, says), value in zip(_WORLDS, found.right[0, 0].tolist(), strict=True)),
        *(Number(f"{key} {strength:g}", f"accuracy on {says} after, lambda {strength:g}", value)
          for strength, row in zip(_STRENGTHS, found.right[:, -1], strict=True)
          for (key, says), value in zip(_WORLDS, row.tolist(), strict=True)),
        *(Number(f"odd {key} {strength:g}", f"disagreement in {says}, lambda {strength:g}, nats", value)
          for strength, row in zip(_STRENGTHS, found.halves.tolist(), strict=True)
          for (key, says), value in zip(_WORLDS[1:], row, strict=True)),
        *(Number(f"truth {key}", f"true ambiguity in {says}, nats", value)
          for (key, says), value in zip(_WORLDS[1:], found.truth.tolist(), strict=True)),
        Number("shared", "share of the units of member 1 that member 2 keeps too", both.sum() / found.kept[0].sum()),
    )  # fmt: skip


def _pictures(config: Config, worlds: _Worlds, found: _Found) -> tuple[Picture, ...]:
    times = np.arange(0, _LATER + 1, _EVERY, dtype=np.float64)
    courses = [
        Lines(title, f"{said}: {found.right[0, -1, world]:.0%} at the end without an anchor, "
              f"{found.right[-1, -1, world]:.0%} with lambda = {_STRENGTHS[-1]:g}.",
              "steps on the new points", "accuracy", tuple(
                  Line(f"lambda {strength:g}" if strength else "no anchor", times, row[:, world], *look)
                  for strength, row, look in zip(_STRENGTHS, found.right, _LOOKS, strict=True)
              ), top=1.0, bottom=max(0.0, float(found.right.min()) - 0.05))
        for world, title, said in ((0, "What stays of the old world", "Of the old world"),
                                   (1, "What is learned of the given half", "Of the given half of the new world"))
    ]  # fmt: skip
    names = tuple(f"member {number}" for number in range(1, config.members + 1))
    halves = found.halves[_STRENGTHS.index(config.strength)]
    odd, ambiguous = found.drawn.doubt.epistemic[_GRID], found.drawn.doubt.aleatoric[_GRID]
    true = bernoulli(worlds.new.truth(worlds.grid)[:, 1])
    return (
        courses[0],
        courses[1],
        Wiring("The thinned networks", f"Hollow units are gone for good: about {config.rate:.0%} of "
               "them, others in every member.", names, found.kept),
        worlds.plane(f"The members, lambda = {config.strength:g}",
                     f"They disagree by {halves[0]:.3f} nats in the given half, by {halves[1]:.3f} in the other.",
                     worlds.given,
                     worlds.field("ambiguous", "aleatoric", ambiguous, math.log(2.0)),
                     worlds.field("they disagree", "epistemic", odd, math.log(2.0))),
        worlds.plane("The truth of the new world", f"Up to {true.max():.2f} nats where both moons are as near; the "
                     "points are those that nobody was given.", worlds.new_test,
                     worlds.field("ambiguous, in truth", "aleatoric", true, math.log(2.0))),
    )  # fmt: skip


LESSON = Lesson(
    key="thinned",
    number=9,
    title="Thinned networks",
    idea="One trained network, thinned in several ways, becomes many; what they learn later, they pay for.",
    opening=(
        "Dropsembles trains one network with dropout on a world that it knows well. Then each **member** loses some "
        "units for good, and learns a few points of a world that is like the old one, but not the same.",
        "To learn is to move weights, and the old world is stored in the same weights.",
    ),
    question="The members learn the new points and never see the old ones again. What becomes of the old world?",
    options=("Nearly all of it stays: less than 2 points are lost", "Some is lost: up to 10 points",
             "Much is lost: more than 10 points"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=("aleatoric", "epistemic"),
    own=Own(
        "On Shapes, Dropsembles reconstructs what is hidden of a digit or a vertebra; bring one of your own.",
        "Reconstruct with members", "pages/7_Shapes.py",
    ),
    seconds=4.0,
)  # fmt: skip
