"""Dropsembles with more and less thinning, in the plane."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, signed, sweeping, told
from core.pipeline.swept import Swept, value_of

_SWEEP = sweeping(
    "dropsembles-rate",
    "dropsembles-toy",
    "steps=800 later_steps=300 strengths=0,100",
    "rate=0.05,0.1,0.2,0.4",
    minutes=5,
)


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    rates = found.over[0].values
    ours = [(f"rate={rate}", "method=dropsembles") for rate in rates]
    dropped = [(f"rate={rate}", "method=mc_dropout") for rate in rates]
    known = {point: mean.value for point in ours if (mean := found.mean(point, "validation", "nll")) is not None}
    best = min(known, key=lambda point: known[point])
    others = [point for point in ours if point != best]
    apart = "; ".join(f"{signed(found.less(one, best, 'test', 'nll'))} at {value_of(one, 'rate')}" for one in others)
    sentence = (
        f"Validation chooses a dropout rate of {value_of(best, 'rate')}, with an NLL on the new world of "
        f"{told(found.mean(best, 'test', 'nll'))}; other rates differ from it by {apart}."
    )
    lines = (series(found, "Dropsembles", "kept", ours, "nll"), series(found, "MC dropout", "refused", dropped, "nll"))
    return Answer(sentence, "measured", (Panel("dropout rate", "NLL on the new world", rates, lines),))


STUDY = Study(
    "dropsembles_rate",
    "Dropsembles: how much to thin",
    "Dropsembles",
    "https://arxiv.org/abs/2406.12082",
    "Which dropout rate should the one expensive network be trained and thinned with?",
    "",
    "In the plane, with 4 members and 20 points of the new world; the paper leaves the rate open.",
    (_SWEEP,),
    tell,
)
