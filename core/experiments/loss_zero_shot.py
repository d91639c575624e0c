"""Is a predicted loss of use where none of its classes are: the other classes of the set, and other sets?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.experiments._study import Answer, Panel, Series, Spoken, Study, side, signed, told, verdict_of
from core.metrics.students import Mean, mean_of

_SEEDS = range(3)
_SETS = {
    "four other classes": ("classes", "cifar10 --classes airplane,automobile,ship,truck"),
    "Toybox": ("toybox", "toybox"),
    "digits": ("digits", "digits"),
}


def _document(key: str, data: str, seed: int) -> Spoken:
    return Spoken(f"zero-shot-{key}-{seed}", f"core evaluate --model zero-shot-{seed} --data {data}", 3)


def tell(documents: Mapping[str, Any]) -> Answer:
    found = {title: [documents[_document(key, data, seed).name]["measures"] for seed in _SEEDS]
             for title, (key, data) in _SETS.items()}  # fmt: skip
    apart = {title: mean_of([_of(one, "score") - _of(one, "total") for one in each]) for title, each in found.items()}
    each = "; ".join(
        f"{told(mean)} on {title}, {signed(apart[title])} against the entropy of the six classes"
        for title, mean in zip(found, _means(found, "score"), strict=True)
    )
    sentence = f"R-AUROC of the predicted loss: {each}."
    lines = (
        Series("predicted loss", "predicted", _means(found, "score")),
        Series("entropy", "total", _means(found, "total")),
    )
    panel = Panel("judged on", "R-AUROC", tuple(found), lines, joined=False, guess=0.5)
    return Answer(sentence, verdict_of(side(one) for one in apart.values()), (panel,))


def _means(found: Mapping[str, list[Any]], doubt: str) -> tuple[Mean | None, ...]:
    return tuple(mean_of([_of(one, doubt) for one in each]) for each in found.values())


def _of(measures: Mapping[str, Any], doubt: str) -> float:
    return float(measures[doubt]["r_auroc"])


STUDY = Study(
    "loss_zero_shot",
    "Predicting the loss: on classes never seen",
    "Pretrained Visual Uncertainties",
    "https://arxiv.org/abs/2402.16569",
    "Does a predicted loss tell, on classes and sets it never saw, whose nearest neighbour is of another class?",
    "Yes: a pretrained one reaches an R-AUROC of .61 on birds, cars and products, where entropy has no classes.",
    "Six classes of CIFAR-10 on ImageNet features, instead of 21,000 classes; the entropy of the six is asked too.",
    (),
    tell,
    tuple(_document(key, data, seed) for key, data in _SETS.values() for seed in _SEEDS),
    tuple(
        Spoken(name, f"core train zero-shot --set method=loss_prediction --set seed={seed} --name {name}", 8)
        for seed, name in ((seed, f"zero-shot-{seed}") for seed in _SEEDS)
    ),
)
