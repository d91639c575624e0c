"""How much noisier training becomes: the variance of the gradient of deterministic, Flipout and ABNN.

    python -m tests.bench.gradients [--batches 60] [--draws 16]

A small convolutional network is trained on scikit-learn's 8 x 8 digits. At its weights each method's own loss gives the
gradient of the same parameters: all weights (for Flipout their means), and the normalisations alone, which are what
ABNN trains. ABNN is measured with its class weights and without (boost 1): they add variance that no noise causes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from core.contracts import Kind, Media, Prepared
from core.layers.bayesnorm import BayesNorm
from core.methods import abnn, deterministic, flipout
from core.methods._contract import Batch, FitContext, Method, modules_of
from core.metrics.diversity import GradientVariance, variance_over_batches, variance_over_draws, variance_ratio
from core.metrics.figure import Figure
from tests.fitting import fit
from tests.tiny import Pool, keys_for

CLASSES, SIZE = 10, 64
WITHIN = 5  # mini-batches for the variance over draws
Data = tuple[Tensor, Tensor, Tensor]


class DigitNet(nn.Module):
    """Three convolutions with batch normalisation, and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.key, self.dim = "digits", 64
        self.kind: Kind = "image"
        sizes = ((1, 16), (16, 32), (32, self.dim))
        parts = [
            nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU()) for i, o in sizes
        ]
        parts[1].append(nn.AvgPool2d(2))
        self.features = nn.ModuleList([*parts, Pool()])
        self.head: nn.Module = nn.Linear(self.dim, CLASSES)
        self.stages: tuple[tuple[str, nn.Module], ...] = tuple(
            (f"stage{number}", part) for number, part in enumerate(self.features)
        )

    def prepare(self, media: Media) -> Prepared:
        raise NotImplementedError("the digits are tensors already")

    def embed(self, inputs: Tensor) -> Tensor:
        for _, stage in self.stages:
            inputs = stage(inputs)
        return inputs


def digits() -> Data:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    inputs = torch.from_numpy(images).float().view(-1, 1, 8, 8) / 8.0 - 1.0
    return inputs, torch.from_numpy(labels).long(), keys_for(len(labels))


def trained(data: Data, context: FitContext, epochs: int) -> tuple[DigitNet, float]:
    """The network all methods start from, and its accuracy on the items it was trained with."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = DigitNet()
    network.eval().requires_grad_(False)
    config = deterministic.Config(scope="network")
    state, _ = fit(deterministic.METHOD, config, network, context, data, epochs=epochs, size=SIZE, rate=1e-3)
    said = deterministic.predict(state, data[0], data[2], draws=1, seed=0).probs[0].argmax(1)
    return state.model, float((said == data[1]).float().mean())


class Measured:
    """The gradients of one method's own loss at the weights it is given, one (mini-batch, draw) at a time."""

    def __init__(
        self, method: Method[Any, Any], config: Any, network: DigitNet, context: FitContext, data: Data
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        self.method, self.data, self.generator = method, data, generator
        self.state = method.init(config, network, context, generator)
        (self.model,) = modules_of(self.state)
        named = [(name, p) for name, p in self.model.named_parameters() if "rho_" not in name]
        norms = tuple(m for m in self.model.modules() if isinstance(m, (nn.BatchNorm2d, BayesNorm)))
        inside = {id(p) for norm in norms for p in norm.parameters()}
        self.parameters = [p.requires_grad_(True) for _, p in named]  # also those that ABNN freezes
        self.lengths = [(name, p.numel()) for name, p in named]
        self.normalisations = {name: p.numel() for name, p in named if id(p) in inside}

    def gradient(self, number: int, draw: int) -> Tensor:
        order = torch.randperm(len(self.data[0]), generator=torch.Generator().manual_seed(1000 + number))
        picked = Batch(*(part[order[:SIZE]] for part in self.data))
        found: list[Tensor] = []

        def step(loss: Tensor, parts: Mapping[str, float]) -> None:
            found.extend(torch.autograd.grad(loss, self.parameters))

        self.method.update(dataclasses.replace(self.state, steps=draw), picked, self.generator, step)
        return torch.cat([part.flatten() for part in found])

    def of_normalisations(self, variance: GradientVariance) -> GradientVariance:
        """The mean over their parameters only."""
        layers = tuple((name, value) for name, value in variance.per_layer if name in self.normalisations)
        count = sum(self.normalisations.values())
        total = sum(value * self.normalisations[name] for name, value in layers) / count
        return dataclasses.replace(variance, total=Figure(total), per_layer=layers, parameters=count)


def cases() -> dict[str, tuple[Method[Any, Any], Any]]:
    still: dict[str, Any] = {"dropout": False, "statistics": False}
    flip: dict[str, Any] = {"scope": "network", "rho": -3.0, "rho_spread": 0.0, **still}
    return {
        "deterministic": (deterministic.METHOD, deterministic.Config(scope="network", **still)),
        "flipout": (flipout.METHOD, flipout.Config(**flip)),
        "flipout, signs a pixel": (flipout.METHOD, flipout.Config(signs="element", **flip)),
        "abnn": (abnn.METHOD, abnn.Config(members=1)),
        "abnn, boost 1": (abnn.METHOD, abnn.Config(members=1, boost=1.0)),
        "abnn, boost 1, noise an element": (abnn.METHOD, abnn.Config(members=1, boost=1.0, noise="element")),
    }


def measure(batches: int, draws: int, epochs: int = 5) -> dict[str, Any]:
    data = digits()
    context = FitContext("multiclass", CLASSES, len(data[0]), seed=0)
    network, accuracy = trained(data, context, epochs)
    report: dict[str, Any] = {"accuracy": accuracy, "batch": SIZE, "batches": batches, "draws": draws, "methods": {}}
    base: dict[tuple[str, str], GradientVariance] = {}
    for name, (method, config) in cases().items():
        measured = Measured(method, config, network, context, data)
        row: dict[str, Any] = {}
        for form, variance in (
            ("over batches", variance_over_batches(measured.gradient, batches, measured.lengths)),
            ("over draws", variance_over_draws(measured.gradient, WITHIN, draws, measured.lengths)),
        ):
            for which, part in (("weights", variance), ("normalisations", measured.of_normalisations(variance))):
                ratio = variance_ratio(part, base.setdefault((which, form), part))
                row[f"{which}, {form}"] = {
                    "variance": part.total.value,
                    "to deterministic": ratio.value if ratio.value is not None else ratio.reason,
                    "parameters": part.parameters,
                }
            row[f"layers, {form}"] = dict(variance.per_layer)
        report["methods"][name] = row
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Gradient variance of deterministic, Flipout and ABNN.")
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--draws", type=int, default=16)
    given = parser.parse_args(arguments)
    json.dump(measure(given.batches, given.draws), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
