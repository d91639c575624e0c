"""Soundbox keeps its word: what is known about a clip is true of its samples."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import defaultdict
from functools import cache

import numpy as np
import pytest

from core.contracts import groups_of
from core.data import soundbox
from core.data._soundbox.scene import within
from core.fingerprint import sha256_of
from core.settings import Settings

EVERY = (*soundbox.CLASSES, *soundbox.HELD_OUT, *soundbox.SHIPS)
PLAN = soundbox.plan()
_SOME = (("mixture", "dog"), ("mixture", "music"), ("mixture", "clock_tick"), ("noise", "siren"), ("ship", "ship_tug"))
SOME = [next(s for s in PLAN if s.part == part and s.first == name) for part, name in _SOME]


@cache
def clip(name: str, source: int = 0, take: int = 0) -> np.ndarray:
    return soundbox.render(next(s for s in PLAN if (s.first, s.source, s.take) == (name, source, take)))


def test_the_set_has_the_classes_of_the_lecture_notes_and_enough_of_them() -> None:
    assert {"dog", "cow", "chirping_birds", "vacuum_cleaner", "music"} <= set(soundbox.CLASSES)
    assert len(soundbox.CLASSES) >= 12
    assert len(soundbox.HELD_OUT) >= 3
    assert len(soundbox.SHIPS) >= 3
    assert not set(soundbox.CLASSES) & {*soundbox.HELD_OUT, *soundbox.SHIPS}


def test_no_two_clips_share_a_name_and_a_plan_never_changes_by_itself() -> None:
    assert len({spec.id for spec in PLAN}) == len(PLAN)
    assert soundbox.plan() == PLAN
    assert soundbox.plan(1) != PLAN


def test_a_group_never_crosses_a_split_or_a_fold() -> None:
    places = defaultdict(set)
    for spec in PLAN:
        places[spec.group].add((spec.split, spec.fold))
    assert all(len(place) == 1 for place in places.values())
    takes = defaultdict(set)
    for spec in PLAN:  # two groups never share a source in disguise
        for name in filter(None, (spec.first, spec.second)):
            takes[name, spec.source, spec.part if spec.part != "mixture" else spec.first + str(spec.second)].add(
                spec.group
            )
    assert all(len(groups) == 1 for groups in takes.values())


def test_every_fold_and_every_split_has_every_class() -> None:
    clean = [spec for spec in PLAN if spec.part == "clean"]
    assert {(s.label, s.fold) for s in clean} == {(k, f) for k in range(len(soundbox.CLASSES)) for f in range(1, 6)}
    for split in ("train", "validation", "test"):
        assert {s.label for s in clean if s.split == split} == set(range(len(soundbox.CLASSES)))


def test_what_is_out_of_distribution_has_no_label_and_no_fold() -> None:
    strangers = [spec for spec in PLAN if spec.split == "ood"]
    assert {spec.first for spec in strangers} == {*soundbox.HELD_OUT, *soundbox.SHIPS}
    assert all((s.label, s.fold, s.truth.novelty, s.truth.probs) == (None, None, 1.0, None) for s in strangers)
    assert all(spec.truth.novelty == 0.0 for spec in PLAN if spec.split != "ood")


def test_true_probabilities_sum_to_one() -> None:
    known = [spec.truth.probs for spec in PLAN if spec.truth.probs is not None]
    assert len(known) > 1000
    assert np.allclose(np.sum(known, axis=1), 1.0, atol=1e-12)
    assert np.min(known) >= 0.0


def test_labels_of_mixtures_follow_their_true_probability() -> None:
    """Chi-square over ten bins of the knob, many worlds; its 99.9 % point for ten degrees of freedom is 29.6."""
    small = soundbox.Sizes(train=0, validation=0, test=0, held_out=0, ships=0)
    clips = [s for seed in range(12) for s in soundbox.plan(seed, small) if s.part == "mixture"]
    mix = np.array([spec.mix for spec in clips])
    second = np.array([soundbox.CLASSES[spec.label or 0] == spec.second for spec in clips])
    named = [soundbox.CLASSES[s.label or 0] in (s.first, s.second) for s in clips]
    assert all(named)
    place = np.minimum((mix * 10).astype(int), 9)
    surplus = np.bincount(place, second - mix)
    variance = np.bincount(place, mix * (1 - mix))
    assert np.sum(surplus**2 / variance) < 29.6
    assert np.all(second[mix == 1.0])
    assert not np.any(second[mix == 0.0])


def test_bytes_are_equal_in_another_process_on_a_simpler_processor_which_loads_nothing_heavy_for_a_plan() -> None:
    code = (
        "import sys; from core.data import soundbox as box; from core.fingerprint import sha256_of\n"
        "plan = {spec.id: spec for spec in box.plan()}\n"
        "heavy = {'torch', 'scipy', 'soundfile', 'librosa', 'pandas'} & set(sys.modules)\n"
        "print(sorted(heavy), *(sha256_of(box.clip_bytes(plan[name])) for name in reversed(sys.argv[1:])))"
    )
    names = [spec.id for spec in SOME]
    plain = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", code, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **plain})
    assert done.stdout.split() == ["[]", *(sha256_of(soundbox.clip_bytes(spec)) for spec in reversed(SOME))]


@pytest.mark.parametrize("name", EVERY)
def test_every_sound_is_five_finite_seconds_neither_silent_nor_clipped(name: str) -> None:
    samples = clip(name)
    assert samples.shape == (220_500,)
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert 0.02 < np.abs(samples).max() <= 0.95
    assert abs(float(samples.mean())) < 1e-3  # no direct current
    assert not np.array_equal(samples, clip(name, take=1))


def test_takes_of_one_source_differ_in_more_than_background() -> None:
    for name in ("dog", "clock_tick", "music"):
        assert abs(np.corrcoef(clip(name), clip(name, take=1))[0, 1]) < 0.5, name


def test_a_loud_sound_is_turned_down_whole_instead_of_clipped() -> None:
    assert np.allclose(within(np.array([0.5, -2.0])), [0.2375, -0.95])
    assert np.array_equal(within(np.array([0.5, -0.9])), [0.5, -0.9])


def test_the_file_holds_the_samples_to_sixteen_bits() -> None:
    import soundfile

    stored, rate = soundfile.read(io.BytesIO(soundbox.clip_bytes(SOME[0])), dtype="int16")
    assert rate == 44_100
    assert soundfile.info(io.BytesIO(soundbox.clip_bytes(SOME[0]))).channels == 1
    assert np.abs(stored / 32767 - soundbox.render(SOME[0])).max() < 0.51 / 32767


def test_reading_gives_the_prepared_file_or_else_the_same_bytes_made_now(tmp_path) -> None:
    settings = Settings(home=tmp_path)
    box = soundbox.DATASET.open(None, settings)
    item = next(item for item in box.items if item.id == SOME[0].id)
    assert box.read(item) == soundbox.clip_bytes(SOME[0])
    assert not any(tmp_path.iterdir())  # reading writes nothing
    assert [(i.id, i.label, i.group, i.split, i.truth) for i in box.items] == [
        (s.id, s.label, s.group, s.split, s.truth) for s in PLAN
    ]
    assert len(groups_of(box.items)) < len(box.items) / 3
    folder = soundbox.prepared(settings).folder
    folder.mkdir(parents=True)
    soundbox.prepared(settings).write(item.id, b"as prepared")
    assert box.read(item) == b"as prepared"
