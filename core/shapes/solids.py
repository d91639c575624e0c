"""Solids whose truth is known everywhere, and the box of space in which a network sees one.

Lengths are millimetres. In space x runs to the patient's right, y to the front and z to the head, as in NIfTI (RAS).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Solid(Protocol):
    """A level function: negative inside, 0 on the surface, near to a distance close to it."""

    def level(self, places: np.ndarray) -> np.ndarray: ...  # (points, dim) mm -> (points,)


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """A solid turned about the origin."""

    solid: Solid
    turn: np.ndarray  # (dim, dim) rotation

    def level(self, places: np.ndarray) -> np.ndarray:
        return self.solid.level(places @ self.turn)  # the inverse of a rotation is its transpose


@dataclass(frozen=True, slots=True)
class Box:
    """The part of space that becomes the unit cube [-1/2, 1/2]^dim of a network."""

    centre: tuple[float, ...]
    size: tuple[float, ...]  # mm

    def to_unit(self, places: np.ndarray) -> np.ndarray:
        return (places - np.array(self.centre)) / np.array(self.size)

    def from_unit(self, places: np.ndarray) -> np.ndarray:
        return places * np.array(self.size) + np.array(self.centre)

    def counts(self, step: float) -> tuple[int, ...]:
        """How many nodes along each side are at most ``step`` apart."""
        return tuple(math.ceil(side / step) + 1 for side in self.size)

    def nodes(self, shape: tuple[int, ...]) -> np.ndarray:
        """(prod(shape), dim) mm: a grid whose outermost nodes lie on the faces, last axis fastest."""
        axes = [np.linspace(-0.5, 0.5, count) for count in shape]
        unit = np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], axis=1)
        return self.from_unit(unit)

    def affine(self, shape: tuple[int, ...]) -> np.ndarray:
        """From the indices of ``nodes`` to millimetres."""
        steps = np.array(self.size) / (np.array(shape) - 1)
        return affine_of(steps, self.from_unit(np.full(len(shape), -0.5)))


def affine_of(spacing: np.ndarray | tuple[float, ...], first: np.ndarray | tuple[float, ...]) -> np.ndarray:
    """From indices to millimetres, along the axes: ``first`` is where index 0 lies."""
    return np.vstack([np.column_stack([np.diag(spacing), first]), [*[0.0] * len(spacing), 1.0]])


def spacing_of(affine: np.ndarray) -> tuple[float, ...]:
    """Millimetres between neighbours along each axis of the array."""
    return tuple(float(step) for step in np.linalg.norm(affine[:-1, :-1], axis=0))


def places_of(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(prod(shape), dim) mm: the centres of all voxels, last axis fastest."""
    indices = np.stack([part.ravel() for part in np.indices(shape)], axis=1)
    return indices @ affine[:-1, :-1].T + affine[:-1, -1]


def turn_of(degrees: tuple[float, ...]) -> np.ndarray:
    """The rotation by so many degrees in the plane; in space about x, then y, then z."""
    from scipy.spatial.transform import Rotation

    if len(degrees) == 1:
        return Rotation.from_euler("z", degrees[0], degrees=True).as_matrix()[:2, :2]
    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
