"""What a model says of many items: one pass over them, in memory that does not grow with the draws."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.backbones._network import StagedNetwork
from core.checkpoints.answers import MEASURES, PARTS, Answers, Kept, kept_rows
from core.checkpoints.density import distance
from core.checkpoints.saved import Model
from core.contracts import Moments, Predictive, Progress, no_progress
from core.errors import DataError
from core.methods._contract import modules_of
from core.methods._folding import summary
from core.metrics.arrays import mean_probs
from core.metrics.uncertainty import decompose, max_softmax

_BATCH = 64


class Inputs(Protocol):
    def take(self, rows: Tensor, epoch: int) -> Tensor: ...


class Asked(Protocol):
    """Items to answer; core.training's Examples are such."""

    @property
    def inputs(self) -> Inputs: ...

    @property
    def keys(self) -> Tensor: ...

    @property
    def ids(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...


def answers(
    model: Model,
    asked: Asked,
    *,
    draws: int | None = None,
    seed: int = 0,
    keep: int = 0,
    embedded: bool = False,
    progress: Progress = no_progress,
    batch: int = _BATCH,
) -> Answers:
    """In float32, on the device where the model is. ``draws`` None: as many as its method usually takes.

    ``keep`` items spread over all of them keep their draws. With ``embedded`` the inputs are features already, which
    only scope head can answer.
    """
    if not len(asked):
        raise DataError("There is no item to answer.", code="no-items")
    if embedded and model.card.scope != "head":
        raise ValueError("a whole network answers inputs, not features")
    count = model.method.own_draws(model.state.config) if draws is None else draws
    wanted = kept_rows(len(asked), keep)
    found: list[Moments] = []
    kept: list[Predictive] = []
    features, seconds = [], 0.0
    for rows in torch.arange(len(asked)).split(batch):
        inputs, keys = asked.inputs.take(rows, 0).to(device_of(model)), asked.keys[rows].to(device_of(model))
        mine = torch.from_numpy(wanted[(wanted >= int(rows[0])) & (wanted <= int(rows[-1]))] - int(rows[0]))
        began = time.perf_counter()
        vectors = inputs if embedded else _embed(model, inputs)
        if model.card.scope == "network":
            began = time.perf_counter()  # its answer does not need the vectors
        said = _said(model, vectors if model.card.scope == "head" else inputs, keys, count, seed, bool(len(mine)))
        found.append(summary(said) if isinstance(said, Predictive) else said)
        seconds += time.perf_counter() - began
        features.append(vectors.float().cpu())
        if isinstance(said, Predictive) and len(mine):
            kept.append(_on_cpu(said, mine))
        progress(int(rows[-1]) + 1, len(asked), "answer")
    stored = Kept(wanted, _joined(kept)) if kept else None
    vectors = torch.cat(features)
    return _answers(asked.ids, _together(found), vectors, model, stored, seconds / len(asked))


def features_of(model: Model, asked: Asked) -> Tensor:
    """(items, dim) of what the method reads: it is them in scope head, and what a network makes of it otherwise."""
    parts = []
    for rows in torch.arange(len(asked)).split(_BATCH):
        inputs = asked.inputs.take(rows, 0)
        parts.append(inputs if model.card.scope == "head" else _embed(model, inputs.to(device_of(model))).cpu())
    return torch.cat(parts).float()


def joined(parts: Sequence[Answers]) -> Answers:
    """Answers of several models to parts of a set, as those to the whole: out-of-fold answers, for calibration.

    Draws are kept where every part has as many. Features of different networks do not lie in one space and are left
    out, and so are measures that some part lacks.
    """
    shared = [name for name in MEASURES if all(name in part.doubts for part in parts)]
    known = [part.moments for part in parts if part.moments is not None]
    same = len({part.draws for part in parts}) == 1
    kept, start = [], 0
    for part in parts:
        kept += [] if part.kept is None else [replace(part.kept, rows=part.kept.rows + start)]
        start += len(part)
    whole = same and len(kept) == len(parts)
    return Answers(
        ids=tuple(id_ for part in parts for id_ in part.ids),
        task=parts[0].task,
        draws=min(part.draws for part in parts),
        probs=np.concatenate([part.probs for part in parts]),
        doubts={name: np.concatenate([part.doubts[name] for part in parts]) for name in shared},
        score_name=parts[0].score_name if "score" in shared else None,
        moments=_together(known) if same and len(known) == len(parts) else None,
        kept=Kept(np.concatenate([k.rows for k in kept]), _joined([k.answer for k in kept])) if whole else None,
    )


def pooled(model: Model, parts: Sequence[Answers]) -> Answers:
    """Answers to several views of the same items as one: the draws of all views together, and the mean score.

    What lies near an item, and how strange it is, is told by its first view alone.
    """
    known = [part.moments for part in parts if part.moments is not None]
    features = parts[0].features
    if len(known) < len(parts) or features is None or any(part.ids != parts[0].ids for part in parts):
        raise ValueError("views of the same items can be pooled, with their moments, and these are not")
    shares = torch.tensor([part.n for part in known], dtype=torch.float64)
    draws = int(shares.sum())
    shares = shares / draws

    def averaged(values: list[Tensor]) -> Tensor:
        return torch.tensordot(shares, torch.stack(values).double(), dims=1)

    mean = averaged([part.mean for part in known])
    apart = torch.stack([part.m2 + part.n * (part.mean - mean).square() for part in known]).sum(dim=0)
    scores = [part.score for part in known if part.score is not None]
    moments = replace(
        known[0],
        n=draws,
        mean=mean,
        mean_entropy=averaged([part.mean_entropy for part in known]),
        m2=apart,
        score=torch.stack(scores).mean(dim=0) if len(scores) == len(known) else None,
    )
    seconds = sum(part.seconds or 0.0 for part in parts)
    return _answers(parts[0].ids, moments, torch.from_numpy(features), model, None, seconds)


def some(given: Answers, rows: np.ndarray) -> Answers:
    """The answers to some of the items, without their draws."""
    moments = given.moments
    if moments is not None:
        at = torch.from_numpy(rows)
        score = None if moments.score is None else moments.score[at]
        moments = replace(
            moments, mean=moments.mean[at], mean_entropy=moments.mean_entropy[at], m2=moments.m2[at], score=score
        )
    return replace(
        given,
        ids=tuple(given.ids[row] for row in rows.tolist()),
        probs=given.probs[rows],
        doubts={name: values[rows] for name, values in given.doubts.items()},
        features=None if given.features is None else given.features[rows],
        moments=moments,
        kept=None,
        right_neighbour=None,  # it may be among those that are left out
    )


def _answers(
    ids: tuple[str, ...], moments: Moments, features: Tensor, model: Model, kept: Kept | None, seconds: float
) -> Answers:
    parts = decompose(moments)
    doubts = {name: getattr(parts, name) for name in PARTS} | {"max_softmax": max_softmax(moments)}
    if moments.score is not None:
        doubts["score"] = moments.score.double().numpy()
    if model.density is not None:
        doubts["novelty"] = distance(model.density, features).numpy()
    return Answers(
        ids=ids,
        task=moments.task,
        draws=moments.n,
        probs=mean_probs(moments),
        doubts=doubts,
        score_name=moments.score_name,
        features=features.numpy(),
        moments=moments,
        kept=kept,
        seconds=seconds,
    )


def _said(model: Model, inputs: Tensor, keys: Tensor, draws: int, seed: int, keep: bool) -> Predictive | Moments:
    with torch.no_grad():
        if keep or model.method.moments is None:
            return model.method.predict(model.state, inputs, keys, draws=draws, seed=seed)
        return model.method.moments(model.state, inputs, keys, draws=draws, seed=seed)


def _embed(model: Model, inputs: Tensor) -> Tensor:
    """By the network it began with, or in scope network by its first trained one, which no noise reaches here."""
    network = model.network
    if model.card.scope == "network":
        network = next((part for part in modules_of(model.state) if isinstance(part, StagedNetwork)), network)
    with torch.no_grad():
        return network.embed(inputs)


def device_of(model: Model) -> torch.device:
    parts = (model.network, *modules_of(model.state))
    return next((tensor.device for part in parts for tensor in part.parameters()), torch.device("cpu"))


def _together(parts: Sequence[Moments]) -> Moments:
    def whole(name: str) -> Tensor:
        return torch.cat([getattr(part, name).detach().cpu().double() for part in parts])

    score = None if parts[0].score is None else whole("score")
    return replace(parts[0], mean=whole("mean"), mean_entropy=whole("mean_entropy"), m2=whole("m2"), score=score)


def _on_cpu(answer: Predictive, rows: Tensor) -> Predictive:
    score = None if answer.score is None else answer.score.cpu()[rows]
    return replace(answer, probs=answer.probs.cpu()[:, rows], score=score)


def _joined(parts: Sequence[Predictive]) -> Predictive:
    scores: Iterator[Tensor | None] = (part.score for part in parts)
    known = [score for score in scores if score is not None]
    score = torch.cat(known) if len(known) == len(parts) else None
    return replace(parts[0], probs=torch.cat([part.probs for part in parts], dim=1), score=score)
