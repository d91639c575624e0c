"""A small convolutional network of stages with batch normalisation and dropout sites, and data it can learn."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core.contracts import Kind, Media, Prepared
from core.fingerprint import sha256_of
from core.layers import keys_of
from core.layers.masks import MaskedDropout

CHANNELS, SIDE, DIM = 2, 6, 12


class Block(nn.Module):
    """A residual block with a site inside, as PANNs' bottlenecks have it."""

    def __init__(self, channels: int, name: str, p: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.drop = MaskedDropout(p, f"{name}.drop")
        self.downsample = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.drop(self.bn1(self.conv1(x))) + self.downsample(x))


class Pool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)) + x.amax(dim=(2, 3))


class TinyNetwork(nn.Module):
    """stem -> block -> site -> pool -> site -> head; the smallest thing with all that the methods look for."""

    key, kind, dim = "tiny", "image", DIM

    def __init__(self, classes: int, *, rate: float = 0.3, inside: float = 0.2) -> None:
        super().__init__()
        self.kind: Kind = "image"
        self.stem = nn.Sequential(nn.Conv2d(CHANNELS, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.block = Block(8, "block", inside)
        self.widen = nn.Sequential(MaskedDropout(rate, "drop1"), nn.Conv2d(8, DIM, 1, bias=False), nn.BatchNorm2d(DIM))
        self.pool = Pool()
        self.head: nn.Module = nn.Sequential(
            MaskedDropout(rate, "drop_head"), nn.Linear(DIM, DIM), nn.ReLU(), nn.Linear(DIM, classes)
        )
        self.stages: tuple[tuple[str, nn.Module], ...] = (
            ("stem", self.stem),
            ("block", self.block),
            ("widen", self.widen),
            ("pool", self.pool),
        )

    def prepare(self, media: Media) -> Prepared:
        return Prepared(torch.zeros(CHANNELS, SIDE, SIDE), media.receipt)

    def embed(self, inputs: Tensor) -> Tensor:
        for _, stage in self.stages:
            inputs = stage(inputs)
        return inputs

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.embed(inputs))


def tiny(classes: int = 3, seed: int = 0, **options: Any) -> TinyNetwork:
    """Ready for use, as a backbone's build makes it; drawn without torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        network = TinyNetwork(classes, **options)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                fan = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * (2.0 / fan) ** 0.5)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # statistics that are not those of a fresh layer
                module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)  # type: ignore[union-attr]
                module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)  # type: ignore[union-attr]
        for module in network.modules():  # last, so that what is drawn above does not depend on it
            if isinstance(module, nn.Linear):
                module.bias.copy_(torch.randn(module.out_features, generator=generator) * 0.2)
    return network.eval().requires_grad_(False)  # type: ignore[return-value]


def keys_for(items: int, start: int = 0) -> Tensor:
    return keys_of([sha256_of(f"item {number}".encode()) for number in range(start, start + items)])


def pictures(items: int, classes: int = 3, *, seed: int = 1, noise: float = 0.4) -> tuple[Tensor, Tensor]:
    """Pictures (items, 2, 6, 6) of a class a pattern, and their classes; separable unless the noise is large."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(classes, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(99))
    labels = torch.arange(items) % classes
    return patterns[labels] + noise * torch.randn(items, CHANNELS, SIDE, SIDE, generator=generator), labels


def vectors(items: int, classes: int = 3, *, seed: int = 1, noise: float = 0.4) -> tuple[Tensor, Tensor]:
    """Features (items, 12) around a centre a class, and their classes."""
    generator = torch.Generator().manual_seed(seed)
    centres = 1.5 * torch.randn(classes, DIM, generator=torch.Generator().manual_seed(98))
    labels = torch.arange(items) % classes
    return centres[labels] + noise * torch.randn(items, DIM, generator=generator), labels


def as_labels(labels: Tensor, classes: int, task: str) -> Tensor:
    """Classes as they are; for several labels an item, each class also switches on the one below it."""
    if task == "multiclass":
        return labels
    hot = nn.functional.one_hot(labels, classes).float()
    return torch.maximum(hot, hot.roll(1, dims=1) * (torch.arange(classes) > 0))
