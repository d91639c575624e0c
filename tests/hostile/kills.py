"""kill -9 on one growing store, again and again: ``python -m tests.hostile.kills --cycles 200``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from core.store import About, Counts, open_collection
from tests.hostile.store_writer import ITEMS
from tests.patience import SECONDS
from tests.stored import TOY, PlainState, plain_state, sha, vector

BEFORE_THE_HEAD = ("begin", "vectors-written", "items-written", "problems-written", "before-head")
STEPS = (*BEFORE_THE_HEAD, "after-head", "compacted", "compaction-named", "cleaned", "restored")
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Outcome:
    """One life and death of a writer."""

    acknowledged: int  # batches, from the beginning of the store
    found: int


class Killer:
    """A forking writer process and the store that it writes to."""

    def __init__(self, root: Path) -> None:
        self.root, self.ledger = root, root / "ledger"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.store_writer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            env={**os.environ, "LANCEDB_LOG": "error"},
        )
        assert self._line() == "ready"
        self.found = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=SECONDS)
        self._process.stdout.close()

    def cycle(self, *, step: str | None = None, after: float = 0.0, opened: bool = False) -> Outcome:
        """Let a writer run until a named step, or for a while (once it has opened); then the six checks."""
        before = self.found
        mark = self.root / "opened"
        mark.unlink(missing_ok=True)
        order = {"root": str(self.root), "ledger": str(self.ledger), "first": before, "step": step}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        child = int(self._line())
        if step is None:
            while opened and not mark.exists():
                time.sleep(0.01)
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        assert int(self._line()) == -signal.SIGKILL, f"the writer did not die of the kill at {step}"
        acknowledged = len(self.ledger.read_text().split()) if self.ledger.exists() else 0
        self.found = max(before, self.checked(acknowledged, before))
        return Outcome(acknowledged, self.found)

    def checked(self, acknowledged: int, before: int) -> int:
        """Opens; counts agree; nothing acknowledged is lost; before or after; reopening; an independent reader."""
        folder = self.root / "store"
        if acknowledged == before == 0 and not (folder / "head.lance" / "_versions").exists():
            return 0  # killed before there was a collection: no commit was lost with it
        counts = open_collection(self.root, "store").counts()
        batches = counts.problems
        assert counts == expected_counts(batches), counts
        assert batches >= max(acknowledged, before), "an acknowledged batch is lost"
        assert batches <= max(acknowledged, before) + 1, "more than the batch under way came through"
        plain = plain_state(folder)
        assert plain == expected_state(batches), "an independent reader finds something else"
        open_collection(self.root, "store", create=About("audio"), write=True).close()
        assert plain_state(folder) == plain, "opening changed something"
        if batches > acknowledged:  # seen to be there: counted from now on
            with self.ledger.open("a") as stream:
                stream.write("seen\n" * (batches - acknowledged))
        found = open_collection(self.root, "store").vectors(TOY) if batches else None
        if found is not None:
            wanted = np.stack([vector(number // 2) for number in range(batches * ITEMS)])
            assert found.ids == tuple(f"clip-{number}" for number in range(batches * ITEMS))
            assert np.array_equal(found.matrix, wanted), "a vector is not its item's"
        return batches

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def expected_counts(batches: int) -> Counts:
    items = batches * ITEMS
    return Counts(items, items // 2, items // 2, items, 0, batches, 0, batches)


def expected_state(batches: int) -> PlainState:
    numbers = range(batches * ITEMS)
    return PlainState(
        {f"clip-{number}": sha(number // 2) for number in numbers},
        {sha(number): tuple(vector(number).tolist()) for number in range(len(numbers) // 2)},
        frozenset(f"bad-{batch}" for batch in range(batches)),
        frozenset((f"clip-{number}", "model") for number in numbers),
        frozenset((f"clip-{batch * ITEMS}", f"batch {batch % 4}") for batch in range(batches)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moments = np.random.default_rng(options.seed)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Killer(Path(folder)) as killer:
        unacknowledged = 0
        for number in range(options.cycles):
            if number % 4 == 3:
                outcome = killer.cycle(step=STEPS[number // 4 % (len(STEPS) - 1)])
            else:
                outcome = killer.cycle(after=float(moments.uniform(0.0, 1.0)), opened=number % 4 > 0)
            unacknowledged += outcome.found - outcome.acknowledged
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        report = {
            "cycles": options.cycles,
            "batches": killer.found,
            "items": killer.found * ITEMS,
            "acknowledged_lost": 0,  # a loss stops the run with an error
            "committed_but_killed_before_the_answer": unacknowledged,
            "bytes": size,
            "seconds": round(time.monotonic() - started, 1),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
