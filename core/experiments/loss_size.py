"""Does a predicted loss become better with a larger network?"""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, side, signed, sweeping, verdict_of
from core.pipeline.swept import Swept

_SWEEP = sweeping(
    "loss-size",
    "own",
    "data=digits division.by=drawn backbone=resnet32 network.blocks=1 method=loss_prediction config.scope=network "
    "config.train_classifier=yes target_folds=0 schedule.rate=3e-3 schedule.epochs=8",
    "network.width=4,8,16",
    minutes=5,
    choose="error_auroc:score",
)
_FIGURES = {"r_auroc:score": "R-AUROC of the predicted loss", "accuracy": "accuracy"}


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    widths = found.over[0].values
    points = [(f"network.width={width}",) for width in widths]
    apart = {key: found.less(points[-1], points[0], "test", key) for key in _FIGURES}
    rise = apart["r_auroc:score"]
    sentence = (
        f"From {widths[0]} to {widths[-1]} channels accuracy changes by {signed(apart['accuracy'])} and the R-AUROC of "
        f"the predicted loss by {signed(rise)}."
    )
    panels = tuple(
        Panel(
            "channels of the first stage", title, widths, (series(found, "predicted loss", "predicted", points, key),)
        )
        for key, title in _FIGURES.items()
    )
    return Answer(sentence, verdict_of((-1 if side(rise) > 0 else 1,)), panels)


STUDY = Study(
    "loss_size",
    "Predicting the loss: is larger better?",
    "Pretrained Visual Uncertainties",
    "https://arxiv.org/abs/2402.16569",
    "Does a larger network predict its losses better?",
    "No: the R-AUROC of ViT-Large (.585) is below that of ViT-Tiny (.610).",
    "Small residual networks on handwritten digits instead of pretrained ViTs on birds, cars and products.",
    (_SWEEP,),
    tell,
)
