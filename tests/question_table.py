"""What the papers asked and what was found: the README's table, from the tables and documents that ship."""

from __future__ import annotations

from pathlib import Path

from core import registry
from core.experiments._study import Answer, Study, Verdict, answered
from core.settings import Settings

_NOWHERE = Settings(home=Path(__file__).resolve().parent / "no home")  # so that a visitor's own tables do not count
_VERDICTS: dict[Verdict, str] = {
    "holds": "Holds here",
    "fails": "Not so here",
    "open": "Cannot be told from this",
    "measured": "Measured",
}


def answers() -> dict[str, tuple[Study, Answer | None]]:
    studies: dict[str, Study] = dict(registry.discover("core.experiments", "STUDY"))
    return {key: (study, answered(study, _NOWHERE)) for key, study in studies.items()}


def unanswered() -> list[str]:
    """The quickest first."""
    waiting = [study for study, answer in answers().values() if answer is None]
    return [study.key for study in sorted(waiting, key=lambda study: study.minutes)]


def table() -> str:
    lines = ["| question | claim | answer [95 %] | `python -m core …` |", "|---|---|---|---|"]
    for key, (study, answer) in sorted(answers().items(), key=lambda one: one[1][0].paper):
        told = (
            f"**{_VERDICTS[answer.verdict]}.** {answer.sentence}" if answer else f"not yet: {study.minutes:g} minutes"
        )
        question = f"{study.paper}: [{study.question}](core/experiments/{key}.py)"
        lines.append(f"| {question} | {study.claim or 'left open'} | {told} | `study {key}` |")
    return "\n".join(lines)
