"""How many members of a deep ensemble other methods are worth, by the NLL of their answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from core.experiments._study import Answer, Panel, Series, Study, Sweeping, series, told
from core.metrics.students import Mean, mean_of
from core.pipeline.swept import Point, Swept

_NETWORK = (
    "own --set data=digits --set division.by=drawn --set backbone=toy --set network.kind=image --set network.hidden=64 "
    "--set schedule.epochs=20 --set schedule.rate=3e-3 "
)
_DEEP = Sweeping(
    "equivalents-ensemble",
    f"{_NETWORK}--set method=ensemble --set config.scope=network --over config.members=1,2,4,8,16",
    3,
)
_OTHERS = Sweeping("equivalents-methods", f"{_NETWORK}--over method=mc_dropout,flipout", 2)
_THINNED = Sweeping(
    "equivalents-dropsembles",
    f"{_NETWORK}--set method=dropsembles --set config.scope=network --set settled=yes --set settling.epochs=20 "
    "--set settling.rate=3e-3 --set settling.batch=32 --over config.members=4,8",
    2,
)
_TITLES = {
    ("method=mc_dropout",): "MC dropout",
    ("method=flipout",): "Flipout",
    ("config.members=4",): "Dropsembles of 4",
    ("config.members=8",): "Dropsembles of 8",
}


def worth(value: float, members: Sequence[int], curve: Sequence[float]) -> float:
    """The size of the ensemble whose NLL is ``value``: between sizes along the logarithm, at the ends the ends."""
    best = np.minimum.accumulate(np.asarray(curve, np.float64))
    first = np.r_[True, np.diff(best) < 0]  # a size that gains nothing is worth no more than the one before
    return float(math.exp(np.interp(-value, -best[first], np.log(members)[first])))


def tell(tables: Mapping[str, Swept]) -> Answer:
    deep = tables[_DEEP.name]
    sizes = deep.over[0].values
    points = [(f"config.members={size}",) for size in sizes]
    curve = [math.inf if mean is None else mean.value for mean in (deep.mean(p, "test", "nll") for p in points)]
    found: dict[str, Mean] = {}
    for name in (_OTHERS.name, _THINNED.name):
        for point in tables[name].points:
            found[_TITLES.get(point, ", ".join(point))] = _worth(tables[name], point, [int(s) for s in sizes], curve)
    best = max(found, key=lambda title: found[title].value)
    each = ", ".join(f"{title} {told(mean, 1)}" for title, mean in found.items())
    sentence = (
        f"In members of a deep ensemble, by NLL and between 1 and {sizes[-1]}: {each}. Most is {best}; sixteen members "
        f"themselves change the NLL of one by {told(deep.less(points[-1], points[0], 'test', 'nll'))}."
    )
    panels = (
        Panel("members", "NLL", sizes, (series(deep, "deep ensemble", "total", points, "nll"),)),
        Panel(
            "", "worth in members", tuple(found), (Series("worth", "epistemic", tuple(found.values())),), joined=False
        ),
    )
    return Answer(sentence, "measured", panels)


def _worth(found: Swept, point: Point, members: Sequence[int], curve: Sequence[float]) -> Mean:
    return mean_of([worth(value, members, curve) for value in found.values(point, "test", "nll").values()])


STUDY = Study(
    "equivalents",
    "In members of an ensemble",
    "Across methods",
    "https://arxiv.org/abs/2002.06470",
    "How large a deep ensemble is each cheaper method worth?",
    "",
    "Handwritten digits and a small network; answers are as the methods give them, without a temperature.",
    (_DEEP, _OTHERS, _THINNED),
    tell,
)
