"""Patterns in space: how much of the second tone is at each point, 0..1."""

from __future__ import annotations

import numpy as np

from core.data._toybox import solids

Array = np.ndarray


def wave(x: Array) -> Array:
    """A triangle wave of period 1 between 0 and 1."""
    return np.abs((x - np.floor(x)) * 2.0 - 1.0)


def step(x: Array, low: float, high: float) -> Array:
    """0 below ``low``, 1 above ``high``, smooth between."""
    x = np.minimum(np.maximum((x - low) / (high - low), 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)


def noise(x: Array, y: Array, z: Array, corners: Array) -> Array:
    """Value noise, one feature a unit."""
    cells, weights = [], []
    for axis in (x, y, z):
        cell = np.floor(axis)
        part = axis - cell
        weights.append(part * part * (3.0 - 2.0 * part))
        index = cell.astype(np.int32)
        cells.append((index & 15, (index + 1) & 15))
    flat, rows = corners.reshape(-1), []
    for i in cells[0]:
        for j in cells[1]:
            base = (i * 16 + j) * 16
            near = flat[base + cells[2][0]]
            rows.append(near + (flat[base + cells[2][1]] - near) * weights[2])
    low = rows[0] + (rows[1] - rows[0]) * weights[1]
    high = rows[2] + (rows[3] - rows[2]) * weights[1]
    return low + (high - low) * weights[0]


def toy(material: str, x: Array, y: Array, z: Array, grain: float, lean: float, corners: Array) -> Array:
    """The body's material, in the toy's own space."""
    if material == "plain":
        return np.zeros_like(x)
    x, y = solids.lean(x, y, lean)
    if material == "stripes":
        return step(wave(y * grain), 0.42, 0.58)
    if material == "checks":
        # offsets keep the planes of symmetry of a toy off the edges between two squares
        folded = [wave(axis * (grain * 0.6) + 0.29) - 0.5 for axis in (x, y, z)]
        return step(folded[0] * folded[1] * folded[2], -0.012, 0.012)
    if material == "dots":
        near = [wave(axis * grain + 0.21) for axis in (x, y, z)]
        return 1.0 - step(solids.norm(*near), 0.42, 0.54)
    if material == "marble":
        coarse = noise(x * 2.2, y * 2.2, z * 2.2, corners)
        fine = noise(x * 6.1, y * 6.1, z * 6.1, corners)
        return step(wave((x + y) * (grain * 0.4) + coarse * 1.6 + fine * 0.35), 0.3, 1.0)
    rings = solids.norm(x + 0.45, z - 0.3) * (grain * 1.9) + noise(x * 1.3, y * 0.5, z * 1.3, corners) * 1.5
    return step(wave(rings), 0.25, 1.0) * 0.8


def floor(material: str, x: Array, z: Array, grain: float, turn: float, corners: Array) -> Array:
    if material == "plain":
        return np.zeros_like(x)
    x, z = solids.lean(x, z, turn)
    if material == "tiles":
        return step((wave(x * grain * 0.6) - 0.5) * (wave(z * grain * 0.6) - 0.5), -0.01, 0.01)
    if material == "stripes":
        return step(wave(x * grain), 0.44, 0.56)
    if material == "speckle":
        return step(noise(x * 5.0, z * 5.0, np.zeros_like(x), corners), 0.45, 0.8)
    board = np.floor(x * grain * 1.6)
    tone = corners.reshape(-1)[(board.astype(np.int32) * 7) & 4095]
    gap = step(wave(x * grain * 1.6), 0.9, 0.98)
    fibre = noise(x * 7.0, z * 0.8, tone * 16.0, corners)
    return np.minimum(tone * 0.5 + fibre * 0.4 + gap, 1.0)
