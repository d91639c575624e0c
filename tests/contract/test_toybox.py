"""Toybox keeps its promises: known truth, closed groups, the same bytes everywhere, and it is not too easy."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data import open_dataset, toybox
from core.data._toybox.plan import MIXES, NOISES, PAIRS, setting, share
from core.data._toybox.render import Look, draw
from core.errors import DataError
from core.settings import Settings
from tests.bench._toybox import mean_features
from tests.patience import SECONDS

SPECS = toybox.plan(0)
BY_PART = {part: [spec for spec in SPECS if spec.part == part] for part in {spec.part for spec in SPECS}}


def some(count: int) -> list[toybox.PictureSpec]:
    """A few of every part, spread over the plan."""
    return [specs[i * len(specs) // count] for _, specs in sorted(BY_PART.items()) for i in range(count)]


def test_the_plan_has_twelve_balanced_classes_and_three_strangers() -> None:
    clean = Counter((spec.look.first, spec.split) for spec in BY_PART["clean"])
    assert clean == {(c, s): n for c in toybox.CLASSES for s, n in (("train", 144), ("validation", 24), ("test", 42))}
    assert Counter(spec.look.first for spec in BY_PART["held-out"]) == dict.fromkeys(toybox.HELD_OUT, 51)
    assert len(toybox.CLASSES) == 12
    assert not set(toybox.CLASSES) & set(toybox.HELD_OUT)
    assert len({spec.id for spec in SPECS}) == len(SPECS)
    assert set(Counter(name for pair in PAIRS for name in pair).values()) == {4}


def test_one_group_never_crosses_a_split_or_a_fold_and_shares_its_colours() -> None:
    places: dict[str, set[object]] = {}
    for spec in SPECS:
        places.setdefault(spec.group, set()).add((spec.split, spec.fold, spec.look.source))
    assert all(len(found) == 1 for found in places.values())
    assert len({spec.look.source for spec in SPECS}) == len(places)
    assert max(Counter(spec.group for spec in SPECS).values()) > 1
    folds = Counter((spec.look.first, spec.fold) for spec in BY_PART["clean"])
    assert folds == {(name, fold): 42 for name in toybox.CLASSES for fold in range(1, 6)}


def test_views_of_one_group_differ() -> None:
    views = [spec.look.view for spec in BY_PART["clean"]]
    assert len(set(views)) == len(views)


def test_truth_is_stored_with_every_item(settings: Settings) -> None:
    for item in open_dataset("toybox", settings).items:
        known, truth = dict(item.extra), item.truth
        assert truth is not None
        if known["part"] == "clean":
            assert (truth.noise, truth.novelty) == (0.0, 0.0)
            assert truth.probs == tuple(float(k == item.label) for k in range(12))
        elif known["part"] == "morph":
            assert truth.probs is not None
            assert truth.probs[toybox.CLASSES.index(known["second"])] == pytest.approx(float(known["mix"]), abs=1e-6)
            assert sum(truth.probs) == pytest.approx(1.0)
            assert (truth.noise, truth.novelty) == (0.0, 0.0)
        elif known["part"] == "held-out":
            assert (item.split, item.label, item.fold) == ("ood", None, None)
            assert (truth.probs, truth.noise, truth.novelty) == (None, 0.0, 1.0)
        else:
            assert truth.noise in NOISES
            assert (truth.probs is None) == (truth.noise < 1.0)


def test_sampled_labels_agree_with_the_true_probabilities() -> None:
    second, unlikely, expected, minority, variance = 0, 0, 0.0, 0.0, 0.0
    for spec in BY_PART["morph"]:
        assert spec.look.second is not None
        allowed = {toybox.CLASSES.index(spec.look.first), toybox.CLASSES.index(spec.look.second)}
        assert spec.label in allowed
        second += spec.label == toybox.CLASSES.index(spec.look.second)
        expected += spec.look.mix
        assert spec.truth.probs is not None
        unlikely += spec.truth.probs[spec.label or 0] < 0.5
        minority += min(spec.look.mix, 1.0 - spec.look.mix)
        variance += spec.look.mix * (1.0 - spec.look.mix)
    assert abs(second - expected) < 3.0 * variance**0.5
    assert abs(unlikely - minority) < 3.0 * variance**0.5  # drawn, not the likelier of the two
    assert minority > 5.0 * variance**0.5
    knob = [spec.look.mix for spec in BY_PART["morph"] if spec.split == "test"]
    assert Counter(knob) == dict.fromkeys(MIXES, len(PAIRS))


@pytest.mark.parametrize(("first", "second"), [("boat", "cup"), ("star", "house"), ("key", "duck")])
def test_a_morph_ends_in_the_pure_pictures(first: str, second: str) -> None:
    source, view = setting(first, second, 3, "ends", 0)
    between = Look(first, second, 0.5, source, view)
    start, middle, end = (draw(replace(between, mix=mix)) for mix in (0.0, 0.5, 1.0))
    assert np.array_equal(start, draw(Look(first, None, 0.0, source, view)))
    assert np.array_equal(end, draw(Look(second, None, 0.0, source, view)))
    assert not np.array_equal(middle, start)
    assert not np.array_equal(middle, end)


def test_the_knobs_of_the_lab_tell_their_truth() -> None:
    free = toybox.morph("ball", "duck", 0.25, source=1)
    assert (free.truth.probs, free.truth.novelty) == (None, 0.25)
    known = toybox.morph("ball", "cup", 0.25, size=32)
    assert known.truth.probs == share("ball", "cup", 0.25)
    assert known.pixels.shape == (32, 32, 3)
    gone = toybox.morph("ball", occlusion=0.5, blur=1.0, size=32)
    assert gone.truth.noise == 1.0
    assert gone.truth.probs == pytest.approx([1 / 12] * 12)
    assert (gone.pixels == gone.pixels[0, 0]).all()
    with pytest.raises(ValueError, match="no toy called 'dog'"):
        toybox.morph("dog")
    with pytest.raises(ValueError, match="from 0 to 1"):
        toybox.morph("ball", blur=1.5)


def test_another_process_makes_the_same_bytes() -> None:
    chosen = some(2)
    code = (
        "from hashlib import sha256\nfrom core.data import toybox\n"
        "specs = {spec.id: spec for spec in toybox.plan(0)}\n"
        f"for name in {[spec.id for spec in reversed(chosen)]!r}:\n"
        "    print(name, sha256(toybox.picture_bytes(specs[name])).hexdigest())\n"
    )
    other = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "3", "NPY_DISABLE_CPU_FEATURES": "AVX512F"}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=other, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    there = dict(line.split() for line in done.stdout.splitlines())
    assert there == {spec.id: sha256(toybox.picture_bytes(spec)).hexdigest() for spec in chosen}


def test_another_seed_is_another_world() -> None:
    other = {spec.look.source.body for spec in toybox.plan(1)}
    assert not other & {spec.look.source.body for spec in SPECS}


@pytest.mark.parametrize("size", [64, 200])
def test_stored_bytes_are_a_png_of_the_pixels(size: int) -> None:
    pixels = toybox.render(BY_PART["clean"][5], size)
    picture = Image.open(io.BytesIO(toybox.png(pixels)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (size, size))
    assert np.array_equal(np.asarray(picture), pixels)


def test_prepared_and_fresh_bytes_agree_and_a_second_walk_makes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tuple(some(1))
    monkeypatch.setattr(toybox, "_plan", lambda: chosen)
    box = open_dataset("toybox", settings)
    fresh = [box.read(item) for item in box.items]
    assert toybox.prepare(settings, workers=1) == len(chosen)
    assert toybox.prepare(settings, workers=1) == 0
    files = sorted(settings.built.glob("toybox-*/*.png"))
    assert len(files) == len(chosen)
    assert [box.read(item) for item in box.items] == fresh
    files[0].write_bytes(b"what is on disk is what is read")
    assert any(box.read(item) == b"what is on disk is what is read" for item in box.items)


def test_a_path_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="takes no path"):
        open_dataset("toybox", settings, tmp_path)


@pytest.fixture(scope="module")
def small_world() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean features, labels, groups and splits of the clean pictures of a smaller box."""
    sizes = toybox.Sizes(views=2, train=6, validation=0, test=4)
    specs = [spec for spec in toybox.plan(0, sizes) if spec.part == "clean"]
    pixels = np.stack([toybox.render(spec) for spec in specs])
    return (
        mean_features(pixels),
        np.array([spec.label for spec in specs]),
        np.array([spec.group for spec in specs]),
        np.array([spec.split for spec in specs]),
    )


def test_a_linear_model_on_mean_features_is_above_chance_and_far_from_done(
    small_world: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    features, labels, _, splits = small_world
    train, test = splits == "train", splits == "test"
    scaled = (features - features[train].mean(0)) / features[train].std(0)
    wanted = np.eye(12)[labels[train]] - 1 / 12
    ridge = np.linalg.solve(scaled[train].T @ scaled[train] + 300.0 * np.eye(scaled.shape[1]), scaled[train].T @ wanted)
    accuracy = ((scaled[test] @ ridge).argmax(1) == labels[test]).mean()
    assert 1.5 / 12 < accuracy < 0.85


def test_a_split_that_ignores_groups_leaks(
    small_world: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    features, labels, groups, _ = small_world
    scaled = (features - features.mean(0)) / features.std(0)
    apart = ((scaled[:, None] - scaled[None]) ** 2).sum(-1)
    np.fill_diagonal(apart, np.inf)
    careless = (labels[apart.argmin(1)] == labels).mean()
    apart[groups[:, None] == groups[None]] = np.inf
    grouped = (labels[apart.argmin(1)] == labels).mean()
    assert careless > grouped + 0.2
