"""A dozen for everybody, and two curves over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserFacingError
from core.metrics.small import share_interval
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.you import ITEMS, Match, drawn, match, rows_of, steps
from core.settings import Settings
from core.ui import _you_charts
from core.ui._you_sitting import Sitting

ROOT = Path(__file__).resolve().parent.parent.parent
IDS = tuple(f"item-{number}" for number in range(ITEMS))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), checkpoints=ROOT / "checkpoints", offline=True)


@pytest.fixture(scope="module")
def sounds(shipped: Settings) -> Atlas:
    return open_atlas("heldout", "soundbox-mc-dropout", shipped)


# ---- the dozen ----


def test_a_dozen_is_the_same_for_everybody_and_for_every_model_of_the_data(shipped: Settings, sounds: Atlas) -> None:
    other = open_atlas("heldout", "soundbox-ensemble", shipped)
    assert drawn(sounds, 7) == drawn(other, 7)
    assert drawn(sounds, 7) != drawn(sounds, 8)
    assert len(set(drawn(sounds, 7))) == ITEMS


def test_the_order_in_which_a_model_keeps_its_items_changes_nothing(sounds: Atlas) -> None:
    turned = replace(
        sounds,
        ids=sounds.ids[::-1],
        labels=sounds.labels[::-1],
        groups=sounds.groups[::-1],
        predicted=sounds.predicted[::-1],
        doubts={name: values[::-1] for name, values in sounds.doubts.items()},
        learned=None,
    )
    assert drawn(turned, 7) == drawn(sounds, 7)


def test_no_two_items_of_a_dozen_are_of_one_recording(sounds: Atlas) -> None:
    for seed in range(5):
        groups = sounds.groups[rows_of(sounds, drawn(sounds, seed))]
        assert len(set(groups.tolist())) == ITEMS


def test_what_the_model_learned_from_or_has_no_label_for_is_not_asked(sounds: Atlas) -> None:
    first = drawn(sounds, 3)
    learned = np.array([id_ == first[0] for id_ in sounds.ids])
    labels = np.where([id_ == first[1] for id_ in sounds.ids], -1, sounds.labels)
    found = drawn(replace(sounds, learned=learned, labels=labels), 3)
    assert not {first[0], first[1]} & set(found)
    assert set(first[2:]) <= set(found)  # the others keep their places


def test_every_held_out_recording_comes_about_as_often(sounds: Atlas) -> None:
    counts = dict.fromkeys(set(sounds.groups.tolist()), 0)
    for seed in range(200):
        for group in sounds.groups[rows_of(sounds, drawn(sounds, seed))].tolist():
            counts[group] += 1
    sizes = np.bincount(sounds.groups)
    assert sum(counts.values()) == 200 * ITEMS
    big = [counts[group] for group in counts if sizes[group] == sizes.max()]
    assert max(counts.values()) <= 5 * np.mean(big)


def test_data_that_cannot_be_asked_about_are_refused(shipped: Settings, sounds: Atlas) -> None:
    with pytest.raises(UserFacingError, match="several classes"):
        drawn(replace(sounds, task="multilabel"), 1)
    with pytest.raises(UserFacingError, match="Only 0"):
        drawn(replace(sounds, labels=np.full(len(sounds), -1)), 1)
    with pytest.raises(UserFacingError, match="not among"):
        rows_of(sounds, ("nothing",))


# ---- the two curves ----


def test_a_curve_has_a_point_only_where_a_level_of_doubt_ends() -> None:
    right = np.array([1, 1, 0, 1, 0, 1], bool)
    found = steps(np.array([0.0, 0, 0, 1, 1, 2]), right)
    assert [(one.kept, one.value) for one in found] == [(6, 4 / 6), (5, 3 / 5), (3, 2 / 3)]
    assert (found[1].low, found[1].high) == share_interval(3, 5)
    assert len(steps(np.zeros(6), right)) == 1


def matched(sounds: Atlas, answers: Sequence[int] | None = None, sure: Sequence[int] | None = None) -> Match:
    ids = drawn(sounds, 7)
    truth = sounds.labels[rows_of(sounds, ids)].tolist()
    return match(sounds, ids, answers or truth, sure or [2] * ITEMS)


def test_the_model_is_judged_on_the_same_items_by_its_own_doubt(sounds: Atlas) -> None:
    rows = rows_of(sounds, drawn(sounds, 7))
    found = matched(sounds)
    assert found.you.count == ITEMS
    assert found.model.count == int((sounds.predicted == sounds.labels)[rows].sum())
    assert found.only_you == ITEMS - found.model.count
    assert found.only_model == 0
    order = np.argsort(sounds.doubts["total"][rows])
    right = (sounds.predicted == sounds.labels)[rows][order]
    by_count = {one.kept: one.value for one in found.model.steps}
    assert by_count == {k: pytest.approx(right[:k].mean()) for k in range(1, ITEMS + 1)}


def test_the_finding_says_what_a_difference_is_worth(sounds: Atlas) -> None:
    same = matched(sounds, sounds.predicted[rows_of(sounds, drawn(sounds, 7))].tolist())
    assert "and on the same ones" in _you_charts.finding(same, "it")
    never = matched(sounds, [(one + 1) % 16 for one in sounds.labels[rows_of(sounds, drawn(sounds, 7))].tolist()])
    assert "in only" in _you_charts.finding(never, "it")
    assert "You were equally sure of all" in _you_charts.finding(never, "it")
    close = matched(sounds)
    assert close.p > 0.05
    assert "so it says little" in _you_charts.finding(close, "it")
    split = matched(sounds, sure=[2] * 5 + [0] * 7)
    assert "Of the 5 you were surest of 5 are right, of the other 7, 7." in _you_charts.finding(split, "it")


def test_the_bands_are_those_of_the_steps(sounds: Atlas) -> None:
    found = matched(sounds, sure=[2] * 5 + [0] * 7)
    figure = _you_charts.curves(found, dark=False)
    lines = {trace.name or tuple(trace.x): trace for trace in figure.data if trace.mode == "lines+markers"}
    assert len(lines) == 2
    you = next(trace for trace in lines.values() if list(trace.x) == [12, 5])
    assert list(you.y) == [1, 1]
    lows = [list(trace.y) for trace in figure.data if list(trace.x) == [12, 5] and trace.mode == "lines"]
    assert lows[0] == pytest.approx([share_interval(12, 12)[0], share_interval(5, 5)[0]])


# ---- one visitor ----


def test_an_answer_needs_a_class_and_a_sureness_and_can_be_taken_back() -> None:
    now = Sitting("version", 1, "", IDS, 4)
    now.say(2)
    assert now.at == 0
    now.choose(9)
    assert now.chosen is None
    for place in range(ITEMS):
        now.choose(place % 4)
        now.say(place % 3)
        if place == 2:
            now.choose(1)
            now.back()
            now.back()
            assert now.at == 2
            now.choose(3)
            now.say(0)
    assert now.over
    now.back()
    now.choose(1)
    now.say(1)
    assert now.ballot.answers == (0, 1, 3, 3, 0, 1, 2, 3, 0, 1, 2, 3)
    assert now.ballot.sure[:4] == (0, 1, 0, 0)
