"""ABNN with more members, and with more draws of each."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments._study import Answer, Meaning, Panel, Study, series, signed, sweeping
from core.experiments.abnn_noise import NETWORK
from core.pipeline.swept import Swept, value_of

_SWEEP = sweeping(
    "abnn-members", "own", f"{NETWORK} config.alpha=0.1", "config.members=1,3,6", "config.draws=1,4", minutes=4
)
_LINES: tuple[Meaning, ...] = ("total", "epistemic")


def tell(tables: Mapping[str, Swept]) -> Answer:
    found = tables[_SWEEP.name]
    members, draws = (axis.values for axis in found.over)
    lines = [[(f"config.members={count}", f"config.draws={each}") for count in members] for each in draws]
    best = found.best() or lines[0][0]
    sentence = (
        f"From {members[0]} to {members[-1]} members the NLL changes by "
        f"{signed(found.less(lines[-1][-1], lines[-1][0], 'test', 'nll'))}; with {members[-1]} members, "
        f"{draws[-1]} draws of each instead of {draws[0]} change it by "
        f"{signed(found.less(lines[-1][-1], lines[0][-1], 'test', 'nll'))}. Validation chooses "
        f"{value_of(best, 'config.members')} members with {value_of(best, 'config.draws')} draws."
    )
    panels = tuple(
        Panel("members", title, members, tuple(
            series(found, f"{each} draws of each" if each != "1" else "one draw of each", meaning, points, key)
            for each, meaning, points in zip(draws, _LINES, lines, strict=True)
        ))
        for key, title in (("nll", "NLL"), ("ece", "ECE"))
    )  # fmt: skip
    return Answer(sentence, "measured", panels)


STUDY = Study(
    "abnn_members",
    "ABNN: members and draws",
    "ABNN",
    "https://arxiv.org/abs/2312.15297",
    "How many fine-tuned members, and how many draws of the noise of each?",
    "",
    "A small residual network on handwritten digits; the authors' scripts take three and three.",
    (_SWEEP,),
    tell,
)
