"""Exact retrieval by the cosine, with the doubt of every result, and safe retrieval: answers for a stated risk.

A query is safe when its doubt is at most a threshold; the database it is compared with keeps the least doubtful share
of every class. Both are chosen on one half of the recordings, so that with the stated confidence at most the stated
share of the accepted queries finds a wrong nearest item; the other half tells what really happens.

Equation:  U(e, m) <= risk,   U the Clopper-Pearson upper bound at 1 - (1 - confidence) / pairs of e errors among m

Paper: Geifman and El-Yaniv 2017, arXiv 1705.08500 (selection with guaranteed risk), with Bonferroni over all pairs of
thresholds. Queries are treated as independent; halves are made of whole recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import UserFacingError
from core.fingerprint import seed_of
from core.metrics.retrieval import least_doubtful
from core.metrics.selective import risk_in_words

QUERY_PERCENTS = (100, 95, 90, 80, 70, 60, 50, 40, 30, 20, 10)
DATABASE_PERCENTS = (100, 90, 75)
_MOST = 4000  # queries of each half
_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Results of one query, the nearest first; of equally near ones the first counts."""

    places: np.ndarray  # (at most k,) rows of the database
    cosines: np.ndarray


@dataclass(frozen=True, slots=True)
class Safety:
    """Thresholds, and what they promise. ``threshold`` None: no thresholds keep the risk, ``reason`` says why."""

    risk: float
    confidence: float
    threshold: float | None  # of the query's doubt
    database_percent: int  # of every class, the least doubtful
    kept: float  # share of the calibration queries that are accepted
    wrong: float | None  # share of these whose nearest item is of another class
    bound: float | None  # that the promise rests on
    checked_kept: float | None  # the same two on the other half
    checked_wrong: float | None
    n_calibration: int
    n_checked: int
    reason: str = ""


def unit(vectors: Any) -> np.ndarray:
    """Float32 rows of length 1; a row of zeros is like nothing."""
    rows = np.array(vectors, np.float32, ndmin=2)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1.0)


