"""Should the gradient of a predicted loss reach the network? Classification with and without, over ever longer fits."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, side, signed, sweeping, verdict_of
from core.pipeline.swept import Point, Swept

_SWEEP = sweeping(
    "loss-gradient",
    "own",
    "data=digits division.by=drawn backbone=resnet32 network.blocks=1 network.width=8 method=loss_prediction "
    "config.scope=network config.train_classifier=yes target_folds=0 schedule.rate=3e-3",
    "config.stop_gradient=yes,no",
    "schedule.epochs=4,8,16",
    minutes=3,
)


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    epochs = found.over[1].values
    stopped, flowing = (_points(flag, epochs) for flag in ("yes", "no"))
    right = found.less(stopped[-1], flowing[-1], "test", "accuracy")
    ranks = found.less(stopped[-1], flowing[-1], "test", "error_auroc:score")
    sentence = (
        f"After {epochs[-1]} epochs stopping the gradient changes accuracy by {signed(right)} and the error AUROC of "
        f"the predicted loss by {signed(ranks)}; after {epochs[0]} epochs accuracy by "
        f"{signed(found.less(stopped[0], flowing[0], 'test', 'accuracy'))}."
    )
    panels = tuple(
        Panel("epochs", title, epochs, (
            series(found, "gradient stopped", "kept", stopped, key),
            series(found, "gradient flows", "refused", flowing, key),
        ))
        for key, title in (("accuracy", "accuracy"), ("error_auroc:score", "error AUROC of the predicted loss"))
    )  # fmt: skip
    return Answer(sentence, verdict_of((side(right), side(ranks))), panels)


def _points(flag: str, epochs: tuple[str, ...]) -> list[Point]:
    return [(f"config.stop_gradient={flag}", f"schedule.epochs={count}") for count in epochs]


STUDY = Study(
    "loss_gradient",
    "Predicting the loss: stop its gradient?",
    "Pretrained Visual Uncertainties",
    "https://arxiv.org/abs/2402.16569",
    "Does the gradient of a predicted loss harm the classifier that it comes from?",
    "Without stopping it accuracy falls after some epochs (79.8 % at 6, 76.4 % at 31) and the predicted loss is worse.",
    "A small residual network on handwritten digits from scratch, instead of a pretrained ViT-B on ImageNet.",
    (_SWEEP,),
    tell,
)
