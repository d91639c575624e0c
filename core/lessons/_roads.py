"""Three roads away from one clean item: into another class, into noise, and into something never trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts import Media, Receipt
from core.fingerprint import numpy_generator, sha256_of
from core.metrics.uncertainty import shannon

SOUNDS, PICTURES = "sounds", "pictures"
POSITIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
PAIRS = 16  # the first classes of as many pairs
_RECEIPT = Receipt("made", "made", 0)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the roads begin, and where two of them lead."""

    first: str
    second: str
    stranger: str
    spoiling: str

    def names(self) -> dict[str, str]:
        """What each road is called."""
        return {
            "class": f"into {spoken(self.second)}",
            "spoilt": f"into {self.spoiling}",
            "stranger": f"into {spoken(self.stranger)}, never heard"
            if self.spoiling == "noise"
            else f"into {spoken(self.stranger)}, never seen",
        }


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    road: str
    source: int
    position: float
    media: Media
    truth: float | None  # nats: the entropy of the true probabilities, where these are known


def spoken(name: str) -> str:
    return name.removeprefix("ship_").replace("_", " ")


def ends(thing: str, pair: int) -> Ends:
    if thing == SOUNDS:
        from core.data._soundbox.cast import HELD_OUT, PAIRS, SHIPS

        strangers = (*HELD_OUT, *SHIPS)
        first, second = PAIRS[pair % len(PAIRS)]
        return Ends(first, second, strangers[pair % len(strangers)], "noise")
    from core.data import toybox
    from core.data._toybox.plan import PAIRS

    first, second = PAIRS[pair % len(PAIRS)]
    return Ends(first, second, toybox.HELD_OUT[pair % len(toybox.HELD_OUT)], "blur")


def along(thing: str, pair: int, source: int, seed: int, positions: Sequence[float] = POSITIONS) -> Iterator[Step]:
    """Every position of every road; the clean beginning belongs to all three, and is made once."""
    where = ends(thing, pair)
    place = int(numpy_generator("roads", thing, pair, seed).integers(100_000)) + source
    begin, sure = _made(thing, where.first, None, 0.0, 0.0, place)
    roads = {"class": where.second, "spoilt": None, "stranger": where.stranger}
    for road, other in roads.items():
        for position in positions:
            media, truth = begin, sure
            if position:
                mix, spoilt = (position, 0.0) if other else (0.0, position)
                media, truth = _made(thing, where.first, other, mix, spoilt, place)
            yield Step(road, source, position, media, truth)


def _made(
    thing: str, first: str, other: str | None, mix: float, spoilt: float, place: int
) -> tuple[Media, float | None]:
    if thing == SOUNDS:
        from core.data import soundbox

        sound = soundbox.morph(first, other, mix, noise=spoilt, source=place)
        samples, rate, probs = sound.samples, sound.rate, sound.truth.probs
        media = Media("audio", samples, rate, sha256_of(samples.tobytes()), _RECEIPT)
    else:
        from core.data import toybox

        picture = toybox.morph(first, other, mix, blur=spoilt, source=place)
        pixels, probs = picture.pixels, picture.truth.probs
        media = Media("image", pixels, None, sha256_of(pixels.tobytes()), _RECEIPT)
    return media, None if probs is None else float(shannon(np.array(probs)))
