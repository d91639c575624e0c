"""ABNN: which of a network's normalisation layers to make random."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, signed, sweeping
from core.experiments.abnn_noise import NETWORK
from core.pipeline.swept import Swept, value_of

_SWEEP = sweeping(
    "abnn-where", "own", f"{NETWORK} config.alpha=0.1", "config.where=all,first 3,last 3,every 3", minutes=3
)


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    places = found.over[0].values
    points = [(f"config.where={place}",) for place in places]
    best = found.best() or points[0]
    apart = "; ".join(
        f"{signed(found.less(point, points[0], 'test', 'nll'))} with {value_of(point, 'config.where')}"
        for point in points[1:]
    )
    sentence = (
        f"Validation chooses {value_of(best, 'config.where')}. Against noise in all layers the NLL changes by {apart}."
    )
    panels = tuple(
        Panel("layers with noise", title, places, (series(found, "ABNN", "epistemic", points, key),), joined=False)
        for key, title in (("nll", "NLL"), ("ece", "ECE"))
    )
    return Answer(sentence, "measured", panels)


STUDY = Study(
    "abnn_layers",
    "ABNN: which layers",
    "ABNN",
    "https://arxiv.org/abs/2312.15297",
    "Which normalisation layers should be random, the first, the last, every third or all?",
    "",
    "A small residual network on handwritten digits; the paper makes all layers random.",
    (_SWEEP,),
    tell,
)
