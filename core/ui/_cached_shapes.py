"""The one studio of this server, where shapes are filled in by a process of its own, and surfaces drawn from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import UserFacingError
from core.pipeline import damaged, reconstruct
from core.pipeline.reconstruct import Filled, Studio
from core.settings import Settings
from core.shapes import label_maps
from core.shapes.label_maps import LabelMap
from core.shapes.mesh import Mesh, mesh_of
from core.shapes.solids import places_of
from core.ui import _shapes_charts, cached

_MANY = 400_000  # voxels whose surface is drawn as it is


def studio() -> Studio:
    """Its process starts with the first shape, never with the page."""
    settings = cached.settings()
    return _studio(settings, tuple(settings.environ().values()))


@st.cache_resource(max_entries=4, show_spinner=False, on_release=Studio.close)
def _studio(_settings: Settings, known: tuple[str, ...]) -> Studio:
    return Studio(_settings)


def card(data: str) -> Mapping[str, Any] | None:
    """What is known of the fields of one kind of shape; None where there are none."""
    settings = cached.settings()
    try:
        return _card(data, reconstruct.mark_of(data, settings), settings)
    except UserFacingError:
        return None


@st.cache_resource(max_entries=4, show_spinner=False)
def _card(data: str, mark: str, _settings: Settings) -> Mapping[str, Any]:
    return reconstruct.card_of(data, _settings)


def damage(data: str) -> Mapping[str, Any] | None:
    """What was measured under more and more damage, one's own before what came with the app; None where nothing was."""
    settings = cached.settings()
    paths = [damaged.place_of(data, settings, shipped=shipped) for shipped in (False, True)]
    path = next((path for path in paths if path.is_file()), None)
    return None if path is None else _damage(str(path), path.stat().st_mtime_ns)


@st.cache_resource(max_entries=4, show_spinner=False)
def _damage(path: str, changed: int) -> Mapping[str, Any]:
    return json.loads(Path(path).read_bytes())


def mesh(key: str, found: Filled, method: str, colour: str) -> Mesh:
    """One method's surface with a value at each vertex. ``key`` is that of the answer."""
    return _mesh(key, method, colour, found)


@st.cache_resource(max_entries=24, show_spinner=False)
def _mesh(key: str, method: str, colour: str, _found: Filled) -> Mesh:
    answer = _found[method]
    return mesh_of(answer.mean, _found.affine, _shapes_charts.coloured(_found, answer, colour))


@st.cache_resource(max_entries=8, show_spinner=False)
def seen_mesh(key: str, _found: Filled) -> Mesh:
    """The voxels that were seen to be inside; missing slices are gaps. Of a fine volume as much as the answer shows."""
    seen = _found.seen
    if seen.labels.size <= _MANY:
        return mesh_of(seen.labels.astype(float), seen.affine)
    shape = _found.answers[0].mean.shape
    return mesh_of(seen.at(places_of(_found.affine, shape)).reshape(shape), _found.affine)


@st.cache_resource(max_entries=4, show_spinner="Reading the label map")
def label_map(sha256: str, _raw: bytes) -> LabelMap:
    return label_maps.opened(_raw)
