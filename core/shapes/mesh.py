"""The surface of a field on a grid, as a closed mesh in millimetres with a value at every vertex, and files of it.

Marching cubes on the grid with one layer of "outside" around it, so that a solid cut by the border is closed there.
Triangles are wound so that their normals point out. In GLB, metres and y up as its standard says, a value stands in the
attribute ``_DOUBT`` and as a colour; in PLY as the property ``doubt``, in millimetres. STL has triangles only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.errors import UserFacingError

FORMATS = ("glb", "ply", "stl")
_APART = 1e-3  # of the range of the values
_TO_METRES_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]) / 1000.0
_RAMP = np.array([[0, 34, 78], [87, 93, 109], [165, 156, 116], [254, 232, 56]], np.float64)  # cividis, at its thirds


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    vertices: np.ndarray  # (vertices, 3) mm
    faces: np.ndarray  # (faces, 3) counter-clockwise from outside
    values: np.ndarray  # (vertices,) doubt

    def volume(self) -> float:
        """Cubic millimetres; positive where the winding is right (divergence theorem)."""
        corners = self.vertices[self.faces]
        return float(np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def mesh_of(inside: np.ndarray, affine: np.ndarray, doubt: np.ndarray | None = None, level: float = 0.5) -> Mesh:
    """Where ``inside`` (probabilities on a grid) crosses ``level``; ``doubt`` on the same grid is read at vertices."""
    from scipy.ndimage import map_coordinates
    from skimage.measure import marching_cubes

    low, high = float(inside.min()), float(inside.max())
    if not low < level < high:
        filled = "nothing of it is inside" if high <= level else "all of it is inside"
        raise UserFacingError(
            f"There is no surface to show, since {filled} at a threshold of {level:g}; choose another threshold.",
            code="no-surface",
        )
    outside = min(low, 2 * level - high)  # as far below the level as the fullest voxel is above it
    padded = np.pad(_off(inside.astype(np.float64), level, _APART * (high - low)), 1, constant_values=outside)
    indices, faces, _, _ = marching_cubes(padded, level, gradient_direction="ascent")
    indices = indices - 1.0
    vertices = indices @ affine[:3, :3].T + affine[:3, 3]
    if np.linalg.det(affine[:3, :3]) < 0:
        faces = faces[:, ::-1]
    values = np.zeros(len(vertices)) if doubt is None else map_coordinates(doubt, indices.T, order=1, mode="nearest")
    return Mesh(vertices, np.ascontiguousarray(faces), values)


def _off(values: np.ndarray, level: float, apart: float) -> np.ndarray:
    """No voxel stands on the level itself, where triangles would shrink to a point and files lose them."""
    return np.where(np.abs(values - level) < apart, level + np.where(values > level, apart, -apart), values)


def written(mesh: Mesh, form: Literal["glb", "ply", "stl"]) -> bytes:
    """The bytes of a file."""
    import trimesh

    vertices = mesh.vertices @ _TO_METRES_Y_UP.T if form == "glb" else mesh.vertices
    values = mesh.values.astype(np.float32)
    name = "_DOUBT" if form == "glb" else "doubt"
    made: Any = trimesh.Trimesh(vertices, mesh.faces, process=False, vertex_attributes={name: values})
    if form != "stl":
        made.visual.vertex_colors = _colours(values)
    return bytes(made.export(file_type=form))


def _colours(values: np.ndarray) -> np.ndarray:
    """From dark, the surest place of this surface, to light, the most doubtful."""
    spread = float(np.ptp(values)) if len(values) else 0.0
    shares = (values - values.min()) / spread if spread else np.zeros(len(values))
    steps = np.linspace(0.0, 1.0, len(_RAMP))
    rgb = np.stack([np.interp(shares, steps, channel) for channel in _RAMP.T], axis=1)
    return np.column_stack([rgb, np.full(len(values), 255.0)]).astype(np.uint8)
