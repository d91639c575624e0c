"""One model's answers to items whose truth is known, one row an item, from whatever is stored. Needs no torch.

Several models may be ranked only where they answered the same items, so sheets are put together by what they share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.checkpoints.card import Card
from core.checkpoints.folders import find, mark_of, read_card
from core.checkpoints.heldout import Heldout, load_heldout
from core.contracts import Kind, Task
from core.errors import UserFacingError
from core.metrics import scoring
from core.metrics.retrieval import hits
from core.pipeline._atlas import HELDOUT
from core.pipeline._judge import NO_SCORE, ONE_DRAW, usable
from core.pipeline.judged import MOST_COMPARED
from core.settings import Settings

if TYPE_CHECKING:
    from core.pipeline._atlas import Atlas

SHARED = 0.9  # a model joins a table where that leaves nine in ten of the items that the others share
_SOME = "a collection stores the five likeliest classes, and this needs all"
_NO_LABELS = "no label of these items is a class of the model"


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Arrays are None where something is not known, and ``why`` says so for each figure that it takes."""

    card: Card
    mark: str
    data: str  # "heldout", or a collection's name
    title: str  # of the items
    version: str  # of the data
    draws: int
    seed: int
    ids: tuple[str, ...]
    groups: tuple[object, ...] | None  # source recordings; None: each item is its own
    doubts: Mapping[str, np.ndarray]
    score_name: str | None = None
    errors: np.ndarray | None = None  # (items,) 0 to 1
    confidence: np.ndarray | None = None  # (items,) of the answer, or (items, classes) of every yes-or-no
    correct: np.ndarray | None = None  # in that shape
    losses: np.ndarray | None = None  # (items,) -log p(label)
    briers: np.ndarray | None = None
    probs: np.ndarray | None = None  # (items, classes)
    truth: np.ndarray | None = None  # (items, classes) zeros and ones, of several labels an item
    neighbour: np.ndarray | None = None  # (items,) 1, 0 or NaN: has the nearest item the same label?
    why: Mapping[str, str] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def task(self) -> Task:
        return self.card.task

    def measure(self, wish: str | None) -> str:
        """The doubt that stands for the model: its own score, or else the total."""
        return wish or ("score" if "score" in self.doubts else "total")

    def reason(self, key: str) -> str:
        return (self.why or {}).get(key) or (self.why or {}).get("*", "not known here")

    def part(self, rows: np.ndarray) -> Sheet:
        if np.array_equal(rows, np.arange(len(self))):
            return self
        cut = {
            name: None if (values := getattr(self, name)) is None else values[rows]
            for name in ("errors", "confidence", "correct", "losses", "briers", "probs", "truth", "neighbour")
        }
        return replace(
            self,
            **cut,
            ids=tuple(self.ids[row] for row in rows.tolist()),
            groups=None if self.groups is None else tuple(self.groups[row] for row in rows.tolist()),
            doubts={name: values[rows] for name, values in self.doubts.items()},
        )


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Models that were judged on the same items."""

    title: str
    data: str
    kind: Kind
    version: str
    sheets: tuple[Sheet, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        return self.sheets[0].ids

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sheet.name for sheet in self.sheets)


def held_out_sheet(name: str, settings: Settings) -> Sheet:
    """From the answers that came with a model. Raises UserFacingError where none did."""
    card, held = read_card(name, settings), load_heldout(name, settings)
    given, labels = held.answers, held.labels
    sheet = Sheet(
        card,
        mark_of(find(name, settings)),
        HELDOUT,
        card.data.title,
        f"{card.data.key} {card.data.fingerprint}",
        given.draws,
        card.seed,
        given.ids,
        None if held.groups is None else tuple(held.groups.tolist()),
        usable(given),
        given.score_name,
        why=_missing(given.draws, "score" in given.doubts),
    )
    neighbour = _neighbour(held)
    return replace(sheet, **_judged(given.probs, labels), neighbour=neighbour)


def collection_sheet(atlas: Atlas, settings: Settings) -> Sheet:
    """From what a collection stores of one model, without the items that it learned from."""
    card = read_card(atlas.model, settings)
    asked = np.isfinite(atlas.doubts["total"])
    fresh = asked if atlas.learned is None else asked & ~atlas.learned
    silent = {"epistemic"} if atlas.draws == 1 else set()
    doubts = {
        name: values for name, values in atlas.doubts.items() if name not in silent and np.isfinite(values[fresh]).all()
    }
    why = dict(_missing(atlas.draws, "score" in doubts))
    labelled = atlas.labels.ndim == 1 and (atlas.labels >= 0).any()
    found: dict[str, np.ndarray | None] = {}
    if labelled:
        fresh = fresh & (atlas.labels >= 0)
        right = (atlas.labels == atlas.predicted).astype(np.float64)
        found = {"errors": 1.0 - right, "confidence": atlas.confidence, "correct": right}
    elif atlas.task == "multilabel" and atlas.probs is not None:
        found = _judged(atlas.probs, atlas.labels)
    else:
        why["*"] = _NO_LABELS
    why |= {"nll": _SOME, "brier": _SOME, "map": _SOME} if atlas.probs is None and "*" not in why else {}
    if labelled and atlas.probs is not None:
        known = np.maximum(atlas.labels, 0)
        found |= {key: value for key, value in _judged(atlas.probs, known).items() if key in ("losses", "briers")}
    sheet = Sheet(
        card,
        atlas.mark,
        atlas.name,
        atlas.title,
        f"{atlas.name} {atlas.version}",
        atlas.draws,
        atlas.seed,
        atlas.ids,
        tuple(atlas.groups.tolist()),
        doubts,
        atlas.score_name,
        neighbour=_neighbour_of(atlas),
        why=why,
    )
    return replace(sheet, **found).part(np.flatnonzero(fresh))


def benches(sheets: Sequence[Sheet]) -> tuple[Bench, ...]:
    """Models of one bench answered the same items; who answered others stands in another. The largest come first.

    A collection is judged without what a model learned from it; who learned nothing of it, or less, stands in the
    table of those who did, too.
    """
    found: list[tuple[list[Sheet], set[str]]] = []
    ordered = sorted((sheet for sheet in sheets if len(sheet)), key=lambda one: -len(one))
    for sheet in ordered:
        if not any(_joins(sheet, *bench) for bench in found):
            found.append(([sheet], set(sheet.ids)))
    for bench in found:
        for sheet in ordered:
            if sheet.data != HELDOUT and sheet not in bench[0]:
                _joins(sheet, *bench)
    built = [_bench(members, shared) for members, shared in found]
    return tuple(sorted(built, key=lambda one: -len(one.sheets)))


def _joins(sheet: Sheet, members: list[Sheet], shared: set[str]) -> bool:
    """Does it answer nearly all that the others share? Then it is one of them."""
    first, ids = members[0], set(sheet.ids)
    alike = (first.version, first.task, first.card.kind) == (sheet.version, sheet.task, sheet.card.kind)
    if not alike or len(shared & ids) < SHARED * len(shared):
        return False
    members.append(sheet)
    shared &= ids
    return True


def _bench(members: list[Sheet], shared: set[str]) -> Bench:
    """Everybody's rows in the order of the first."""
    first = members[0]
    order = [id_ for id_ in first.ids if id_ in shared]
    cut = []
    for sheet in members:
        place = {id_: row for row, id_ in enumerate(sheet.ids)}
        cut.append(sheet.part(np.array([place[id_] for id_ in order], np.int64)))
    cut.sort(key=lambda one: one.name)
    return Bench(first.title, first.data, first.card.kind, first.version, tuple(cut))


