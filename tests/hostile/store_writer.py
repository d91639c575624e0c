"""A process that writes batches to a store and is killed at it. Started by kills.py only.

It loads the heavy libraries once and forks for every order that it reads as a line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np

from core.contracts import Problem
from core.store import About, UncertaintyRow, Writer, open_collection
from tests.stored import TOY, item, sha, vector

ITEMS = 20  # a batch; two ids share each of 10 different bytes
OPENING = {"tables-made", "head-made", "restored"}  # steps that only opening reaches
COMPACTION = {"compacted", "compaction-named", "cleaned"}


def write_batch(writer: Writer, batch: int) -> None:
    numbers = range(batch * ITEMS, (batch + 1) * ITEMS)
    different = sorted({number // 2 for number in numbers})
    writer.add_vectors(TOY, [sha(number) for number in different], np.stack([vector(number) for number in different]))
    writer.add([item(number, bytes_of=number // 2, label=f"class {number % 3}") for number in numbers])
    writer.add_uncertainties([UncertaintyRow(f"clip-{number}", "model", float(number)) for number in numbers])
    writer.tag([f"clip-{numbers[0]}"], f"batch {batch % 4}")
    writer.add_problems([Problem(f"bad-{batch}", "decode", "damaged", "The file is damaged.")])


def obey(order: dict[str, object]) -> None:
    """Write batches from ``first`` on, one line in the ledger after each flush, until killed."""
    step, ledger = order["step"], Path(str(order["ledger"]))
    armed = step in OPENING

    def commit_step(name: str) -> None:
        if armed and name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    root = Path(str(order["root"]))
    writer = open_collection(root, "store", create=About("audio"), write=True, commit_step=commit_step)
    armed = True
    ledger.with_name("opened").touch()
    if step in COMPACTION:
        writer.compact()
    batch = int(str(order["first"]))
    parent = os.getppid()
    while os.getppid() == parent:  # not longer than who gives the orders
        write_batch(writer, batch)
        writer.flush()
        with ledger.open("a") as stream:
            stream.write(f"{batch}\n")
        batch += 1


def main() -> None:
    import lancedb  # noqa: F401  before the forks, which then start at once

    print("ready", flush=True)
    for line in sys.stdin:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # lancedb says that forking is experimental
            child = os.fork()
            if child == 0:
                try:
                    obey(json.loads(line))
                finally:
                    os._exit(3)  # an error, not the kill that was meant
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
