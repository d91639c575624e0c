"""From a collection, or a model's held-out items, to a saved map, or to the one that was drawn before of the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from core.checkpoints.folders import read_card
from core.checkpoints.heldout import Heldout, load_heldout
from core.contracts import Progress, no_progress
from core.errors import StoreError, UserFacingError
from core.maps.draw import MapOptions, draw
from core.maps.saved import SavedMap, key_of_map, load_map, of_collection, of_vectors, save_map
from core.maps.trust import agreement, trust
from core.settings import Settings
from core.store import Backbone, Collection, Vectors, open_collection

SPREAD = MapOptions(min_dist=0.8)  # for the eye: single points can be told apart, at no less trustworthiness


def draw_map(
    name: str, settings: Settings, options: MapOptions | None = None, progress: Progress = no_progress
) -> SavedMap:
    """Of the vectors that the collection was last indexed with."""
    collection = open_collection(settings.collections, name)
    backbone = vectors_read_by(collection)
    vectors = collection.vectors(backbone)
    if not vectors.ids:
        raise StoreError(f"Collection {name!r} has no item to draw; index a source into it.", code="no-items")
    return _drawn(vectors, backbone, (of_collection(name, settings),), options or MapOptions(), progress)


def draw_heldout(
    name: str,
    settings: Settings,
    options: MapOptions | None = None,
    progress: Progress = no_progress,
    *,
    ship: bool = False,
) -> SavedMap:
    """Of what came with a model; ``ship`` puts it beside the models that come with the app."""
    vectors = heldout_vectors(load_heldout(name, settings))
    if vectors is None:
        raise UserFacingError(f"The model {name[:60]!r} came without features to draw.", code="no-features")
    here, shipped = of_vectors(vectors, settings)
    backbone = Backbone(read_card(name, settings).backbone, "held-out", vectors.matrix.shape[1])
    places = (shipped,) if ship else (here, shipped)
    return _drawn(vectors, backbone, places, options or MapOptions(), progress)


def heldout_vectors(held: Heldout) -> Vectors | None:
    """The held-out items that have features, as a collection would have them."""
    if held.features is None:
        return None
    return Vectors(tuple(held.answers.ids[row] for row in held.feature_rows.tolist()), held.features)


def _drawn(
    vectors: Vectors, backbone: Backbone, places: Sequence[Path], options: MapOptions, progress: Progress
) -> SavedMap:
    """What lies in one of the places, or else drawn and put into the first."""
    key = key_of_map(vectors, backbone, options)
    for place in places:
        if (before := load_map(place, key)) is not None and before.key == key:
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
    save_map(places[0], drawn)
    progress(1, 1, "saved")
    return drawn


def seeds_agree(drawn: SavedMap, other: SavedMap) -> float | None:
    """Share of the neighbours on a map that another one of the same items draws as neighbours too."""
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
