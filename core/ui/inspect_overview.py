"""Several files at once: what was said of each, in one sentence and one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.pipeline.inspect import Inspected
from core.ui import tables, words
from core.verdict import spoken

_WORDS = {
    "trust": "to trust",
    "ambiguous": "ambiguous",
    "unfamiliar": "unlike anything known",
    "unsure": "unsure",
    "unusable": "with nothing to judge",
    "refused": "not answered",
}


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one file."""

    name: str
    found: Inspected | None = None


def show(outcomes: Sequence[Outcome], seed: int) -> None:
    codes = [one.found.verdict.code if one.found else "refused" for one in outcomes]
    counts = Counter(codes)
    said = ", ".join(f"{counts[code]} {meaning}" for code, meaning in _WORDS.items() if counts[code])
    st.markdown(f"**{words.count(len(outcomes))} files: {said}.**")
    columns = {
        "file": [one.name for one in outcomes],
        "verdict": [_WORDS[code] for code in codes],
        "answer": [spoken(one.found.predictions[0].label) if one.found else None for one in outcomes],
        "probability in %": [round(100 * one.found.predictions[0].p, 1) if one.found else None for one in outcomes],
        "doubt in nats": [round(one.found.doubts["total"], 3) if one.found else None for one in outcomes],
        "more doubtful than % of held-out items": [
            None if one.found is None or "total" not in one.found.percentiles else round(one.found.percentiles["total"])
            for one in outcomes
        ],
        "model": [one.found.model if one.found else None for one in outcomes],
        "sha256": [one.found.sha256 if one.found else None for one in outcomes],
    }
    about = {"seed": str(seed)}
    tables.show(columns, "overview", alt=f"What was said of each file. {said}", about=about, name="verdicts")
