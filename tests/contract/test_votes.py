"""A class's answers: whole or not at all, apart from other classes, and unseen by who has not given theirs."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserFacingError
from core.pipeline import votes
from core.pipeline.votes import Ballot, Poll, Tally
from core.pipeline.you import ITEMS
from core.settings import Settings
from core.ui import _you_charts

IDS = tuple(f"item-{number}" for number in range(ITEMS))


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
