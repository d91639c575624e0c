"""What a model says of the items of a collection, stored beside them.

In scope head an answer is computed from stored vectors, so another model on the same network, or another number of
draws, reads no file again. In scope network it is told while the items are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.checkpoints.answering import answers, device_of
from core.checkpoints.answers import Answers
from core.checkpoints.folders import find, mark_of
from core.checkpoints.saved import Model, load_model
from core.checkpoints.seen import seen_by
from core.checkpoints.vectors import vectors_of
from core.contracts import Dataset, Media, Progress, no_progress
from core.errors import DataError
from core.fingerprint import key_of
from core.media.sandbox import Sandbox
from core.pipeline import _rows
from core.pipeline.index import Embedder, Passed, Summary, index
from core.settings import Settings
from core.store import Backbone, ModelRow, UncertaintyRow, Writer
from core.training.examples import Examples, InMemory

_CHUNK = 4096  # answers between two commits


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """A model and how it is asked. ``samples`` None: as many draws as its method usually takes."""

    model: Model
    mark: str  # of its folder, see core.checkpoints.folders.mark_of
    samples: int | None = None
    seed: int = 0
    learned: np.ndarray | None = None  # keys of the items that it was trained on, where its folder says

    @property
    def draws(self) -> int:
        own = self.model.method.own_draws(self.model.state.config)
        return own if self.samples is None else self.samples

    @property
    def key(self) -> str:
        """UncertaintyRow.model."""
        return _rows.asked_as(self.model.name, self.mark, self.model.card.method_version, self.draws, self.seed)


def asking_of(name: str, settings: Settings, device: str, samples: int | None = None, seed: int = 0) -> Asking:
    """The model of a name, loaded."""
    model = load_model(name, settings, device)
    return Asking(model, mark_of(find(name, settings)), samples, seed, seen_by(name, settings))


def index_with(
    asking: Asking,
    dataset: Dataset,
    collection: Writer,
    *,
    sandbox: Sandbox | None = None,
    workers: int = 3,
    on_progress: Progress = no_progress,
) -> Summary:
    """``index``, with vectors and doubts of a model. Only what changed since an earlier run is done again."""
    card = asking.model.card
    if card.kind != dataset.kind:
        raise DataError(
            f"{card.name} takes the kind {card.kind}, and {dataset.title} is of the kind {dataset.kind}; choose a "
            "model of its kind.",
            code="kind",
        )
    embedder = embedder_of(asking)
    found = index(dataset, collection, sandbox=sandbox, embedder=embedder, workers=workers, on_progress=on_progress)
    score(collection, asking, embedder.backbone, on_progress)
    return found


def backbone_of(asking: Asking) -> Backbone:
    return vectors_of(asking.model, asking.mark)


def embedder_of(asking: Asking) -> Embedder:
    """For ``index``: vectors, and in scope network the doubts with them."""
    model = asking.model

    def prepare(media: Media) -> Tensor:
        return model.network.prepare(media).tensor

    def embed(inputs: Sequence[Any], shas: Sequence[str]) -> Passed:
        batch = torch.stack(list(inputs))
        with torch.no_grad():
            return Passed(model.network.embed(batch.to(device_of(model))).float().cpu().numpy())

    def answer(inputs: Sequence[Any], shas: Sequence[str]) -> Passed:
        found = answers(model, _asked(torch.stack(list(inputs)), shas), draws=asking.draws, seed=asking.seed)
        assert found.features is not None
        return Passed(found.features, rows_of(found, shas, asking))

    if model.card.scope == "network":
        return Embedder(backbone_of(asking), prepare, answer, asking.key)
    return Embedder(backbone_of(asking), prepare, embed)


def score(
    collection: Writer, asking: Asking, backbone: Backbone | None = None, progress: Progress = no_progress
) -> int:
    """Note the model, and what a head says of stored vectors that it has not answered yet; how many those were."""
    backbone = backbone or backbone_of(asking)
    if backbone not in collection.backbones:
        return 0  # nothing could be read
    written = 0
    if asking.model.card.scope == "head":
        vectors = collection.vectors(backbone)
        known = {row.id for row in collection.uncertainties(asking.key)}
        rows = np.array([at for at, id_ in enumerate(vectors.ids) if id_ not in known], np.int64)
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            ids = [vectors.ids[at] for at in part.tolist()]
            shas = collection.stored(ids)
            asked = _asked(torch.from_numpy(np.array(vectors.matrix[part])), [shas[id_] for id_ in ids])
            found = answers(asking.model, asked, draws=asking.draws, seed=asking.seed, embedded=True)
            collection.add_uncertainties(rows_of(found, ids, asking))
            collection.flush()
            written += len(ids)
            progress(written, len(rows), "answer")
    card = asking.model.card
    read = (backbone.key, backbone.version, backbone.dim)
    collection.add_model(
        ModelRow(asking.key, card.name, asking.mark, *read, asking.draws, asking.seed, datetime.now(UTC))
    )
    collection.flush()
    return written


def _asked(inputs: Tensor, shas: Sequence[str]) -> Examples:
    keys = torch.tensor([key_of(sha) for sha in shas], dtype=torch.int64)
    return Examples(InMemory(inputs), torch.zeros(len(inputs), dtype=torch.int64), keys, tuple(shas))


def rows_of(found: Answers, ids: Sequence[str], asking: Asking) -> tuple[UncertaintyRow, ...]:
    return _rows.rows_of(ids, found.probs, found.doubts, found.draws, asking.model.card.classes, asking.key)
