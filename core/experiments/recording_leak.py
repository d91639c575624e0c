"""What a split that ignores recordings hides: the same training divided by recordings, and clip by clip."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, side, signed, sweeping, told, verdict_of
from core.pipeline.swept import Swept

_SWEEP = sweeping(
    "recording-leak",
    "own",
    "data=soundbox backbone=toy network.hidden=128 start=published fit=fixed schedule.rate=3e-3",
    "division.by=drawn,careless",
    minutes=4,
)
_WHOLE, _CARELESS = ("division.by=drawn",), ("division.by=careless",)


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    rise = found.less(_CARELESS, _WHOLE, "test", "accuracy")
    sentence = (
        f"Divided clip by clip the same training seems to reach an accuracy of "
        f"{told(found.mean(_CARELESS, 'test', 'accuracy'))}; with whole recordings on one side it reaches "
        f"{told(found.mean(_WHOLE, 'test', 'accuracy'))}. The difference, {signed(rise)}, is the leak."
    )
    panels = tuple(
        Panel("divided by", title, ("recordings", "clips"),
              (series(found, "test items", "total", (_WHOLE, _CARELESS), key),), joined=False)
        for key, title in (("accuracy", "accuracy"), ("nll", "NLL"))
    )  # fmt: skip
    return Answer(sentence, verdict_of((side(rise),)), panels)


STUDY = Study(
    "recording_leak",
    "The recording leak",
    "Lecture notes on ESC-50",
    "https://github.com/karolpiczak/ESC-50",
    "How much better does a model seem when clips of one recording are on both sides of the split?",
    "Published folds keep recordings whole because clips of one recording give each other away.",
    "Soundbox, whose recordings are known, and hand-made features, instead of ESC-50.",
    (_SWEEP,),
    tell,
)
