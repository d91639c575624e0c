"""What a model said of items that it never trained on, small enough to come with it.

A clone without the data shows real curves, neighbours and examples from it. Draws, features and the logarithms of a
softmax's probabilities are in float16; doubts are in float32, so that items keep their order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.checkpoints.answers import MEASURES, Answers, Kept, kept_rows
from core.checkpoints.folders import find
from core.contracts import Item, Predictive, Task
from core.errors import UserFacingError
from core.metrics.arrays import plain
from core.metrics.retrieval import hits
from core.metrics.scoring import FLOOR
from core.settings import Settings
from core.store import artifacts

if TYPE_CHECKING:
    from torch import Tensor

    from core.checkpoints.density import Density

PART = "heldout"
BUDGET = 1_200_000  # bytes of the whole part
_MOST_FEATURES, _WIDEST = 2_000, 128  # items with features, and numbers of each
_MOST_DRAWN, _DRAWS = 400, 16  # items with draws, and draws of each
_NEEDED = 0.75  # of the budget, for what every item has
_MARGIN = 16_384  # header and facts
_NO_NEIGHBOUR = 2
_SMALLEST = float(np.finfo(np.float16).smallest_subnormal)

Basis = Literal["whole", "density", "own"]


@dataclass(frozen=True, slots=True, eq=False)
class Heldout:
    answers: Answers  # features are those of all items or None; they are also below
    labels: np.ndarray  # (items,) int64, or (items, classes) zeros and ones
    groups: np.ndarray | None  # (items,) numbers of source recordings; None: each item is its own
    features: np.ndarray | None  # (some items, numbers)
    feature_rows: np.ndarray  # their places among the items
    basis: Basis  # features as they are, along the directions of the stored density, or along their own
    truth: np.ndarray | None  # (items, classes) true or human probabilities, NaN where unknown
    of: int  # how many items were held out, of which these are

    def tensors(self) -> dict[str, Tensor]:
        import torch

        given = self.answers
        told = {
            "task": given.task,
            "draws": given.draws,
            "score_name": given.score_name,
            "basis": self.basis,
            "of": self.of,
        }
        found = {
            "told": _bytes(json.dumps(told)),
            "ids": _bytes("\n".join(id_.replace("\n", " ") for id_ in given.ids)),
            "labels": self.labels.astype(np.int32 if self.labels.ndim == 1 else np.uint8),
        }
        found |= {"probs": given.probs.astype(np.float32)} if given.task == "multilabel" else _logs(given.probs)
        found |= {f"doubt.{name}": values.astype(np.float32) for name, values in given.doubts.items()}
        if self.groups is not None:
            found["groups"] = self.groups.astype(np.int32)
        if given.right_neighbour is not None:
            right = given.right_neighbour
            found["right_neighbour"] = np.where(np.isnan(right), _NO_NEIGHBOUR, right).astype(np.uint8)
        if self.features is not None:
            found |= {"features": _half(self.features), "feature_rows": self.feature_rows.astype(np.int32)}
        if given.kept is not None:
            kept = given.kept
            found |= {"drawn": _half(np.asarray(kept.answer.probs)), "drawn_rows": kept.rows.astype(np.int32)}
        if self.truth is not None:
            found["truth"] = _half(np.nan_to_num(self.truth, nan=0.0))
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in found.items()}


def held_out(
    given: Answers,
    labels: Any,
    *,
    items: Sequence[Item] = (),
    density: Density | None = None,
) -> Heldout:
    """Within the budget: where it is short, fewer draws, then fewer features, then fewer items, spread evenly.

    ``items`` are those of the answers, in their order; groups and true probabilities are theirs.
    """
    labels, truth = np.asarray(labels), truth_of(items, given.probs.shape[1])
    groups = _groups(items)
    right = given.right_neighbour
    if right is None and given.features is not None and labels.ndim == 1:
        right = hits(given.features, labels, None if groups is None else groups.tolist()).correct
    doubts = {name: values for name, values in given.doubts.items() if np.isfinite(values).all()}
    each = given.probs[0].size * (4 if given.task == "multilabel" else 2) + 4 * len(doubts) + labels[0].nbytes + 16
    each += 0 if truth is None else 2 * truth.shape[1]
    each += max(len(id_.encode()) for id_ in given.ids)
    rows = kept_rows(len(given), int(_NEEDED * BUDGET) // each)
    left = BUDGET - _MARGIN - each * len(rows)
    kept = _fewer_draws(given.kept, rows, left // 3)
    left -= 0 if kept is None else 2 * math.prod(kept.answer.probs.shape) + 4 * len(kept.rows)
    features, feature_rows, basis = _fewer_features(given.features, density, rows, left)
    whole = features if basis == "whole" and len(feature_rows) == len(rows) else None
    answers = Answers(
        ids=tuple(given.ids[row] for row in rows.tolist()),
        task=given.task,
        draws=given.draws,
        probs=given.probs[rows],
        doubts={name: values[rows] for name, values in doubts.items()},
        score_name=given.score_name if "score" in doubts else None,
        features=whole,
        kept=kept,
        right_neighbour=None if right is None else right[rows],
    )
    return Heldout(
        answers,
        labels[rows],
        None if groups is None else groups[rows],
        features,
        feature_rows,
        basis,
        None if truth is None else truth[rows],
        len(given),
    )


def of_tensors(tensors: Mapping[str, np.ndarray]) -> Heldout:
    told = json.loads(tensors["told"].tobytes())
    task: Task = told["task"]
    probs, truth = _probs(tensors, task), tensors.get("truth")
    if truth is not None:
        truth = truth.astype(np.float64)
        truth[truth.sum(axis=1) == 0] = np.nan
    features, rows = tensors.get("features"), tensors.get("feature_rows", np.zeros(0)).astype(np.int64)
    features = None if features is None else features.astype(np.float32)
    kept = None
    if "drawn" in tensors:
        drawn = plain(tensors["drawn"].astype(np.float32), task)
        kept = Kept(tensors["drawn_rows"].astype(np.int64), drawn)
    right = tensors.get("right_neighbour")
    answers = Answers(
        ids=tuple(tensors["ids"].tobytes().decode().split("\n")),
        task=task,
        draws=told["draws"],
        probs=probs,
        doubts={name: tensors[f"doubt.{name}"].astype(np.float64) for name in MEASURES if f"doubt.{name}" in tensors},
        score_name=told["score_name"],
        features=features if told["basis"] == "whole" and len(rows) == len(probs) else None,
        kept=kept,
        right_neighbour=None if right is None else np.where(right == _NO_NEIGHBOUR, np.nan, right),
    )
    labels, groups = tensors["labels"].astype(np.int64), tensors.get("groups")
    groups = None if groups is None else groups.astype(np.int64)
    return Heldout(answers, labels, groups, features, rows, told["basis"], truth, told["of"])


def load_heldout(name: str, settings: Settings) -> Heldout:
    """What came with a model."""
    artifact = artifacts.load(find(name, settings))
    if PART not in artifact.files:
        raise UserFacingError(
            f"The model {name[:60]!r} came without answers to held-out items; name a data set to judge it on.",
            code="no-heldout",
        )
    return of_tensors(artifact.tensors(PART))


def truth_of(items: Sequence[Item], classes: int) -> np.ndarray | None:
    """(items, classes) probabilities that people or makers gave, NaN where there are none; None without any."""
    known = [None if item.truth is None else item.truth.probs for item in items]
    table = np.full((len(known), classes), np.nan)
    for row, probs in enumerate(known):
        if probs is not None and len(probs) == classes:
            table[row] = probs
    return None if np.isnan(table).all() else table


def _groups(items: Sequence[Item]) -> np.ndarray | None:
    names = [item.group or item.id for item in items]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return None if len(numbers) == len(names) else np.array([numbers[name] for name in names], np.int64)


def _fewer_draws(kept: Kept | None, rows: np.ndarray, room: int) -> Kept | None:
    """The first draws of some of the chosen items; their places are those among the chosen."""
    if kept is None or len(kept.answer.probs) < 2:
        return None
    probs = kept.answer.probs[:_DRAWS]
    place = {row: number for number, row in enumerate(rows.tolist())}
    there = np.array([number for number, row in enumerate(kept.rows.tolist()) if row in place], np.int64)
    most = min(_MOST_DRAWN, room // (2 * len(probs) * probs.shape[2] + 4))
    there = there[kept_rows(len(there), most)] if len(there) and most > 0 else there[:0]
    if not len(there):
        return None
    places = np.array([place[row] for row in kept.rows[there].tolist()], np.int64)
    return Kept(places, Predictive(probs[:, there], kept.answer.task))


def _fewer_features(
    features: np.ndarray | None, density: Density | None, rows: np.ndarray, room: int
) -> tuple[np.ndarray | None, np.ndarray, Basis]:
    nothing = np.zeros(0, np.int64)
    if features is None:
        return None, nothing, "whole"
    chosen, basis = features, "whole"
    if features.shape[1] > _WIDEST:
        chosen, basis = _projected(features, density)
    places = kept_rows(len(rows), min(_MOST_FEATURES, max(0, room) // (2 * chosen.shape[1] + 4)))
    if not len(places):
        return None, nothing, "whole"
    return chosen[rows[places]], places, basis


def _projected(features: np.ndarray, density: Density | None) -> tuple[np.ndarray, Basis]:
    """Along the density's directions, which a reader has too; without one along those that keep cosines best."""
    if density is not None:
        return (features - density.centre.float().numpy()) @ density.basis.float().numpy(), "density"
    wide = features.astype(np.float64)
    directions = np.linalg.eigh(wide.T @ wide)[1][:, : -_WIDEST - 1 : -1]
    return wide @ directions, "own"


