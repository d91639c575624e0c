"""The frozen types that cross module borders. This module imports nothing of ours.

Types that hold arrays say ``eq=False``: two arrays have no single truth value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

Kind = Literal["audio", "image"]
THING: Mapping[Kind, str] = {"audio": "sound", "image": "picture"}  # what people call one of a kind
Split = Literal["train", "validation", "test", "ood"]
Task = Literal["multiclass", "multilabel"]  # softmax over classes, or a sigmoid a class
Scope = Literal["head", "network"]  # where a method's randomness lives: the last layers, or below them


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was done to a file, or noticed in it."""

    code: str  # stable, for programs: "resampled", "clipped", "silent" ...
    text: str  # a short clause for people: "resampled from 44.1 to 32 kHz"
    alarm: bool = False  # True when it may change what a model says


@dataclass(frozen=True, slots=True)
class Receipt:
    """What arrived and what was done to it, in order."""

    container: str  # "wav", "flac", "png" ...
    codec: str  # "PCM 16 bit", "Vorbis", "RGB 8 bit" ...
    size_bytes: int
    rate: int | None = None  # Hz as it arrived; None for images
    channels: int = 1
    seconds: float | None = None  # length as it arrived; None for images
    width: int | None = None  # pixels as they arrived; None for audio
    height: int | None = None
    notes: tuple[Note, ...] = ()

    def noting(self, *notes: Note) -> Receipt:
        return replace(self, notes=self.notes + notes)

    def has(self, code: str) -> bool:
        return any(note.code == code for note in self.notes)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Receipt:
        notes = tuple(Note(**note) for note in record["notes"])
        return cls(**{**record, "notes": notes})


@dataclass(frozen=True, slots=True, eq=False)
class Media:
    """One decoded file: audio as it was recorded, pictures upright in RGB."""

    kind: Kind
    samples: np.ndarray  # audio (time,) float32 mono; image (height, width, 3) uint8; read-only
    rate: int | None  # Hz; None for images
    sha256: str  # of the original bytes; the identity from here on
    receipt: Receipt

    @property
    def seconds(self) -> float | None:
        return None if self.rate is None else len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class Truth:
    """What the maker of an item knows about its doubt. None means: not known."""

    probs: tuple[float, ...] | None = None  # true class probabilities, in the order of Dataset.classes
    noise: float | None = None  # 0 clean .. 1 nothing left of the signal
    novelty: float | None = None  # 0 a training class .. 1 outside all of them


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a data set. It holds no samples and no pixels."""

    id: str  # unique in its data set, stable between runs
    label: int | None = None  # index into Dataset.classes
    fold: int | None = None  # the published fold, counted as published
    group: str | None = None  # source recording; one group never crosses a split
    split: Split | None = None
    truth: Truth | None = None
    extra: tuple[tuple[str, str], ...] = ()  # further manifest columns, as text
    labels: tuple[int, ...] = ()  # of a multilabel set: every class present, ascending; ``label`` is None there


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Items, their classes, and how to read one item's original bytes."""

    key: str
    title: str
    kind: Kind
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    read: Callable[[Item], bytes]
    licence: str = "unknown"
    notes: tuple[str, ...] = ()  # what a reader should know: "3 files skipped: ..."
    locate: Callable[[Item], Path | None] | None = None  # an item's file on disk, so that hours are read in windows
    task: Task = "multiclass"


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused item of a batch: the others went on."""

    id: str
    stage: str  # "read", "decode" ...
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """What a module of core/data exports as DATASET."""

    key: str  # equals the module's name
    title: str
    kind: Kind | None  # None: told by the files (folders, manifests, archives)
    summary: str  # one sentence for menus
    licence: str
    open: Callable[..., Dataset]  # open(location: Path | None, settings: Settings) -> Dataset
    builtin: bool = False  # made on the spot, no download
    needs_location: bool = False  # folder, manifest, zip: useless without a path
    prepare: Callable[..., int] | None = None  # prepare(settings, progress) -> how many were made; resumable
    classes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, eq=False)
class Predictive:
    """Every model's answer in one shape: ``probs`` is (draws, items, classes), a point estimate has one draw."""

    probs: Tensor
    task: Task = "multiclass"
    score: Tensor | None = None  # (items,) a direct uncertainty, higher is more doubtful
    score_name: str | None = None  # "predicted loss", "energy" ...


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The facts of a Predictive whose draws were not kept; memory does not grow with n."""

    n: int  # draws
    mean: Tensor  # (items, classes) mean probability
    mean_entropy: Tensor  # mean over draws of the entropy: (items,), or (items, classes) for multilabel
    m2: Tensor  # (items, classes) sum over draws of squared deviations from the mean
    task: Task = "multiclass"
    score: Tensor | None = None
    score_name: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """total = aleatoric + epistemic, float64, (items,) or (items, classes); in nats where ``kind`` is entropy."""

    total: np.ndarray
    aleatoric: np.ndarray
    epistemic: np.ndarray
    kind: Literal["entropy", "variance", "labelwise"] = "entropy"
    total_error: np.ndarray | None = None  # Monte Carlo standard errors; None: draws were not kept, or one draw
    aleatoric_error: np.ndarray | None = None
    epistemic_error: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One network input, and the receipt with what was done to get it."""

    tensor: Tensor  # no batch axis
    receipt: Receipt


class Network(Protocol):
    """A network as methods see it: ordered stages, then a head."""

    key: str
    kind: Kind
    dim: int  # length of the vector that enters the head
    stages: tuple[tuple[str, nn.Module], ...]  # applied in order; their chain is embed
    head: nn.Module  # (items, dim) -> logits (items, classes)

    def prepare(self, media: Media) -> Prepared: ...  # one input; resamples and crops for itself

    def embed(self, inputs: Tensor) -> Tensor: ...  # (items, ...) -> (items, dim), no noise, no gradient needed


Progress = Callable[[int, int, str], None]  # done, total, stage


def no_progress(done: int, total: int, stage: str) -> None:
    """The Progress of a caller that does not watch."""


def groups_of(items: Iterable[Item]) -> set[str]:
    """The source recordings of some items; an item without one is its own."""
    return {item.group or item.id for item in items}
