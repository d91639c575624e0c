"""Why the verdict is as it is: the prediction set, whether there are enough draws, and the draws themselves."""

from __future__ import annotations

import streamlit as st

from core.pipeline.inspect import COVERAGE, ternary
from core.ui import _cached_inspect, _inspect_charts, _inspect_words, glossary, plot, shell
from core.ui._cached_inspect import Said
from core.ui._inspect_case import Case


def show(case: Case, told: Said) -> None:
    found, dark = _cached_inspect.found(told), shell.is_dark()
    percent = st.slider(
        "Share of such sets that must hold the true class, in %",
        50,
        99,
        round(100 * COVERAGE),
        key=f"{case.key}-coverage",
        help="A prediction set holds as many classes as it takes to contain the true one in this share of cases. "
        "It is calibrated on held-out items (split conformal prediction) and promises nothing for what is unlike them.",
    )
    glossary.show([name for name in _inspect_charts.NAMES if name in found.doubts])
    st.markdown(_inspect_words.within(_cached_inspect.found(told, percent / 100)))
    left, right = st.columns(2)
    said = _inspect_words.enough(found)
    with left:
        st.markdown("**Are these enough samples?**")
        if found.draws > 1:
            plot.show(_inspect_charts.enough(found, dark), f"{case.key}-enough", alt=said, name="enough-samples")
        st.caption(said)
    corners = ternary(found)
    with right:
        if corners is not None and found.draws > 1:
            st.markdown("**Every draw, among the three most probable classes**")
            said = _inspect_words.ternary(*corners)
            plot.show(_inspect_charts.ternary(*corners, dark), f"{case.key}-draws", alt=said, name="draws")
            st.caption(said)
