"""Does doubt survive the way to new classes: features left as they are, all fine-tuned, or learned from scratch?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.experiments._scenes import MODELS
from core.experiments._study import (
    Answer,
    Meaning,
    Panel,
    Series,
    Study,
    less,
    mean_over,
    side,
    signed,
    sweeping,
    told,
    verdict_of,
)
from core.metrics.students import Mean
from core.pipeline.swept import Swept

_TITLES = {"deterministic": "deterministic", "mc_dropout": "MC dropout", "flipout": "Flipout", "det_flip": "Det-Flip"}
_METHODS = f"method={','.join(_TITLES)}"
_FOLDS = (1, 2, 3)
_CARRIED = sweeping(
    "transfer", "vi-pann-small", "", _METHODS, "fit=fixed,fine-tuned", minutes=6, folds=_FOLDS, outside="fsdd"
)
_SCRATCH = sweeping(
    "transfer-scratch", "vi-pann-small", "start=drawn fit=fine-tuned", _METHODS, minutes=4, folds=_FOLDS, outside="fsdd"
)
_WAYS: dict[str, Meaning] = {"fixed": "kept", "fine-tuned": "refused", "from scratch": "total"}
_FIGURES = {
    "slope:total": "gain where 80 % are kept",
    "ece": "ECE",
    "ood_auroc:total": "AUROC of spoken digits",
}


def tell(tables: Mapping[str, Any]) -> Answer:
    apart = {key: {figure: _apart(tables, key, figure) for figure in ("accuracy", "ece", "error_auroc:total")}
             for key in _TITLES}  # fmt: skip
    each = "; ".join(
        f"{_TITLES[key]}: accuracy {signed(one['accuracy'])}, ECE {signed(one['ece'])}, error AUROC "
        f"{signed(one['error_auroc:total'])}"
        for key, one in apart.items()
    )
    strangers = ", ".join(f"{told(_mean(tables, 'flipout', way, 'ood_auroc:total'))} {way}" for way in _WAYS)
    sentence = (
        f"Fine-tuned instead of fixed features change, for {each}. Spoken digits are told from ESC-10 by Flipout with "
        f"an AUROC of {strangers}."
    )
    panels = tuple(
        Panel("", name, tuple(_TITLES.values()), tuple(
            Series(way, meaning, tuple(_mean(tables, key, way, figure) for key in _TITLES))
            for way, meaning in _WAYS.items()
        ), joined=False)
        for figure, name in _FIGURES.items()
    )  # fmt: skip
    sides = [side(one["ece"]) for one in apart.values()]
    return Answer(sentence, verdict_of(sides), panels)


def _values(tables: Mapping[str, Swept], method: str, way: str, figure: str) -> dict[int, float]:
    if way == "from scratch":
        return tables[_SCRATCH.name].values((f"method={method}",), "test", figure)
    return tables[_CARRIED.name].values((f"method={method}", f"fit={way}"), "test", figure)


def _mean(tables: Mapping[str, Swept], method: str, way: str, figure: str) -> Mean | None:
    return mean_over(_values(tables, method, way, figure))


def _apart(tables: Mapping[str, Swept], method: str, figure: str) -> Mean | None:
    """Fine-tuned less fixed."""
    fixed, tuned = (_values(tables, method, way, figure) for way in ("fixed", "fine-tuned"))
    return less(tuned, fixed)


STUDY = Study(
    "transfer",
    "Does calibrated doubt transfer?",
    "VI-PANN",
    "https://arxiv.org/abs/2401.05531",
    "Does a network's doubt stay calibrated on new classes, and does fine-tuning spoil it?",
    "Fixed features keep the calibration of doubt; fine-tuning may degrade it.",
    "A network of 27,000 weights from Soundbox scenes to ESC-10, three folds, instead of ResNet54 from AudioSet.",
    (_CARRIED, _SCRATCH),
    tell,
    models=MODELS,
)
