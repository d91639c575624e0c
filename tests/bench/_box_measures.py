"""What is measured of a built-in box: a linear model on means, the leak of a careless split, a small ConvNet."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from core.fingerprint import numpy_generator, torch_generator

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A box as arrays. Rows are clips or pictures; only the labelled ones."""

    classes: tuple[str, ...]
    pictures: np.ndarray  # (items, channels, rows, columns) float16: log-mels (mels, time) or pixels in 0..1
    means: np.ndarray  # (items, dim) the mean features that a linear model gets
    labels: np.ndarray
    groups: np.ndarray
    splits: np.ndarray  # "train", "validation", "test"
    clean: np.ndarray  # bool: no knob turned
    rolls: bool  # True: columns are time and may be shifted around
    seconds: float  # what reading or rendering took

    def rows(self, split: str, *, clean: bool) -> np.ndarray:
        return np.flatnonzero((self.splits == split) & (self.clean | (not clean)))


def linear_accuracy(box: Material, *, resamples: int = 1000, seed: int = 0) -> dict[str, float]:
    """Logistic regression on standardised mean features; its strength chosen on validation; test groups resampled."""
    train, check, test = (box.rows(split, clean=True) for split in ("train", "validation", "test"))
    models = [_linear(strength).fit(box.means[train], box.labels[train]) for strength in (0.001, 0.01, 0.1, 1.0)]
    best = max(models, key=lambda model: model.score(box.means[check], box.labels[check]))
    right = best.predict(box.means[test]) == box.labels[test]
    low, high = interval(right, box.groups[test], resamples=resamples, seed=seed)
    return {"accuracy": float(right.mean()), "low": low, "high": high, "chance": 1 / len(box.classes)}


def interval(right: np.ndarray, groups: np.ndarray, *, resamples: int, seed: int) -> tuple[float, float]:
    """95 % interval of an accuracy, by resampling whole groups."""
    _, place = np.unique(groups, return_inverse=True)
    hits, sizes = np.bincount(place, right), np.bincount(place)
    rng = numpy_generator("bench bootstrap", seed)
    drawn = rng.integers(len(sizes), size=(resamples, len(sizes)))
    low, high = np.quantile(hits[drawn].sum(1) / sizes[drawn].sum(1), (0.025, 0.975))
    return float(low), float(high)


def leak(box: Material, *, seed: int = 0) -> dict[str, float]:
    """Five-fold accuracy when clips of one source may fall on both sides, and when they may not."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.flatnonzero(box.clean)
    means, labels, groups = box.means[rows], box.labels[rows], box.groups[rows]
    answer: dict[str, float] = {}
    for name, model in (
        ("nearest", make_pipeline(StandardScaler(), KNeighborsClassifier(1))),
        ("linear", _linear(0.1)),
    ):
        for way, folds in (
            ("careless", StratifiedKFold(5, shuffle=True, random_state=seed)),
            ("grouped", StratifiedGroupKFold(5, shuffle=True, random_state=seed)),
        ):
            right = np.zeros(len(rows), bool)
            for inside, outside in folds.split(means, labels, groups if way == "grouped" else None):
                right[outside] = model.fit(means[inside], labels[inside]).predict(means[outside]) == labels[outside]
            answer[f"{name}_{way}"] = float(right.mean())
    return answer


def convnet_accuracy(box: Material, *, epochs: int = 30, seed: int = 0, verbose: bool = False) -> dict[str, Any]:
    """A plain ConvNet trained on everything in train, mixtures with their sampled labels too; scored on clean test."""
    started = perf_counter()
    train, test = box.rows("train", clean=False), box.rows("test", clean=True)
    scale = box.pictures[train].astype(np.float32)
    centre, spread = float(scale.mean()), float(scale.std())
    del scale
    net = _trained(box, train, centre, spread, epochs=epochs, seed=seed, verbose=verbose)
    guess = _guess(net, box.pictures[test], centre, spread)
    right = guess == box.labels[test]
    low, high = interval(right, box.groups[test], resamples=1000, seed=seed)
    per_class = {name: float(right[box.labels[test] == k].mean()) for k, name in enumerate(box.classes)}
    return {
        "accuracy": float(right.mean()),
        "low": low,
        "high": high,
        "weights": sum(p.numel() for p in net.parameters()),
        "seconds": perf_counter() - started,
        "per_class": per_class,
    }


def convnet(channels: int, classes: int, generator: torch.Generator) -> torch.nn.Module:
    from torch import nn

    widths = (channels, 16, 32, 64, 96)
    blocks: list[nn.Module] = []
    for before, after in pairwise(widths):
        conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
        blocks += [conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    head = nn.Linear(2 * widths[-1], classes)
    nn.init.normal_(head.weight, std=0.05, generator=generator)
    nn.init.zeros_(head.bias)
    return nn.Sequential(*blocks, _mean_and_max(), head)


def _mean_and_max() -> torch.nn.Module:
    from torch import Tensor, cat, nn

    class MeanAndMax(nn.Module):
        def forward(self, maps: Tensor) -> Tensor:
            return cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)

    return MeanAndMax()


def _trained(
    box: Material, rows: np.ndarray, centre: float, spread: float, *, epochs: int, seed: int, verbose: bool
) -> torch.nn.Module:
    import torch
    from torch.nn.functional import cross_entropy

    generator, rng = torch_generator("bench net", seed), numpy_generator("bench order", seed)
    net = convnet(box.pictures.shape[1], len(box.classes), generator).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.02)
    batch = 32
    steps = epochs * (len(rows) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.2)
    for epoch in range(epochs):
        order, total = rng.permutation(rows), 0.0
        for start in range(0, len(rows) // batch * batch, batch):
            chosen = order[start : start + batch]
            inputs = torch.from_numpy(
                _varied((box.pictures[chosen].astype(np.float32) - centre) / spread, rng, box.rolls)
            )
            loss = cross_entropy(
                net(inputs.to(memory_format=torch.channels_last)), torch.from_numpy(box.labels[chosen])
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        if verbose:
            print(f"epoch {epoch + 1} loss {total / (len(rows) // batch):.3f}", flush=True)
    return net.eval()


def _varied(pictures: np.ndarray, rng: np.random.Generator, rolls: bool) -> np.ndarray:
    """Sounds: shifted in time, another colour, stripes blanked. Pictures: mirrored, moved a little, other colours."""
    _, _, height, width = pictures.shape
    for picture in pictures:
        if rolls:
            picture[:] = np.roll(picture, int(rng.integers(width)), axis=-1)
            bend = np.interp(np.arange(height), np.linspace(0, height - 1, 5), 0.35 * rng.standard_normal(5))
            picture += bend[:, None].astype(np.float32)
            low = int(rng.integers(height - 8))
            picture[:, low : low + int(rng.integers(8))] = 0
        else:
            picture[:] = np.roll(picture, rng.integers(-4, 5, size=2), axis=(-2, -1))
            gain = rng.uniform(0.75, 1.3, (3, 1, 1)).astype(np.float32)
            picture[:] = picture[rng.permutation(3)] * gain + np.float32(rng.normal(scale=0.2))
            if rng.random() < 0.5:
                picture[:] = picture[:, :, ::-1].copy()
    return pictures


def _guess(net: torch.nn.Module, pictures: np.ndarray, centre: float, spread: float) -> np.ndarray:
    import torch

    with torch.inference_mode():
        parts = [
            net(torch.from_numpy((pictures[start : start + 64].astype(np.float32) - centre) / spread)).argmax(1)
            for start in range(0, len(pictures), 64)
        ]
    return torch.cat(parts).numpy()


def _linear(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
