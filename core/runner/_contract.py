"""What is asked of the worker, and what comes back: plain numpy, so that who asks needs no torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.contracts import Kind, Media, Receipt, Scope, Task
from core.device import Device
from core.store import Backbone

Form = Literal["media", "inputs", "features"]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Items for one model. Exactly one of ``media``, ``inputs`` and ``features`` is given.

    An item's noise follows its sha256: the same bytes get the same draws, whatever was asked with them. Media with
    ``sha256s`` take the noise of these instead: steps of a perturbed file, or parts of one, then differ by what they
    hold and not by their draws.
    """

    model: str
    media: tuple[Media, ...] = ()  # as decoded; the worker prepares them as the model wants
    inputs: np.ndarray | None = None  # (items, ...) float32, prepared already
    features: np.ndarray | None = None  # (items, dim) float32, for scope head only
    sha256s: tuple[str, ...] = ()  # of the items; media bring their own, unless others are named
    draws: int | None = None  # None: as many as the method usually takes
    seed: int = 0
    device: str = "auto"  # auto: as the settings say
    keep: bool = True  # every draw comes back; False: their moments only
    first: int = 0  # of a whole network: draws before it are left out, for they were told before

    def __post_init__(self) -> None:
        given = [part for part in (self.media or None, self.inputs, self.features) if part is not None]
        if len(given) != 1 or not len(given[0]):
            raise ValueError("a request has media, inputs or features, and at least one item")
        if (self.sha256s or not self.media) and len(self.sha256s) != len(given[0]):
            raise ValueError(f"{len(given[0])} items need as many sha256s, got {len(self.sha256s)}")
        if self.draws is not None and self.draws < 1:
            raise ValueError(f"an answer needs at least one draw, got {self.draws}")
        if self.first and not 0 < self.first < (self.draws or 0):
            raise ValueError(f"the draws from {self.first} on are some of {self.draws}")

    @property
    def form(self) -> Form:
        return "media" if self.media else "inputs" if self.inputs is not None else "features"

    @property
    def keys(self) -> tuple[str, ...]:
        return self.sha256s or tuple(one.sha256 for one in self.media)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def alike(self) -> tuple[object, ...]:
        """Requests that agree in this may be answered as one batch."""
        return (self.model, self.draws, self.first, self.seed, self.device, self.keep, self.form)


@dataclass(frozen=True, slots=True)
class Load:
    """A model that is wanted soon. It waits in line as a request of no items."""

    model: str
    device: str

    @property
    def alike(self) -> tuple[object, ...]:
        return ("load", self.model, self.device)

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a model says of the items of one request, in their order."""

    model: str
    task: Task
    scope: Scope
    classes: tuple[str, ...]
    seed: int
    draws: int  # how many there are: a point estimate has one, whatever was asked
    probs: np.ndarray | None  # (draws, items, classes) float32; None where draws were not kept
    mean: np.ndarray  # (items, classes) float64
    mean_entropy: np.ndarray  # (items,), or (items, classes) for multilabel; float64
    m2: np.ndarray  # (items, classes) float64: sum over the draws of squared deviations from the mean
    doubts: Mapping[str, np.ndarray]  # measure -> (items,) float64; those that this model has
    errors: Mapping[str, np.ndarray]  # Monte Carlo standard errors of total, aleatoric, epistemic; where draws are kept
    score_name: str | None
    features: np.ndarray  # (items, dim) float32: what enters the head, without noise
    receipts: tuple[Receipt, ...]  # of media: what arrived, and what the model's entry did to it
    device: str
    precision: str
    seconds: float  # of the pass that answered it, with whatever shared the pass
    together: int  # items in that pass
    mark: str  # tells the model from another one that was kept under its name
    vectors: Backbone  # whose vectors its features are, as collections name them
    hears: float | None  # seconds of a sound that its network takes in at once; None for pictures
    waited: float = 0.0  # seconds from asking to the answer

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is in the worker's memory."""

    name: str
    device: str
    memory: int  # bytes of its weights
    draws: int  # as many as its method usually takes


@dataclass(frozen=True, slots=True)
class Described:
    """What a person wants to know before asking."""

    name: str
    kind: Kind
    scope: Scope
    method: str
    device: Device | None  # None: the worker has not said yet which devices are here
    precision: str
    memory: int  # bytes of its weights
    loaded: bool
    draws: int
    seconds: float | None  # for one item at so many draws; None: the worker has not started, or no size is known
    measured: bool  # seconds are from answers of this model; otherwise a guess from its size


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the worker and its line may hold."""

    waiting: int = 64  # requests in line
    together: int = 64  # items of several requests in one pass
    models: int = 8  # in memory at once
    memory: int = 3 << 30  # bytes of weights in memory at once; the one in use always stays
    silence: float = 300.0  # seconds without a sign of life after which the worker is taken to hang
    start: float = 180.0  # seconds for the worker to load its libraries on a busy machine
    threads: int | None = None  # of torch; None: as many as it takes by itself


@dataclass(frozen=True, slots=True)
class Launch:
    """How the worker is started. Tests have a worker of their own, which fails when told."""

    command: tuple[str, ...] = (sys.executable, "-m", "core.runner._child")
