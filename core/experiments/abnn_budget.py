"""ABNN against the single network and deep ensembles, of as many epochs in all and of three times as many."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Series, Study, less, mean_over, side, signed, sweeping, verdict_of
from core.experiments.abnn_noise import ALPHA
from core.metrics.students import Mean
from core.pipeline.swept import Point, Swept

_SMALL = (
    "data=digits division.by=drawn backbone=resnet32 network.blocks=1 network.width=8 schedule.rate=3e-3 "
    "schedule.batch=32"
)
_SINGLE = sweeping("abnn-single", "own", _SMALL, "schedule.epochs=16", minutes=1, outside="toybox")
_DEEP = sweeping(
    "abnn-ensemble",
    "own",
    f"{_SMALL} method=ensemble config.scope=network config.members=3",
    "schedule.epochs=5,16",
    minutes=4,
    outside="toybox",
)
_WAYS: dict[str, tuple[str, Point]] = {
    "single": (_SINGLE.name, ("schedule.epochs=16",)),
    "ABNN": (ALPHA.name, ("config.alpha=0.1",)),
    "ensemble": (_DEEP.name, ("schedule.epochs=5",)),
    "ensemble x 3": (_DEEP.name, ("schedule.epochs=16",)),
}
_FIGURES = {"accuracy": "accuracy", "nll": "NLL", "ece": "ECE", "ood_auroc": "AUROC of strangers"}


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = {
        title: {key: tables[name].values(point, "test", key) for key in _FIGURES}
        for title, (name, point) in _WAYS.items()
    }
    said = "; ".join(
        f"{name} {signed(_apart(found, 'single', key))} against the single network and "
        f"{signed(_apart(found, 'ensemble', key))} against the ensemble"
        for key, name in _FIGURES.items()
    )
    sentence = f"For the same epochs of training ABNN differs in {said}."
    panels = tuple(
        Panel("", name, tuple(_WAYS), (Series("three seeds", "epistemic", means),), joined=False)
        for key, name in _FIGURES.items()
        if key != "accuracy"
        for means in [tuple(mean_over(found[title][key]) for title in _WAYS)]
    )
    gains = [-side(_apart(found, "single", key)) for key in ("nll", "ece")] + [
        side(_apart(found, "single", "ood_auroc"))
    ]
    return Answer(sentence, verdict_of(gains), panels)


def _apart(found: Mapping[str, Mapping[str, Mapping[int, float]]], other: str, key: str) -> Mean | None:
    return less(found["ABNN"][key], found[other][key])


STUDY = Study(
    "abnn_budget",
    "ABNN: for the same budget",
    "ABNN",
    "https://arxiv.org/abs/2312.15297",
    "Is a network that was made Bayesian afterwards better than the single one, and than an ensemble of the same cost?",
    "NLL, calibration and strangers better than the single network's, at a fraction of an ensemble's cost.",
    "A small residual network on handwritten digits, 16 epochs in all; strangers are pictures of Toybox.",
    (_SINGLE, ALPHA, _DEEP),
    tell,
)
