"""What Map, Retention and Retrieve draw: items, and what one model says of them. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts import Kind
from core.pipeline._atlas import HELDOUT, Atlas
from core.pipeline._atlas_collection import of_collection, plain
from core.pipeline._atlas_heldout import of_heldout
from core.pipeline._atlas_source import read_item, source_of, thumbnail, thumbnails
from core.settings import Settings

__all__ = [
    "HELDOUT",
    "Atlas",
    "AtlasFacts",
    "atlases",
    "open_atlas",
    "plain",
    "read_item",
    "source_of",
    "thumbnail",
    "thumbnails",
]


@dataclass(frozen=True, slots=True)
class AtlasFacts:
    """One thing that ``data`` may be."""

    data: str  # "heldout", or a collection's name
    title: str
    kind: Kind | None  # None: as the model's
    items: int | None
    models: tuple[str, ...]  # that a collection was indexed with, the latest first


def atlases(settings: Settings, kind: Kind | None = None) -> tuple[AtlasFacts, ...]:
    """What there is to look at for a model of a kind: what came with it first, then collections."""
    found = [AtlasFacts(HELDOUT, "What came with the model", None, None, ())]
    root = settings.collections
    if not root.is_dir() or not any(path.is_dir() for path in root.iterdir()):
        return tuple(found)
    from core.store import names, open_collection

    for name in names(root):
        collection = open_collection(root, name)
        about = collection.about
        if kind in (None, about.kind):
            models = tuple(dict.fromkeys(row.name for row in collection.models()))
            found.append(AtlasFacts(name, about.title or name, about.kind, collection.counts().items, models))
    return tuple(found)


def open_atlas(
    data: str, model: str, settings: Settings, *, draws: int | None = None, seed: int | None = None
) -> Atlas:
    """``draws`` and ``seed`` choose among the ways a collection was asked; where none fits, the latest one is given."""
    if data == HELDOUT:
        return of_heldout(model, settings)
    return of_collection(data, model, settings, draws, seed)
