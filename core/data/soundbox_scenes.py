"""Soundbox scenes: one to three of Soundbox's sounds at once, so that a clip has several labels and some are faint.

A scene is mixed when it is read, from clips that Soundbox has prepared (or else renders then). The parts of a scene
are on the same side of Soundbox's split. Sources are dealt into small groups and a scene takes its parts from one of
them, so no source is heard in two groups, and whatever divides by group or fold leaks nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core.contracts import Dataset, DatasetSpec, Item, Split, Truth
from core.data import soundbox
from core.data._soundbox.scene import active_level, within
from core.errors import DataError
from core.fingerprint import numpy_generator
from core.settings import Settings

_TITLE = "Soundbox scenes"
_LICENCE = "made by this program; no rights reserved"
_SIZES: dict[Split, int] = {"train": 33, "validation": 25, "test": 33, "ood": 8}  # scenes of one group
_DEALT = 4  # sources of a group, each of another class
_MOST = 3  # sounds of a scene
_FAINTEST = -12.0  # dB against the loudest sound of the scene
_LEVELS = (-36.0, -22.0)  # dB full scale of the whole


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound of a scene: a clip of Soundbox, and how loud its active part is against the loudest sound."""

    clip: soundbox.ClipSpec
    decibels: float


@dataclass(frozen=True, slots=True)
class Scene:
    """All that decides the samples of one scene."""

    id: str
    split: Split
    group: str
    fold: int | None
    sounds: tuple[Sound, ...]
    level: float

    @property
    def labels(self) -> tuple[int, ...]:
        return tuple(sorted(s.clip.label for s in self.sounds if s.clip.label is not None))

    @property
    def novelty(self) -> float:
        """The share of the energy that comes from sounds outside the classes."""
        powers = [10.0 ** (sound.decibels / 10.0) for sound in self.sounds]
        strange = [power for power, s in zip(powers, self.sounds, strict=True) if s.clip.label is None]
        return sum(strange) / sum(powers)


@cache
def plan() -> tuple[Scene, ...]:
    """Every scene of the set, in a fixed order."""
    return tuple(scene for group in _groups() for scene in _scenes(group))


def mix(scene: Scene, clips: Sequence[np.ndarray]) -> np.ndarray:
    """(time,) float64: the clips of the scene's sounds, each brought to its level."""
    parts = [
        clip * (10.0 ** (sound.decibels / 20.0) / active_level(clip))
        for sound, clip in zip(scene.sounds, clips, strict=True)
    ]
    heard = np.sum(parts, axis=0)
    return within(heard * (10.0 ** (scene.level / 20.0) / active_level(heard)))


def open_scenes(location: Path | None, settings: Settings) -> Dataset:
    """The items, at once. Reading one takes milliseconds where Soundbox is prepared."""
    if location is not None:
        raise DataError(
            "Soundbox scenes are made on the spot and take no path; leave the path out.", code="no-location-taken"
        )
    scenes = {scene.id: scene for scene in plan()}
    shelf = soundbox.prepared(settings)

    def samples(sound: Sound) -> np.ndarray:
        import soundfile

        # always through the file: what is rendered now must be what was prepared, to the last bit
        raw = shelf.read(sound.clip.id) or soundbox.clip_bytes(sound.clip)
        return soundfile.read(io.BytesIO(raw), dtype="float64")[0]

    def read(item: Item) -> bytes:
        if (scene := scenes.get(item.id)) is None:
            raise DataError(f"{_TITLE} has no item {item.id[:80]!r}.", code="no-such-item")
        return soundbox.encoded(mix(scene, [samples(sound) for sound in scene.sounds]))

    return Dataset(
        key="soundbox_scenes",
        title=_TITLE,
        kind="audio",
        classes=soundbox.CLASSES,
        items=tuple(_item(scene) for scene in scenes.values()),
        read=read,
        licence=_LICENCE,
        notes=(
            "Synthesised; every clip is 5 seconds at 44.1 kHz with one to three sounds, the faintest 12 dB down.",
            "Scenes out of distribution have a sound that no class names; what else is heard in them is labelled.",
        ),
        task="multilabel",
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Takes of a few sources, each source of another class."""

    name: str
    split: Split
    fold: int | None
    sources: tuple[tuple[soundbox.ClipSpec, ...], ...]
    strangers: tuple[tuple[soundbox.ClipSpec, ...], ...] = ()


def _groups() -> Iterator[_Group]:
    """Soundbox's sources with one number are dealt four classes at a time; the last number goes with strangers."""
    clean = [spec for spec in soundbox.plan() if spec.part == "clean"]
    strangers = [spec for spec in soundbox.plan() if spec.split == "ood"]
    splits: dict[int, Split] = {spec.source: spec.split for spec in clean}
    last = max(splits)
    for number, split in splits.items():
        sources = [_takes(clean, name, number) for name in soundbox.CLASSES]
        order = numpy_generator("soundbox scenes deal", number).permutation(len(sources))
        if number == last:
            unknown = sorted({(spec.first, spec.source) for spec in strangers}, key=lambda who: (who[1], who[0]))
            for at, place in enumerate(order):
                heard = tuple(_takes(strangers, *who) for who in unknown[at :: len(order)])
                yield _Group(f"scene-ood-{at:02d}", "ood", None, (sources[place],), heard)
            continue
        for at in range(0, len(order), _DEALT):
            dealt = tuple(sources[place] for place in order[at : at + _DEALT])
            yield _Group(f"scene-{number:02d}-{at // _DEALT}", split, dealt[0][0].fold, dealt)


def _takes(clips: Sequence[soundbox.ClipSpec], name: str, source: int) -> tuple[soundbox.ClipSpec, ...]:
    return tuple(spec for spec in clips if (spec.first, spec.source) == (name, source))


def _scenes(group: _Group) -> Iterator[Scene]:
    for position in range(_SIZES[group.split]):
        name = f"{group.name}-{position:02d}"
        draw = numpy_generator("soundbox scene", name)
        chosen = [group.strangers[int(draw.integers(len(group.strangers)))]] if group.strangers else []
        count = int(draw.integers(1 - len(chosen), min(_MOST, len(group.sources)) + 1))
        chosen += [group.sources[int(at)] for at in draw.permutation(len(group.sources))[:count]]
        clips = [takes[int(draw.integers(len(takes)))] for takes in chosen]
        gains = draw.uniform(_FAINTEST, 0.0, len(clips))
        sounds = tuple(Sound(clip, float(gain - gains.max())) for clip, gain in zip(clips, gains, strict=True))
        yield Scene(name, group.split, group.name, group.fold, sounds, float(draw.uniform(*_LEVELS)))


def _item(scene: Scene) -> Item:
    told = (
        ("sounds", "|".join(sound.clip.first for sound in scene.sounds)),
        ("decibels", "|".join(f"{sound.decibels:.2f}" for sound in scene.sounds)),
    )
    truth = Truth(noise=0.0, novelty=scene.novelty)
    return Item(
        scene.id,
        fold=scene.fold,
        group=scene.group,
        split=scene.split,
        truth=truth,
        extra=told,
        labels=scene.labels,
    )


DATASET = DatasetSpec(
    key="soundbox_scenes",
    title=_TITLE,
    kind="audio",
    summary="One to three of Soundbox's sounds at once, some of them faint: several labels a clip.",
    licence=_LICENCE,
    open=open_scenes,
    builtin=True,
    prepare=soundbox.prepare,
    classes=soundbox.CLASSES,
)
