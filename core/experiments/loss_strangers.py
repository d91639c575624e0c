"""Does a predicted loss notice classes that were never learned? The paper says it is aleatoric and does not."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, told
from core.experiments.loss_ranking import NONE, RANKING, SQUARED, SWEEP
from core.pipeline.swept import Swept

_NEAR = 0.05  # of 0.5: what the paper's own figure (.449) may be called


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[SWEEP.name]
    score, entropy = (found.mean(RANKING, "test", f"ood_auroc:{key}") for key in ("score", "total"))
    sentence = (
        f"A predicted loss that ranks tells Toybox's strangers from known toys with an AUROC of {told(score)}, one by "
        f"least squares with {told(found.mean(SQUARED, 'test', 'ood_auroc:score'))}; the entropy with "
        f"{'–' if entropy is None else f'{entropy.value:.3f}'}, where a guess has 0.5."
    )
    panel = Panel("learned by", "OOD AUROC", ("ranking", "least squares", "entropy"), (
        series(found, "predicted loss", "predicted", (RANKING, SQUARED, NONE), "ood_auroc:score"),
        series(found, "no predictor", "faint", (NONE, NONE, RANKING), "ood_auroc:total"),
    ), joined=False, guess=0.5)  # fmt: skip
    if score is None or score.low is None or score.high is None:
        return Answer(sentence, "open", (panel,))
    inside = score.low >= 0.5 - _NEAR and score.high <= 0.5 + _NEAR
    outside = score.low > 0.5 + _NEAR or score.high < 0.5 - _NEAR
    return Answer(sentence, "holds" if inside else "fails" if outside else "open", (panel,))


STUDY = Study(
    "loss_strangers",
    "Predicting the loss: blind to strangers?",
    "Pretrained Visual Uncertainties",
    "https://arxiv.org/abs/2402.16569",
    "Is a predicted loss aleatoric alone, so that it does not tell what was never learned?",
    "It is aleatoric and not epistemic: an OOD AUROC near 0.5.",
    "Strangers are Toybox's own held-out toys, drawn by the same renderer; the paper's are other photo collections.",
    (SWEEP,),
    tell,
)
