"""From a collection to a saved map, or to the one that was drawn before of the same vectors."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

from core.contracts import Progress, no_progress
from core.errors import StoreError
from core.maps.draw import MapOptions, draw
from core.maps.saved import SavedMap, key_of_map, load_map, save_map
from core.maps.trust import agreement, trust
from core.settings import Settings
from core.store import Backbone, Collection, open_collection


def draw_map(
    name: str, settings: Settings, options: MapOptions | None = None, progress: Progress = no_progress
) -> SavedMap:
    """Of the vectors that the collection was last indexed with."""
    options = options or MapOptions()
    collection = open_collection(settings.collections, name)
    backbone = vectors_read_by(collection)
    vectors = collection.vectors(backbone)
    if not vectors.ids:
        raise StoreError(f"Collection {name!r} has no item to draw; index a source into it.", code="no-items")
    key = key_of_map(vectors, backbone, options)
    if (before := load_map(settings, name, key)) is not None and before.key == key:
        return before
    began = time.perf_counter()
    drawing = draw(vectors.matrix, options, progress)
    drawn = SavedMap(
        key,
        vectors.ids,
        drawing.points,
        options,
        backbone,
        drawing.method,
        trust(vectors.matrix, drawing.points, metric=options.metric),
        time.perf_counter() - began,
        datetime.now(UTC).isoformat(),
        drawing.notes,
    )
    save_map(settings, name, drawn)
    progress(1, 1, "saved")
    return drawn


def seeds_agree(name: str, settings: Settings, drawn: SavedMap, seed: int, progress: Progress) -> float | None:
    """Share of the neighbours on a map that another seed draws as neighbours too."""
    other = draw_map(name, settings, replace(drawn.options, seed=seed), progress)
    return agreement(drawn.points, other.points) if other.ids == drawn.ids else None


def vectors_read_by(collection: Collection) -> Backbone:
    """Those of the model that the collection was last indexed with."""
    models = collection.models()
    if models:
        return models[0].vectors
    if not collection.backbones:
        raise StoreError(
            f"Collection {collection.name!r} has no vectors; index it again with a --model.", code="no-vectors"
        )
    return collection.backbones[-1]
