"""Keeping up with a stream: shares, draws, deadlines, what is left out. The clock is the test's own."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.pipeline.pacing import HEADROOM, Lane, Pace, fair_shares

SECONDS = st.floats(0.001, 5.0)


@given(st.lists(SECONDS, min_size=1, max_size=6), SECONDS)
def test_shares_are_fair(needs: list[float], budget: float) -> None:
    """Against water poured in small cups: each round gives everybody in need the same drop."""
    shares = fair_shares(needs, budget)
    cups, drop = np.zeros(len(needs)), budget / 20_000
    left = budget
    while left > 1e-12 and (thirsty := cups < np.array(needs) - 1e-12).any():
        given_ = min(drop * 50, left / thirsty.sum())
        cups[thirsty] += np.minimum(given_, np.array(needs)[thirsty] - cups[thirsty])
        left = budget - cups.sum()
    assert shares == pytest.approx(cups.tolist(), abs=1e-6 + 1e-3 * budget)
    assert sum(shares) <= budget + 1e-9


def ran(fixed: float, each: float, budget: float, most: int = 500, answers: int = 25) -> list[int]:
    """The numbers of draws that a machine with these costs is asked for, one after the other."""
    lane, asked = Lane("one", most), []
    for _ in range(answers):
        draws = lane.draws(budget)
        asked.append(draws)
        lane.measure(draws, draws, fixed + each * draws)
    return asked


def test_draws_grow_into_the_budget_and_never_beyond_it() -> None:
    asked = ran(0.2, 0.01, 0.75)
    assert asked[0] == 1
    assert all(0.2 + 0.01 * draws <= 0.75 + 1e-9 for draws in asked)
    assert asked[-1] >= 52  # 55 fit
    assert all(first <= second for first, second in pairwise(asked))


@given(st.floats(0.0, 0.5), st.floats(0.001, 0.2), st.floats(0.1, 2.0))
def test_no_answer_of_a_steady_machine_takes_longer_than_its_budget_if_one_draw_does_not(
    fixed: float, each: float, budget: float
) -> None:
    asked = ran(fixed, each, budget)
    assert all(draws >= 1 for draws in asked)
    if fixed + each <= budget:
        assert all(fixed + each * draws <= budget + 1e-6 for draws in asked)
    else:
        assert asked == [1] * len(asked)


def test_a_machine_that_slows_down_gets_fewer_draws_within_two_answers() -> None:
    lane = Lane("one", 100)
    for _ in range(3):
        lane.measure(50, 50, 0.5)
    assert lane.draws(0.5) == 50
    for _ in range(2):
        lane.measure(50, 50, 2.0)
    assert lane.draws(0.5) == 12


def test_one_slow_answer_among_fast_ones_changes_nothing() -> None:
    lane = Lane("one", 100)
    for seconds in (0.5, 3.0, 0.5):
        lane.measure(50, 50, seconds)
    assert lane.draws(0.5) == 50


def test_a_point_estimate_is_asked_for_what_it_has() -> None:
    lane = Lane("deterministic", 50)
    lane.measure(2, 1, 0.2)
    assert (lane.draws(10.0), lane.need) == (1, 0.2)
    members = Lane("ensemble", 50)
    members.measure(2, 5, 0.4)
    assert members.draws(0.01) == 5


def test_what_one_does_not_need_goes_to_the_other() -> None:
    pace = Pace(1.0, ("point", "random"), 100)
    point, random = pace.lanes
    point.measure(2, 1, 0.05)
    random.measure(10, 10, 0.1)  # 100 draws a second
    slot = pace.take(1, since=10.0)
    assert slot is not None
    assert pace.draws(slot, random, (point,), now=10.0) == int((HEADROOM - 0.05) * 100)
    assert pace.draws(slot, random, (), now=10.5) == int(HEADROOM * 0.5 * 100)


def test_the_newest_stretch_is_taken_and_those_before_it_are_left_out_by_all() -> None:
    pace = Pace(0.5, ("a", "b"), 10)
    assert pace.take(0, 0.0) is None
    first = pace.take(1, 0.5)
    assert first is not None
    assert (first.number, first.since, first.due) == (0, 0.5, 1.0)
    assert pace.take(1, 0.5) is None
    later = pace.take(5, 2.5)
    assert later is not None
    assert later.number == 4
    assert [lane.dropped for lane in pace.lanes] == [3, 3]


def test_an_answer_after_the_next_stretch_is_late_and_whoever_had_no_time_comes_first_next() -> None:
    pace = Pace(1.0, ("a", "b"), 10)
    slot = pace.take(1, 1.0)
    assert slot is not None
    a, b = pace.order()
    draws = pace.draws(slot, a, (b,), now=1.0)
    assert draws == 1
    assert pace.note(slot, a, 1, 1, began=1.0, ended=2.25)
    assert pace.draws(slot, b, (), now=2.25) == 0
    pace.leave_out(b)
    assert [(lane.name, lane.answered, lane.late, lane.dropped) for lane in pace.lanes] == [
        ("a", 1, 1, 0),
        ("b", 0, 0, 1),
    ]
    assert [lane.name for lane in pace.order()] == ["b", "a"]
    assert not pace.note(slot, b, 1, 1, began=1.5, ended=2.0)


def test_the_real_time_factor_is_seconds_of_work_a_second_of_sound() -> None:
    pace = Pace(0.5, ("a", "b"), 10)
    assert pace.factor is None
    slot = pace.take(1, 0.5)
    assert slot is not None
    for lane, (began, ended) in zip(pace.lanes, ((0.5, 0.6), (0.6, 0.75)), strict=True):
        pace.note(slot, lane, 1, 1, began, ended)
    assert pace.factor == pytest.approx(0.25 / 0.5)


@given(st.lists(st.tuples(st.floats(0.05, 3.0), st.floats(0.01, 2.5)), min_size=1, max_size=30))
def test_every_stretch_is_answered_or_left_out_once_and_no_queue_grows(visits: list[tuple[float, float]]) -> None:
    """Whatever the pauses between looks and whatever answers take."""
    pace, now, began = Pace(1.0, ("a", "b"), 10), 0.0, []
    for pause, took in visits:
        now += pause
        slot = pace.take(int(now), float(int(now)))
        if slot is None:
            continue
        order = pace.order()
        for place, lane in enumerate(order):
            draws = pace.draws(slot, lane, order[place + 1 :], now)
            if not draws:
                pace.leave_out(lane)
                continue
            began.append(now - slot.since)
            pace.note(slot, lane, draws, draws, now, now + took)
            now += took
    for lane in pace.lanes:
        assert lane.answered + lane.dropped == pace.taken
        assert lane.late <= lane.answered
    assert all(delay < 1.0 for delay in began)  # nothing is begun whose deadline has passed
