"""Whatever becomes of the worker, who asked is answered or told; and it never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.runner import Answer, Limits, Request, Runner
from core.settings import PROJECT, Settings
from tests.running import FAILING, Faults, gone, same, until
from tests.toy_models import few_digits, trained

LIMITS = Limits(silence=5)
KEYS = tuple(sha256_of(b"item %d" % number) for number in range(4))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("faults")
    settings = Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)
    trained(few_digits(settings, 24), settings, "mc_dropout", "head", name="toy", epochs=1)
    return settings


@pytest.fixture(scope="module")
def runner(here: Settings) -> Iterator[Runner]:
    with Runner(here, LIMITS, launch=FAILING) as runner:
        yield runner


@pytest.fixture(scope="module")
def right(runner: Runner) -> Answer:
    return runner.ask(request())


@pytest.fixture
def faults(here: Settings) -> Iterator[Faults]:
    faults = Faults(here)
    yield faults
    for path in faults.folder.iterdir():
        path.unlink()


def request(key: str = KEYS[0], draws: int = 5) -> Request:
    drawn = np.random.default_rng(1).standard_normal((1, 3, 32, 32)).astype(np.float32)
    return Request("toy", inputs=drawn, sha256s=(key,), draws=draws)


@pytest.mark.parametrize("fault", ["die", "hang", "poison"])
def test_a_request_whose_worker_breaks_off_is_answered_by_the_next(
    fault: str, runner: Runner, right: Answer, faults: Faults
) -> None:
    before = runner.process()
    assert before is not None
    passes = len(faults.noted())
    faults.put(fault)
    same(runner.ask(request()).probs, right.probs)
    assert len(faults.noted()) == passes + 2
    assert gone(before)
    assert runner.process() not in (None, before)


def test_a_worker_that_was_killed_from_outside_is_replaced(runner: Runner, right: Answer, faults: Faults) -> None:
    """In the middle of a request, and while it has nothing to do."""
    faults.put("hold")
    ticket = runner.submit(request())
    until(faults.noted, "the pass")
    busy = runner.process()
    assert busy is not None
    os.kill(busy, signal.SIGKILL)
    until(lambda: len(faults.noted()) == 2, "the pass of the next worker")
    faults.take("hold")
    same(ticket.result().probs, right.probs)
    idle = runner.process()
    assert idle not in (None, busy)
    os.kill(idle or 0, signal.SIGKILL)
    same(runner.ask(request()).probs, right.probs)
    assert len(faults.noted()) == 3


@pytest.mark.parametrize("fault", ["die-of", "bug-of"])
def test_what_breaks_the_worker_each_time_is_refused_and_costs_no_other_its_answer(
    fault: str, runner: Runner, right: Answer, faults: Faults
) -> None:
    faults.put(fault, KEYS[2])
    faults.put("hold")
    first = runner.submit(request(draws=1))
    until(lambda: first.place() == 0, "the first one's turn")
    good, bad, other = (runner.submit(request(key)) for key in (KEYS[0], KEYS[2], KEYS[3]))
    faults.take("hold")
    same(good.result().probs, right.probs)
    with pytest.raises(UserFacingError if fault == "die-of" else RuntimeError) as refused:
        bad.result()
    assert ("ended twice on this request" if fault == "die-of" else "a bug of ours") in str(refused.value)
    assert other.result().together == 1
    assert [word.partition(".")[0] for word in faults.noted()] == ["1", "3", "1", "1", "1"]
    same(runner.ask(request()).probs, right.probs)


def test_closing_refuses_who_waits_and_ends_the_worker(here: Settings, faults: Faults) -> None:
    runner = Runner(here, LIMITS, launch=FAILING)
    faults.put("hold")
    tickets = [runner.submit(request(draws=draws)) for draws in (1, 2)]
    until(faults.noted, "the pass")
    worker = runner.process()
    assert worker is not None
    runner.close()
    for ticket in tickets:
        with pytest.raises(UserFacingError, match="app is closing"):
            ticket.result()
    with pytest.raises(UserFacingError, match="app is closing"):
        runner.ask(request())
    assert gone(worker)


ASKING = """
import sys
import numpy as np
from core.runner import Request, Runner
from core.settings import load
if __name__ == "__main__":
    from tests.running import FAILING, Faults, until
    runner, faults = Runner(load(), launch=FAILING), Faults(load())
    request = Request("toy", inputs=np.zeros((1, 3, 32, 32), np.float32), sha256s=("ab" * 32,), draws=5)
    runner.ask(request)
    heavy = sorted({"torch", "sklearn", "lancedb", "pandas"} & set(sys.modules))
    faults.put("hold")
    ticket = runner.submit(request)
    until(lambda: len(faults.noted()) == 2, "the pass")
    print(runner.process(), heavy, flush=True)
    sys.stdin.read()
"""


def test_the_parent_needs_no_torch_and_a_worker_ends_with_it_in_the_middle_of_a_pass(
    here: Settings, faults: Faults
) -> None:
    variables = {**os.environ, **here.environ(), "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        [sys.executable, "-c", ASKING],
        cwd=PROJECT,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        worker, _, heavy = parent.stdout.readline().partition(" ")
        assert heavy.strip() == "[]"
        assert not gone(int(worker))
        parent.kill()
    until(lambda: gone(int(worker)), "the worker's end")
