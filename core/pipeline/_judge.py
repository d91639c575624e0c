"""Figures of answers whose labels are known: the formulas are core.metrics', here is what goes into which.

Where items have several labels, an item's error is the share of its yes-or-noes that are wrong, error AUROC asks for
items with any wrong one, and retention is the mean average precision of what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.checkpoints.answers import MEASURES, Answers
from core.contracts import Task
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.metrics import reliability, retention, scoring, selective
from core.metrics.arrays import float64
from core.metrics.bootstrap import bootstrap
from core.metrics.figure import Figure, Undefined
from core.metrics.ood import Detection
from core.metrics.ranks import auroc, spearman
from core.metrics.retention import Curve
from core.metrics.retrieval import Hits, hits, r_auroc, recall_at_1
from core.metrics.uncertainty import shannon

FIGURES = ("accuracy", "map", "nll", "brier", "ece", "aurc", "augrc", "r_at_1", "r_auroc", "error_auroc")
OF_MEASURES = ("aurc", "augrc", "error_auroc", "r_auroc")
CURVES = ("total", "aleatoric", "epistemic", "score", "max_softmax", "novelty")
_RAISED = ("ece", "map")  # resampling repeats items, which raises these whatever the model
_RANDOM_ORDERS = 20
ONE_DRAW = "with one draw the epistemic part is zero by definition"
NO_SCORE = "this method gives no score of its own"


@dataclass(frozen=True, slots=True)
class Outside:
    """How well doubt tells a data set from another."""

    data: str  # the other set, as in Evaluation
    title: str
    measure: str
    detection: Detection
    measures: Mapping[str, Detection]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What ``evaluate --json`` prints. Each figure has a value or a reason."""

    n: int
    task: Task
    measure: str
    figures: Mapping[str, Figure]
    measures: Mapping[str, Mapping[str, Figure]]
    intervals: Mapping[str, tuple[float, float]]
    retention: Mapping[str, Curve]
    agreement: Mapping[str, Figure]  # rank correlation of each doubt with the entropy of known true probabilities
    score_name: str | None = None
    draws: int = 1
    model: str = ""
    data: str = ""  # a key; a title where the key is no name, as for folders
    title: str = ""
    ood: Outside | None = None
    params: int | None = None
    macs: int | None = None
    seconds_per_item: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)  # of what is missing beside the figures
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """What every figure is made from; ``labels`` are None where answers can be neither right nor wrong."""

    task: Task
    probs: np.ndarray
    labels: np.ndarray | None
    errors: np.ndarray
    found: Hits | None
    why: str
    why_not_retrieved: str

    def unanswered(self) -> Figure:
        return Figure(None, self.why)


def judge(
    given: Answers,
    labels: Any,
    measure: str | None = None,
    groups: Sequence[Any] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    *,
    foreign: str = "",
    truth: np.ndarray | None = None,
) -> Evaluation:
    """Every figure of the answers.

    ``measure`` is the doubt behind AURC, AUGRC and both AUROCs; without a wish the method's own score, or else the
    total. ``groups`` are the source recordings: none of an item's own is its neighbour, and intervals draw them
    whole. ``foreign`` says why the labels are not classes of the model: then they only serve retrieval, or are
    not there at all.
    """
    doubts = usable(given)
    chosen = chosen_measure(doubts, measure, "score" if "score" in doubts else "total")
    case = _case_of(given, np.asarray(labels), groups, foreign)
    statistics = _statistics(case)
    everything = np.arange(len(given))
    of_measures = {
        name: {key: statistics[key](everything, values) for key in OF_MEASURES} for name, values in doubts.items()
    }
    doubt = doubts[chosen]
    figures = {key: of_measures[chosen].get(key) or statistics[key](everything, doubt) for key in FIGURES}
    intervals, reasons = {}, missing(given)
    for key, figure in figures.items():
        if figure.value is None:
            continue
        found = bootstrap(
            lambda rows, key=key: statistics[key](rows, doubt[rows]),
            len(given),
            numpy_generator("evaluate", seed),
            resamples=resamples,
            groups=groups,
            around=figure.value if key in _RAISED else None,
        )
        if found.low is not None and found.high is not None:
            intervals[key] = (found.low, found.high)
        else:
            reasons[f"intervals.{key}"] = found.reason or "no resample had a value"
    return Evaluation(
        n=len(given),
        task=given.task,
        measure=chosen,
        figures=figures,
        measures=of_measures,
        intervals=intervals,
        retention=_curves(case, doubts, seed),
        agreement=_agreement(doubts, truth),
        score_name=given.score_name,
        draws=given.draws,
        seconds_per_item=given.seconds,
        reasons=reasons,
    )


def statistics_of(
    given: Answers, labels: Any, groups: Sequence[Any] | None = None, foreign: str = ""
) -> dict[str, Callable[[np.ndarray, np.ndarray], Figure]]:
    """Each figure as a function of the places of some items and their doubts."""
    return _statistics(_case_of(given, np.asarray(labels), groups, foreign))


def curves_of(given: Answers, labels: Any) -> dict[str, Curve]:
    """Retention by each doubt."""
    return _curves(_case_of(given, np.asarray(labels), None, ""), usable(given), 0)


def usable(given: Answers) -> dict[str, np.ndarray]:
    """The doubts that say something; a part that is zero by definition is none."""
    silent = {"epistemic"} if given.draws == 1 else set()
    return {name: given.doubts[name] for name in MEASURES if name in given.doubts and name not in silent}


