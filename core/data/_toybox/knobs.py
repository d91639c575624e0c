"""What stands between the toy and the eye: a torn sheet of paper, or a lens out of focus."""

from __future__ import annotations

import math

import numpy as np

from core.data._toybox import materials
from core.data._toybox.source import lattice
from core.fingerprint import numpy_generator

Array = np.ndarray

_SHADOW = 0.05  # a pixel this much darker than the empty floor belongs to the toy's shadow
_WIDEST = 0.06  # blur, in widths of the picture, half-way through the knob


def signal(toy: Array, shade: Array) -> Array:
    """The pixels that tell of the toy: itself and its shadow."""
    return toy | (shade > _SHADOW)


def occlude(light: Array, telling: Array, amount: float, sheet: int) -> Array:
    """Slide a sheet of paper in until it hides ``amount`` of the telling pixels; at 1 it hides everything."""
    if amount <= 0.0:
        return light
    size = light.shape[0]
    rng = numpy_generator("toybox sheet", sheet)
    turn, tint = float(rng.uniform(0.0, 2.0 * math.pi)), [float(c) for c in rng.uniform(0.3, 0.95, 3)]
    grid = (np.arange(size, dtype=np.float32) + 0.5) * (2.0 / size) - 1.0
    u, v = np.meshgrid(grid, -grid)
    corners = lattice(sheet)
    flat = np.zeros_like(u)
    torn = 0.10 * materials.noise(u * 4.0, v * 4.0, flat, corners)
    torn = torn + 0.05 * materials.noise(u * 13.0, v * 13.0, flat, corners)
    place = u * math.cos(turn) + v * math.sin(turn) + torn
    reached = np.sort(place[telling])
    count = round(amount * reached.size)
    edge = 9.0 if amount >= 1.0 else -9.0 if count == 0 else float(reached[count - 1])
    hidden = (place <= edge)[..., None]
    fibre = 0.9 + 0.1 * materials.noise(u * 20.0, v * 6.0, flat, corners)
    paper = np.stack([fibre * (c * c) for c in tint], axis=-1)
    rim = 0.45 + 0.55 * materials.step(place - edge, 0.0, 0.14)
    return np.where(hidden, paper, light * rim[..., None])


def blur(light: Array, amount: float) -> Array:
    """Gaussian blur that grows without bound: at 1 nothing but the mean colour is left."""
    if amount <= 0.0:
        return light
    size = light.shape[0]
    if amount >= 1.0:
        return np.zeros_like(light) + np.array([_mean(light[..., c]) for c in range(3)], np.float32)
    sigma = _WIDEST * size * amount * amount / (1.0 - amount) * 2.0
    radius = max(1, min(math.ceil(3.0 * sigma), size))
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)]
    total = math.fsum(weights)
    for _ in range(2):  # rows, then columns
        padded = np.pad(light, ((radius, radius), (0, 0), (0, 0)), mode="edge")
        mixed = np.zeros_like(light)
        for k, weight in enumerate(weights):
            mixed += padded[k : k + size] * (weight / total)
        light = mixed.transpose(1, 0, 2)
    return light


def _mean(values: Array) -> float:
    return math.fsum(values.reshape(-1).tolist()) / values.size
