"""The table of verdicts: every row, both sides of every boundary, and what must hold for any facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import verdict as table
from core.contracts import Note
from core.verdict import Facts, Verdict, verdict

PLAIN = Facts(
    "audio", "multiclass", "head", ("dog", "rooster", "crying_baby"), 0.97, 50, 0.9, 40.0, 40.0, 40.0, 40.0, None, 1
)
SILENT = Note("silent", "digital silence", alarm=True)
UNLIKE = "Unlike anything this model was trained on: do not trust its answer."
PART = "Perhaps dog, but its last layers disagree."
ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    ("sure", {}, "trust", "Dog, trust it."),
    ("silent", {"notes": (SILENT,)}, "unusable", "There is nothing to judge in this sound: digital silence."),
    (
        "flat",
        {"kind": "image", "notes": (Note("flat", "a single colour everywhere", alarm=True),)},
        "unusable",
        "There is nothing to judge in this picture: a single colour everywhere.",
    ),
    ("silent and novel", {"notes": (SILENT,), "novelty": 100.0}, "unusable", "There is nothing to judge in this sound"),
    ("clipped", {"notes": (Note("clipped", "clipped: 9 samples", alarm=True),)}, "trust", "Dog, trust it."),
    ("novel", {"novelty": 97.5}, "unfamiliar", UNLIKE),
    ("nearly novel", {"novelty": 97.4}, "trust", "Dog, trust it."),
    ("epistemic", {"epistemic": 97.5}, "unfamiliar", UNLIKE),
    ("nearly epistemic", {"epistemic": 97.4}, "trust", "Dog, trust it."),
    ("novel without epistemic", {"epistemic": None, "novelty": 99.0}, "unfamiliar", UNLIKE),
    (
        "broken off",
        {"notes": (Note("truncated", "the file breaks off", alarm=True),)},
        "unsure",
        "Perhaps dog, but the file is not as it should be: the file breaks off.",
    ),
    (
        "nothing to compare with",
        {"total": None, "aleatoric": None, "epistemic": None, "novelty": None},
        "unsure",
        "Perhaps dog: this model has no held-out items to compare its doubt with.",
    ),
    ("ambiguous", {"total": 80.0}, "ambiguous", "Dog or rooster: the sound itself is ambiguous."),
    ("nearly ambiguous", {"total": 79.9}, "trust", "Dog, trust it."),
    ("no class stands out", {"top": 0.79}, "ambiguous", "Dog or rooster: the sound itself is ambiguous."),
    ("one class stands out", {"top": 0.8}, "trust", "Dog, trust it."),
    (
        "three in the set",
        {"top": 0.4, "set_size": 3, "kind": "image"},
        "ambiguous",
        "Dog, rooster or crying baby: the picture itself is ambiguous.",
    ),
    ("a large set alone", {"set_size": 3}, "trust", "Dog, trust it."),
    ("half and half", {"total": 90.0, "aleatoric_share": 0.5}, "ambiguous", "Dog or rooster"),
    ("mostly epistemic", {"total": 90.0, "aleatoric_share": 0.49}, "unsure", PART),
    (
        "mostly epistemic, whole network",
        {"total": 90.0, "aleatoric_share": 0.2, "scope": "network"},
        "unsure",
        "Perhaps dog, but the model disagrees with itself.",
    ),
    (
        "one draw",
        {"total": 90.0, "draws": 1, "epistemic": None},
        "unsure",
        "Dog or rooster: the model is in doubt, and cannot tell whether the sound is to blame.",
    ),
    ("a high score", {"score": 80.0}, "ambiguous", "Dog or rooster"),
    ("a low score", {"score": 79.9}, "trust", "Dog, trust it."),
    (
        "several labels",
        {"task": "multilabel", "labels": ("dog", "rain"), "top": 0.6, "set_size": None},
        "trust",
        "Dog and rain, trust it.",
    ),
    ("no label", {"task": "multilabel", "labels": (), "top": 0.1}, "trust", "None of its classes, trust it."),
]
ORDER = ("total", "aleatoric", "epistemic", "novelty", "score")
PLACE = st.none() | st.floats(0.0, 100.0)
NOTES = st.lists(
    st.sampled_from(sorted(table.SPOILT | table.DAMAGED | {"clipped", "resampled"})).map(lambda c: Note(c, c)),
    max_size=3,
).map(tuple)
FACTS = st.builds(
    Facts,
    kind=st.sampled_from(("audio", "image")),
    task=st.sampled_from(("multiclass", "multilabel")),
    scope=st.sampled_from(("head", "network")),
    labels=st.just(("dog", "rooster")),
    top=st.floats(0.0, 1.0),
    draws=st.integers(1, 500),
    aleatoric_share=st.floats(0.0, 1.0),
    set_size=st.none() | st.integers(1, 10),
    notes=NOTES,
    **dict.fromkeys(ORDER, PLACE),
)


@pytest.mark.parametrize(("changes", "code", "sentence"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_row_of_the_table(changes: dict[str, Any], code: str, sentence: str) -> None:
    found = verdict(replace(PLAIN, **changes))
    assert found.code == code
    assert found.sentence.startswith(sentence)


@given(FACTS)
@settings(max_examples=300, deadline=None)
def test_any_facts_get_one_sentence_and_no_trust_in_what_cannot_be_judged(facts: Facts) -> None:
    found = verdict(facts)
    assert isinstance(found, Verdict)
    assert found.sentence.endswith(".")
    assert found.sentence[0].isupper()
    spoilt = any(note.code in table.SPOILT for note in facts.notes)
    assert (found.code == "unusable") == spoilt
    if facts.total is None or any(note.code in table.DAMAGED for note in facts.notes):
        assert found.code != "trust"


@given(FACTS, st.sampled_from(ORDER), st.floats(0.0, 100.0))
@settings(max_examples=500, deadline=None)
def test_more_doubt_never_moves_towards_trust(facts: Facts, measure: str, more: float) -> None:
    before = getattr(facts, measure)
    if before is None:
        return
    after = replace(facts, **{measure: max(before, more)})
    assert verdict(facts).code == "trust" or verdict(after).code != "trust"


@given(FACTS, st.floats(0.0, 100.0))
@settings(max_examples=300, deadline=None)
def test_more_novelty_only_ever_makes_it_unfamiliar(facts: Facts, more: float) -> None:
    before, after = verdict(facts), verdict(replace(facts, novelty=max(facts.novelty or 0.0, more)))
    assert after == before or after.code == "unfamiliar"
    assert before.code != "unfamiliar" or after.code == "unfamiliar"


@given(FACTS, st.floats(0.0, 1.0))
@settings(max_examples=300, deadline=None)
def test_a_less_probable_class_never_moves_towards_trust(facts: Facts, top: float) -> None:
    less = replace(facts, top=min(top, facts.top))
    assert verdict(facts).code == "trust" or verdict(less).code != "trust"
