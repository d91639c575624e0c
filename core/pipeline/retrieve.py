"""A file asked of a collection: what is nearest to it, how sure each of these is, and whether to answer at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.checkpoints.card import Card
from core.checkpoints.folders import find, mark_of, read_card
from core.checkpoints.seen import seen_by
from core.contracts import Media
from core.errors import StoreError, UserFacingError
from core.fingerprint import key_of
from core.pipeline._rows import asked_as, rows_of
from core.pipeline.inspect import Asks
from core.retrieval import Found, Safety, calibrate, nearest, safe_rows
from core.runner import Request
from core.settings import Settings
from core.store import Collection, ModelRow, UncertaintyRow

MEASURES = ("total", "aleatoric", "epistemic", "novelty", "score")
UNLIKELY = float("inf")  # the doubt of an item that has none: never among the least doubtful


@dataclass(frozen=True, slots=True)
class Limits:
    """What is let through. ``most`` is of an item's own doubt; ``risk`` asks for safe retrieval."""

    k: int = 10
    measure: str = "total"
    most: float | None = None
    risk: float | None = None
    confidence: float = 0.9
    same_recording: bool = False  # let a query find its own recording


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    label: str | None
    cosine: float
    doubts: UncertaintyRow | None  # its own


@dataclass(frozen=True, slots=True, eq=False)
class Retrieved:
    query: UncertaintyRow  # what the model says of it; its id is the sha256 of its bytes
    model: ModelRow
    results: tuple[Result, ...]  # empty where the query is refused
    excluded: int  # items that are the query's own, or of its recording
    too_doubtful: int  # items beyond ``most``, or outside the safe database
    safety: Safety | None = None
    refused: str = ""  # why
    alternatives: tuple[Result, ...] = ()  # of a refused query, the least doubtful first


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """A collection as one model described it: arrays with one row an item that has a vector.

    It changes with ``Collection.version`` alone, so that who serves many queries reads it once.
    """

    name: str
    card: Card
    row: ModelRow
    ids: tuple[str, ...]
    matrix: np.ndarray
    shas: tuple[str, ...]
    labels: tuple[str | None, ...]
    groups: tuple[str, ...]
    doubts: Mapping[str, UncertaintyRow]
    learned: np.ndarray | None  # keys of the items that the model was trained on, where its folder says

    def of(self, measure: str) -> np.ndarray:
        values = [getattr(self.doubts[id_], measure) if id_ in self.doubts else None for id_ in self.ids]
        return np.array([UNLIKELY if value is None else value for value in values], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Safe:
    """Thresholds for a risk, and the items that may be found within them."""

    safety: Safety
    rows: np.ndarray  # (items,) bool


def catalogue_of(collection: Collection, settings: Settings) -> Catalogue:
    """By the model that the collection was last indexed with, as it was then."""
    rows = collection.models()
    if not rows:
        raise StoreError(
            f"Collection {collection.name!r} was indexed without a model; index it again with a --model.",
            code="no-vectors",
        )
    row = rows[0]
    card, mark = read_card(row.name, settings), mark_of(find(row.name, settings))
    if asked_as(row.name, mark, card.method_version, row.draws, row.seed) != row.key:
        raise StoreError(
            f"The model {row.name!r} was trained again since {collection.name!r} was indexed; index it again.",
            code="changed",
        )
    vectors = collection.vectors(row.vectors)
    table = collection.items(("id", "sha256", "label", "group"))
    known = {record["id"]: record for record in table.to_pylist()}
    records = [known.get(id_, {"sha256": "", "label": None, "group": None}) for id_ in vectors.ids]
    return Catalogue(
        collection.name,
        card,
        row,
        vectors.ids,
        vectors.matrix,
        tuple(record["sha256"] for record in records),
        tuple(record["label"] for record in records),
        tuple(record["group"] or id_ for record, id_ in zip(records, vectors.ids, strict=True)),
        {one.id: one for one in collection.uncertainties(row.key)},
        seen_by(row.name, settings),
    )


def retrieve(
    catalogue: Catalogue, asks: Asks, media: Media, limits: Limits, *, device: str = "auto", safe: Safe | None = None
) -> Retrieved:
    """The nearest items. A query that is in the collection finds neither itself nor its recording.

    ``safe`` is what ``safe_of`` found for these limits, where it is known already.
    """
    row = catalogue.row
    _refuse(catalogue, media, limits)
    vector, said = _asked(catalogue, asks, media, device)
    doubt = catalogue.of(limits.measure)
    own = getattr(said, limits.measure)
    if own is None or not np.isfinite(doubt).any():
        raise UserFacingError(f"{row.name} tells no {limits.measure} doubt; choose another measure.", code="no-measure")
    mine = _own(catalogue, media.sha256, limits.same_recording)
    allowed = ~mine if limits.most is None else ~mine & (doubt <= limits.most)
    refused = ""
    if limits.risk is not None:
        safe = safe or safe_of(catalogue, limits)
        allowed &= safe.rows
        refused = _why(safe.safety, own, limits.measure)
    safety = None if limits.risk is None or safe is None else safe.safety
    results = _results(catalogue, nearest(vector, catalogue.matrix, limits.k, allowed))
    beyond = int((~mine & ~allowed).sum())
    if refused:
        least = sorted(results, key=lambda one: getattr(one.doubts, limits.measure) if one.doubts else UNLIKELY)
        return Retrieved(said, row, (), int(mine.sum()), beyond, safety, refused, tuple(least))
    return Retrieved(said, row, results, int(mine.sum()), beyond, safety)


def safe_of(catalogue: Catalogue, limits: Limits) -> Safe:
    """Calibrated on the items with a label and a doubt; only these are the safe database."""
    assert limits.risk is not None
    doubt = catalogue.of(limits.measure)
    usable = np.array([label is not None for label in catalogue.labels], bool) & np.isfinite(doubt)
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise UserFacingError(
            "Safe retrieval is calibrated on labels, and no item of this collection has one.", code="no-labels"
        )
    labels = np.array([catalogue.labels[at] for at in rows.tolist()])
    groups = [catalogue.groups[at] for at in rows.tolist()]
    matrix = catalogue.matrix[rows]
    found = calibrate(
        matrix,
        labels,
        doubt[rows],
        groups,
        risk=limits.risk,
        confidence=limits.confidence,
        seen=_learned(catalogue, rows),
    )
    safe = np.zeros(len(doubt), bool)
    safe[rows] = safe_rows(labels, doubt[rows], found.database_percent)
    return Safe(found, safe)


def _refuse(catalogue: Catalogue, media: Media, limits: Limits) -> None:
    if limits.measure not in MEASURES:
        raise UserFacingError(
            f"There is no doubt called {limits.measure[:40]!r}; known: {', '.join(MEASURES)}.", code="no-measure"
        )
    if media.kind != catalogue.card.kind:
        raise UserFacingError(
            f"Collection {catalogue.name!r} holds the kind {catalogue.card.kind}, and this file is of the kind "
            f"{media.kind}.",
            code="wrong-kind",
        )


def _asked(catalogue: Catalogue, asks: Asks, media: Media, device: str) -> tuple[np.ndarray, UncertaintyRow]:
    row = catalogue.row
    answer = asks.ask(Request(row.name, media=(media,), draws=row.draws, seed=row.seed, device=device, keep=False))
    if answer.mark != row.mark:
        raise StoreError(f"The model {row.name!r} was trained again meanwhile; index it again.", code="changed")
    said = rows_of((media.sha256,), answer.mean, answer.doubts, answer.draws, answer.classes, row.key)
    return answer.features[0], said[0]


def _own(catalogue: Catalogue, sha256: str, same_recording: bool) -> np.ndarray:
    same = np.array([sha == sha256 for sha in catalogue.shas], bool)
    if same_recording or not same.any():
        return same
    recordings = {catalogue.groups[at] for at in np.flatnonzero(same).tolist()}
    return same | np.array([group in recordings for group in catalogue.groups], bool)


def _learned(catalogue: Catalogue, rows: np.ndarray) -> np.ndarray | None:
    """Which items the model was trained on, by their content; None where its folder does not say."""
    if catalogue.learned is None:
        return None
    keys = np.array([key_of(catalogue.shas[at]) for at in rows.tolist()], np.int64)
    return np.isin(keys, catalogue.learned)


def _why(safety: Safety, own: float, measure: str) -> str:
    if safety.threshold is None:
        return f"No query can be answered at a risk of {safety.risk:g}: {safety.reason}."
    if own > safety.threshold:
        return (
            f"The {measure} doubt of this query is {own:.3g}, and a risk of {safety.risk:g} allows at most "
            f"{safety.threshold:.3g}."
        )
    return ""


def _results(catalogue: Catalogue, found: Found) -> tuple[Result, ...]:
    pairs: Sequence[tuple[int, float]] = list(zip(found.places.tolist(), found.cosines.tolist(), strict=True))
    return tuple(
        Result(catalogue.ids[at], catalogue.labels[at], cosine, catalogue.doubts.get(catalogue.ids[at]))
        for at, cosine in pairs
    )
