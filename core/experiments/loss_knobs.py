"""Does a predicted loss rise where items become ambiguous, by mixing two classes and by noise or blur?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.experiments._study import Answer, Panel, Series, Spoken, Study, side, told, verdict_of
from core.metrics.students import Mean, told_of

_BOXES = {
    title: Spoken(f"knobs-loss-{title.lower()}", f"core knobs --model {title.lower()}-loss-prediction", 28)
    for title in ("Soundbox", "Toybox")
}
_DRAWS = 3  # of sources, which `knobs` takes


def tell(documents: Mapping[str, Any]) -> Answer:
    found = {title: documents[one.name] for title, one in _BOXES.items()}
    score = {title: {key: _mean(one, "score", key) for key in ("mixing", "spoiling", "novelty")}
             for title, one in found.items()}  # fmt: skip
    each = "; ".join(
        f"on {title} {told(means['mixing'], 2)} with mixing and {told(means['spoiling'], 2)} with "
        f"{found[title]['spoiling']}, while it tells strangers with an AUROC of {told(means['novelty'], 2)}"
        for title, means in score.items()
    )
    sentence = f"Rank correlation of the mean predicted loss with the knob: {each}."
    panels = tuple(
        Panel("", name, tuple(found), (
            Series("predicted loss", "predicted", tuple(_mean(one, "score", key) for one in found.values())),
            Series("entropy", "total", tuple(_mean(one, "total", key) for one in found.values())),
        ), joined=False, guess=guess)
        for key, name, guess in (
            ("mixing", "rank correlation with mixing", 0.0),
            ("spoiling", "rank correlation with noise or blur", 0.0),
            ("novelty", "AUROC of strangers", 0.5),
        )
    )  # fmt: skip
    rises = [side(means[key]) for means in score.values() for key in ("mixing", "spoiling")]
    return Answer(sentence, verdict_of(rises), panels)


def _mean(document: Mapping[str, Any], doubt: str, key: str) -> Mean:
    one = document["measures"][doubt][key]
    mean = told_of(one["mean"], one["sd"], _DRAWS)
    return mean if mean.high is None else replace(mean, high=min(mean.high, 1.0))  # no figure here can be more


STUDY = Study(
    "loss_knobs",
    "Predicting the loss: does it rise with ambiguity?",
    "Pretrained Visual Uncertainties",
    "https://arxiv.org/abs/2402.16569",
    "Does a predicted loss rise as two classes are mixed, and as an item is spoilt?",
    "It is aleatoric: it rises with what makes an item ambiguous.",
    "Knobs of known truth on sounds and pictures that are made here, 40 pairs of classes; not photographs.",
    (),
    tell,
    tuple(_BOXES.values()),
)
