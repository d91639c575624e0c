"""The Diagnosis card: signs that a model's doubt cannot be used, and the knob to try first. Any page may show it."""

from __future__ import annotations

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.diagnosed import Diagnosis
from core.ui import _cached_compare, words


def card(name: str, measure: str | None = None, *, title: str | None = None) -> None:
    """Of one model by its name. ``measure`` None: its own score, or else the total doubt."""
    with st.container(border=True, gap="small", key=f"diagnosis-{name}"):
        st.markdown(f"**{words.plain(title or name, 120)}**")
        try:
            found = _cached_compare.diagnosis(name, measure)
        except UserFacingError as error:
            st.error(words.plain(str(error), 300), icon=":material/block:")
            return
        show(found, brief=True)


def show(found: Diagnosis, *, brief: bool = False) -> None:
    """What was found, and what was looked for: in ``brief`` one click away."""
    if not found.findings and found.looked:
        st.success("No sign that this doubt cannot be used.", icon=":material/check:")
    elif not found.looked:
        st.info("Nothing is known of this model yet: it came without held-out answers.", icon=":material/inbox:")
    for one in found.findings:
        st.warning(
            f"**{words.plain(one.sentence, 300)}**  \nTry: {words.plain(one.knob, 300)}", icon=":material/stethoscope:"
        )
    about = f" Data from elsewhere: {words.plain(found.outside)}." if found.outside else ""
    if brief:
        count = len(found.looked)
        st.caption(
            f"In held-out answers and the record of the training: {count} of {count + len(found.not_looked)} signs "
            f"were looked for.{about}",
            help=_looked(found),
        )
    else:
        st.caption(_looked(found) + about)


def _looked(found: Diagnosis) -> str:
    parts = [f"Looked for: {'; '.join(found.looked)}."] if found.looked else []
    if found.not_looked:
        parts.append(f"Not measured, so not looked for: {'; '.join(found.not_looked)}.")
    return " ".join([*parts, "The signs are those of the source papers; the thresholds are ours."])
