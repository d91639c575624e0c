"""A page with two maps and a curve: what tests drag, click and lasso."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.ui import palette, plot, shell

st.set_page_config(layout="wide")
dark = shell.is_dark()
count = int(st.query_params.get("count", "400"))
generator = np.random.default_rng(0)
x, y = generator.normal(size=(2, count)).astype(np.float32)
x[:3], y[:3] = (-4, 0, 4), (4, -4, 4)  # three alone, where a click meets one point
doubt = np.hypot(x, y)
ids = [f"id-{index}" for index in range(count)]
by = st.radio("Colour by", ["doubt", "class"], horizontal=True)
if st.checkbox("Mirror"):
    x = -x
measure = plot.Measure(doubt, "doubt", ticks=((1.0, "50 %"), (3.0, "95 %")))
classes = plot.Classes((x > 0).astype(int) + 2 * (y > 0), ("dog", "rooster", "rain", "sea waves"))
points = plot.Points(x, y, ids, measure if by == "doubt" else classes, size=7.0)


@st.fragment
def maps() -> None:
    for name, column in zip(("one", "two"), st.columns(2), strict=True):
        with column:
            picked = plot.scatter(points, name, alt=f"Map {name} of {count} points", dark=dark, height=420, hover=True)
            held = np.flatnonzero(picked.held(x, y))
            st.text(f"{name} holds {len(held)}: {' '.join(map(str, held[:40]))}")
            st.text(f"{name} clicked {picked.clicked} hovered {picked.hovered} outlines {len(picked.outlines)}")


@st.fragment
def kept_curve() -> None:
    colours = palette.palette(dark)
    share = np.linspace(0.02, 1, 50)
    accuracy = 1 - 0.15 * share**2
    curves = (
        plot.Curve(share, accuracy, "entropy", colours.total, low=accuracy - 0.02, high=accuracy + 0.01),
        plot.Curve(share, np.full(50, 0.85), "random", colours.faint, "dot"),
    )
    kept = st.session_state.setdefault("kept", 0.8)
    says = f"keep {100 * kept:.0f} %: {100 * np.interp(kept, share, accuracy):.1f} % right"
    handle = plot.Handle(kept, 0.02, 1.0, 0.01, "share kept", says=says)
    told = plot.Told(drag=lambda place: st.session_state.update(kept=place, told=st.session_state.get("told", 0) + 1))
    seen = plot.curve(
        curves,
        "curve",
        x_title="share kept",
        y_title="accuracy of what is kept",
        alt="Accuracy against share kept",
        dark=dark,
        handle=handle,
        told=told,
    )
    st.text(f"kept {kept:.2f} dragged {seen.dragged}")
    if st.button("Keep half"):
        st.session_state.kept = 0.5
        st.rerun(scope="fragment")


maps()
kept_curve()