def missing(given: Answers) -> dict[str, str]:
    """Why a doubt is not there."""
    reasons = {} if given.draws > 1 else {"measures.epistemic": ONE_DRAW, "retention.epistemic": ONE_DRAW}
    if "score" not in given.doubts:
        reasons |= {"measures.score": NO_SCORE, "retention.score": NO_SCORE}
    return reasons


def chosen_measure(doubts: Mapping[str, Any], wish: str | None, usual: str) -> str:
    if wish is None:
        return usual
    if wish not in doubts:
        raise UserFacingError(
            f"This model has no measure called {wish[:40]!r} here; it has {', '.join(doubts)}.", code="no-such-measure"
        )
    return wish


def _case_of(given: Answers, labels: np.ndarray, groups: Sequence[Any] | None, foreign: str) -> _Case:
    several = "items have several labels, and whether two agree is no yes or no"
    why_not = several if labels.ndim == 2 else "" if len(labels) else foreign
    found = None
    if not why_not and given.right_neighbour is not None:
        found = Hits(np.where(np.isnan(given.right_neighbour), -1, 0), given.right_neighbour)
    elif not why_not and given.features is not None:
        found = hits(given.features, labels, groups)
    elif not why_not:
        why_not = "features of these items were not stored"
    nothing = _Case(given.task, given.probs, None, np.zeros(0), found, foreign, why_not)
    if foreign:
        return nothing
    try:
        return replace(nothing, labels=labels, errors=scoring.errors(given.probs, labels))
    except Undefined as reason:
        return replace(nothing, why=str(reason))


def _statistics(case: _Case) -> dict[str, Callable[[np.ndarray, np.ndarray], Figure]]:
    """Each figure as a function of the places of some items and their doubts."""
    answered = {
        "accuracy": lambda rows, doubt: scoring.accuracy(case.probs[rows], _labels(case)[rows]),
        "map": lambda rows, doubt: _mean_ap(case, rows),
        "nll": lambda rows, doubt: scoring.nll(case.probs[rows], _labels(case)[rows]),
        "brier": lambda rows, doubt: scoring.brier(case.probs[rows], _labels(case)[rows]),
        "ece": lambda rows, doubt: reliability.ece(*reliability.judged(case.probs[rows], _labels(case)[rows])),
        "aurc": lambda rows, doubt: selective.aurc(doubt, case.errors[rows]),
        "augrc": lambda rows, doubt: selective.augrc(doubt, case.errors[rows]),
        "error_auroc": lambda rows, doubt: auroc(doubt, case.errors[rows] > 0),
    }
    if case.labels is None:
        answered = dict.fromkeys(answered, lambda rows, doubt: case.unanswered())
    retrieved = {
        "r_at_1": lambda rows, doubt: recall_at_1(_some(case, rows)),
        "r_auroc": lambda rows, doubt: r_auroc(doubt, _some(case, rows)),
    }
    if case.found is None:
        retrieved = dict.fromkeys(retrieved, lambda rows, doubt: Figure(None, case.why_not_retrieved))
    return answered | retrieved


def _labels(case: _Case) -> np.ndarray:
    assert case.labels is not None
    return case.labels


def _some(case: _Case, rows: np.ndarray) -> Hits:
    assert case.found is not None
    return Hits(case.found.neighbour[rows], case.found.correct[rows])


def _mean_ap(case: _Case, rows: np.ndarray) -> Figure:
    if case.task == "multiclass":
        return Figure(None, "items have one label each; accuracy is the figure for them")
    return scoring.mean_average_precision(case.probs[rows], _labels(case)[rows]).figure


def _curves(case: _Case, doubts: Mapping[str, np.ndarray], seed: int) -> dict[str, Curve]:
    """Retention on its grid of shares; empty, with a reason, where an order or a quality does not exist."""
    absent = {name: Curve(np.zeros(0), np.zeros(0), reason=case.why or "not known here") for name in CURVES}
    if case.labels is None:
        return absent | dict.fromkeys(("random", "oracle"), absent["total"])
    labels, probs = case.labels, case.probs
    if case.task == "multiclass":
        right = 1.0 - case.errors
        found = {name: retention.on_grid(retention.retention(doubt, right)) for name, doubt in doubts.items()}
        found["random"] = retention.on_grid(retention.chance(right))
        found["oracle"] = retention.on_grid(retention.oracle(right))
        return absent | found
    found = {name: retention.map_curve(doubt, probs, labels) for name, doubt in doubts.items()}
    found["random"] = retention.chance_curve(
        len(probs),
        lambda rows: scoring.mean_average_precision(probs[rows], labels[rows]),
        numpy_generator("random retention", seed),
        repeats=_RANDOM_ORDERS,
    )
    found["oracle"] = retention.map_curve(scoring.log_losses(probs, labels), probs, labels)
    return absent | found


def _agreement(doubts: Mapping[str, np.ndarray], truth: np.ndarray | None) -> dict[str, Figure]:
    """With what people or makers know of each item; nothing where they said nothing."""
    if truth is None or np.isnan(truth).all():
        return {}
    known = ~np.isnan(truth).any(axis=1)
    entropy = shannon(float64(truth)[known])
    return {name: spearman(values[known], entropy) for name, values in doubts.items()}
