"""ABNN: how much noise on the normalisation layers a trained network bears, and what it gains."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, side, signed, sweeping, verdict_of
from core.pipeline.swept import Swept, value_of

NETWORK = (
    "data=digits division.by=drawn backbone=resnet32 network.blocks=1 network.width=8 settled=yes settling.epochs=10 "
    "settling.rate=3e-3 settling.batch=32 method=abnn schedule.epochs=2 schedule.rate=2e-4"
)
ALPHA = sweeping("abnn-alpha", "own", NETWORK, "config.alpha=0,0.01,0.1,1", minutes=3, outside="toybox")
_NOTHING, _ALL = "0", "1"


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[ALPHA.name]
    sizes = found.over[0].values
    points = [(f"config.alpha={size}",) for size in sizes]
    still, whole = (f"config.alpha={_NOTHING}",), (f"config.alpha={_ALL}",)
    best = found.best() or still
    lost = found.less(whole, still, "test", "accuracy")
    gains = ", ".join(
        f"{signed(found.less(point, still, 'test', 'nll'))} at {value_of(point, 'config.alpha')}"
        for point in points
        if point not in (still, whole)
    )
    sentence = (
        f"Validation chooses alpha = {value_of(best, 'config.alpha')}; against no noise the NLL changes by {gains}. "
        f"With alpha = {_ALL} accuracy changes by {signed(lost)}."
    )
    panels = tuple(
        Panel("alpha", title, sizes, (series(found, "ABNN", "epistemic", points, key),))
        for key, title in (("accuracy", "accuracy"), ("nll", "NLL"))
    )
    return Answer(sentence, verdict_of((-side(lost),)), panels)


STUDY = Study(
    "abnn_noise",
    "ABNN: how much noise",
    "ABNN",
    "https://arxiv.org/abs/2312.15297",
    "How much may the scales of a trained network's normalisation layers be shaken?",
    "The authors' code takes alpha = 0.01; an independent attempt with alpha = 1 lost 20 to 30 points of accuracy.",
    "A small residual network on handwritten digits, three members of two epochs; not CIFAR or ImageNet.",
    (ALPHA,),
    tell,
)
