"""Does a predicted loss know which pictures people disagree about?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.experiments._study import Answer, Panel, Series, Spoken, Study, side, signed, verdict_of
from core.metrics.students import Mean

_PLAIN = Spoken(
    "cifar10-predicted-loss", "core compare cifar10-loss-prediction --measures score,max_softmax --data cifar10h", 3
)
_SQUARED = Spoken(
    "cifar10-ranking",
    "core compare cifar10-loss-prediction cifar10-loss-prediction-l2 --measures score --data cifar10h",
    12,
)
_MODEL = Spoken(
    "cifar10-loss-prediction-l2",
    "core train cifar10-heads --set method=loss_prediction --set config.loss=squared --name cifar10-loss-prediction-l2",
    60,
)
_FIGURES = {"agreement": "rank correlation with people", "error_auroc": "error AUROC"}


def tell(documents: Mapping[str, Any]) -> Answer:
    plain, squared = (documents[one.name]["differences"] for one in (_PLAIN, _SQUARED))
    apart = {name: _mean(found["agreement"]) for name, found in (("plain", plain), ("squared", squared))}
    sentence = (
        f"Its rank correlation with the entropy of people's answers is {plain['agreement']['first']:.3f}: "
        f"{signed(apart['plain'])} against the largest probability, and {signed(apart['squared'])} against a loss that "
        "is predicted by least squares."
    )
    panels = tuple(
        Panel("", name, ("ranking", "least squares", "largest probability"), (
            Series("predicted loss", "predicted", (_one(plain[key]["first"]), _one(squared[key]["second"]), None)),
            Series("no predictor", "faint", (None, None, _one(plain[key]["second"]))),
        ), joined=False)
        for key, name in _FIGURES.items()
    )  # fmt: skip
    return Answer(sentence, verdict_of(side(one) for one in apart.values()), panels)


def _mean(difference: Mapping[str, Any]) -> Mean:
    return Mean(difference["difference"], *difference["interval"])


def _one(value: float) -> Mean:
    return Mean(value, None, None)


STUDY = Study(
    "loss_people",
    "Predicting the loss: and people's doubt",
    "Pretrained Visual Uncertainties",
    "https://arxiv.org/abs/2402.16569",
    "Is a predicted loss high for the pictures that people disagree about?",
    "Yes, with a rank correlation of .33 on ImageNet.",
    "The 10,000 test pictures of CIFAR-10 with the votes of CIFAR-10H; brackets: bootstrap over pictures.",
    (),
    tell,
    (_PLAIN, _SQUARED),
    (_MODEL,),
)
