"""Which clips there are: names, splits, folds, groups, knobs and labels. Nothing is rendered here.

A source is one animal, machine or place with its room and microphone; its takes share a group. A mixture
group is two sources mixed in several shares. The label of a mixture is drawn from its true probability.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from core.contracts import Split, Truth
from core.data._soundbox.cast import CLASSES, HELD_OUT, PAIRS, SHIPS
from core.fingerprint import numpy_generator

Part = Literal["clean", "mixture", "noise", "held-out", "ship"]

FOLDS = 5
MIXES = tuple(step / 12 for step in range(13))  # the knob of the test mixtures
NOISES = (0.03, 0.1, 0.3, 0.7, 0.9, 1.0)  # the knob of the noise sweep: 15 dB above the noise .. nothing left


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many sources of a class (or groups of a pair) each part has."""

    takes: int = 4  # clips of one source
    train: int = 12
    validation: int = 3
    test: int = 4
    mixtures: int = 4  # training groups of one pair of classes
    held_out: int = 5
    ships: int = 4


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """All that decides the samples of one clip, and what is known about it."""

    id: str
    part: Part
    split: Split
    fold: int | None
    group: str
    first: str  # the class that is heard
    second: str | None  # the class mixed into it
    source: int
    take: int
    mix: float  # share of the energy that the second class has
    noise: float  # share of the energy that noise has
    label: int | None
    truth: Truth
    seed: int


def plan(seed: int = 0, sizes: Sizes | None = None) -> tuple[ClipSpec, ...]:
    """Every clip of the set, in a fixed order. Another seed gives another world of sources."""
    sizes = sizes or Sizes()
    parts = (_clean(seed, sizes), _mixtures(seed, sizes), _noisy(seed, sizes), _strangers(seed, sizes))
    return tuple(clip for part in parts for clip in part)


def share(first: str, second: str, mix: float) -> tuple[float, ...]:
    """The true class probabilities of a mixture, in the order of CLASSES."""
    return tuple((1.0 - mix) * (name == first) + mix * (name == second) for name in CLASSES)


def sampled(probs: tuple[float, ...], *key: str | int) -> int:
    """A label drawn from its true probabilities; the same key draws the same."""
    point, total = numpy_generator("soundbox label", *key).random(), 0.0
    for label, prob in enumerate(probs):
        total += prob
        if point < total:
            return label
    return max(range(len(probs)), key=probs.__getitem__)


def _clean(seed: int, sizes: Sizes) -> Iterator[ClipSpec]:
    counts: tuple[tuple[Split, int], ...] = (
        ("train", sizes.train),
        ("validation", sizes.validation),
        ("test", sizes.test),
    )
    splits: list[Split] = [split for split, count in counts for _ in range(count)]
    for label, name in enumerate(CLASSES):
        truth = Truth(probs=share(name, name, 0.0), noise=0.0, novelty=0.0)
        for source, split in enumerate(splits):
            group = f"{name}-{source:03d}"
            for take in range(sizes.takes):
                yield ClipSpec(
                    id=f"{group}-{take}",
                    part="clean",
                    split=split,
                    fold=source % FOLDS + 1,
                    group=group,
                    first=name,
                    second=None,
                    source=source,
                    take=take,
                    mix=0.0,
                    noise=0.0,
                    label=label,
                    truth=truth,
                    seed=seed,
                )


def _mixtures(seed: int, sizes: Sizes) -> Iterator[ClipSpec]:
    """Training groups have mixes of their own; a test group turns the knob through one pair of takes."""
    for number, (first, second) in enumerate(PAIRS):
        for index in range(sizes.mixtures + 1):
            test = index == sizes.mixtures
            group = f"mix-{first}-{second}-{index:02d}"
            draw = numpy_generator("soundbox mix", seed, group)
            mixes = MIXES if test else tuple(float(m) for m in draw.uniform(0.0, 1.0, sizes.takes))
            for position, mix in enumerate(mixes):
                probs = share(first, second, mix)
                yield ClipSpec(
                    id=f"{group}-{position:02d}",
                    part="mixture",
                    split="test" if test else "train",
                    fold=(number + index) % FOLDS + 1,
                    group=group,
                    first=first,
                    second=second,
                    source=1000 + index,
                    take=0 if test else position,
                    mix=mix,
                    noise=0.0,
                    label=sampled(probs, seed, group, position),
                    truth=Truth(probs=probs, noise=0.0, novelty=0.0),
                    seed=seed,
                )


def _noisy(seed: int, sizes: Sizes) -> Iterator[ClipSpec]:
    """One source of each class sinks into noise. What a perfect ear could still tell is known at the end only."""
    even = tuple(1.0 / len(CLASSES) for _ in CLASSES)
    for number, name in enumerate(CLASSES):
        group = f"noise-{name}"
        for position, noise in enumerate(NOISES):
            probs = even if noise == 1.0 else None
            yield ClipSpec(
                id=f"{group}-{position:02d}",
                part="noise",
                split="test",
                fold=number % FOLDS + 1,
                group=group,
                first=name,
                second=None,
                source=2000,
                take=0,
                mix=0.0,
                noise=noise,
                label=CLASSES.index(name) if probs is None else sampled(probs, seed, group),
                truth=Truth(probs=probs, noise=noise, novelty=0.0),
                seed=seed,
            )


def _strangers(seed: int, sizes: Sizes) -> Iterator[ClipSpec]:
    parts: tuple[tuple[Part, Iterable[str], int], ...] = (
        ("held-out", HELD_OUT, sizes.held_out),
        ("ship", SHIPS, sizes.ships),
    )
    for part, names, sources in parts:
        for name in names:
            for source in range(sources):
                group = f"{name}-{source:03d}"
                for take in range(sizes.takes):
                    yield ClipSpec(
                        id=f"{group}-{take}",
                        part=part,
                        split="ood",
                        fold=None,
                        group=group,
                        first=name,
                        second=None,
                        source=source,
                        take=take,
                        mix=0.0,
                        noise=0.0,
                        label=None,
                        truth=Truth(noise=0.0, novelty=1.0),
                        seed=seed,
                    )