def _half(values: np.ndarray) -> np.ndarray:
    most = float(np.finfo(np.float16).max)
    return np.clip(values, -most, most).astype(np.float16)


def _logs(probs: np.ndarray) -> dict[str, np.ndarray]:
    """In float16 logarithms are exact where probabilities are not, near 0 and near 1, which a loss lives of.

    Each answer is kept where rounding made a tie.
    """
    half = np.log(np.maximum(probs, FLOOR)).astype(np.float16)
    lost = np.flatnonzero(half.argmax(axis=1) != probs.argmax(axis=1))
    half[lost, probs[lost].argmax(axis=1)] = np.nextafter(half[lost].max(axis=1), np.float16(np.inf))
    return {"log_probs": half}


def _probs(tensors: Mapping[str, np.ndarray], task: Task) -> np.ndarray:
    """Float64. Models that were kept before there were logarithms have the probabilities themselves in float16."""
    if task == "multilabel":
        return tensors["probs"].astype(np.float64)
    if "log_probs" in tensors:
        probs = np.exp(tensors["log_probs"].astype(np.float64))
    else:
        probs = np.maximum(tensors["probs"].astype(np.float64), _SMALLEST)  # which were below it have a finite loss
    return probs / probs.sum(axis=1, keepdims=True)


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8).copy()
