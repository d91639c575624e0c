"""Dropsembles with and without an anchor (EWC), while the new world moves away from the old one, in the plane."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Panel, Study, series, side, signed, sweeping, verdict_of
from core.pipeline.swept import Swept

_SWEEP = sweeping(
    "dropsembles-anchor",
    "dropsembles-toy",
    "steps=800 later_steps=300 strengths=0,1,100,10000",
    "degrees=0,45,90",
    minutes=5,
)
_CHOSEN, _FIXED = "method=dropsembles", "method=dropsembles-"
_FREE = f"{_FIXED}0"


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    turns = found.over[0].values
    apart = [found.less((f"degrees={turn}", _CHOSEN), (f"degrees={turn}", _FREE), "test", "nll") for turn in turns]
    kept = found.less((f"degrees={turns[-1]}", _CHOSEN), (f"degrees={turns[-1]}", _FREE), "test", "first.nll")
    gains = "; ".join(f"{signed(one)} at {turn}°" for turn, one in zip(turns, apart, strict=True))
    sentence = (
        f"An anchor whose strength is chosen on validation points changes the NLL on the new world by {gains}, and at "
        f"{turns[-1]}° that on the old world by {signed(kept)}."
    )
    strengths = [key.removeprefix(_FIXED) for _, key in found.points if key.startswith(_FIXED)]
    places = tuple(dict.fromkeys(strengths))
    panels = tuple(
        Panel(
            "strength of the anchor (lambda)",
            f"NLL on the {world} world",
            places,
            tuple(
                series(
                    found,
                    f"turned by {turn}°",
                    meaning,
                    [(f"degrees={turn}", _FIXED + one) for one in places],
                    key,
                )
                for turn, meaning in zip(turns, ("kept", "total", "refused"), strict=True)
            ),
        )
        for world, key in (("new", "nll"), ("old", "first.nll"))
    )
    return Answer(sentence, verdict_of(-side(one) for one in apart), panels)


STUDY = Study(
    "dropsembles_anchor",
    "Dropsembles: what the anchor is for",
    "Dropsembles",
    "https://arxiv.org/abs/2406.12082",
    "Does staying near what was learned (EWC) help on a few points of another world, however far it moved?",
    "EWC helps where the new data are sparse.",
    "In the plane, with 20 points of a copy that is turned and moved; lambda chosen on 200 further points of it.",
    (_SWEEP,),
    tell,
)
