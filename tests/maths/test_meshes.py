"""Meshes of known solids: volume, area, Euler number, winding, spacing, values; and files that other readers open."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import pytest
import trimesh

from core.errors import UserFacingError
from core.shapes.mesh import FORMATS, Mesh, mesh_of, written
from core.shapes.solids import affine_of, places_of

AFFINE = affine_of((1.0, 2.0, 0.5), (-12.0, -14.0, -11.0))
SHAPE = (25, 15, 45)
PLACES = places_of(AFFINE, SHAPE)


def area(mesh: Mesh) -> float:
    first, second, third = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    return float(np.linalg.norm(np.cross(second - first, third - first), axis=1).sum() / 2)


def euler(mesh: Mesh) -> int:
    """Vertices - edges + faces: 2 for a ball, 0 for a ring."""
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    return len(np.unique(mesh.faces)) - len(np.unique(edges, axis=0)) + len(mesh.faces)


def closed(mesh: Mesh) -> bool:
    """Every edge has two faces, which run along it in opposite directions."""
    ways = mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    found, counts = np.unique(ways, axis=0, return_counts=True)
    return bool((counts == 1).all()) and np.array_equal(found, np.unique(ways[:, ::-1], axis=0))


def soft(distance: np.ndarray) -> np.ndarray:
    """Probabilities whose half lies where the distance is 0, near to linear there."""
    return (1 / (1 + np.exp(distance))).reshape(SHAPE)


def ball(affine: np.ndarray = AFFINE) -> Mesh:
    return mesh_of(soft(np.linalg.norm(PLACES, axis=1) - 9.0), affine, PLACES[:, 0].reshape(SHAPE))


def test_a_ball_on_an_uneven_grid_has_the_volume_and_area_of_a_ball() -> None:
    mesh = ball()
    assert mesh.volume() == pytest.approx(4 / 3 * np.pi * 9.0**3, rel=0.02)
    assert area(mesh) == pytest.approx(4 * np.pi * 9.0**2, rel=0.02)
    assert euler(mesh) == 2
    assert closed(mesh)
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 9.0, atol=0.25)


def test_every_triangle_looks_out() -> None:
    mesh = ball()
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("fi,fi->f", normals, corners.mean(axis=1)) > 0).all()


def test_a_mirrored_grid_keeps_the_outside_out() -> None:
    assert ball(np.diag([-1.0, 1.0, 1.0, 1.0]) @ AFFINE).volume() == pytest.approx(ball().volume())


def test_a_ring_has_a_hole() -> None:
    x, y, z = PLACES.T
    ring = mesh_of(soft(np.hypot(np.hypot(x, y) - 7.0, z) - 3.0), AFFINE)
    assert euler(ring) == 0
    assert closed(ring)
    assert ring.volume() == pytest.approx(2 * np.pi**2 * 7.0 * 9.0, rel=0.05)


def test_a_solid_that_the_grid_cuts_is_closed_there() -> None:
    corner = np.zeros((4, 5, 6))
    corner[:3, :, :] = 1.0
    mesh = mesh_of(corner, np.eye(4))
    assert closed(mesh)
    assert mesh.volume() == pytest.approx(3 * 5 * 6 - 4 * (3 + 5 + 6) / 8, abs=1.0)  # a box whose edges are bevelled


def test_an_open_or_twisted_mesh_is_not_closed() -> None:
    mesh = ball()
    assert not closed(Mesh(mesh.vertices, mesh.faces[1:], mesh.values))
    assert not closed(Mesh(mesh.vertices, np.concatenate([mesh.faces, mesh.faces]), mesh.values))
    twisted = mesh.faces.copy()
    twisted[0] = twisted[0, ::-1]
    assert not closed(Mesh(mesh.vertices, twisted, mesh.values))


def test_values_are_read_where_the_vertices_are() -> None:
    mesh = ball()
    np.testing.assert_allclose(mesh.values, mesh.vertices[:, 0], atol=1e-6)


@pytest.mark.parametrize(("fill", "word"), [(0.0, "nothing"), (1.0, "all")])
def test_no_surface_is_said_so(fill: float, word: str) -> None:
    with pytest.raises(UserFacingError, match=word):
        mesh_of(np.full((4, 4, 4), fill), np.eye(4))


@pytest.mark.parametrize("form", FORMATS)
def test_files_open_elsewhere_with_the_same_surface(form) -> None:
    mesh = ball()
    loaded: Any = trimesh.load(io.BytesIO(written(mesh, form)), file_type=form, force="mesh")
    scale = 1e9 if form == "glb" else 1.0  # metres
    loaded.merge_vertices()
    assert loaded.is_watertight
    assert loaded.volume * scale == pytest.approx(mesh.volume(), rel=1e-4)


def test_ply_and_glb_carry_the_doubt_of_every_vertex() -> None:
    mesh = ball()
    head, _, body = written(mesh, "ply").partition(b"end_header\n")
    assert b"property float doubt" in head
    row = np.dtype([("place", "<f4", 3), ("colour", "u1", 4), ("doubt", "<f4")])
    rows = np.frombuffer(body, row, len(mesh.vertices))
    np.testing.assert_allclose(rows["doubt"], mesh.values, atol=1e-5)
    assert tuple(rows["colour"][mesh.values.argmax()]) == (254, 232, 56, 255)
    assert tuple(rows["colour"][mesh.values.argmin()]) == (0, 34, 78, 255)
    glb = written(mesh, "glb")
    facts = json.loads(glb[20 : 20 + struct.unpack("<I", glb[12:16])[0]])
    accessor = facts["accessors"][facts["meshes"][0]["primitives"][0]["attributes"]["_DOUBT"]]
    assert accessor["count"] == len(mesh.vertices)
    assert accessor["max"][0] == pytest.approx(mesh.values.max(), abs=1e-5)


def test_up_is_up_in_glb() -> None:
    mesh = ball()
    tall = Mesh(mesh.vertices * [1.0, 1.0, 3.0], mesh.faces, mesh.values)
    loaded: Any = trimesh.load(io.BytesIO(written(tall, "glb")), file_type="glb", force="mesh")
    np.testing.assert_allclose(np.ptp(loaded.vertices, axis=0), [0.018, 0.054, 0.018], atol=6e-4)