def nearest(query: Any, matrix: Any, k: int, allowed: np.ndarray | None = None) -> Found:
    """The k nearest of the allowed rows; blocks keep memory flat."""
    if k < 1:
        raise UserFacingError(f"{k} results were asked for; it takes one or more.", code="k")
    wanted = unit(query)[0]
    cosines = np.empty(len(matrix), np.float32)
    for start in range(0, len(matrix), 1 << 14):
        cosines[start : start + (1 << 14)] = unit(matrix[start : start + (1 << 14)]) @ wanted
    rows = np.arange(len(matrix)) if allowed is None else np.flatnonzero(allowed)
    order = rows[np.argsort(-cosines[rows], kind="stable")[:k]]
    return Found(order, np.clip(cosines[order], -1.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Every calibration query and whether it found a right item: costly, and the same for every risk."""

    thresholds: tuple[float, ...]
    doubt: np.ndarray  # (queries,) of the half that chooses
    right: np.ndarray  # (databases, queries) 1 or 0
    checked_doubt: np.ndarray  # of the half that checks
    checked_right: np.ndarray


def tried(features: Any, labels: Any, doubt: Any, groups: Sequence[Any], *, seen: Any = None, seed: int = 0) -> Trial:
    """Ask every item of every database.

    ``seen`` marks items that the model learned from: they stay in the database and are no queries, for it is surer of
    them than of anything that will be asked.
    """
    labels, doubt = np.asarray(labels), np.asarray(doubt, np.float64)
    if not len(labels) or len(features) != len(labels) or len(doubt) != len(labels) or len(groups) != len(labels):
        raise ValueError("features, labels, doubts and groups belong together, and there is at least one")
    rows, numbers = unit(features), _numbers(groups)
    asked = np.flatnonzero(~np.asarray(seen, bool)) if seen is not None else np.arange(len(labels))
    mine, others = _halves(groups, asked, seed)
    order = np.sort(doubt[asked])
    thresholds = [float(order[max(0, -(-len(order) * percent // 100) - 1)]) for percent in QUERY_PERCENTS if len(order)]
    pools = [least_doubtful(doubt, percent, labels) for percent in DATABASE_PERCENTS]
    halves = [(half, _right(rows, labels, numbers, half, pools)) for half in (mine, others)]
    known = ~np.isnan(halves[0][1]).any(axis=0)
    return Trial(tuple(thresholds), doubt[mine[known]], halves[0][1][:, known], doubt[others], halves[1][1])


def chosen(trial: Trial, *, risk: float, confidence: float = 0.9) -> Safety:
    """The pair of thresholds that accepts most queries and keeps the risk."""
    _possible(risk, confidence)
    doubt, right = trial.doubt, trial.right
    level = 1.0 - (1.0 - confidence) / (len(QUERY_PERCENTS) * len(right))
    best: tuple[int, int, float, int] | None = None  # accepted, pool, threshold, errors
    for pool in range(len(right)):
        for threshold in trial.thresholds:
            accepted = doubt <= threshold
            count, errors = int(accepted.sum()), int((right[pool, accepted] == 0).sum())
            if count and upper_bound(errors, count, level) <= risk and (best is None or count > best[0]):
                best = (count, pool, threshold, errors)
    if best is None:
        reason = _why_not(right[0], risk, level)
        return Safety(risk, confidence, None, 100, 0.0, None, None, None, None, len(doubt), 0, reason)
    count, pool, threshold, errors = best
    checked = trial.checked_right[pool]
    there = ~np.isnan(checked)
    accepted = there & (trial.checked_doubt <= threshold)
    return Safety(
        risk=risk,
        confidence=confidence,
        threshold=threshold,
        database_percent=DATABASE_PERCENTS[pool],
        kept=count / len(doubt),
        wrong=errors / count,
        bound=upper_bound(errors, count, level),
        checked_kept=float(accepted.sum() / there.sum()) if there.any() else None,
        checked_wrong=float((checked[accepted] == 0).mean()) if accepted.any() else None,
        n_calibration=len(doubt),
        n_checked=int(there.sum()),
    )


def _possible(risk: float, confidence: float) -> None:
    if not 0.0 < risk < 1.0 or not 0.0 < confidence < 1.0:
        raise UserFacingError("Risk and confidence lie between 0 and 1, for example 0.05 and 0.9.", code="risk")


def safe_rows(labels: Any, doubt: Any, percent: int) -> np.ndarray:
    """A mask of the database that ``Safety.database_percent`` means."""
    return least_doubtful(np.asarray(doubt, np.float64), percent, np.asarray(labels))


def upper_bound(errors: int, count: int, level: float) -> float:
    """The largest error rate that does not make so few errors unlikely (Clopper and Pearson)."""
    from scipy.stats import beta

    return 1.0 if errors >= count else float(beta.ppf(level, errors + 1, count - errors))


def _numbers(groups: Sequence[Any]) -> np.ndarray:
    number = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    return np.array([number[group] for group in groups], np.int64)


def _halves(groups: Sequence[Any], asked: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two halves of the recordings; an item keeps its half when others come or go."""
    side = {group: seed_of("retrieval half", seed, str(group)) & 1 for group in set(groups)}
    first = np.array([side[groups[at]] == 0 for at in asked.tolist()], bool)
    return _spread(asked[first]), _spread(asked[~first])


def _spread(rows: np.ndarray) -> np.ndarray:
    return rows if len(rows) <= _MOST else rows[np.linspace(0, len(rows) - 1, _MOST).round().astype(np.int64)]


def _right(
    rows: np.ndarray, labels: np.ndarray, groups: np.ndarray, queries: np.ndarray, pools: Sequence[np.ndarray]
) -> np.ndarray:
    """(pools, queries) 1 where the nearest item of another recording has the query's label, NaN where there is none."""
    found = np.full((len(pools), len(queries)), np.nan)
    for start in range(0, len(queries), _ROWS):
        some = queries[start : start + _ROWS]
        cosines = rows[some] @ rows.T
        cosines[groups[some, None] == groups] = -np.inf
        for pool, mask in enumerate(pools):
            inside = np.where(mask, cosines, -np.inf)
            place = inside.argmax(axis=1)
            there = np.isfinite(inside[np.arange(len(some)), place])
            agree = (labels[place] == labels[some]).astype(np.float64)
            found[pool, start : start + len(some)] = np.where(there, agree, np.nan)
    return found


def _why_not(right: np.ndarray, risk: float, level: float) -> str:
    if not len(right):
        return "no item that the model did not learn from has a neighbour from another recording"
    if upper_bound(0, len(right), level) > risk:
        return f"{len(right)} calibration items are too few for a risk of {risk_in_words(risk)}, even without an error"
    return f"even among the least doubtful queries too many find a wrong item for a risk of {risk_in_words(risk)}"
