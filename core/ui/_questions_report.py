"""The Questions page in words, and what of it can be taken along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.experiments._study import Answer, Study, Verdict
from core.pipeline.swept import Swept
from core.ui import _panel_charts, report, words
from core.ui.report import Chart, Listing, Report

Cards = Mapping[str, tuple[Study, Answer | None]]
_SCRIPT = '''"""Penumbra's questions again, from stored tables. Run it in the folder of the app: python questions.py

A table is made by the commands that stand beside its question.
"""

from core import registry
from core.experiments._study import answered
from core.settings import load

settings = load()  # PENUMBRA_HOME and PENUMBRA_CHECKPOINTS say where tables are
for key, study in registry.discover("core.experiments", "STUDY").items():
    answer = answered(study, settings)
    print(study.question, "not measured" if answer is None else answer.sentence, sep="\\n  ")
    for one in study.sweeps:
        print("   ", one.command)
'''


def summary(cards: Cards) -> str:
    """How many are answered, and how many claims held."""
    found = [answer for _, answer in cards.values() if answer is not None]
    if not found:
        return f"None of {len(cards)} questions is measured here yet; each card has a button that does it."
    counts = {key: sum(answer.verdict == key for answer in found) for key in ("holds", "fails", "open", "measured")}
    return (
        f"{len(found)} of {len(cards)} questions are measured: {words.counted(counts['holds'], 'claim')} held, "
        f"{counts['fails']} did not, {counts['open']} cannot be told from it, and "
        f"{counts['measured']} had been left open."
    )


def scope(study: Study, sweeps: Mapping[str, Swept]) -> str:
    """What a card's figures stand on."""
    told = []
    for one in study.sweeps:
        found = sweeps[one.name]
        counts = ", ".join(f"{words.count(count)} {side}" for side, count in (found.counts or {}).items())
        told.append(f"{found.data} ({counts} items), {found.units}, {found.date}, {found.machine}")
    lines = "; ".join(dict.fromkeys(told))
    return f"{lines}. Brackets and bars: Student's 95 % interval over seeds, on the same test items."


def columns(cards: Cards, verdicts: Mapping[Verdict, str]) -> dict[str, Sequence[str]]:
    both = list(cards.values())
    return {
        "question": [study.question for study, _ in both],
        "asked by": [study.paper for study, _ in both],
        "claim": [study.claim or "left open" for study, _ in both],
        "here": ["not measured" if answer is None else verdicts[answer.verdict] for _, answer in both],
        "measured": ["" if answer is None else answer.sentence for _, answer in both],
        "commands": ["; ".join(one.command for one in study.sweeps) for study, _ in both],
    }


def report_of(cards: Cards, sweeps: Mapping[str, Swept]) -> Report:
    parts: list[Chart | Listing] = []
    for study, answer in cards.values():
        if answer is None:
            continue
        rows = (("claim", study.claim or "left open"), ("here", answer.sentence), ("stands on", scope(study, sweeps)),
                ("differs", study.differs))  # fmt: skip
        parts.append(Listing(study.question, ("", study.paper), rows))
        parts += [Chart(f"{study.title}: {panel.y}", _panel_charts.drawn(panel, False), _panel_charts.finding(panel),
                        f"{panel.y} by {panel.x}") for panel in answer.panels]  # fmt: skip
    return Report("What the papers asked, and what was found here", (summary(cards),), tuple(parts), {}, _SCRIPT)


def downloads(cards: Cards, sweeps: Mapping[str, Swept]) -> None:
    report.downloads(lambda: report_of(cards, sweeps), "questions", "questions", script=lambda: _SCRIPT)
