"""What goes into a collection and what comes out: frozen rows, no dictionaries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import Kind, Receipt, Split, Truth

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class About:
    """What a collection is made of."""

    kind: Kind
    title: str = ""
    source: str = ""  # key or description of the data set it was first built from
    classes: tuple[str, ...] = ()  # grows when a further source brings new ones


@dataclass(frozen=True, slots=True)
class Backbone:
    """Whose vectors: the same bytes have one vector for each of these."""

    key: str
    version: str  # fingerprint of the weights and of the preparation
    dim: int


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One indexed file. The label is text; its index into About.classes is kept by the store."""

    id: str
    sha256: str
    kind: Kind
    receipt: Receipt
    thumbnail: bytes = b""
    label: str | None = None
    fold: int | None = None
    group: str | None = None
    split: Split | None = None
    truth: Truth | None = None
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UncertaintyRow:
    """What one model said about one item, in nats. None means: the model has no such measure."""

    id: str
    model: str  # fingerprint of the model and its options
    total: float
    aleatoric: float | None = None
    epistemic: float | None = None
    novelty: float | None = None
    score: float | None = None
    label: str | None = None  # the most probable class
    confidence: float | None = None  # its probability
    top: tuple[tuple[str, float], ...] = ()  # the most probable classes, the first one first


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that the collection was indexed with, and how it was asked."""

    key: str  # UncertaintyRow.model
    name: str
    mark: str  # tells it from another model of its name
    backbone: str  # whose vectors it reads, as Backbone has them
    version: str
    dim: int
    draws: int
    seed: int
    at: datetime

    @property
    def vectors(self) -> Backbone:
        return Backbone(self.backbone, self.version, self.dim)


@dataclass(frozen=True, slots=True)
class PositionRow:
    """Where one map draws one item."""

    id: str
    map: str  # fingerprint of the map's settings and vectors
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class TagRow:
    id: str
    tag: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NoteRow:
    id: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by table; ``media`` counts different bytes, ``vectors`` those of all backbones."""

    items: int
    media: int
    vectors: int
    uncertainties: int
    positions: int
    tags: int
    notes: int
    problems: int
    models: int = 0


@dataclass(frozen=True, slots=True)
class Where:
    """Which items: every given condition must hold; a value in a condition's tuple satisfies it."""

    ids: Sequence[str] | None = None
    sha256: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    groups: Sequence[str] | None = None
    folds: Sequence[int] | None = None
    splits: Sequence[Split] | None = None
    tags: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Vectors of the items that have one, in the order of the collection."""

    ids: tuple[str, ...]
    matrix: np.ndarray  # (items, dim) float32, read-only
