"""Soundbox scenes: the labels are what is heard, the levels are what is told, and no source is in two groups."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest

from core.data import soundbox, soundbox_scenes
from core.data._splits import demand_trainable, split_by_fold
from core.data.soundbox_scenes import Scene, Sound, mix
from core.errors import DataError
from core.settings import Settings

PLAN = soundbox_scenes.plan()
KNOWN = tuple(scene for scene in PLAN if scene.split != "ood")
STRANGE = tuple(scene for scene in PLAN if scene.split == "ood")
CLEAN = {spec.id: spec for spec in soundbox.plan() if spec.part == "clean"}


def test_no_source_is_heard_in_two_groups_and_no_group_is_on_two_sides() -> None:
    groups, places = defaultdict(set), defaultdict(set)
    for scene in PLAN:
        places[scene.group].add((scene.split, scene.fold))
        for sound in scene.sounds:
            groups[sound.clip.group].add(scene.group)
    assert all(len(found) == 1 for found in groups.values())
    assert all(len(found) == 1 for found in places.values())


def test_every_sound_of_a_scene_is_on_its_side_of_soundbox() -> None:
    for scene in KNOWN:
        assert {(sound.clip.split, sound.clip.fold) for sound in scene.sounds} == {(scene.split, scene.fold)}
        assert all(sound.clip.id in CLEAN for sound in scene.sounds)
    heard_in_training = {s.clip.group for scene in PLAN if scene.split in ("train", "validation") for s in scene.sounds}
    assert all({s.clip.split for s in scene.sounds} <= {"test", "ood"} for scene in STRANGE)
    assert not heard_in_training & {s.clip.group for scene in STRANGE for s in scene.sounds}


def test_scenes_have_one_to_three_sounds_of_different_classes_and_are_enough() -> None:
    counts = Counter(scene.split for scene in PLAN)
    assert 1500 < counts["train"] < 1700
    assert counts["validation"] == 300
    assert 380 < counts["test"] < 420
    assert counts["ood"] > 100
    for scene in PLAN:
        assert len({sound.clip.first for sound in scene.sounds}) == len(scene.sounds)
    for split in ("train", "validation", "test"):
        sizes = Counter(len(scene.sounds) for scene in PLAN if scene.split == split)
        assert set(sizes) == {1, 2, 3}
        assert min(sizes.values()) > 0.25 * counts[split]
    assert len({scene.id for scene in PLAN}) == len(PLAN)


def test_the_labels_are_the_classes_that_are_heard() -> None:
    for scene in PLAN:
        heard = [sound.clip.first for sound in scene.sounds]
        assert {soundbox.CLASSES[label] for label in scene.labels} == set(heard) & set(soundbox.CLASSES)
    assert all(sound.clip.id in CLEAN for scene in KNOWN for sound in scene.sounds)


def test_every_class_can_be_learned_and_judged(settings: Settings) -> None:
    box = soundbox_scenes.open_scenes(None, settings)
    for split in ("train", "validation", "test"):
        demand_trainable(box, [item for item in box.items if item.split == split])
    inside = replace(box, items=tuple(item for item in box.items if item.split != "ood"))
    for fold in range(1, 6):
        demand_trainable(inside, split_by_fold(inside, fold).train)


def test_what_is_out_of_distribution_has_a_sound_that_no_class_names() -> None:
    every = {*soundbox.HELD_OUT, *soundbox.SHIPS}
    found = set()
    for scene in STRANGE:
        strangers = [sound for sound in scene.sounds if sound.clip.first in every]
        found |= {sound.clip.first for sound in strangers}
        assert strangers
        assert scene.fold is None
    assert found == every
    assert {len(scene.labels) for scene in STRANGE} == {0, 1}
    assert not any(sound.clip.first in every for scene in KNOWN for sound in scene.sounds)


def test_an_item_tells_its_sounds_and_novelty_is_their_share_of_the_energy(settings: Settings) -> None:
    for item in soundbox_scenes.open_scenes(None, settings).items:
        told = dict(item.extra)
        names, powers = told["sounds"].split("|"), [10 ** (float(db) / 10) for db in told["decibels"].split("|")]
        strange = sum(p for name, p in zip(names, powers, strict=True) if name not in soundbox.CLASSES)
        assert item.truth is not None
        assert item.truth.novelty is not None
        assert item.truth.novelty == pytest.approx(strange / sum(powers), abs=5e-3)
        assert (item.truth.novelty > 0) == (item.split == "ood")
        assert item.label is None


def test_some_labels_are_faint_and_none_fainter_than_told() -> None:
    below = np.array([s.decibels for scene in PLAN for s in scene.sounds if len(scene.sounds) > 1])
    assert below.max() == 0.0
    assert below.min() >= -12.0
    assert 0.1 < np.mean(below < -6.0) < 0.3
    assert all(max(sound.decibels for sound in scene.sounds) == 0.0 for scene in PLAN)


def test_each_sound_has_the_level_that_its_scene_tells() -> None:
    """Tones of different pitch are told apart by projection, whatever their own level was."""
    clock = np.arange(220_500) / 44_100
    tones = [height * np.sin(2 * np.pi * pitch * clock) for height, pitch in ((0.02, 300), (0.7, 1000), (0.1, 4000))]
    clip = next(iter(CLEAN.values()))
    gains = (-7.5, 0.0, -11.0)
    scene = Scene("x", "train", "g", 1, tuple(Sound(clip, gain) for gain in gains), -30.0)
    heard = mix(scene, tones)
    heights = [2 * float(np.mean(heard * np.sin(2 * np.pi * pitch * clock))) for pitch in (300, 1000, 4000)]
    assert np.allclose(20 * np.log10(np.array(heights) / heights[1]), gains, atol=1e-3)
    assert 10 * np.log10(np.mean(heard**2)) == pytest.approx(-30.0, abs=0.05)
    alone = mix(replace(scene, sounds=scene.sounds[:1]), tones[:1])
    assert 10 * np.log10(np.mean(alone**2)) == pytest.approx(-30.0, abs=0.05)


def test_a_scene_has_the_same_bytes_whether_soundbox_is_prepared_or_not(settings: Settings) -> None:
    import soundfile

    box = soundbox_scenes.open_scenes(None, settings)
    scene = next(scene for scene in PLAN if len(scene.sounds) == 3)
    item = next(item for item in box.items if item.id == scene.id)
    made = box.read(item)
    shelf = soundbox.prepared(settings)
    assert not shelf.folder.exists()  # reading writes nothing
    shelf.folder.mkdir(parents=True)
    files = [soundbox.clip_bytes(sound.clip) for sound in scene.sounds]
    for sound, raw in zip(scene.sounds, files, strict=True):
        shelf.write(sound.clip.id, raw)
    assert box.read(item) == made
    stored, rate = soundfile.read(io.BytesIO(made), dtype="int16")
    parts = [soundfile.read(io.BytesIO(raw), dtype="float64")[0] for raw in files]
    assert (len(stored), rate) == (220_500, 44_100)
    assert np.abs(stored / 32767 - mix(scene, parts)).max() < 0.51 / 32767
    shelf.write(scene.sounds[0].clip.id, files[1])
    assert box.read(item) != made  # what is prepared is what is heard


def test_an_item_of_another_set_is_refused(settings: Settings) -> None:
    box = soundbox_scenes.open_scenes(None, settings)
    with pytest.raises(DataError, match="has no item"):
        box.read(replace(box.items[0], id="dog-000-0"))
