"""Residual networks for sound of 18, 34 and 54 layers: does depth change how well doubt is calibrated?"""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, signed, sweeping
from core.pipeline.swept import Swept

_SWEEP = sweeping(
    "depth",
    "own",
    "data=fsdd backbone=panns network.seconds=1 network.width=0.125 division.by=fold method=mc_dropout "
    "schedule.epochs=12 schedule.batch=16 schedule.rate=2e-3",
    "network.name=resnet18,resnet34,resnet54",
    minutes=20,
    folds=(1, 2, 3),
)
_LAYERS = ("18", "34", "54")
_FIGURES = {"accuracy": "accuracy", "ece": "ECE", "error_auroc:total": "error AUROC"}


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    points = [(f"network.name=resnet{layers}",) for layers in _LAYERS]
    apart = {key: found.less(points[-1], points[0], "test", key) for key in _FIGURES}
    said = ", ".join(f"{name} by {signed(apart[key])}" for key, name in _FIGURES.items())
    sentence = f"From {_LAYERS[0]} to {_LAYERS[-1]} layers, on speakers that were never heard, change {said}."
    panels = tuple(
        Panel("layers", name, _LAYERS, (series(found, "MC dropout", "epistemic", points, key),))
        for key, name in _FIGURES.items()
    )
    return Answer(sentence, "measured", panels)


STUDY = Study(
    "depth",
    "VI-PANN: how deep",
    "VI-PANN",
    "https://arxiv.org/abs/2401.05531",
    "Are deeper networks better calibrated, on speech?",
    "",
    "PANNs' networks with an eighth of their channels on spoken digits, one speaker a fold; the paper takes 54.",
    (_SWEEP,),
    tell,
)
