"""What is kept: collections of items and vectors (LanceDB) and artifacts of weights (safetensors)."""

from core.store.catalogue import delete, names, open_collection, trace
from core.store.collection import Collection
from core.store.rows import (
    About,
    Backbone,
    Counts,
    ItemRow,
    ModelRow,
    NoteRow,
    PositionRow,
    TagRow,
    UncertaintyRow,
    Vectors,
    Where,
)
from core.store.writer import Writer

__all__ = [
    "About",
    "Backbone",
    "Collection",
    "Counts",
    "ItemRow",
    "ModelRow",
    "NoteRow",
    "PositionRow",
    "TagRow",
    "UncertaintyRow",
    "Vectors",
    "Where",
    "Writer",
    "delete",
    "names",
    "open_collection",
    "trace",
]
