"""Measures and receipt to one code and one modest sentence: the first row that fits decides.

    row         fits where
    unusable    the receipt tells that there is nothing to judge
    unfamiliar  novelty or epistemic doubt is beyond nearly all held-out items
    unsure      the file came damaged
    unsure      there is nothing to compare doubt with
    unsure      the answer is doubtful, and a single draw cannot say where that comes from
    ambiguous   the answer is doubtful, and most of its doubt is aleatoric
    unsure      the answer is doubtful in another way
    trust       none of these

Percentiles are places among the model's held-out items. More doubt of any kind never turns another row into trust.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.contracts import THING, Kind, Note, Scope, Task

Code = Literal["trust", "ambiguous", "unfamiliar", "unsure", "unusable"]

UNFAMILIAR = 97.5  # two measures are asked: together they reject 5 % of familiar items at most
DOUBTFUL = 80.0  # the most doubtful fifth of the held-out items, where most errors of a fair model lie
SURE = 0.8  # probability of the top class: below it, the model itself expects to err once in five times
MOSTLY = 0.5  # share of the total doubt from which it counts as the item's own
NAMED = 3  # classes in a sentence, at most
SPOILT = frozenset({"silent", "flat", "short", "cancelled"})  # alarms of a receipt: nothing is left to judge
DAMAGED = frozenset({"quiet", "truncated"})  # something is left, and what is missing may be what matters


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict stands on. A percentile is None where there is no such measure, or nothing to compare it with."""

    kind: Kind
    task: Task
    scope: Scope
    labels: tuple[str, ...]  # of a softmax: most probable first; of several labels: those said to be there
    top: float  # probability of the first
    draws: int
    aleatoric_share: float  # of the total doubt, 0 .. 1
    total: float | None = None  # percentiles from here on
    aleatoric: float | None = None
    epistemic: float | None = None
    novelty: float | None = None
    score: float | None = None
    set_size: int | None = None  # classes of the prediction set that are not improbable: how many are named, at most
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    code: Code
    sentence: str


def verdict(facts: Facts) -> Verdict:
    """The first row of the table that fits."""
    for fits, code, sentence in _TABLE:
        if fits(facts):
            return Verdict(code, sentence(facts))
    return Verdict("trust", f"{_answer(facts)}, trust it.")


def unfamiliarity(facts: Facts) -> float | None:
    """The larger percentile of novelty and epistemic doubt."""
    known = [value for value in (facts.novelty, facts.epistemic) if value is not None]
    return max(known, default=None)


def doubtful(facts: Facts) -> bool:
    """Among the most doubtful held-out items, or without a class that stands out.

    Prediction sets keep their promise on average by being large for most items, so their size alone says little.
    """
    if any(value is not None and value >= DOUBTFUL for value in (facts.total, facts.score)):
        return True
    return facts.task == "multiclass" and facts.top < SURE


def spoken(label: str) -> str:
    return label.replace("_", " ").strip()


def _spoilt(facts: Facts) -> bool:
    return any(note.code in SPOILT for note in facts.notes)


def _unfamiliar(facts: Facts) -> bool:
    return (unfamiliarity(facts) or 0.0) >= UNFAMILIAR


def _damaged(facts: Facts) -> bool:
    return any(note.code in DAMAGED for note in facts.notes)


def _incomparable(facts: Facts) -> bool:
    return facts.total is None


def _undivided(facts: Facts) -> bool:
    return doubtful(facts) and facts.draws < 2


def _ambiguous(facts: Facts) -> bool:
    return doubtful(facts) and facts.aleatoric_share >= MOSTLY


def _lower(answer: str) -> str:
    return answer[:1].lower() + answer[1:]


def _told(facts: Facts, codes: frozenset[str]) -> str:
    return next(note.text for note in facts.notes if note.code in codes)


def _answer(facts: Facts) -> str:
    """The label; of several labels those that are there."""
    if facts.task == "multilabel":
        names = [spoken(label) for label in facts.labels[:NAMED]] or ["none of its classes"]
        joined = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    else:
        joined = spoken(facts.labels[0])
    return joined[:1].upper() + joined[1:]


def _either(facts: Facts) -> str:
    """What it may be: the classes of the prediction set, or the first two."""
    if facts.task == "multilabel":
        return _answer(facts)
    count = min(NAMED, max(2, facts.set_size or 2), len(facts.labels))
    names = [spoken(label) for label in facts.labels[:count]]
    joined = " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return joined[:1].upper() + joined[1:]


def _thing(facts: Facts) -> str:
    return THING[facts.kind]


def _part(facts: Facts) -> str:
    return "its last layers disagree" if facts.scope == "head" else "the model disagrees with itself"


_TABLE: tuple[tuple[Callable[[Facts], bool], Code, Callable[[Facts], str]], ...] = (
    (
        _spoilt,
        "unusable",
        lambda facts: f"There is nothing to judge in this {_thing(facts)}: {_told(facts, SPOILT)}.",
    ),
    (
        _unfamiliar,
        "unfamiliar",
        lambda facts: "Unlike anything this model was trained on: do not trust its answer.",
    ),
    (
        _damaged,
        "unsure",
        lambda facts: (
            f"Perhaps {_lower(_answer(facts))}, but the file is not as it should be: {_told(facts, DAMAGED)}."
        ),
    ),
    (
        _incomparable,
        "unsure",
        lambda facts: f"Perhaps {_lower(_answer(facts))}: this model has no held-out items to compare its doubt with.",
    ),
    (
        _undivided,
        "unsure",
        lambda facts: (
            f"{_either(facts)}: the model is in doubt, and cannot tell whether the {_thing(facts)} is to blame."
        ),
    ),
    (
        _ambiguous,
        "ambiguous",
        lambda facts: f"{_either(facts)}: the {_thing(facts)} itself is ambiguous.",
    ),
    (
        doubtful,
        "unsure",
        lambda facts: f"Perhaps {_lower(_answer(facts))}, but {_part(facts)}.",
    ),
)
