"""The tab of stored sweeps: quality against cost or along a setting, the best point chosen on validation items."""

from __future__ import annotations

import streamlit as st

from core.experiments._study import Panel
from core.pipeline.swept import Swept, fields_of
from core.ui import (
    _cached_sweeps,
    _grid_texts,
    _panel_charts,
    _sweep_views,
    address,
    bound,
    plot,
    report,
    shell,
    tables,
    words,
)
from core.ui.address import Kept
from core.ui.report import Chart, Listing, Report

_FIRST = ("nll", "accuracy", "map", "ece")  # of the table; the others are in the files
_EXAMPLE = (
    "python -m core sweep own --set data=digits --set backbone=toy --set network.kind=image --set division.by=drawn "
    "--over schedule.rate=1e-3,3e-3,1e-2 --name digits-rate"
)
_SCRIPT = '''"""The rows of a sweep of Penumbra. Run it in the folder of the app: python {name}.py

It was made by: {command}
"""

from core.pipeline.swept import named
from core.settings import load

found = named({name!r}, load())  # PENUMBRA_HOME and PENUMBRA_CHECKPOINTS say where tables are
if found is None:
    raise SystemExit("The table is not here; make it by the command above.")
best = found.best()
for point in found.points:
    mean = found.mean(point, "test", {key!r})
    print("*" if point == best else " ", ", ".join(point), mean, sep="\\t")
'''


def show() -> None:
    known = _cached_sweeps.sweeps()
    if not known:
        st.info("No sweep is stored yet. One begins with a command such as this, or with a button on Questions.",
                icon=":material/inbox:")  # fmt: skip
        st.code(_EXAMPLE, language="bash", wrap_lines=True)
        st.page_link("pages/9_Questions.py", label="Measure what the papers asked", icon=":material/quiz:")
        return
    with bound.telling(), st.container(horizontal=True, vertical_alignment="bottom"):
        found = known[_which(known)]
        x = _across(found)
        key = _measure(found)
    panel, said = _drawn(found, x, key), _sweep_views.finding(found, key)
    st.markdown(f"**{words.plain(said, 600)}**")
    stem = f"sweep-{found.name}"
    figure = _panel_charts.drawn(panel, shell.is_dark()) if panel else _sweep_views.against_cost(
        found, x, key, shell.is_dark())  # fmt: skip
    plot.show(figure, "compare-sweep", alt=f"{_sweep_views.title_of(key)} of each point. {said}", name=stem)
    st.caption(words.plain(_sweep_views.note(found), 400))
    _table(found, key, stem)


def _which(known: dict[str, Swept]) -> str:
    names = tuple(known)
    kept = Kept("sweep", names[0], bound.one_of(names), "a sweep that is stored")
    return str(
        st.selectbox("Sweep", names, help="What 'python -m core sweep' and the Questions page have measured.",
                     **bound.widget(kept, address.get(kept)))
    )  # fmt: skip


def _across(found: Swept) -> str:
    offered = (*_sweep_views.costs_of(found), *fields_of(found))
    return str(st.selectbox("Against", offered, format_func=_sweep_views.axis_title, key=f"sweep-x-{found.name}"))


def _measure(found: Swept) -> str:
    keys = found.keys("test")
    first = next((place for place, key in enumerate(keys) if key == found.choose), 0)
    return str(
        st.selectbox("Measure, of the test items", keys, index=first, format_func=_sweep_views.title_of,
                     key=f"sweep-y-{found.name}")
    )  # fmt: skip


def _drawn(found: Swept, x: str, key: str) -> Panel | None:
    """None where a cost is across, which is drawn in another way."""
    return _sweep_views.along(found, x, key) if x in fields_of(found) else None


def _keys(found: Swept, key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((key, *(one for one in _FIRST if one in found.keys("test")))))


def _table(found: Swept, key: str, stem: str) -> None:
    head, rows = _sweep_views.grid(found, _keys(found, key))
    note, about = _sweep_views.note(found), _sweep_views.about(found)
    columns = {name: [row[place] for row in rows] for place, name in enumerate(head)}
    st.dataframe(columns, hide_index=True, key="compare-sweep-table", alt=f"Table of {len(rows)} points. {note}")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        with st.popover("Copy the table", icon=":material/content_copy:", key="sweep-copy"):
            texts = {
                "Markdown": (_grid_texts.markdown(head, rows, note, about), "markdown"),
                "LaTeX": (_grid_texts.latex(head, rows, note, about, _sweep_views.CHOSEN), "latex"),
                "CSV": (tables.csv_of(columns, about).decode(), "text"),
            }
            way = str(st.segmented_control("As", list(texts), default="Markdown", required=True, key="sweep-copy-as"))
            st.code(texts[way][0], language=texts[way][1], height=260)
        tables.downloads(lambda: _sweep_views.columns(found), "sweep", about=about, name=stem)
        script = _SCRIPT.format(name=found.name, command=found.command, key=key)
        report.downloads(lambda: _report(found, key, script), "sweep", stem, script=lambda: script)


def _report(found: Swept, key: str, script: str) -> Report:
    """Against every cost and along every setting, on light ground."""
    said = _sweep_views.finding(found, key)
    head, rows = _sweep_views.grid(found, _keys(found, key))
    parts: list[Chart | Listing] = [Listing("Every point", head, rows, _sweep_views.note(found))]
    title = _sweep_views.title_of(key)
    for cost in _sweep_views.costs_of(found):
        figure = _sweep_views.against_cost(found, cost, key, False)
        parts.append(Chart(f"{title} against {_sweep_views.axis_title(cost)}", figure, said, title))
    for field in fields_of(found):
        panel = _sweep_views.along(found, field, key)
        parts.append(Chart(f"{title} along {panel.x}", _panel_charts.drawn(panel, False),
                           _panel_charts.finding(panel), title))  # fmt: skip
    return Report(f"Sweep {found.name}", (said,), tuple(parts), _sweep_views.about(found), script)
