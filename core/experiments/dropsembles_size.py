"""Dropsembles against deep ensembles and MC dropout, with 2 to 16 members, in the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.experiments._study import Answer, Panel, Study, series, side, signed, sweeping, verdict_of
from core.pipeline.swept import Point, Swept

_SWEEP = sweeping(
    "dropsembles-members",
    "dropsembles-toy",
    "steps=800 later_steps=300 strengths=0,100,10000",
    "members=2,4,8,16",
    minutes=6,
)
_USUAL = "4"  # members in the paper


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    members = found.over[0].values
    ours, deep, dropped = (_points(members, key) for key in ("dropsembles", "ensemble", "mc_dropout"))
    usual = members.index(_USUAL)
    apart = found.less(ours[usual], deep[usual], "test", "nll")
    calm = found.less(ours[usual], dropped[usual], "test", "ece")
    sentence = (
        f"With {_USUAL} members the NLL on the new world is {signed(apart)} nats from the deep ensemble's, for "
        f"{_share(found):.0%} of its training steps, and the ECE {signed(calm)} from MC dropout's. From {members[0]} "
        f"to {members[-1]} members the NLL changes by {signed(found.less(ours[-1], ours[0], 'test', 'nll'))}."
    )
    near = -1 if side(apart) > 0 else 1  # as good, unless it is worse by more than chance
    panels = tuple(_panel(found, members, ours, deep, dropped, key) for key in ("nll", "ece"))
    return Answer(sentence, verdict_of((near, -side(calm))), panels)


def _share(found: Swept) -> float:
    """Of a deep ensemble's steps: one network learns the old world, and all members the new one."""
    known = {name: value for name, _, value in (setting.partition("=") for setting in found.settings)}
    first, later, members = int(known["steps"]), int(known["later_steps"]), int(_USUAL)
    return (first + members * later) / (members * (first + later))


def _points(members: Sequence[str], key: str) -> list[Point]:
    return [(f"members={count}", f"method={key}") for count in members]


def _panel(
    found: Swept, members: tuple[str, ...], ours: list[Point], deep: list[Point], dropped: list[Point], key: str
) -> Panel:
    lines = (
        series(found, "Dropsembles", "kept", ours, key),
        series(found, "deep ensemble", "total", deep, key),
        series(found, "MC dropout", "refused", dropped, key),
    )
    return Panel("members", f"{key.upper()} on the new world", members, lines)


STUDY = Study(
    "dropsembles_size",
    "Dropsembles: how many members",
    "Dropsembles",
    "https://arxiv.org/abs/2406.12082",
    "Do thinned copies of one network know as much as a deep ensemble, and how many are needed?",
    "As accurate and calibrated as a deep ensemble at a fraction of its cost, and better calibrated than MC dropout.",
    "Two moons and 20 points of a turned copy stand for spines; the paper leaves sizes, noise and steps open.",
    (_SWEEP,),
    tell,
)
