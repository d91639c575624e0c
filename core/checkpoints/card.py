"""What is known of a trained model: the card beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from core.configs import from_json, to_json
from core.contracts import Kind, Scope, Task
from core.errors import StoreError, UserFacingError

FORMAT = 1

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """The network that a method began with; what a reader needs to make it again."""

    backbone: str
    config: Json = field(default_factory=dict)  # of the backbone
    weights: Literal["drawn", "published", "stored", "model"] = "drawn"  # stored: in this folder, as part "network"
    sha256: str | None = None  # of published weights, or what tells the trained model from a later one of its name
    model: str | None = None  # the trained model whose network it is, or, where its own is stored, was
    keeps: Literal["means", "posteriors"] = "means"  # of a model with Gaussian weights
    seed: int = 0  # of what is drawn
    head: Literal["own", "standard", "unit"] = "own"  # the backbone's, that on standardised features, or on directions


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """The data, and how they were divided."""

    key: str
    title: str
    licence: str
    fingerprint: str = ""
    train: int = 0  # items
    validation: int = 0
    test: int = 0
    test_fold: int | None = None
    validation_fold: int | None = None
    train_folds: tuple[int, ...] = ()
    note: str = ""  # what a reader should know of the division


@dataclass(frozen=True, slots=True)
class Cost:
    """What the training took."""

    seconds: float | None = None
    hardware: str = ""
    peak_memory: int | None = None  # bytes, of the process
    stored: int = 0  # numbers in this folder that are not in the network it began with


@dataclass(frozen=True, slots=True)
class Card:
    name: str
    kind: Kind
    task: Task
    backbone: str
    method: str
    scope: Scope
    classes: tuple[str, ...]
    start: Start
    method_config: Json
    method_version: int
    n_train: int
    seed: int
    params: int
    macs: int | None
    trained_on: str  # a title, for people
    data: TrainedOn
    cost: Cost = Cost()
    facts: Json = field(default_factory=dict)  # of the State, beside its tensors
    doubles: tuple[str, ...] = ()  # tensors that compute in float64, whatever they are stored in
    recipe: Json = field(default_factory=dict)  # the whole plan
    command: str = ""  # what makes it again
    metrics: Json = field(default_factory=dict)  # {name: {"value": v, "low": l, "high": h}} on the held-out items
    posthoc: Json = field(default_factory=dict)  # temperature, conformal scores, percentiles
    notes: tuple[str, ...] = ()
    revision: str = ""
    created: str = ""
    versions: Json = field(default_factory=dict)
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        return to_json(self)

    def noting(self, *notes: str) -> Card:
        return replace(self, notes=(*self.notes, *notes))


def card_of(record: Json, name: str) -> Card:
    """The card of a folder; one that this version cannot read is refused by its number."""
    found = record.get("format")
    if found != FORMAT:
        raise StoreError(
            f"The model {name!r} is written in format {found!r}, and this version reads {FORMAT}. Use the version that "
            "wrote it, or train it again.",
            code="format",
        )
    try:
        return from_json(Card, record)
    except (UserFacingError, TypeError, ValueError) as error:
        raise StoreError(
            f"The card of the model {name!r} is damaged; restore it from a copy.", code="damaged"
        ) from error