def _judged(probs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray | None]:
    several = labels.ndim == 2
    truth = labels if several else np.eye(probs.shape[1], dtype=np.int64)[labels]
    squares = (probs - truth) ** 2
    return {
        "errors": scoring.errors(probs, labels),
        "losses": scoring.log_losses(probs, labels),
        "briers": squares.mean(axis=1) if several else squares.sum(axis=1),
        "confidence": probs if several else probs.max(axis=1),
        "correct": labels.astype(np.float64) if several else (probs.argmax(axis=1) == labels).astype(np.float64),
        "probs": probs,
        "truth": labels if several else None,
    }


def _missing(draws: int, scored: bool) -> dict[str, str]:
    found = {} if draws > 1 else {"epistemic": ONE_DRAW}
    return found if scored else found | {"score": NO_SCORE}


def _neighbour(held: Heldout) -> np.ndarray | None:
    given = held.answers
    if given.right_neighbour is not None or given.features is None or held.labels.ndim == 2:
        return given.right_neighbour
    return hits(given.features, held.labels, None if held.groups is None else held.groups.tolist()).correct


def _neighbour_of(atlas: Atlas) -> np.ndarray | None:
    """Among the labelled items of the collection, by their own words."""
    if atlas.features is None or atlas.task == "multilabel":
        return None
    names = atlas.label_names
    there = np.array([at for at, row in enumerate(atlas.feature_rows.tolist()) if names[row] is not None], np.int64)
    if not 2 <= len(there) <= MOST_COMPARED:
        return None
    rows = atlas.feature_rows[there]
    code = {name: place for place, name in enumerate(dict.fromkeys(names))}
    labels = np.array([code[names[row]] for row in rows.tolist()], np.int64)
    found = np.full(len(atlas), np.nan)
    found[rows] = hits(atlas.features[there], labels, atlas.groups[rows].tolist()).correct
    return found


def held_out_sheets(names: Sequence[str], settings: Settings) -> tuple[tuple[Sheet, ...], dict[str, str]]:
    """Those of several models, and why one has none."""
    found, refused = [], {}
    for name in names:
        try:
            found.append(held_out_sheet(name, settings))
        except UserFacingError as error:
            refused[name] = str(error)
    return tuple(found), refused
