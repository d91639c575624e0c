"""From an upload to its verdict, warm, through the worker as the pages do it: ``python -m tests.bench.inspect``.

Each run takes another item of the built-in data, so that nothing is answered from memory. ``first`` is the first
verdict that a page can show, ``whole`` the one of all samples; ``decode`` and ``read`` are their parts before and
after the network, and ``processor_mean`` is what a busy machine changes least. The last model is made for this:
Soundbox's network with dropout all through it, untrained, for how long a pass takes does not hang on training. Printed
as one JSON document with the load of the machine, which nobody else should be using.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.data import open_dataset
from core.media import door
from core.pipeline.inspect import How, Reader, inspected, reader_of
from core.runner import Runner
from core.settings import Settings, load

MODELS = ("soundbox-ensemble", "soundbox-mc-dropout", "soundbox-flipout", "toybox-deterministic", "esc10-mc-dropout")
SAMPLES = (1, 50, 500)
RUNS, WARM = 30, 3
ITEMS = {"audio": "soundbox", "image": "toybox"}


def files(kind: str, count: int, settings: Settings) -> list[bytes]:
    data = open_dataset(ITEMS[kind], settings)
    items = [item for item in data.items if item.split == "test"]
    return [data.read(item) for item in items[:: max(1, len(items) // count)][:count]]


def whole_network(settings: Settings) -> str:
    """A model whose every draw is a pass through most of its network."""
    from core import registry
    from core.checkpoints.folders import read_card
    from core.checkpoints.saved import Model, network_of, save_model
    from core.configs import to_json
    from core.fingerprint import torch_generator
    from core.methods._contract import FitContext, frozen

    card, method = read_card("soundbox-deterministic", settings), registry.pick("core.methods", "METHOD", "mc_dropout")
    network, config = network_of(card.start, len(card.classes), settings), method.Config(scope="network")
    context = FitContext(card.task, len(card.classes), card.n_train, 0)
    state = frozen(method.init(config, network, context, torch_generator("bench")))
    facts = {"method": "mc_dropout", "method_config": to_json(config), "method_version": method.version}
    card = replace(card, name="untrained-network-dropout", posthoc={}, **facts)
    save_model(settings.models / card.name, Model(card, network, method, state), {})
    return card.name


def once(raw: bytes, reader: Reader, runner: Runner, samples: int) -> dict[str, float]:
    began = time.perf_counter()
    media = door.open_media(raw, kind=reader.card.kind)
    decoded = time.perf_counter()
    seconds = {"decode": decoded - began}
    for answer in runner.refine(How(samples).request(reader.card.name, media)):
        told = time.perf_counter()
        found = inspected(media, reader, answer)
        assert found.verdict.sentence
        now = time.perf_counter()
        seconds |= {"whole": now - began, "read": now - told}
        seconds.setdefault("first", now - began)
    return seconds


def processor(runner: Runner) -> float:
    """Seconds of processor time that this process and the worker took so far; the decoders' are not among them."""
    told = Path(f"/proc/{runner.process()}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def measured(name: str, samples: int, runs: int, runner: Runner, settings: Settings) -> dict[str, Any]:
    reader = reader_of(name, settings)
    raws = files(reader.card.kind, runs + WARM, settings)
    for raw in raws[:WARM]:
        once(raw, reader, runner, samples)
    before = processor(runner)
    found = [once(raw, reader, runner, samples) for raw in raws[WARM:]]
    row: dict[str, Any] = {"model": name, "scope": reader.card.scope, "samples": samples, "runs": len(found)}
    row["processor_mean"] = round((processor(runner) - before) / len(found), 4)
    for part in ("first", "whole", "decode", "read"):
        p50, p95 = np.percentile([one[part] for one in found], (50, 95))
        row |= {f"{part}_p50": round(float(p50), 4), f"{part}_p95": round(float(p95), 4)}
    return row


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--samples", nargs="+", type=int, default=SAMPLES)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args(words)
    rows: list[dict[str, Any]] = []
    settings = load()
    with Runner(settings) as runner:
        for name in options.models:
            for samples in options.samples:
                row = measured(name, samples, options.runs, runner, settings)
                print(row, file=sys.stderr)
                rows.append(row)
        device = runner.devices()[0].title
    with tempfile.TemporaryDirectory() as folder:
        there = replace(settings, home=Path(folder))
        with Runner(there) as runner:
            for samples in options.samples:
                runs = options.runs if samples <= 50 else max(1, options.runs // 10)  # each of them is long
                rows.append(measured(whole_network(there), samples, runs, runner, there))
                print(rows[-1], file=sys.stderr)
    machine = {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine(), "device": device}
    told = {"machine": machine, "load": os.getloadavg(), "at": datetime.now(UTC).isoformat(), "rows": rows}
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
