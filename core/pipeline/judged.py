"""Which answers of an Atlas count as right: by the model's classes, by a visitor's own words for them, or, where no
word fits, by whether the nearest item has the same label.

Items from outside have no class that could be right, so every answer to them is wrong by definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.checkpoints.answers import MEASURES
from core.metrics import scoring
from core.metrics.retrieval import hits
from core.pipeline.atlas import plain

if TYPE_CHECKING:
    from core.pipeline.atlas import Atlas

NONE_OF_THEM = ""  # in a mapping: a label that is no class of the model
MOST_COMPARED = 10_000  # items whose neighbours are looked for
Goal = Literal["accuracy", "map", "r_at_1", "nothing"]
_LEFT_OUT = -2


@dataclass(frozen=True, slots=True)
class Word:
    """A label in the data's own words, and the class of the model that it equals."""

    text: str
    items: int
    guess: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """Items from outside the model's classes, with what the model says of them."""

    title: str
    ids: tuple[str, ...]
    doubts: Mapping[str, np.ndarray]
    source: str = ""  # key of a built-in set, from which they can be made again

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Items in one row each: those of the atlas that can be judged, then strangers."""

    goal: Goal
    places: np.ndarray  # (items,) rows of the atlas, or of the strangers
    outside: np.ndarray  # (items,) bool
    right: np.ndarray  # (items,) from 0 to 1: 1 is right
    doubts: Mapping[str, np.ndarray]  # measure -> (items,), all finite
    groups: np.ndarray  # (items,) numbers of source recordings
    missing: Mapping[str, str]  # measure -> why it is not here
    sentence: str  # how answers were judged, or why they cannot be
    probs: np.ndarray | None = None  # of goal "map"
    truth: np.ndarray | None = None
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.places)


def own_words(atlas: Atlas) -> tuple[Word, ...]:
    """The data's labels, the most frequent first."""
    counts: dict[str, int] = {}
    for name in atlas.label_names:
        if name is not None:
            counts[name] = counts.get(name, 0) + 1
    known = {plain(name): name for name in atlas.classes}
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Word(text, count, known.get(plain(text))) for text, count in ranked)


def judged(atlas: Atlas, mapping: Mapping[str, str] | None = None, strangers: Strangers | None = None) -> Judged:
    """``mapping`` says which class each own word means; without it, equal words do."""
    if atlas.task == "multilabel":
        return _several(atlas)
    meant = _meant(atlas, mapping)
    if not (meant >= 0).any():
        return _by_neighbours(atlas)
    fresh, learned = _fresh(atlas)
    rows = np.flatnonzero((meant != _LEFT_OUT) & (atlas.predicted >= 0) & fresh)
    right = (atlas.predicted[rows] == meant[rows]).astype(np.float64)
    by_definition = int((meant[rows] < 0).sum())
    parts = [f"An answer is right when it is the item's own label; {len(rows)} items were judged."]
    if by_definition:
        parts.append(f"{by_definition} of them have a label that is no class of the model: wrong by definition.")
    if left := int((fresh & ((meant == _LEFT_OUT) | (atlas.predicted < 0))).sum()):
        parts.append(f"{left} without a label that the model knows, or without an answer, were left out.")
    parts += learned
    return _with(atlas, "accuracy", rows, right, " ".join(parts), strangers)


def _with(
    atlas: Atlas, goal: Goal, rows: np.ndarray, right: np.ndarray, sentence: str, strangers: Strangers | None = None
) -> Judged:
    """Doubts that every judged item has, and strangers appended; items that were never asked drop out."""
    asked = np.isfinite(atlas.doubts["total"][rows]) if "total" in atlas.doubts else np.ones(len(rows), bool)
    rows, right = rows[asked], right[asked]
    doubts, missing = {}, {}
    for name in MEASURES:
        pieces = [] if name not in atlas.doubts else [np.asarray(atlas.doubts[name], np.float64)[rows]]
        if strangers is not None and pieces:
            pieces.append(np.asarray(strangers.doubts.get(name, np.full(len(strangers), np.nan)), np.float64))
        values = np.concatenate(pieces) if pieces else np.zeros(0)
        if reason := _why_not(name, values, atlas.draws):
            missing[name] = reason
        else:
            doubts[name] = values
    extra = 0 if strangers is None else len(strangers)
    first = int(atlas.groups.max(initial=-1)) + 1
    if strangers is not None:
        sentence += f" {extra} items of {strangers.title} are mixed in: none is of a class of the model, so every "
        sentence += "answer to them is wrong by definition."
    return Judged(
        goal,
        np.concatenate([rows, np.arange(extra)]),
        np.repeat([False, True], [len(rows), extra]),
        np.concatenate([right, np.zeros(extra)]),
        doubts,
        np.concatenate([atlas.groups[rows], first + np.arange(extra)]),
        missing,
        sentence,
        left_out=len(atlas.ids) - len(rows),
    )


def _why_not(name: str, values: np.ndarray, draws: int) -> str:
    if name == "epistemic" and draws == 1:
        return "with one draw it is zero by definition"
    if not len(values) or np.isnan(values).all():
        return "this model tells none"
    if unknown := int(np.isnan(values).sum()):
        return f"{unknown} of {len(values)} items have none"
    if len(values) > 1 and (values == values[0]).all():
        return "it is the same for every item"
    return ""


