"""What the C library's settings are worth: ``python -m tests.bench.memory [--size 96] [--batch 16]``.

EfficientNet-Lite0 in fp32, each way in fresh processes that take turns, so that a busy machine meets all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VARIABLES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "20000000000", "MALLOC_TOP_PAD_": str(256 << 20)}
WAYS: dict[str, dict[str, str]] = {"default": {}, "variables": VARIABLES, "mallopt": {}}


def measured(way: str, size: int, batch: int, seconds: float, train: bool) -> dict[str, float]:
    """Images a second of wall and of processor time, the share of system time, and the peak memory."""
    import torch

    from core.backbones.efficientnet_lite import Config, build
    from core.device import settle_process
    from core.fingerprint import torch_generator

    if way == "mallopt":
        assert settle_process()
    network = build(10, torch_generator("memory"), config=Config(pretrained=False, size=size))
    if train:
        network.requires_grad_(True)
    pictures = torch.rand(batch, 3, size, size, generator=torch_generator("pictures"))

    def step() -> None:
        with torch.set_grad_enabled(train):
            answer = network(pictures)
        if train:
            answer.square().mean().backward()

    for _ in range(3):
        step()
    before, began, count = os.times(), time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step()
        count += batch
    wall, after = time.perf_counter() - began, os.times()
    user, system = after.user - before.user, after.system - before.system
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": count / wall, "cpu": count / (user + system), "system": system / (user + system), "peak_mb": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--train", action="store_true", help="forward and backward")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measured(options.way, options.size, options.batch, options.seconds, options.train)))
        return
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way, variables in WAYS.items():
            words = [sys.executable, "-m", "tests.bench.memory", *sys.argv[1:], "--way", way]
            done = subprocess.run(words, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, check=True)
            found[way].append(json.loads(done.stdout))
    for way, rounds in found.items():
        ratio = statistics.median(
            one["wall"] / base["wall"] for one, base in zip(rounds, found["default"], strict=True)
        )
        middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        print(
            f"{way:<10} {middle['wall']:7.1f} images/s ({ratio:.2f} of default), {middle['cpu']:7.1f} a CPU second, "
            f"{middle['system']:.0%} of it in the system, peak {middle['peak_mb']:,.0f} MB"
        )


if __name__ == "__main__":
    main()
