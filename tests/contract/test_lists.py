"""Ready-made lists: what they hold of real items, what they say where something is missing, and planted truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.cli import main
from core.errors import UserFacingError
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.lists import CLOSE, listed, titles
from core.settings import Settings
from core.verdict import UNFAMILIAR
from tests.atlases import MODEL, filled

EVERY = ("ambiguous", "novel", "wrong", "twice", "boundary")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), decoders=1, offline=True)


@pytest.fixture(scope="module")
def toys(settings: Settings) -> Atlas:
    return open_atlas("heldout", MODEL, settings)


def clean(atlas: Atlas) -> Atlas:
    """Without items that are mixed, hidden or blurred on purpose, whose labels are drawn by chance."""
    rows = np.array([row for row, part in enumerate(atlas.columns["part"]) if part == "clean"])
    picked = {name: getattr(atlas, name)[rows] for name in ("labels", "groups", "predicted", "confidence", "probs")}
    for name in ("doubts", "percentiles"):
        picked[name] = {key: values[rows] for key, values in getattr(atlas, name).items()}
    ids, names = (tuple(every[row] for row in rows) for every in (atlas.ids, atlas.label_names))
    return replace(atlas, ids=ids, label_names=names, columns={}, learned=None, **picked)


def swapped(atlas: Atlas, count: int, seed: int = 0) -> tuple[Atlas, np.ndarray]:
    """With labels of some items exchanged for others on purpose; which ones."""
    draw = np.random.default_rng(seed)
    rows = draw.choice(len(atlas), count, replace=False)
    labels = atlas.labels.copy()
    labels[rows] = (labels[rows] + draw.integers(1, len(atlas.classes), count)) % len(atlas.classes)
    return replace(atlas, labels=labels, label_names=tuple(atlas.classes[place] for place in labels)), rows


# ---- what they hold ----


def test_each_list_says_why_an_item_is_there_and_what_was_found(toys: Atlas) -> None:
    assert tuple(titles()) == EVERY
    for key in EVERY:
        found = listed(toys, key)
        assert found.why_not is None
        assert len(found.notes) == len(found) == len(set(found.rows.tolist()))
        assert found.means.endswith(".")
        assert found.finding.endswith(".")
        assert 0 < len(found) < 0.6 * len(toys), key


def test_ambiguous_items_are_those_of_the_verdict_with_the_largest_share_first(toys: Atlas) -> None:
    rows = listed(toys, "ambiguous").rows
    assert set(rows.tolist()) == {row for row in range(len(toys)) if toys.code(row) == "ambiguous"}
    share = toys.doubts["aleatoric"][rows] / toys.doubts["total"][rows]
    assert (np.diff(share) < 0.011).all()  # in steps of a hundredth


def test_novel_items_are_beyond_the_rule_of_the_verdict_the_farthest_first(toys: Atlas) -> None:
    found = listed(toys, "novel")
    places = toys.percentiles["novelty"]
    assert set(found.rows.tolist()) == set(np.flatnonzero(places >= UNFAMILIAR).tolist())
    assert (np.diff(toys.doubts["novelty"][found.rows]) <= 0).all()
    assert f"{len(found)} of {len(toys)} pictures" in found.finding


def test_a_boundary_is_where_two_classes_are_close(toys: Atlas) -> None:
    found = listed(toys, "boundary")
    assert toys.probs is not None
    two = np.sort(toys.probs, axis=1)[:, -2:]
    gap = two[:, 1] - two[:, 0]
    assert set(found.rows.tolist()) == set(np.flatnonzero(gap < CLOSE).tolist())
    assert (np.diff(gap[found.rows]) >= 0).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_that_were_swapped_on_purpose_are_found_and_come_first(toys: Atlas, seed: int) -> None:
    sound = clean(toys)
    assert len(listed(sound, "wrong")) <= 5
    wrong, planted = swapped(sound, 40, seed)
    found = listed(wrong, "wrong").rows.tolist()
    assert len(set(planted.tolist()) & set(found)) >= 36  # of 40
    assert len(set(planted.tolist()) & set(found[:40])) >= 36
    assert len(found) <= 44


def test_the_label_that_fits_least_comes_first(toys: Atlas) -> None:
    rows = listed(toys, "wrong").rows
    assert toys.probs is not None
    margins = [toys.probs[row, toys.labels[row]] - np.delete(toys.probs[row], toys.labels[row]).max() for row in rows]
    assert (np.diff(margins) >= 0).all()
    assert max(margins) < 0 < len(margins)


def test_copies_and_pieces_of_one_recording_are_named_as_such(settings: Settings) -> None:
    box = open_atlas("heldout", "soundbox-ensemble", settings)
    assert box.features is not None
    copied = box.features.copy()
    copied[5] = 3.0 * copied[9]
    twin = replace(box, features=copied, label_names=tuple("swan" if row == 5 else name
                                                           for row, name in enumerate(box.label_names)))  # fmt: skip
    found = listed(twin, "twice", least=0.9999)
    place = found.rows.tolist().index(5)
    assert f"1.0000 like {box.ids[9]}" in found.notes[place]
    assert "labelled swan and" in found.notes[place]
    assert "the labels differ" in found.finding
    whole = replace(twin, groups=np.zeros(len(box), np.int64))
    assert "one recording" in listed(whole, "twice", least=0.9999).notes[place]
    spread = replace(twin, columns={"split": tuple("train" if row == 5 else "test" for row in range(len(box)))})
    assert "several splits" in listed(spread, "twice", least=0.9999).finding


# ---- what is missing ----


def test_what_a_list_lacks_is_said_with_what_to_do(toys: Atlas, settings: Settings) -> None:
    one_draw = listed(open_atlas("heldout", "toybox-deterministic", settings), "ambiguous")
    assert "take a model with several" in (one_draw.why_not or "")
    bare = replace(toys, labels=np.full(len(toys), -1), label_names=(None,) * len(toys))
    assert "sub-folder a class" in (listed(bare, "wrong").why_not or "")
    strange = replace(bare, label_names=("zebra",) * len(toys))
    assert "choose a model that knows them" in (listed(strange, "wrong").why_not or "")
    assert "density" in (listed(replace(toys, percentiles={}), "novel").why_not or "")
    assert "bring the collection up to date" in (listed(replace(toys, features=None), "twice").why_not or "")
    assert "up to date" in (listed(replace(toys, probs=None), "boundary").why_not or "")
    scenes = open_atlas("heldout", "scenes-deterministic", settings)
    for key in ("wrong", "boundary"):
        assert "several labels each" in (listed(scenes, key).why_not or "")
    for made in (one_draw, listed(bare, "wrong")):
        assert (len(made), made.notes, made.finding) == (0, (), "")


def test_what_the_model_learned_by_heart_is_told(toys: Atlas) -> None:
    wrong, _ = swapped(toys, 30)
    told = listed(replace(wrong, learned=np.arange(len(toys)) < 100), "wrong").finding
    assert "learned from 100 of them" in told


def test_an_unknown_list_or_an_odd_cosine_is_refused(toys: Atlas) -> None:
    with pytest.raises(UserFacingError, match="There is no list"):
        listed(toys, "best")
    for least in (0.1, 1.1, float("nan")):
        with pytest.raises(UserFacingError, match="cosine"):
            listed(toys, "twice", least=least)


def test_a_collection_stores_a_few_classes_and_has_every_list(settings: Settings, tmp_path: Path) -> None:
    filled(settings, tmp_path / "source")
    five = open_atlas("five", MODEL, settings)
    for key in EVERY:
        found = listed(five, key)
        assert (found.why_not is None) == bool(found.finding)
    assert "bring" in (listed(five, "wrong").why_not or "")  # indexed before classes were stored


# ---- the command ----


def test_the_command_prints_what_the_page_shows(
    settings: Settings, toys: Atlas, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    assert main(["lists", "heldout", "--model", MODEL, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["lists"]
    assert [one["list"] for one in told] == list(EVERY)
    for one in told:
        assert [item["id"] for item in one["items"]] == [toys.ids[row] for row in listed(toys, one["list"]).rows]
    assert main(["lists", "heldout", "--model", MODEL, "--list", "wrong"]) == 0
    assert "looks like" in capsys.readouterr().out
    assert main(["lists", "heldout", "--model", MODEL, "--alike", "2"]) == 2
