"""What is left to go wrong when the most doubtful items are refused: AURC, AUGRC, coverage at a risk.

Items are accepted from the least doubtful on. With errors e in [0, 1] and k accepted items, coverage is k / N, the
selective risk r_k = (1/k) sum of their errors, the generalised risk g_k = (1/N) sum of their errors.
Equally doubtful items come in no order, so each counts with the mean error of its group.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from core.metrics.arrays import float64, ranked, same_length
from core.metrics.figure import Undefined, or_reason


def tie_averaged(doubt: Any, errors: Any) -> np.ndarray:
    """(items,) errors from the least to the most doubtful item, equally doubtful items with their mean."""
    doubt, errors = ranked(doubt, "doubts"), ranked(errors, "errors")
    same_length(doubt, errors)
    if not ((errors >= 0) & (errors <= 1)).all():
        raise ValueError("errors must lie between 0 and 1")
    _, group, sizes = np.unique(doubt, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(group, errors) / sizes, sizes)


def selective_risk(doubt: Any, errors: Any) -> np.ndarray:
    """(items,) r_k for k = 1 to N."""
    ordered = tie_averaged(doubt, errors)
    return np.cumsum(ordered) / np.arange(1, len(ordered) + 1)


@or_reason
def aurc(doubt: Any, errors: Any, rule: Literal["riemann", "trapezoid", "fd_shifts"] = "riemann") -> float:
    """Area under selective risk against coverage.

    "riemann" is the mean of r_k (Geifman and El-Yaniv), the one we report. "trapezoid" runs over coverage 1/N to 1
    and is divided by that width; "fd_shifts" has one point a distinct doubt, starts level at coverage 0, over [0, 1].
    """
    risks = selective_risk(doubt, errors)
    n = len(risks)
    if rule == "riemann":
        return float(risks.mean())
    if rule == "trapezoid":
        if n < 2:
            raise Undefined("a trapezoid needs two items or more")
        return float(np.trapezoid(risks, dx=1.0) / (n - 1))
    ends = _group_ends(doubt)
    return float(np.trapezoid(np.append(risks[ends[0] - 1], risks[ends - 1]), np.append(0, ends) / n))


@or_reason
def augrc(doubt: Any, errors: Any) -> float:
    """Area under generalised risk against coverage: the mean risk of an error that goes unnoticed.

    Trapezoids over one point a distinct doubt, from (0, 0).
    For right-or-wrong errors it equals (1 - AUROC) acc (1 - acc) + (1 - acc)^2 / 2.
    """
    ordered = tie_averaged(doubt, errors)
    ends = _group_ends(doubt)
    heights = np.append(0.0, np.cumsum(ordered)[ends - 1]) / len(ordered)
    return float(np.trapezoid(heights, np.append(0, ends) / len(ordered)))


def optimal_aurc(error_rate: float) -> float:
    """AURC of an order that knows every error, in the limit of many items: err + (1 - err) log(1 - err)."""
    return error_rate + (1 - error_rate) * math.log1p(-error_rate) if error_rate < 1 else 1.0


@or_reason
def excess_aurc(doubt: Any, errors: Any) -> float:
    """E-AURC: the AURC beyond the optimal one; a little below 0 is possible on few items."""
    return float(selective_risk(doubt, errors).mean()) - optimal_aurc(float(float64(errors).mean()))


@or_reason
def risk_at_coverage(doubt: Any, errors: Any, coverage: float) -> float:
    """Selective risk of the ceil(coverage N) least doubtful items."""
    if not 0 < coverage <= 1:
        raise ValueError("a coverage lies above 0 and not above 1")
    risks = selective_risk(doubt, errors)
    return float(risks[math.ceil(round(coverage * len(risks), 9)) - 1])


@or_reason
def coverage_at_risk(doubt: Any, errors: Any, risk: float) -> float:
    """The largest share of items that a threshold on the doubt accepts with a selective risk of at most ``risk``."""
    risks, ends = selective_risk(doubt, errors), _group_ends(doubt)
    allowed = ends[risks[ends - 1] <= risk + 1e-12]
    if not len(allowed):
        raise Undefined(f"no threshold on the doubt has a risk of {risk_in_words(risk)} or less")
    return float(allowed[-1] / len(risks))


def _group_ends(doubt: Any) -> np.ndarray:
    """How many items are accepted once each distinct doubt is used up."""
    return np.cumsum(np.unique(float64(doubt), return_counts=True)[1])


def risk_in_words(risk: float) -> str:
    """One wording of a share of errors: 5 %."""
    return f"{100 * risk:g} %"
