"""Dropsembles that are fine-tuned for ever longer on a few points, with an anchor and without, in the plane."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, signed, sweeping
from core.pipeline.swept import Swept

_SWEEP = sweeping(
    "dropsembles-long", "dropsembles-toy", "steps=800 strengths=0,100", "later_steps=30,100,300,1000", minutes=6
)
_FREE, _HELD, _DEEP = "method=dropsembles-0", "method=dropsembles-100", "method=ensemble"


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    steps = found.over[0].values
    free, held, deep = ([(f"later_steps={count}", key) for count in steps] for key in (_FREE, _HELD, _DEEP))
    kept = {key: found.less(points[-1], points[0], "test", "first.nll") for key, points in (("0", free), ("100", held))}
    gain = found.less(held[-1], free[-1], "test", "nll")
    sentence = (
        f"From {steps[0]} to {steps[-1]} steps the NLL on the old world changes by {signed(kept['0'])} without an "
        f"anchor and by {signed(kept['100'])} with lambda 100; on the new world, after {steps[-1]} steps, the anchor "
        f"changes it by {signed(gain)}."
    )
    panels = tuple(
        Panel("steps of fine-tuning", f"NLL on the {world} world", steps, (
            series(found, "no anchor", "refused", free, key),
            series(found, "lambda 100", "kept", held, key),
            series(found, "deep ensemble", "total", deep, key),
        ))
        for world, key in (("new", "nll"), ("old", "first.nll"))
    )  # fmt: skip
    return Answer(sentence, "measured", panels)


STUDY = Study(
    "dropsembles_long",
    "Dropsembles: fine-tuned for long",
    "Dropsembles",
    "https://arxiv.org/abs/2406.12082",
    "What do thinned copies forget, and how certain do they become, when they are fine-tuned for long?",
    "",
    "In the plane, with 20 points of a turned copy; the paper does not say for how long it adapts.",
    (_SWEEP,),
    tell,
)
