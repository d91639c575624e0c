"""The shapes that a study learns from and is judged on: A dense and clean, B a little of it and damaged.

A case is what a network is given of one shape (its grid), places with what they should answer, and the whole truth.
Every part of a study has shapes of its own, drawn from its name and the seed, so no shape is in two parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.data import open_source
from core.errors import UserFacingError
from core.fingerprint import numpy_generator, seed_of
from core.settings import Settings
from core.shapes import vertebra
from core.shapes.fields import target_of
from core.shapes.observe import CLEAN, Observation, glimpsed, scanned
from core.shapes.pictures import Ink, ink_of
from core.shapes.solids import Box, Solid, places_of
from core.training._shape_plan import Config

PARTS = ("a", "b", "validation", "test", "a test")
_CANDIDATES = 6  # places looked at for each that is kept


Made = Callable[[Config, bool, int, np.random.Generator], tuple[Observation, Solid, Box]]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    key: int
    grid: np.ndarray  # what the encoder sees, on the nodes of the box
    places: np.ndarray  # (places, dim) in the unit cube
    targets: np.ndarray  # (places,) in [0, 1]
    box: Box
    seen: Observation
    truth: Solid


def cases(config: Config, part: str, settings: Settings) -> Iterator[Case]:
    """The shapes of one part. Those of "a" and "a test" are whole, the others damaged."""
    made = _vertebra if config.data == "vertebrae" else _digit(config, part, settings)
    whole = part.startswith("a")
    for number in range(config.count(part)):
        generator = numpy_generator("shapes", config.data, part, config.seed, number)
        seen, truth, box = made(config, whole, number, generator)
        shown = _partly(seen, config.hidden, generator) if part in ("b", "validation") else seen
        grid = shown.on(box, config.shape).astype(np.float32)
        asked = _dense(seen, truth, box, config, generator) if whole else _seen(seen, box, config, generator)
        yield Case(seed_of("case", part, config.seed, number) >> 1, grid, *asked, box, seen, truth)


def shown(config: Config, number: int, settings: Settings) -> tuple[Observation, Solid, Box]:
    """A damaged shape that no training saw, and a vertebra that is in no part of a study either."""
    made = _vertebra if config.data == "vertebrae" else _digit(config, "test", settings)
    return made(config, False, number, numpy_generator("shapes", config.data, "shown", config.seed, number))


def _vertebra(
    config: Config, whole: bool, number: int, generator: np.random.Generator
) -> tuple[Observation, Solid, Box]:
    seen, posed = scanned(vertebra.drawn(generator), CLEAN if whole else config.scan, generator)
    if not seen.labels.any():
        raise UserFacingError("A scan this coarse shows nothing of a vertebra; make its voxels finer.", code="empty")
    return seen, posed, vertebra.box_about(seen.mass())


def _digit(config: Config, part: str, settings: Settings) -> Made:
    """A and B are other items of the training split, the rest of the test split."""
    dataset = open_source(config.data, settings)
    split = "train" if part in ("a", "b") else "test"
    items = [item for item in dataset.items if item.split == split]
    order = numpy_generator("shapes order", config.data, split, config.seed).permutation(len(items))
    sharing = [(name, config.count(name)) for name in PARTS if (name in ("a", "b")) == (split == "train")]
    count = config.count(part)
    start = sum(size for name, size in sharing[: [name for name, _ in sharing].index(part)])
    if start + count > len(items):
        raise UserFacingError(
            f"{dataset.title} has {len(items)} items for {', '.join(name for name, _ in sharing)} together; "
            "ask for fewer shapes.",
            code="setting",
        )
    chosen = [items[index] for index in order[start : start + count]]

    def made(
        config: Config, whole: bool, number: int, generator: np.random.Generator
    ) -> tuple[Observation, Solid, Box]:
        ink: Ink = ink_of(dataset, chosen[number])
        return ink.whole(0.5) if whole else glimpsed(ink.whole(), config.glimpse, generator), ink, ink.box

    return made


def _dense(
    seen: Observation, truth: Solid, box: Box, config: Config, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Places anywhere in the box, half of them near the surface, and what is true there."""
    unit = generator.uniform(-0.5, 0.5, (_CANDIDATES * config.places, len(config.shape)))
    millimetres = box.from_unit(unit)
    distance = seen.distance_at(millimetres)
    kept = _half_near(distance, config, generator)
    if config.target == "distance":
        return unit[kept], target_of(distance[kept], config.tau)
    return unit[kept], (truth.level(millimetres[kept]) < 0).astype(np.float64)


def _seen(seen: Observation, box: Box, config: Config, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centres of voxels that are seen, half of them near the outline, and their labels."""
    unit = box.to_unit(places_of(seen.affine, seen.labels.shape))
    within = np.flatnonzero(seen.seen.ravel() & (np.abs(unit) <= 0.5).all(axis=1))
    whole = seen.filled.all() or not seen.filled.any()
    distance = np.zeros(len(within)) if whole else seen.distance.ravel()[within]
    kept = within if len(within) <= config.places else within[_half_near(distance, config, generator)]
    if config.target == "distance" and not whole:
        return unit[kept], target_of(seen.distance.ravel()[kept], config.tau)
    return unit[kept], seen.labels.ravel()[kept].astype(np.float64)


def _partly(seen: Observation, hidden: float, generator: np.random.Generator) -> Observation:
    """Less for the encoder: a decoder that is only asked for what was shown learns to copy it, and to be sure.

    Whole slices of a volume are hidden, as they go missing; single pixels of a picture.
    """
    units = seen.seen.shape if seen.seen.ndim == 2 else (len(seen.seen), 1, 1)
    kept = seen.seen & (generator.random(units) >= hidden)
    labels = seen.labels & kept
    return replace(seen, labels=labels, seen=kept) if labels.any() else seen


def _half_near(distance: np.ndarray, config: Config, generator: np.random.Generator) -> np.ndarray:
    """Rows of ``places`` candidates: half within ``near`` of the surface, as far as there are so many."""
    order = generator.permutation(len(distance))
    near = order[np.abs(distance[order]) < config.near][: config.places // 2]
    rest = order[~np.isin(order, near)]
    return np.concatenate([near, rest[: config.places - len(near)]])
