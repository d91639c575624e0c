"""The Questions page in words, and what of it can be taken along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.experiments._study import Answer, Study, Verdict
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
    print("", *study.commands, sep="\\n    ")
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


def scope(answer: Answer) -> str:
    """What a card's figures stand on."""
    stands = answer.stands[:1].upper() + answer.stands[1:]
    return f"{stands}. Brackets and bars: Student's 95 % interval over seeds or folds, where there are several."


def columns(cards: Cards, verdicts: Mapping[Verdict, str]) -> dict[str, Sequence[str]]:
    both = list(cards.values())
    return {
        "question": [study.question for study, _ in both],
        "asked by": [study.paper for study, _ in both],
        "claim": [study.claim or "left open" for study, _ in both],
        "here": ["not measured" if answer is None else verdicts[answer.verdict] for _, answer in both],
        "measured": ["" if answer is None else answer.sentence for _, answer in both],
        "commands": ["; ".join(study.commands) for study, _ in both],
    }


def report_of(cards: Cards) -> Report:
    parts: list[Chart | Listing] = []
    for study, answer in cards.values():
        if answer is None:
            continue
        rows = (("claim", study.claim or "left open"), ("here", answer.sentence), ("stands on", scope(answer)),
                ("differs", study.differs))  # fmt: skip
        parts.append(Listing(study.question, ("", study.paper), rows))
        parts += [Chart(f"{study.title}: {panel.y}", _panel_charts.drawn(panel, False), _panel_charts.finding(panel),
                        f"{panel.y} by {panel.x}") for panel in answer.panels]  # fmt: skip
    return Report("What the papers asked, and what was found here", (summary(cards),), tuple(parts), {}, _SCRIPT)


def downloads(cards: Cards) -> None:
    report.downloads(lambda: report_of(cards), "questions", "questions", script=lambda: _SCRIPT)
