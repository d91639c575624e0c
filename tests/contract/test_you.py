"""A dozen for everybody, two curves over it, and a class's answers that nobody sees before giving their own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserFacingError
from core.metrics.small import share_interval
from core.pipeline import votes
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.votes import Ballot, Poll, Tally
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


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", offline=True)


def poll(code: str = "room-101", classes: int = 4) -> Poll:
    return Poll(code, "version", IDS, classes)


def ballot(*answers: int, sure: int = 1) -> Ballot:
    whole = (*answers, *[0] * (ITEMS - len(answers)))
    return Ballot(whole, (sure,) * ITEMS)


def given(here: Settings, *ballots: Ballot) -> list[str]:
    voters = [votes.new_voter() for _ in ballots]
    for voter, one in zip(voters, ballots, strict=True):
        votes.cast(here, poll(), voter, one)
    return voters


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


# ---- a class ----


def test_votes_become_entropy(here: Settings) -> None:
    voters = given(here, ballot(0, 0, 1), ballot(0, 1, 1), ballot(0, 2, 2, sure=0), ballot(0, 3, 2))
    found = votes.tally(here, poll(), voters[0])
    assert found.voters == 4
    assert found.counts[:3].tolist() == [[4, 0, 0, 0], [1, 1, 1, 1], [0, 2, 2, 0]]
    assert found.entropy[:3].tolist() == pytest.approx([0.0, np.log(4), np.log(2)])
    assert found.sure.tolist() == pytest.approx([0.75] * ITEMS)
    table = votes.columns(IDS, ("a", "b", "c", "d"), found)
    assert table["votes_b"][:3] == [0, 1, 2]
    assert len({len(column) for column in table.values()}) == 1


def test_nobody_sees_the_class_before_giving_their_own(here: Settings) -> None:
    given(here, ballot(1), ballot(2))
    for stranger in (votes.new_voter(), "", "../" + "0" * 13, "*"):
        with pytest.raises(UserFacingError, match="after your own"):
            votes.tally(here, poll(), stranger)
    assert votes.voters(here, poll()) == 2


def test_other_codes_data_and_dozens_are_apart(here: Settings) -> None:
    (voter,) = given(here, ballot(1))
    for other in (poll("room-102"), replace(poll(), data="later"), replace(poll(), ids=IDS[::-1])):
        assert votes.voters(here, other) == 0
        with pytest.raises(UserFacingError):
            votes.tally(here, other, voter)


def test_who_votes_again_replaces_their_vote(here: Settings) -> None:
    (voter,) = given(here, ballot(1))
    votes.cast(here, poll(), voter, ballot(3))
    found = votes.tally(here, poll(), voter)
    assert (found.voters, found.counts[0].tolist()) == (1, [0, 0, 0, 1])


def test_voters_at_the_same_time_all_count(here: Settings) -> None:
    people = [votes.new_voter() for _ in range(40)]

    def vote(number: int) -> int:
        votes.cast(here, poll(), people[number], ballot(number % 4))
        return votes.tally(here, poll(), people[number]).voters

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(vote, range(40)))
    assert min(seen) >= 1
    found = votes.tally(here, poll(), people[0])
    assert (found.voters, found.counts[0].tolist()) == (40, [10, 10, 10, 10])
    assert not list(poll().folder(here).glob(".*"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "a" * 25,
        "-room",
        "room-",
        "ro om",
        "../../etc",
        "room/101",
        "r\u00f6hm",
        "room\n1",
        "<b>room</b>",
        "%2e%2e",
        "\x00abc",
    ],
)
def test_hostile_codes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no class code"):
        votes.code_of(text)


def test_a_code_is_read_as_people_write_it_and_never_becomes_a_path(here: Settings) -> None:
    assert votes.code_of("  Room-101 ") == "room-101"
    given(here, ballot(1))
    names = [path.name for path in here.home.rglob("*")]
    assert not any("room" in name for name in names)


@pytest.mark.parametrize(
    "bad",
    [
        Ballot((0,) * 11, (0,) * 12),
        Ballot((4,) * 12, (0,) * 12),
        Ballot((-1,) * 12, (0,) * 12),
        Ballot((0,) * 12, (3,) * 12),
    ],
)
def test_what_is_no_ballot_is_not_kept(here: Settings, bad: Ballot) -> None:
    with pytest.raises(ValueError, match="ballot"):
        votes.cast(here, poll(), votes.new_voter(), bad)
    with pytest.raises(ValueError, match="ballot"):
        votes.cast(here, poll(), "../../x", ballot(1))
    assert votes.voters(here, poll()) == 0


def test_files_that_are_damaged_or_far_too_long_are_left_out(here: Settings) -> None:
    (voter,) = given(here, ballot(1))
    folder = poll().folder(here)
    good = json.loads((folder / f"{voter}.json").read_text())
    for number, text in enumerate(
        ("{", "[]", "null", json.dumps({**good, "answers": [True] * 12}), json.dumps({**good, "x": "y" * 5000}))
    ):
        (folder / f"{number:016x}.json").write_text(text)
    (folder / "notes.json").write_text("{}")
    assert votes.tally(here, poll(), voter).voters == 1


def test_a_class_is_full_and_old_classes_go(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes, "MOST_VOTERS", 2)
    voters = given(here, ballot(1), ballot(2))
    with pytest.raises(UserFacingError, match="choose another code"):
        given(here, ballot(3))
    votes.cast(here, poll(), voters[0], ballot(3))  # who is in may change their mind
    monkeypatch.setattr(votes, "MOST_POLLS", 1)
    with pytest.raises(UserFacingError, match="classes are kept"):
        votes.cast(here, poll("another"), votes.new_voter(), ballot(1))
    long_ago = time.time() - (votes.KEPT_DAYS + 1) * 24 * 3600
    os.utime(poll().folder(here), (long_ago, long_ago))
    votes.cast(here, poll("another"), votes.new_voter(), ballot(1))
    assert votes.voters(here, poll()) == 0


def test_the_class_is_put_beside_the_model_with_its_interval() -> None:
    counts = np.zeros((ITEMS, 4), np.int64)
    for row in range(ITEMS):
        counts[row, 0], counts[row, 1] = 24 - row, row
    found = Tally(24, counts, np.ones(ITEMS))
    doubt = np.arange(ITEMS) + np.tile([0.0, 1.5], 6)
    said = _you_charts.humans_finding(found, doubt)
    assert "finds more ambiguity too (rank correlation 0.9" in said
    assert "finds less" in _you_charts.humans_finding(found, -doubt)
    assert "do not tell" in _you_charts.humans_finding(found, np.tile([1.0, 2.0], 6))
    assert "no rank correlation" in _you_charts.humans_finding(found, np.ones(ITEMS))
    figure = _you_charts.humans(found, doubt, ["dog"] * ITEMS, dark=True)
    assert list(figure.data[0].y) == pytest.approx(found.entropy.tolist())
