"""An answer in slices of draws is the answer: no draw is made twice, and none is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.checkpoints.card import Card
from core.errors import UserFacingError
from core.methods import _folding
from core.runner import Answer, Here, Request, Runner, _growing
from core.runner._growing import NO_MORE, joined
from tests.inspecting import NOWHERE
from tests.running import same
from tests.saving import Made, made


class Direct(Runner):
    """A Runner whose worker is this process."""

    def __init__(self, found: Made) -> None:
        super().__init__(NOWHERE)
        self.here, self.card = Here(NOWHERE, found.model), found.model.card
        self.asked: list[Request] = []

    def ask(self, request: Request, *, on_place: Callable[[int], None] | None = None) -> Answer:
        self.asked.append(request)
        return self.here.ask(request)

    def _card(self, name: str) -> Card:
        return self.card


@pytest.fixture(scope="module")
def flips() -> Direct:
    return Direct(made(NOWHERE, "flipout", "network", epochs=1))


def request(draws: int, first: int = 0) -> Request:
    inputs = np.random.default_rng(3).normal(size=(3, 3, 32, 32)).astype(np.float32)
    return Request("made", inputs=inputs, sha256s=("ab" * 32, "cd" * 32, "ef" * 32), draws=draws, first=first, seed=6)


def agree(answer: Answer, whole: Answer) -> None:
    assert answer.draws == whole.draws
    for name in ("probs", "mean", "mean_entropy", "m2", "features"):
        same(getattr(answer, name), getattr(whole, name))
    assert answer.doubts.keys() == whole.doubts.keys()
    assert answer.errors.keys() == whole.errors.keys()
    for name, values in whole.doubts.items():
        np.testing.assert_allclose(answer.doubts[name], values, rtol=1e-4, atol=1e-5)
    for name, values in whole.errors.items():
        np.testing.assert_allclose(answer.errors[name], values, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["flipout", "mc_dropout", "abnn"])
def test_slices_of_draws_make_the_whole_answer(method: str, flips: Direct) -> None:
    """Wherever the cuts fall: inside a group of shared weight noise, or between two members' turns."""
    runner = flips if method == "flipout" else Direct(made(NOWHERE, method, "network", epochs=1))
    inputs = None
    if runner.card.kind == "audio":
        inputs = np.random.default_rng(3).normal(0, 0.1, (3, 4000)).astype(np.float32)

    def asked(draws: int, first: int = 0) -> Answer:
        wanted = request(draws, first)
        return runner.ask(wanted if inputs is None else replace(wanted, inputs=inputs))

    answer = asked(3)
    for first, draws in ((3, 4), (4, 14), (14, 23)):
        more = asked(draws, first)
        assert more.draws == draws - first
        answer = joined(answer, more)
    agree(answer, asked(23))


def test_moments_of_a_slice_are_those_of_its_draws(flips: Direct) -> None:
    kept, told = flips.ask(request(17, 6)), flips.ask(replace(request(17, 6), keep=False))
    assert (kept.draws, told.draws) == (11, 11)
    for name in ("mean", "mean_entropy", "m2"):
        same(getattr(told, name), getattr(kept, name))


def test_a_growing_answer_asks_for_each_draw_once(flips: Direct) -> None:
    flips.asked.clear()
    steps = list(flips.refine(request(100)))
    assert [(one.first, one.draws) for one in flips.asked] == [(0, 8), (8, 64), (64, 100)]
    assert [one.draws for one in steps] == [8, 64, 100]
    agree(steps[-1], flips.ask(request(100)))


def test_members_are_told_once_also_where_they_are_as_many_as_a_first_look_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_growing, "_FIRST", 2)
    runner = Direct(made(NOWHERE, "ensemble", "network", epochs=1, members=2))
    assert [one.draws for one in runner.refine(request(50))] == [2]
    assert [one.first for one in runner.asked] == [0, 2]
    with pytest.raises(UserFacingError, match="has 2 draws") as refused:
        runner.ask(request(50, 2))
    assert refused.value.code == NO_MORE == _folding.NO_MORE


def test_a_head_makes_all_its_draws_at_once_and_no_slice_is_empty() -> None:
    runner = Direct(made(NOWHERE, "mc_dropout", "head", epochs=1))
    with pytest.raises(ValueError, match="only a whole network"):
        runner.ask(request(9, 2))
    assert [one.draws for one in runner.refine(request(50))] == [50]
    with pytest.raises(ValueError, match="some of 9"):
        request(9, 9)
