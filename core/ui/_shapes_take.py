"""A filled shape to take along: its surface with doubt, volumes, the report and a script."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from core.pipeline.reconstruct import TITLES, Answer, Filled
from core.shapes import label_maps, mesh
from core.ui import _cached_shapes, _shapes_charts, _shapes_words, report, words
from core.ui._shapes_charts import Cut
from core.ui._shapes_knobs import Chosen
from core.ui.report import Chart, Listing, Report

_SCRIPT = '''"""A shape of Penumbra's Shapes page, filled in again. Run it in the folder of the app: python {stem}.py"""

from core.pipeline.reconstruct import Asked, Studio
from core.settings import load
from core.shapes.observe import Glimpse, Scan
{imports}
studio = Studio(load())  # PENUMBRA_HOME and PENUMBRA_CHECKPOINTS say where the fields are
found = studio.fill({asked!r}{own})
for answer in found.answers:
    told = ", ".join(f"{{name}} {{value:.4g}}" for name, value in answer.figures.items() if value is not None)
    print(f"{{answer.title}}: {{told or answer.mean.shape}}")
studio.close()
'''


def show(chosen: Chosen, found: Filled) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        report.downloads(lambda: report_of(chosen, found), "shape", chosen.stem, script=lambda: script(chosen))
        if found.answers[0].mean.ndim == 3:
            with st.popover("Surfaces and volumes", icon=":material/deployed_code:", type="tertiary"):
                _files(chosen, found)


def _files(chosen: Chosen, found: Filled) -> None:
    key = st.selectbox("Of", list(TITLES), index=3, format_func=lambda key: TITLES[str(key)], key="shape-files")
    answer = found[str(key)]
    st.caption("Each vertex of GLB and PLY carries how far it may be off, in mm; STL has triangles only.")
    kinds = [(form.upper(), form, lambda form=form: surface_file(chosen, found, answer, form)) for form in mesh.FORMATS]
    kinds += [
        ("NIfTI of the mean", "nii.gz", lambda: label_maps.nifti(answer.mean, found.affine)),
        ("NIfTI of the doubt", "nii.gz", lambda: label_maps.nifti(answer.total, found.affine)),
    ]
    for label, end, make in kinds:
        part = "-doubt" if label.endswith("doubt") else "-mean" if end == "nii.gz" else ""
        st.download_button(label, make, f"{chosen.stem}-{answer.key}{part}.{end}", "application/octet-stream",
                           key=f"shape-file-{label}", on_click="ignore", icon=":material/download:",
                           type="tertiary")  # fmt: skip


def surface_file(chosen: Chosen, found: Filled, answer: Answer, form: str) -> bytes:
    values = _shapes_charts.coloured(found, answer, "play")
    return mesh.written(mesh.mesh_of(answer.mean, found.affine, values), form)  # type: ignore[arg-type]


def script(chosen: Chosen) -> str:
    imports, own = "", ""
    if chosen.own is not None:
        imports = "from pathlib import Path\n\nfrom core.shapes import label_maps\n"
        own = f", label_maps.opened(Path({chosen.name!r}).read_bytes()).shape_of({chosen.label})"
    return _SCRIPT.format(stem=chosen.stem, asked=chosen.asked, own=own, imports=imports)


def report_of(chosen: Chosen, found: Filled) -> Report:
    data = chosen.asked.data
    card = _cached_shapes.card(data) or {}
    cut = Cut.of(found, "above", 0.5)
    charts = tuple(
        Chart(
            answer.title,
            _shapes_charts.doubt(found, answer, cut, answer.total, 0.6931, "nats of doubt", dark=False),
            _shapes_words.under(found, answer, data),
            f"{answer.title}: a cut through its doubt, with what it drew.",
        )
        for answer in found.answers
    )
    table = _shapes_words.columns(found, card, data)
    rows = tuple(tuple(_cell(values[n]) for values in table.values()) for n in range(len(found.answers)))
    listing = Listing("Every method on this shape", tuple(table), rows)
    sentences = (_shapes_words.verdict(found, data), *([_shapes_words.WARNING] if data == "vertebrae" else []))
    about = {"data": data, "link": urlencode(chosen.query()), "fields": card.get("command", "")}
    return Report("A shape, filled in", sentences, (*charts, listing), about, script(chosen))


def _cell(value: object) -> str:
    return words.figure(value) if isinstance(value, int | float) else "–" if value is None else str(value)
