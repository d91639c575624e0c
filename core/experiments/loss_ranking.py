"""A predicted loss that is learned by ranking pairs, against one that is learned by least squares."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, side, signed, sweeping, verdict_of
from core.pipeline.swept import Swept

SWEEP = sweeping(
    "loss-ranking", "loss-prediction", "", "config.loss=ranking,squared", minutes=2, choose="error_auroc:score"
)
RANKING, SQUARED = ("config.loss=ranking",), ("config.loss=squared",)
NONE = ("",)  # a place of the chart where there is nothing to predict with
_FIGURES = {"error_auroc": "error AUROC", "r_auroc": "R-AUROC"}


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[SWEEP.name]
    apart = {key: found.less(RANKING, SQUARED, "test", f"{key}:score") for key in _FIGURES}
    plain = {key: found.mean(RANKING, "test", f"{key}:max_softmax") for key in _FIGURES}
    gains = " and ".join(f"the {_FIGURES[key]} by {signed(one)}" for key, one in apart.items())
    beside = " and ".join("–" if one is None else f"{one.value:.3f}" for one in plain.values())
    sentence = f"Ranking changes {gains} against least squares; the largest probability alone reaches {beside}."
    panels = tuple(
        Panel("learned by", name, ("ranking", "least squares", "largest probability"), (
            series(found, "predicted loss", "predicted", (RANKING, SQUARED, NONE), f"{key}:score"),
            series(found, "no predictor", "faint", (NONE, NONE, RANKING), f"{key}:max_softmax"),
        ), joined=False)
        for key, name in _FIGURES.items()
    )  # fmt: skip
    return Answer(sentence, verdict_of(side(one) for one in apart.values()), panels)


STUDY = Study(
    "loss_ranking",
    "Predicting the loss: rank or regress",
    "Pretrained Visual Uncertainties",
    "https://arxiv.org/abs/2402.16569",
    "Does a head that learns to order losses point at errors better than one that learns their size?",
    "Ordering pairs replaces the squared error, whose scale differs between data sets.",
    "Features of a residual network on Toybox with cross-fitted losses, instead of ImageNet-21k; one data set.",
    (SWEEP,),
    tell,
)
