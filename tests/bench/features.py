"""A head trained from cached features against one trained through the frozen network, at equal epochs.

    python -m tests.bench.features [--items 256] [--size 224] [--rounds 3]

EfficientNet-Lite0 on made-up pictures, deterministic, batches of 32. Both ways fit the same head on the same items in
the same loop; the cached way reads features from the mapped file. Computing them is told apart, as it is paid once.
The two take turns, so that a busy machine meets both alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from core.backbones.efficientnet_lite import Config, build
from core.device import settle_process
from core.fingerprint import torch_generator
from core.methods import deterministic
from core.methods._contract import FitContext
from core.settings import Settings
from core.training import cache
from core.training.augment import Augment
from core.training.examples import Examples, InMemory
from core.training.loop import Fit, fit
from core.training.schedule import Schedule
from tests.tiny import keys_for

CLASSES = 10
SCHEDULE = Schedule(epochs=1, batch=32, rate=1e-3)


def seconds_an_epoch(wanted: Fit, epochs: int) -> float:
    """Of a fit that is warm: the first epoch is left out."""
    marks = [time.perf_counter()]
    per_epoch = len(wanted.train) // SCHEDULE.batch

    def progress(done: int, total: int, stage: str) -> None:
        if done % per_epoch == 0:
            marks.append(time.perf_counter())

    fit(replace(wanted, schedule=replace(SCHEDULE, epochs=epochs + 1)), progress=progress)
    return (marks[-1] - marks[1]) / epochs


def measure(items: int, size: int, rounds: int, epochs: int) -> dict[str, Any]:
    network = build(CLASSES, torch_generator("bench"), config=Config(pretrained=False, size=size))
    pictures = torch.randn(items, 3, size, size, generator=torch_generator("pictures"))
    source = Examples(InMemory(pictures), torch.arange(items) % CLASSES, keys_for(items))
    context = FitContext("multiclass", CLASSES, items, seed=0)
    whole = deterministic.Config(scope="network", dropout=False)
    through = Fit(deterministic.METHOD, whole, network, context, source, SCHEDULE, Augment(), frozen_below=True)
    with tempfile.TemporaryDirectory() as folder:
        inputs, told = cache.features(network, source, Settings(home=Path(folder)), identity="bench")
        head = replace(whole, scope="head")
        cached = replace(through, config=head, train=source.with_inputs(inputs), frozen_below=False)
        first, second = (fit(replace(one, schedule=replace(SCHEDULE, epochs=2))) for one in (through, cached))
        pairs = [(seconds_an_epoch(through, 1), seconds_an_epoch(cached, epochs)) for _ in range(rounds)]
    mine, theirs = dict(second.state.model.named_parameters()), dict(first.state.model.head.named_parameters())
    apart = max(float((mine[name] - theirs[name]).abs().max()) for name in mine)
    slow, quick = (statistics.median(pair[way] for pair in pairs) for way in (0, 1))
    return {
        "backbone": "efficientnet_lite",
        "size": size,
        "items": items,
        "batch": SCHEDULE.batch,
        "threads": torch.get_num_threads(),
        "seconds an epoch, through the network": slow,
        "seconds an epoch, from the cache": quick,
        "ratio": statistics.median(one / other for one, other in pairs),
        "seconds to compute the cache": told.seconds,
        "largest difference of a weight after two epochs": apart,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Training a head from cached features, and through the network.")
    parser.add_argument("--items", type=int, default=256)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100, help="of the cached way, in each round")
    parser.add_argument("--threads", type=int, default=None)
    given = parser.parse_args(arguments)
    settle_process(given.threads)
    json.dump(measure(given.items, given.size, given.rounds, given.epochs), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
