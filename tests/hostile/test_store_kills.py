"""kill -9 at every named step and at random moments: nothing acknowledged is lost, no state is in between."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from core.errors import StoreError
from core.store import names, open_collection
from tests.hostile.kills import BEFORE_THE_HEAD, Killer

pytestmark = pytest.mark.filterwarnings("ignore:lancedb fork support")


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with Killer(tmp_path_factory.mktemp("kills")) as one:
        yield one


def test_a_creation_that_is_cut_short_leaves_no_collection(killer: Killer) -> None:
    killer.cycle(step="tables-made")
    assert names(killer.root) == ()
    with pytest.raises(StoreError, match="no collection called 'store'"):
        open_collection(killer.root, "store")
    killer.cycle(step="head-made")
    assert names(killer.root) == ("store",)


@pytest.mark.parametrize("step", BEFORE_THE_HEAD)
def test_killed_before_the_head_is_set_the_batch_never_was(killer: Killer, step: str) -> None:
    before = killer.found
    assert killer.cycle(step=step).found == before


def test_killed_after_the_head_is_set_the_batch_is_there_without_an_answer(killer: Killer) -> None:
    before = killer.found
    outcome = killer.cycle(step="after-head")
    assert (outcome.acknowledged, outcome.found) == (before, before + 1)


@pytest.mark.parametrize("step", ["compacted", "compaction-named", "cleaned"])
def test_killed_while_compacting_everything_is_there(killer: Killer, step: str) -> None:
    before = killer.found
    assert killer.cycle(step=step).found == before


def test_killed_while_taking_back_what_a_killed_writer_left(killer: Killer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = killer.found
    with monkeypatch.context() as patched:
        patched.setattr(Killer, "checked", lambda *_: before)  # its checks would take it back already
        killer.cycle(step="items-written")
    assert killer.cycle(step="restored").found == before


def test_killed_at_random_moments_nothing_acknowledged_is_lost(killer: Killer) -> None:
    moments, before = np.random.default_rng(7), killer.found
    for number in range(40):
        if number >= 10 and killer.found > before:
            break
        longest = 0.5 * 2 ** (number // 10)  # a machine that is slow today writes no batch in half a second
        killer.cycle(after=float(moments.uniform(0.0, longest)), opened=number % 3 > 0)
    assert killer.found > before, "no batch was written in forty lives: the kills come too early to mean anything"
