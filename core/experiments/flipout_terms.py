"""Flipout's two conventions: the KL summed or averaged, and signs a channel or an element."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Meaning, Panel, Study, series, signed, sweeping
from core.pipeline.swept import Swept

_SWEEP = sweeping(
    "flipout-terms",
    "own",
    "data=digits division.by=drawn backbone=resnet32 network.blocks=1 network.width=8 method=flipout config.rho=-5.0 "
    "config.warmup=100 schedule.epochs=12 schedule.rate=3e-3 schedule.batch=32",
    "config.kl=sum,mean",
    "config.signs=channel,element",
    minutes=7,
    outside="toybox",
)
_MEANINGS: dict[str, Meaning] = {"channel": "epistemic", "element": "total"}
_FIGURES = {"nll": "NLL", "level:epistemic": "mean epistemic part (nats)", "ood_auroc:epistemic": "AUROC of strangers"}


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    sums, signs = (axis.values for axis in found.over)
    lines = {sign: [(f"config.kl={kind}", f"config.signs={sign}") for kind in sums] for sign in signs}
    usual = lines["channel"]
    averaged = {key: found.less(usual[1], usual[0], "test", key) for key in _FIGURES}
    pixels = {key: found.less(lines["element"][0], usual[0], "test", key) for key in _FIGURES}
    sentence = (
        f"Averaging the KL changes the NLL by {signed(averaged['nll'])} and the mean epistemic part by "
        f"{signed(averaged['level:epistemic'], 4)} nats; signs an element instead of a channel change them by "
        f"{signed(pixels['nll'])} and {signed(pixels['level:epistemic'], 4)}, and the AUROC of strangers by "
        f"{signed(pixels['ood_auroc:epistemic'])}."
    )
    panels = tuple(
        Panel("KL", title, sums, tuple(
            series(found, f"signs a {sign}" if sign == "channel" else f"signs an {sign}", _MEANINGS[sign], points, key)
            for sign, points in lines.items()
        ), joined=False)
        for key, title in _FIGURES.items()
    )  # fmt: skip
    return Answer(sentence, "measured", panels)


STUDY = Study(
    "flipout_terms",
    "Flipout: which KL, which signs",
    "VI-PANN",
    "https://arxiv.org/abs/2401.05531",
    "What does it change to average the KL, and to draw a sign for each pixel, as the authors' library does?",
    "",
    "A small residual network on handwritten digits; strangers are pictures of Toybox.",
    (_SWEEP,),
    tell,
)
