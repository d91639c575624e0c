"""How many members of an ensemble other methods are worth, by the NLL of their answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from core.experiments._study import Answer, Panel, Series, Study, series, signed, sweeping, told
from core.metrics.students import Mean, mean_of
from core.pipeline.swept import Point, Swept

_HEADS = sweeping("equivalents-ensemble", "toybox-heads", "method=ensemble", "config.members=1,2,4,8,16", minutes=4)
_OTHERS = sweeping(
    "equivalents-methods", "toybox-heads", "", "method=mc_dropout,det_flip,laplace,dropsembles", minutes=3
)
_TITLES = {"mc_dropout": "MC dropout", "det_flip": "Det-Flip", "laplace": "Laplace", "dropsembles": "Dropsembles of 8"}


def worth(value: float, members: Sequence[int], curve: Sequence[float]) -> float:
    """The size of the ensemble whose NLL is ``value``: between sizes along the logarithm, at the ends the ends."""
    best = np.minimum.accumulate(np.asarray(curve, np.float64))
    first = np.r_[True, np.diff(best) < 0]  # a size that gains nothing is worth no more than the one before
    return float(math.exp(np.interp(-value, -best[first], np.log(members)[first])))


def tell(tables: Mapping[str, Swept]) -> Answer:
    heads, others = tables[_HEADS.name], tables[_OTHERS.name]
    sizes = heads.over[0].values
    points = [(f"config.members={size}",) for size in sizes]
    curve = [math.inf if mean is None else mean.value for mean in (heads.mean(p, "test", "nll") for p in points)]
    members = [int(size) for size in sizes]
    found = {title: _worth(others, (f"method={key}",), members, curve) for key, title in _TITLES.items()}
    best = max(found, key=lambda title: found[title].value)
    each = ", ".join(f"{title} {_said(mean, members[-1])}" for title, mean in found.items())
    sentence = (
        f"In members of an ensemble of heads by NLL: {each}. {best} is worth most; "
        f"{sizes[-1]} heads change the NLL of one by {signed(heads.less(points[-1], points[0], 'test', 'nll'))}."
    )
    panels = (
        Panel("members", "NLL", sizes, (series(heads, "ensemble of heads", "total", points, "nll"),)),
        Panel(
            "", "worth in members", tuple(found), (Series("worth", "epistemic", tuple(found.values())),), joined=False
        ),
    )
    return Answer(sentence, "measured", panels)


def _said(mean: Mean, most: int) -> str:
    """At the ends of what was trained a worth is a bound."""
    if mean.value <= 1.0 + 1e-9:
        return "no more than 1"
    return f"{most} or more" if mean.value >= most - 1e-9 else told(mean, 1)


def _worth(found: Swept, point: Point, members: Sequence[int], curve: Sequence[float]) -> Mean:
    return mean_of([worth(value, members, curve) for value in found.values(point, "test", "nll").values()])


STUDY = Study(
    "equivalents",
    "In members of an ensemble",
    "Across methods",
    "https://arxiv.org/abs/2002.06470",
    "How many members of an ensemble is each cheaper method worth?",
    "",
    "Heads on one fixed network of Toybox instead of whole networks; answers without a temperature.",
    (_HEADS, _OTHERS),
    tell,
)