def _fresh(atlas: Atlas) -> tuple[np.ndarray, list[str]]:
    """(items,) what the model did not learn from: it is surer and righter of the rest than of anything new."""
    if atlas.learned is None:
        return np.ones(len(atlas.ids), bool), ["Whether the model learned from some of them is not known."]
    if not (learned := int(atlas.learned.sum())):
        return ~atlas.learned, []
    if learned == len(atlas.ids):
        everything = "The model learned from every one of them: expect worse on anything new."
        return np.ones(len(atlas.ids), bool), [everything]
    return ~atlas.learned, [f"{learned} that the model learned from were left out."]


def _meant(atlas: Atlas, mapping: Mapping[str, str] | None) -> np.ndarray:
    """(items,) the class that each label means; -1 is none of them, -2 is not judged."""
    number = {name: place for place, name in enumerate(atlas.classes)}
    if mapping is None:
        mapping = {word.text: word.guess for word in own_words(atlas) if word.guess is not None}
    coded = {text: number.get(name, -1) for text, name in mapping.items()}
    meant = np.where(atlas.labels >= 0, atlas.labels, _LEFT_OUT).astype(np.int64)
    for row, text in enumerate(atlas.label_names):
        if text is not None:
            meant[row] = coded.get(text, _LEFT_OUT)
    return meant


def _several(atlas: Atlas) -> Judged:
    """Items with several labels: mean average precision, which needs the probability of every class."""
    known = np.flatnonzero((np.asarray(atlas.labels) >= 0).all(axis=1)) if np.ndim(atlas.labels) == 2 else np.zeros(0)
    rows = known.astype(np.int64)
    if atlas.probs is None or not len(rows):
        return _nothing(atlas, "Mean average precision needs the probability of every class and the true labels.")
    rows = rows[np.isfinite(atlas.probs[rows]).all(axis=1)]
    probs, truth = atlas.probs[rows], atlas.labels[rows]
    found = _with(
        atlas,
        "map",
        rows,
        1.0 - scoring.errors(probs, truth),
        f"Items have several labels each, so the figure is the mean average precision over classes; {len(rows)} items.",
    )
    inside = found.places
    return Judged(
        **{name: getattr(found, name) for name in Judged.__dataclass_fields__ if name not in ("probs", "truth")},
        probs=atlas.probs[inside],
        truth=np.asarray(atlas.labels)[inside],
    )


def _by_neighbours(atlas: Atlas) -> Judged:
    """Labels that are no classes of the model still say whether the nearest item is of the same kind."""
    names = atlas.label_names
    if not any(name is not None for name in names):
        return _nothing(
            atlas,
            "These items have no labels, so nothing says which answers are right; doubt still sorts them: the "
            "clearest first, the most doubtful last.",
        )
    there = [] if atlas.features is None else atlas.feature_rows.tolist()
    chosen = np.array([place for place, row in enumerate(there) if names[row] is not None], np.int64)
    if atlas.features is None or len(chosen) < 2:
        return _nothing(atlas, "None of these labels is a class of the model, and no features are stored to compare.")
    if len(chosen) > MOST_COMPARED:
        chosen = chosen[np.linspace(0, len(chosen) - 1, MOST_COMPARED).round().astype(np.int64)]
    rows = np.asarray(atlas.feature_rows)[chosen]
    code = {name: place for place, name in enumerate(dict.fromkeys(names[row] for row in rows.tolist()))}
    labels = np.array([code[names[row]] for row in rows.tolist()], np.int64)
    found = hits(atlas.features[chosen], labels, atlas.groups[rows].tolist())
    known = ~np.isnan(found.correct)
    if not known.any():
        return _nothing(
            atlas, "All of these items are of one recording or scene, so none has a neighbour to compare with."
        )
    sentence = (
        "None of these labels is a class of the model, so its answers are neither right nor wrong. Counted instead: "
        f"is the nearest of the other {len(rows) - 1} items of the same label (R@1)? "
        "Its own recording or scene never counts."
    )
    return _with(atlas, "r_at_1", rows[known], found.correct[known], sentence)


def _nothing(atlas: Atlas, why: str) -> Judged:
    return _with(atlas, "nothing", np.arange(len(atlas.ids)), np.zeros(len(atlas.ids)), why)


def strangers_of(atlas: Atlas) -> Strangers | None:
    """The items of another atlas of the same model that are of none of its classes."""
    if atlas.task == "multilabel":
        return None
    rows = np.flatnonzero(np.asarray(atlas.labels) < 0)
    total = atlas.doubts.get("total")
    rows = rows if total is None else rows[np.isfinite(total[rows])]
    if not len(rows):
        return None
    doubts = {name: np.asarray(values)[rows] for name, values in atlas.doubts.items()}
    return Strangers(atlas.title, tuple(atlas.ids[row] for row in rows.tolist()), doubts)


def slice_names(atlas: Atlas, by: str) -> Sequence[str | None]:
    """What each item is called where items are told apart ``by`` their label or a column."""
    return atlas.label_names if by == "label" else atlas.columns[by]
