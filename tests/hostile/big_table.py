"""Row T-12 in full: `python -m tests.hostile.big_table` reads 5,000,000 rows in a real child and prints its memory."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread

from core.data._table import read_table
from core.media.door import LIMITS
from core.media.sandbox import Sandbox


def write(path: Path, rows: int) -> None:
    with path.open("w") as stream:
        stream.write("filename,fold,target,category,src_file,take\n")
        for n in range(rows):
            stream.write(f"audio/{n % 5 + 1}-{n:08d}-A.wav,{n % 5 + 1},{n % 50},class_{n % 50},{n // 4},A\n")


def peak_of_children() -> int:
    """The highest resident size, in bytes, that any child of this process has had."""
    peaks = [0]
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            with suppress(OSError, StopIteration):
                lines = Path(f"/proc/{child}/status").read_text().splitlines()
                peaks.append(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) << 10)
    return max(peaks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = parser.parse_args().rows
    done, peaks = Event(), [0]

    def watch() -> None:
        while not done.wait(0.1):
            peaks.append(peak_of_children())

    with tempfile.TemporaryDirectory() as folder, closing(Sandbox(1, LIMITS)) as sandbox:
        path = Path(folder) / "big.csv"
        write(path, rows)
        Thread(target=watch, daemon=True).start()
        start = time.monotonic()
        table = read_table(path, sandbox=sandbox)
        seconds = time.monotonic() - start
        done.set()
        assert table.rows == rows
        assert table.texts["src_file"][-1] == str((rows - 1) // 4)
    print(json.dumps({"rows": rows, "child_peak_mib": max(peaks) >> 20, "seconds": round(seconds, 1)}))


if __name__ == "__main__":
    main()
