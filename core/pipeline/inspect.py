"""One file, everything a model has to say of it: answer, doubt, where it lies among what is known, and a verdict.

Probabilities are as predicted, before any temperature: conformal thresholds and percentiles were fitted to such.
Draw t of S is the same for every S, so that a first look with few draws is the beginning of a longer one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from core.checkpoints import calibrated
from core.checkpoints.answering import answers
from core.checkpoints.answers import MEASURES, PARTS, Answers
from core.checkpoints.directions import Directions
from core.checkpoints.folders import find, mark_of
from core.checkpoints.heldout import Heldout, load_heldout
from core.checkpoints.saved import Model, load_model
from core.contracts import Media, Predictive, Receipt
from core.errors import UserFacingError
from core.layers import key_of
from core.media import door
from core.media.sandbox import Sandbox
from core.pipeline._neighbours import Neighbour, of_collection, of_heldout
from core.pipeline._verdicts import Enough, Judge, percentiles_of
from core.pipeline.scored import Asking, backbone_of
from core.posthoc import conformal
from core.settings import Settings
from core.store import Collection
from core.training.examples import Examples, InMemory
from core.verdict import Verdict

SAMPLES, COVERAGE, NEIGHBOURS = 50, 0.9, 5
LOW, HIGH = 5.0, 95.0  # percent of the draws


@dataclass(frozen=True, slots=True, eq=False)
class Inspector:
    """A model with the held-out items that came with it; load once, use for many files."""

    model: Model
    heldout: Heldout | None = None
    mark: str = ""  # what tells it from another model of its name, see core.checkpoints.saved.mark_of


@dataclass(frozen=True, slots=True)
class Prediction:
    label: str
    p: float  # mean over the draws
    low: float  # 5 % of the draws lie below; never above p, and equal to it where there is one draw
    high: float


@dataclass(frozen=True, slots=True)
class PredictionSet:
    coverage: float  # that of the thresholds, at least the one asked for
    n_calibration: int  # items behind the thresholds; of classes apart the fewest
    labels: tuple[str, ...]  # most probable first


@dataclass(frozen=True, slots=True, eq=False)
class Inspected:
    model: str
    sha256: str
    kind: str
    draws: int
    predictions: tuple[Prediction, ...]  # every class, most probable first
    doubts: Mapping[str, float]  # measure -> value, those that this model has
    percentiles: Mapping[str, float]  # measure -> place among the calibration items; those that have one
    score_name: str | None
    verdict: Verdict
    prediction_set: PredictionSet | None
    neighbours: tuple[Neighbour, ...] | None
    neighbours_of: str | None  # the collection, or the data whose held-out items they are
    receipt: Receipt  # the decoder's notes, then the network's
    seconds: float
    classes: tuple[str, ...]  # in the order of the draws
    probs: np.ndarray  # (draws, classes) float32, read-only
    features: np.ndarray  # (dim,) float32, read-only: what places it on a map
    enough: Enough


def inspector_of(name: str, settings: Settings, device: str = "cpu") -> Inspector:
    """A model by its name; one without held-out answers still inspects, with less to compare with."""
    model, mark = load_model(name, settings, device), mark_of(find(name, settings))
    try:
        return Inspector(model, load_heldout(name, settings), mark)
    except UserFacingError:
        return Inspector(model, None, mark)


def inspect_bytes(raw: bytes, inspector: Inspector, *, sandbox: Sandbox | None = None, **options: Any) -> Inspected:
    """``inspect`` of one file as it arrived; its ``seconds`` count the decoding too."""
    began = time.perf_counter()
    media = door.open_media(raw, kind=inspector.model.card.kind, sandbox=sandbox)
    found = inspect(media, inspector, **options)
    return replace(found, seconds=time.perf_counter() - began)


def inspect(
    media: Media,
    inspector: Inspector,
    *,
    draws: int = SAMPLES,
    seed: int = 0,
    coverage: float = COVERAGE,
    collection: Collection | None = None,
    neighbours: int = NEIGHBOURS,
    noise_of: str | None = None,
) -> Inspected:
    """Neighbours are the model's held-out items, or those of a collection that was indexed with this model.

    ``noise_of`` is the sha256 whose noise is taken, by default the file's own: with that of the original, steps of a
    perturbed file differ by what was done to it and not by their draws.
    """
    began = time.perf_counter()
    model = inspector.model
    prepared = model.network.prepare(media)
    told = said_of(model, [prepared.tensor], [noise_of or media.sha256], draws, seed, keep=True)
    answer = _drawn(told)
    doubts = {name: float(told.doubts[name][0]) for name in MEASURES if name in told.doubts}
    thresholds = calibrated.conformal_of(model.card.posthoc, coverage, model.card.task)
    judge = Judge(model.card, prepared.receipt.notes, thresholds, doubts)
    probs = answer.probs[:, 0].float().numpy()
    features = told.features
    assert features is not None, "answers that were just given have features"
    if collection is not None:
        near, near_of = (
            of_collection(
                features[0],
                model.name,
                inspector.mark,
                backbone_of(Asking(model, inspector.mark)),
                collection,
                neighbours,
            ),
            collection.name,
        )
    else:
        near, near_of = (
            of_heldout(features[0], inspector.heldout, _directions(model), model.card.classes, neighbours),
            model.card.data.title,
        )
    for array in (probs, features):
        array.setflags(write=False)
    return Inspected(
        model=model.name,
        sha256=media.sha256,
        kind=media.kind,
        draws=len(probs),
        predictions=_predictions(told, probs, model.card.classes),
        doubts=doubts,
        percentiles=percentiles_of(model.card, doubts, len(probs)),
        score_name=told.score_name,
        verdict=judge.whole(told.probs[0], len(probs)),
        prediction_set=_set_of(thresholds, told, model.card.classes),
        neighbours=near,
        neighbours_of=near_of if near is not None else None,
        receipt=prepared.receipt,
        seconds=time.perf_counter() - began,
        classes=model.card.classes,
        probs=probs,
        features=features[0],
        enough=judge.enough(answer),
    )


def said_of(
    model: Model, tensors: list[torch.Tensor], sha256s: list[str], draws: int, seed: int, *, keep: bool = False
) -> Answers:
    """The answers to prepared inputs, each with the noise of its own identity."""
    keys = torch.tensor([key_of(sha256) for sha256 in sha256s], dtype=torch.int64)
    asked = Examples(InMemory(torch.stack(tensors)), torch.zeros(len(keys)), keys, tuple(sha256s))
    return answers(model, asked, draws=draws, seed=seed, keep=len(keys) if keep else 0)


@dataclass(frozen=True, slots=True)
class Beside:
    """Two models on one file."""

    shared: tuple[str, ...]  # classes that both know, in the order of the first
    agree: bool | None  # on the most probable class; None where one's answer is no class of the other
    more_doubtful: str | None  # the model that is further up among its own held-out items; None: not known, or alike


def beside(first: Inspected, second: Inspected) -> Beside:
    """Doubts of two models are compared by their percentiles: each by what is usual for it."""
    if first.sha256 != second.sha256:
        raise ValueError("two models are compared on one file")
    shared = tuple(name for name in first.classes if name in second.classes)
    tops = [found.predictions[0].label for found in (first, second)]
    places = [found.percentiles.get("total") for found in (first, second)]
    more = None
    if places[0] is not None and places[1] is not None and places[0] != places[1]:
        more = first.model if places[0] > places[1] else second.model
    return Beside(shared, tops[0] == tops[1] if all(top in shared for top in tops) else None, more)


def ternary(found: Inspected) -> tuple[tuple[str, ...], np.ndarray] | None:
    """The three most probable classes and (draws, 3) shares of each draw among them; None with fewer classes."""
    if len(found.classes) < 3:
        return None
    names = tuple(prediction.label for prediction in found.predictions[:3])
    places = [found.classes.index(name) for name in names]
    inside = np.maximum(found.probs[:, places].astype(np.float64), 1e-12)
    return names, inside / inside.sum(axis=1, keepdims=True)


def document(found: Inspected, name: str) -> dict[str, Any]:
    """One item of the contract of ``inspect --json``; what a model does not have is null."""
    near, within = found.neighbours, found.prediction_set
    return {
        "file": name,
        "sha256": found.sha256,
        "kind": found.kind,
        "predictions": [{"label": p.label, "p": p.p, "low": p.low, "high": p.high} for p in found.predictions],
        **{measure: found.doubts.get(measure) for measure in (*PARTS, "novelty", "score")},
        "score_name": found.score_name,
        "percentile": dict(found.percentiles),
        "verdict": found.verdict.sentence,
        "verdict_code": found.verdict.code,
        "prediction_set": None
        if within is None
        else {"coverage": within.coverage, "n_calibration": within.n_calibration, "labels": list(within.labels)},
        "neighbours": None
        if near is None
        else [{"id": n.id, "label": n.label, "cosine": n.cosine, "total": n.total} for n in near],
        "neighbours_of": found.neighbours_of,
        "receipt": found.receipt.to_json(),
        "draws": found.draws,
        "settled": found.enough.settled,
        "seconds": found.seconds,
    }


def _directions(model: Model) -> Directions | None:
    if model.density is None:
        return None
    return Directions(model.density.centre.float().numpy(), model.density.basis.float().numpy())


def _drawn(told: Answers) -> Predictive:
    assert told.kept is not None, "the draws of one file are always kept"
    return told.kept.answer


def _predictions(told: Answers, probs: np.ndarray, classes: tuple[str, ...]) -> tuple[Prediction, ...]:
    """The interval is widened to the mean where few extreme draws pull that out of it."""
    low, high = np.percentile(probs.astype(np.float64), (LOW, HIGH), axis=0)
    mean = told.probs[0]
    low, high = np.minimum(low, mean), np.maximum(high, mean)
    order = np.argsort(-mean, kind="stable").tolist()
    return tuple(Prediction(classes[c], float(mean[c]), float(low[c]), float(high[c])) for c in order)


def _set_of(thresholds: conformal.Conformal | None, told: Answers, classes: tuple[str, ...]) -> PredictionSet | None:
    if thresholds is None:
        return None
    answer = Predictive(torch.from_numpy(told.probs)[None], told.task)
    inside = conformal.predict_sets(thresholds, answer, at_least_one=told.task == "multiclass")[0]
    order = np.argsort(-told.probs[0], kind="stable").tolist()
    return PredictionSet(thresholds.coverage, min(thresholds.counts), tuple(classes[c] for c in order if inside[c]))
