"""The same points drawn by the component or by st.plotly_chart: ``?way=component&count=20000``."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.ui import plot

count = int(st.query_params.get("count", "20000"))
x, y, doubt = np.random.default_rng(0).normal(size=(3, count)).astype(np.float32)
points = plot.Points(x, y, range(count), plot.Measure(doubt, "doubt"))  # type: ignore[arg-type]


@st.fragment
def raced() -> None:
    if st.query_params.get("way") == "component":
        picked = plot.scatter(points, "map", alt="points", dark=False)
        found = int(picked.held(x, y).sum())
    else:
        figure = plot.points_figure(points, dark=False).update_layout(dragmode="lasso")
        found = len(st.plotly_chart(figure, key="map", on_select="rerun").selection.point_indices)  # type: ignore[union-attr]
    st.text(f"holds {found}")


raced()
