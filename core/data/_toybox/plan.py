"""Which pictures there are: names, splits, folds, groups, knobs and labels. Nothing is rendered here.

A group is one toy in its place, seen from several sides. The label of a morph is drawn from its true probability.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from core.contracts import Split, Truth
from core.data._toybox.render import Look
from core.data._toybox.shapes import CLASSES, HELD_OUT, SHAPES
from core.data._toybox.source import Source, View, draw_source, draw_view
from core.fingerprint import numpy_generator

Part = Literal["clean", "morph", "occlusion", "blur", "held-out"]

FOLDS = 5
MIXES = tuple(step / 10 for step in range(11))  # the knob of the test morphs
NOISES = (0.15, 0.3, 0.45, 0.6, 0.8, 1.0)  # the knob of the occlusion and blur sweeps
# every class meets four others, near and far in the alphabet
PAIRS = tuple((CLASSES[i], CLASSES[(i + step) % len(CLASSES)]) for step in (1, 5) for i in range(len(CLASSES)))


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many sources of a class (or groups of a pair) each part has."""

    views: int = 3  # pictures of one source
    train: int = 48
    validation: int = 8
    test: int = 14
    morphs: int = 5  # training groups of one pair of classes
    held_out: int = 17


@dataclass(frozen=True, slots=True)
class PictureSpec:
    """All that decides one picture, and what is known about it."""

    id: str
    part: Part
    split: Split
    fold: int | None
    group: str
    look: Look
    label: int | None
    truth: Truth


def plan(seed: int = 0, sizes: Sizes | None = None) -> tuple[PictureSpec, ...]:
    """Every picture of the set, in a fixed order. Another seed gives another world of toys."""
    sizes = sizes or Sizes()
    parts = (_clean(seed, sizes), _morphs(seed, sizes), _hidden(seed), _strangers(seed, sizes))
    return tuple(picture for part in parts for picture in part)


def share(first: str, second: str | None, mix: float) -> tuple[float, ...]:
    """The true class probabilities of a morph, in the order of CLASSES."""
    return tuple((1.0 - mix) * (name == first) + mix * (name == (second or first)) for name in CLASSES)


def truth_of(look: Look) -> Truth:
    """What is true of any setting of the knobs; where a perfect eye's doubt is unknown, so are the probabilities."""
    noise = look.occlusion + look.blur - look.occlusion * look.blur
    novelty = (1.0 - look.mix) * (look.first in HELD_OUT) + look.mix * ((look.second or look.first) in HELD_OUT)
    if noise == 1.0:
        return Truth(tuple(1.0 / len(CLASSES) for _ in CLASSES), noise, novelty)
    known = noise == 0.0 and novelty == 0.0
    return Truth(share(look.first, look.second, look.mix) if known else None, noise, novelty)


def sampled(probs: tuple[float, ...], *key: str | int) -> int:
    """A label drawn from its true probabilities; the same key draws the same."""
    point, total = numpy_generator("toybox label", *key).random(), 0.0
    for label, prob in enumerate(probs):
        total += prob
        if point < total:
            return label
    return max(range(len(probs)), key=probs.__getitem__)


def setting(first: str, second: str | None, seed: int, group: str, view: int) -> tuple[Source, View]:
    """A toy in its place and one look at it that shows both shapes well."""
    shapes = [SHAPES[name] for name in (first, second) if name is not None]
    turn, both = min(shape.turn for shape in shapes), all(shape.both_sides for shape in shapes)
    return draw_source(seed, group), draw_view(turn, both, seed, group, view)


def _split(number: int, sizes: Sizes) -> Split:
    if number < sizes.train:
        return "train"
    return "validation" if number < sizes.train + sizes.validation else "test"


def _clean(seed: int, sizes: Sizes) -> Iterator[PictureSpec]:
    sources = sizes.train + sizes.validation + sizes.test
    for label, name in enumerate(CLASSES):
        for number in range(sources):
            group = f"{name}-{number:03d}"
            for view in range(sizes.views):
                look = Look(name, None, 0.0, *setting(name, None, seed, group, view))
                fold = number % FOLDS + 1
                split = _split(number, sizes)
                yield PictureSpec(f"{group}-{view}", "clean", split, fold, group, look, label, truth_of(look))


def _morphs(seed: int, sizes: Sizes) -> Iterator[PictureSpec]:
    """Training groups have mixes and views of their own; a test group turns the knob before one camera."""
    for number, (first, second) in enumerate(PAIRS):
        for index in range(sizes.morphs + 1):
            test = index == sizes.morphs
            group = f"morph-{first}-{second}-{index:02d}"
            drawn = numpy_generator("toybox mix", seed, group).uniform(0.0, 1.0, sizes.views)
            for position, mix in enumerate(MIXES if test else tuple(float(m) for m in drawn)):
                look = Look(first, second, mix, *setting(first, second, seed, group, 0 if test else position))
                truth = truth_of(look)
                assert truth.probs is not None
                yield PictureSpec(
                    id=f"{group}-{position:02d}",
                    part="morph",
                    split="test" if test else "train",
                    fold=(number + index) % FOLDS + 1,
                    group=group,
                    look=look,
                    label=sampled(truth.probs, seed, group, position),
                    truth=truth,
                )


def _hidden(seed: int) -> Iterator[PictureSpec]:
    """One toy of each class disappears, behind paper or out of focus."""
    for number, name in enumerate(CLASSES):
        for part in ("occlusion", "blur"):
            group = f"{part}-{name}"
            source, view = setting(name, None, seed, group, 0)
            for position, amount in enumerate(NOISES):
                hidden, blurred = (amount, 0.0) if part == "occlusion" else (0.0, amount)
                look = Look(name, None, 0.0, source, view, hidden, blurred)
                truth = truth_of(look)
                label = number if truth.probs is None else sampled(truth.probs, seed, group)
                fold = number % FOLDS + 1
                yield PictureSpec(f"{group}-{position:02d}", part, "test", fold, group, look, label, truth)


def _strangers(seed: int, sizes: Sizes) -> Iterator[PictureSpec]:
    for name in HELD_OUT:
        for number in range(sizes.held_out):
            group = f"{name}-{number:03d}"
            for view in range(sizes.views):
                look = Look(name, None, 0.0, *setting(name, None, seed, group, view))
                yield PictureSpec(f"{group}-{view}", "held-out", "ood", None, group, look, None, truth_of(look))
