"""What every method says of scikit-learn's digits when two of them are new to it: ``python -m tests.bench.methods``.

A small ConvNet learns eight digits. Each method of the registry is fitted on it in each of its scopes, and asked about
held-out pictures of the eight and about the other two. Doubts are judged by the AUROC of errors and of new digits.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core import registry
from core.contracts import Kind, Media, Network, Predictive, Prepared
from core.errors import UserFacingError
from core.fingerprint import numpy_generator, torch_generator
from core.layers.masks import MaskedDropout
from core.methods import dropsembles
from core.methods._contract import Batch, FitContext, frozen
from core.methods._fresh import redraw
from core.metrics import ranks, scoring, uncertainty
from tests.fitting import Stepper
from tests.tiny import keys_for

NEW = (8, 9)  # digits left out
SIZE = 32
OPTIONS: dict[str, dict[str, Any]] = {"dropsembles": {"ewc": 1.0}, "ensemble": {"fresh": "all"}}
EPOCHS = {"ensemble-network": 20, "flipout-network": 20}  # these start from nothing


class DigitsNetwork(nn.Module):
    """Two convolutions, 128 features, a head of two layers."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.key, self.dim = "digits", 128
        self.kind: Kind = "image"
        first = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        second = nn.Sequential(
            MaskedDropout(0.2, "second"), nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()
        )
        self.body = nn.Sequential(first, second, nn.MaxPool2d(2), nn.Flatten())
        self.head: nn.Module = nn.Sequential(
            MaskedDropout(0.2, "fc1"), nn.Linear(128, 64), nn.ReLU(), MaskedDropout(0.2, "out"), nn.Linear(64, classes)
        )
        self.stages = (("first", first), ("second", second), ("flatten", self.body[2:]))

    def prepare(self, media: Media) -> Prepared:
        return Prepared(torch.zeros(1, 8, 8), media.receipt)

    def embed(self, inputs: Tensor) -> Tensor:
        return self.body(inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.embed(inputs))


@dataclass(frozen=True)
class Digits:
    train: tuple[Tensor, Tensor, Tensor]  # inputs, labels, keys
    test: tuple[Tensor, Tensor, Tensor]
    new: Tensor
    new_keys: Tensor


def digits(seed: int, noise: float) -> Digits:
    """Half of the known digits train, half test; noise makes errors frequent enough to be told from the rest."""
    from sklearn.datasets import load_digits

    rows, labels = load_digits(return_X_y=True)
    generator = numpy_generator("bench digits", seed)
    rows = rows / 16 + noise * generator.normal(size=rows.shape)
    inputs, keys = torch.from_numpy(rows).float().view(-1, 1, 8, 8), keys_for(len(rows))
    known, strange = np.flatnonzero(~np.isin(labels, NEW)), np.flatnonzero(np.isin(labels, NEW))
    generator.shuffle(known)
    half = len(known) // 2 // SIZE * SIZE
    truth = torch.from_numpy(labels).long()

    def part(rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        return inputs[rows], truth[rows], keys[rows]

    return Digits(part(known[:half]), part(known[half:]), inputs[strange], keys[strange])


def fit(
    method: Any, config: Any, network: Any, data: tuple[Tensor, Tensor, Tensor], epochs: int, rate: float, seed: int
) -> Any:
    context = FitContext("multiclass", 10 - len(NEW), len(data[0]), seed)
    generator = torch_generator("bench", method.key, seed)
    state = method.init(config, network, context, generator)
    if method.key == "dropsembles":
        state = dropsembles.anchored(state, [Batch(*data)], generator)
    step = Stepper(state, rate)
    for _ in range(1 if method.single_pass else epochs):
        for rows in torch.randperm(len(data[0]), generator=generator).split(SIZE):
            state = method.update(state, Batch(*(part[rows] for part in data)), generator, step)
    return frozen(method.finish(state))


def judged(inside: Predictive, labels: Tensor, outside: Predictive) -> dict[str, float | None]:
    probs, truth = inside.probs.mean(0).double().numpy(), labels.numpy()
    wrong = scoring.errors(probs, truth)
    found: dict[str, float | None] = {
        "draws": float(len(inside.probs)),
        "accuracy": scoring.accuracy(probs, truth).value,
        "nll": scoring.nll(probs, truth).value,
    }
    doubts = {"max": uncertainty.max_softmax, "entropy": uncertainty.entropy, "epistemic": epistemic}
    for name, doubt in doubts.items():
        if name == "epistemic" and len(inside.probs) == 1:
            continue
        a, b = doubt(inside), doubt(outside)
        found[f"error {name}"] = ranks.auroc(a, wrong).value
        found[f"new {name}"] = ranks.auroc(np.concatenate([a, b]), np.arange(len(a) + len(b)) >= len(a)).value
    if inside.score is not None and outside.score is not None:
        a, b = inside.score.double().numpy(), outside.score.double().numpy()
        found["error score"] = ranks.auroc(a, wrong).value
        found["new score"] = ranks.auroc(np.concatenate([a, b]), np.arange(len(a) + len(b)) >= len(a)).value
    return found


def epistemic(answer: Predictive) -> np.ndarray:
    return uncertainty.decompose(answer).epistemic


def report(seed: int, noise: float) -> dict[str, dict[str, float | None]]:
    data, methods = digits(seed, noise), registry.discover("core.methods", "METHOD")
    blank = DigitsNetwork(10 - len(NEW))
    redraw(blank, torch_generator("bench network", seed))
    blank.eval().requires_grad_(False)
    start = methods["deterministic"]
    network: Any = fit(start, start.Config(scope="network"), blank, data.train, 20, 0.003, seed).model
    found = {}
    for key, method in methods.items():
        for scope in method.scopes:
            began, name = time.perf_counter(), f"{key}-{scope}"
            try:
                config = method.Config(scope=scope, **OPTIONS.get(key, {}))
                train, test, new = (_seen(scope, network, x) for x in (data.train[0], data.test[0], data.new))
                rate = 0.003 if key in ("ensemble", "flipout") else 0.001
                state = fit(method, config, network, (train, *data.train[1:]), EPOCHS.get(name, 10), rate, seed)
            except UserFacingError as refusal:
                print(f"{name}: {refusal}", file=sys.stderr)
                continue
            draws = method.own_draws(config)
            inside = method.predict(state, test, data.test[2], draws=draws, seed=seed)
            outside = method.predict(state, new, data.new_keys, draws=draws, seed=seed)
            found[name] = {**judged(inside, data.test[1], outside), "seconds": time.perf_counter() - began}
    return found


def _seen(scope: str, network: Network, inputs: Tensor) -> Tensor:
    if scope == "network":
        return inputs
    with torch.no_grad():
        return network.embed(inputs)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.methods", description="Measure all methods.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise", type=float, default=0.3, help="standard deviation, beside ink from 0 to 1")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    found = report(asked.seed, asked.noise)
    if asked.json:
        json.dump(found, sys.stdout)
        return 0
    columns = ["draws", "accuracy", "nll", "error max", "error entropy", "error epistemic", "error score"]
    columns += ["new max", "new entropy", "new epistemic", "new score", "seconds"]
    print(f"{'':24}" + "".join(f"{name.replace('epistemic', 'epist.'):>14}" for name in columns))
    for name, row in found.items():
        cells = (row.get(column) for column in columns)
        print(f"{name:24}" + "".join(f"{'-' if cell is None else f'{cell:.3f}':>14}" for cell in cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
