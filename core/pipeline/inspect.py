"""One file, everything a model has to say of it: answer, doubt, where it lies among what is known, and a verdict.

Who asks needs no torch: a Runner or a Here answers in plain numbers, and the rest is read from the model's folder.
Probabilities are as predicted, before any temperature: conformal thresholds and percentiles were fitted to such.
Draw t of S is the same for every S, so that a first look with few draws is the beginning of a longer one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from core.checkpoints import calibrated
from core.checkpoints.answers import MEASURES, PARTS
from core.checkpoints.card import Card
from core.checkpoints.directions import Directions, directions_of
from core.checkpoints.folders import find, mark_of, read_card
from core.checkpoints.heldout import Heldout, load_heldout
from core.contracts import Kind, Media, Receipt
from core.errors import StoreError, UserFacingError
from core.media import door
from core.media.sandbox import Sandbox
from core.metrics.arrays import plain
from core.pipeline._neighbours import Neighbour, of_collection, of_heldout
from core.pipeline._verdicts import Enough, Judge, percentiles_of
from core.posthoc import conformal
from core.runner import Answer, Request
from core.settings import Settings
from core.store import Backbone, Collection
from core.verdict import Verdict

SAMPLES, COVERAGE, NEIGHBOURS = 50, 0.9, 5
LOW, HIGH = 5.0, 95.0  # percent of the draws


class Asks(Protocol):
    """A Runner, or a Here."""

    def ask(self, request: Request) -> Answer: ...


@dataclass(frozen=True, slots=True)
class How:
    """How a model is asked.

    ``noise_of`` is the sha256 whose noise is taken, by default each file's own: with that of the original, steps of a
    perturbed file differ by what was done to it and not by their draws.
    """

    draws: int = SAMPLES
    seed: int = 0
    device: str = "auto"
    noise_of: str | None = None

    def request(self, model: str, *media: Media, keep: bool = True) -> Request:
        """``keep``: the draws are wanted, too."""
        noise = () if self.noise_of is None else (self.noise_of,) * len(media)
        return Request(
            model, media=media, sha256s=noise, draws=self.draws, seed=self.seed, device=self.device, keep=keep
        )


USUAL = How()


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """What a model's folder tells without its weights, to read its answers by; the same for many files."""

    card: Card
    heldout: Heldout | None = None
    directions: Directions | None = None
    mark: str = ""  # what tells it from another model of its name, see core.checkpoints.folders.mark_of


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
    kind: Kind
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
    vectors: Backbone  # whose the features are, as collections name them
    hears: float | None  # seconds of a sound that the model takes in at once


def reader_of(name: str, settings: Settings) -> Reader:
    """A model by its name; one without held-out answers still inspects, with less to compare with."""
    card, mark = read_card(name, settings), mark_of(find(name, settings))
    try:
        held = load_heldout(name, settings)
    except UserFacingError:
        held = None
    return Reader(card, held, directions_of(name, settings), mark)


def inspect_bytes(
    raw: bytes, reader: Reader, asks: Asks, how: How = USUAL, *, sandbox: Sandbox | None = None, **reading: Any
) -> Inspected:
    """``inspect`` of one file as it arrived; its ``seconds`` count the decoding too."""
    began = time.perf_counter()
    media = door.open_media(raw, kind=reader.card.kind, sandbox=sandbox)
    found = inspect(media, reader, asks, how, **reading)
    return replace(found, seconds=time.perf_counter() - began)


def inspect(media: Media, reader: Reader, asks: Asks, how: How = USUAL, **reading: Any) -> Inspected:
    """Ask, and read the answer as ``inspected`` does."""
    return inspected(media, reader, asks.ask(how.request(reader.card.name, media)), **reading)


def inspected(
    media: Media,
    reader: Reader,
    answer: Answer,
    *,
    row: int = 0,
    coverage: float = COVERAGE,
    collection: Collection | None = None,
    neighbours: int = NEIGHBOURS,
) -> Inspected:
    """What an answer means; ``row`` is the file's place among those that were asked together.

    Neighbours are the model's held-out items, or those of a collection that was indexed with this model.
    """
    began, card = time.perf_counter(), reader.card
    if answer.mark != reader.mark:
        raise StoreError(f"The model {card.name!r} was trained again meanwhile; open the page again.", code="changed")
    if answer.probs is None:
        raise ValueError("a file is inspected with its draws")
    probs, mean, features = answer.probs[:, row], answer.mean[row], answer.features[row]
    doubts = {name: float(answer.doubts[name][row]) for name in MEASURES if name in answer.doubts}
    thresholds = calibrated.conformal_of(card.posthoc, coverage, card.task)
    judge = Judge(card, answer.receipts[row].notes, thresholds, doubts)
    if collection is not None:
        near = of_collection(features, card.name, reader.mark, answer.vectors, collection, neighbours)
        near_of = collection.name
    else:
        near = of_heldout(features, reader.heldout, reader.directions, card.classes, neighbours)
        near_of = card.data.title
    for array in (probs, features):
        array.setflags(write=False)
    return Inspected(
        model=card.name,
        sha256=media.sha256,
        kind=media.kind,
        draws=len(probs),
        predictions=_predictions(mean, probs, card.classes),
        doubts=doubts,
        percentiles=percentiles_of(card, doubts, len(probs)),
        score_name=answer.score_name,
        verdict=judge.whole(mean, len(probs)),
        prediction_set=_set_of(thresholds, mean, card),
        neighbours=near,
        neighbours_of=near_of if near is not None else None,
        receipt=answer.receipts[row],
        seconds=answer.waited + time.perf_counter() - began,
        classes=card.classes,
        probs=probs,
        features=features,
        enough=judge.enough(plain(probs[:, None], card.task)),
        vectors=answer.vectors,
        hears=answer.hears,
    )


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


def _predictions(mean: np.ndarray, probs: np.ndarray, classes: tuple[str, ...]) -> tuple[Prediction, ...]:
    """The interval is widened to the mean where few extreme draws pull that out of it."""
    low, high = np.percentile(probs.astype(np.float64), (LOW, HIGH), axis=0)
    low, high = np.minimum(low, mean), np.maximum(high, mean)
    order = np.argsort(-mean, kind="stable").tolist()
    return tuple(Prediction(classes[c], float(mean[c]), float(low[c]), float(high[c])) for c in order)


def _set_of(thresholds: conformal.Conformal | None, mean: np.ndarray, card: Card) -> PredictionSet | None:
    if thresholds is None:
        return None
    answer = plain(mean[None, None], card.task)
    inside = conformal.predict_sets(thresholds, answer, at_least_one=card.task == "multiclass")[0]
    order = np.argsort(-mean, kind="stable").tolist()
    labels = tuple(card.classes[c] for c in order if inside[c])
    return PredictionSet(thresholds.coverage, min(thresholds.counts), labels)
