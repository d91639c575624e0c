"""The Retention page: what is left when the most doubtful answers are set aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from core.errors import UserFacingError
from core.metrics.figure import Figure
from core.pipeline.atlas import Atlas
from core.pipeline.diagnosed import diagnosis_of, joined
from core.pipeline.judged import Strangers, slice_names
from core.pipeline.retained import RISK, Point, Retained, diagnosis_facts, point_of, slices
from core.ui import (
    _cached_atlas,
    _cached_compare,
    _cached_retention,
    _retention_charts,
    _retention_data,
    bound,
    controls,
    diagnosis,
    glossary,
    item_cards,
    plot,
    retention_gallery,
    shell,
    tables,
    words,
)
from core.ui.controls import Choice
from core.ui.measures import LABELS, label_of, noun_of

_MOST_SLICES, _FEWEST = 24, 2
_TABS = ("What was refused", "Class by class", "Figures", "Is this doubt any good?")


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Everything that does not depend on the operating point."""

    choice: Choice
    atlas: Atlas
    curves: Retained
    strangers: Strangers | None
    models: Mapping[str, Retained]  # title -> its curves; the page's own first, alone where none is laid over

    @property
    def several(self) -> bool:
        return len(self.models) > 1

    def measure(self) -> str:
        """The chosen doubt, or another one where this model has no such."""
        here = self.curves.judged.doubts
        chosen = controls.measure()
        return chosen if chosen in here else next(iter(here), chosen)


def opened(choice: Choice) -> Page | None:
    """What the side bar and the choices of the page lead to; None after a sentence that says what is missing."""
    if choice.model is None:
        st.info("No trained model is here yet. Make those that come with the app with 'make models'.")
        return None
    try:
        atlas = _cached_atlas.atlas(choice)
    except UserFacingError as error:
        _retention_data.missing(choice, error)
        return None
    mapped = _retention_data.mapping(atlas)
    with bound.telling(), st.popover("Compare models or mix in outsiders", icon=":material/compare_arrows:"):
        others = _retention_data.others(atlas, choice)
        strangers = None if others else _retention_data.strangers(atlas, choice)
        if others:
            st.caption("Items from outside are mixed in where one model is drawn alone.")
    curves = _cached_retention.curves(atlas, mapped, strangers)
    if not len(curves.judged) or not curves.judged.doubts:
        st.info(f"There is nothing to sort: {words.plain(curves.judged.sentence, 300)}", icon=":material/inbox:")
        return None
    laid = {other.title: _cached_retention.curves(other.atlas, mapped) for other in others}
    own = _retention_data.title_of(atlas)
    return Page(choice, atlas, curves, strangers, {own: curves, **laid})


@st.fragment
def live(page: Page) -> None:
    """All that follows the operating point; moving it runs this and nothing else."""
    measure = _measure(page)
    point = point_of(page.curves, measure, max(_retention_charts.LOWEST, controls.point()))
    if page.curves.judged.goal == "nothing":
        _explained(page, point)
    else:
        _numbers(page, point)
        _curve(page, measure, point)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(words.plain(f"{page.curves.judged.sentence} {_answers(page.atlas)}", 700), width="stretch")
            name = f"retention-{page.atlas.model}"
            tables.downloads(lambda: _curve_columns(page), "curves", about=about(page), name=name)
    offered = _TABS if page.curves.judged.goal != "nothing" else _TABS[:1]
    drawn: Mapping[str, Callable[[Page, str, Point], None]] = dict(
        zip(_TABS, (retention_gallery.refused, _slices, _figures, _diagnosis), strict=True)
    )
    for name, tab in zip(offered, st.tabs(offered, on_change="rerun", key="retention-tab"), strict=True):
        if tab.open:
            with tab:
                drawn[name](page, measure, point)


def _measure(page: Page) -> str:
    here = page.curves.judged.doubts
    value = page.measure()
    if st.session_state.get("retention-measure") not in here or controls.measure() == value:
        st.session_state["retention-measure"] = value
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Set aside first what has most",
            list(here),
            format_func=lambda name: label_of(name, page.atlas.score_name),
            key="retention-measure",
            required=True,
            on_change=lambda: controls.set_measure(st.session_state["retention-measure"]),
        )
        glossary.show(list(here))
    if missing := [f"{LABELS[name]} ({why})" for name, why in page.curves.judged.missing.items()]:
        st.caption(f"Not here: {'; '.join(missing)}.")
    return str(chosen)


def _numbers(page: Page, point: Point) -> None:
    goal = _retention_charts.GOALS[page.curves.judged.goal]
    said = _retention_charts.share
    wrong = point.wrong_kept + point.wrong_refused
    spread = f"95 % interval over {item_cards.SOURCES[page.atlas.kind]}s{_retention_charts.span(point.band)}"
    with st.container(horizontal=True, gap="small"):
        _part("Kept", point.kept, len(point.mask))
        st.metric(f"{goal[:1].upper()}{goal[1:]} of these", said(point.quality), help=spread, width=170)
        st.metric("Of everything", said(point.everything), width=170)
        _part("Errors refused", point.wrong_refused, wrong)


def _part(label: str, some: int, whole: int) -> None:
    """As wide as its figures need: 8,000 of 10,000 would be cut."""
    told = f"{words.count(some)} of {words.count(whole)}"
    st.metric(label, told, width=170 if len(told) <= 10 else 17 * len(told))


def _curve(page: Page, measure: str, point: Point) -> None:
    dark, goal = shell.is_dark(), page.curves.judged.goal
    name = noun_of(measure, page.atlas.score_name)
    if page.several:
        lines = _retention_charts.by_model(page.models, measure, dark)
        points = {
            title: point_of(one, measure, point.share) for title, one in page.models.items() if measure in one.lines
        }
        finding = _retention_charts.model_finding(page.models, points)
    else:
        lines = _retention_charts.by_measure(page.curves, measure, page.atlas.score_name, dark)
        finding = _retention_charts.finding(page.curves, point, name)
    standing = len(lines) - 2 if page.several else 1
    figure = _retention_charts.figure(lines, standing, goal, dark)
    says = f"keep {100 * point.share:.0f} %: {_retention_charts.share(point.quality)}"
    handle = plot.Handle(point.share, _retention_charts.LOWEST, 1.0, 0.01, "share of answers kept", says=says)
    alt = f"{_retention_charts.GOALS[goal]} of what is kept against the share kept. {finding}"
    told = plot.Told(drag=controls.set_point)
    plot.show(figure, "retention", alt=alt, handle=handle, told=told, name=f"retention-{page.atlas.model}")
    st.markdown(f"**{words.plain(finding, 400)}**")


def _answers(atlas: Atlas) -> str:
    """How the stored answers were asked for: the side bar's samples do not change them."""
    if atlas.draws == 1:
        return "The answers are stored, of one draw each."
    return f"The answers are stored, of {words.count(atlas.draws)} draws each with seed {atlas.seed}."


def _curve_columns(page: Page) -> tables.Columns:
    rows: dict[str, list[object]] = {name: [] for name in ("of", "order", "share_kept", "value", "low", "high")}
    for title, one in page.models.items():
        curves = {name: line.curve for name, line in one.lines.items()} | {"random": one.random, "oracle": one.oracle}
        for name, curve in curves.items():
            for at, share in enumerate(curve.kept.tolist()):
                ends = [None if side is None else float(side[at]) for side in (curve.low, curve.high)]
                values = (title, name, share, float(curve.value[at]), *ends)
                for key, value in zip(rows, values, strict=True):
                    rows[key].append(value)
    return rows


def about(page: Page) -> dict[str, str]:
    """What every exported row stands on."""
    atlas = page.atlas
    return {"model": atlas.model, "data": atlas.title, "fingerprint": atlas.fingerprint, "seed": str(atlas.seed)}


def _explained(page: Page, point: Point) -> None:
    """No curve without labels; sorting and the threshold still work."""
    st.info(words.plain(page.curves.judged.sentence, 400), icon=":material/label_off:")
    cells = st.columns(2)
    cells[0].metric("Kept", f"{words.count(point.kept)} of {words.count(len(point.mask))}")
    cells[1].metric("Most doubt that is kept", words.figure(point.threshold))
    share = st.slider("Share kept", 0.05, 1.0, round(point.share, 2), 0.01, format="percent", key="bare-share")
    if abs(share - point.share) > 0.004:
        controls.set_point(share)
        st.rerun(scope="fragment")


# ---- behind the tabs ----


def _slices(page: Page, measure: str, point: Point) -> None:
    columns = {"label": "class"} | {name: name for name in page.atlas.columns}
    offered = [name for name in columns if _told_apart(page, name)]
    if not offered:
        st.info("These items have no classes or columns that tell some of them apart.")
        return
    by = offered[0]
    if len(offered) > 1:
        by = st.segmented_control("Tell apart by", offered, format_func=lambda name: columns[name], default=by,
                                  key="slice-by", required=True)  # fmt: skip
    rows = slices(page.curves.judged, slice_names(page.atlas, str(by)), point.mask)
    figure = _retention_charts.slices_figure(rows, page.curves.judged.goal, shell.is_dark())
    finding = _retention_charts.slices_finding(rows)
    plot.show(figure, "slices", alt=f"What is kept, class by class. {finding}", name=f"classes-{page.atlas.model}")
    st.markdown(f"**{finding}**")
    said = {
        str(columns[str(by)]): [row.name for row in rows],
        "items": [row.items for row in rows],
        "all": [row.everything.value for row in rows],
        "kept": [row.kept for row in rows],
        "of what is kept": [row.quality.value for row in rows],
        "low": [row.low for row in rows],
        "high": [row.high for row in rows],
    }
    tables.downloads(
        lambda: said, "slices", about=about(page) | _cut(measure, point), name=f"classes-{page.atlas.model}"
    )


def _told_apart(page: Page, by: str) -> bool:
    kinds = {name for name in slice_names(page.atlas, by) if name is not None}
    return _FEWEST <= len(kinds) <= _MOST_SLICES


def _cut(measure: str, point: Point) -> dict[str, str]:
    return {"measure": measure, "share_kept": f"{point.share:.2f}", "threshold": f"{point.threshold:.6g}"}


def _figures(page: Page, measure: str, point: Point) -> None:
    """The areas beneath the curves, with intervals: one row an order, or one a model."""
    rows = []
    for title, one in page.models.items():
        for name, line in one.lines.items():
            if page.several and name != measure:
                continue
            label = label_of(name, page.atlas.score_name)
            rows.append((title if page.several else label, line))
    st.caption(
        "AURC: mean share of errors among what is kept, over all operating points; AUGRC: the mean risk that an error "
        f"goes unnoticed. Both are better when lower. The fourth column is the largest share that can be kept with at "
        f"most {words.percent(RISK)} of it wrong. Error AUROC: the chance that a wrong answer has more doubt than a "
        f"right one. Intervals hold 95 % of resampled {item_cards.SOURCES[page.atlas.kind]}s."
    )
    said = {
        ("model" if page.several else "order"): [title for title, _ in rows],
        "AURC": [_with_span(line.aurc, line.intervals.get("aurc")) for _, line in rows],
        "AUGRC": [_with_span(line.augrc, line.intervals.get("augrc")) for _, line in rows],
        f"kept at {words.percent(RISK)} risk": [
            f"{_retention_charts.share(line.coverage)}{_retention_charts.span(line.intervals.get('coverage'))}"
            for _, line in rows
        ],
        "error AUROC": [_with_span(line.error_auroc, None) for _, line in rows],
    }
    if page.curves.judged.outside.any():
        said["outside AUROC"] = [_with_span(line.stranger_auroc, None) for _, line in rows]
    tables.show(said, "figures", alt="Areas beneath the curves", about=about(page), name=f"areas-{page.atlas.model}")


def _with_span(value: Figure, found: tuple[float, float] | None) -> str:
    if value.value is None:
        return "–"
    return f"{value.value:.3f}" + ("" if found is None else f" [{found[0]:.3f}, {found[1]:.3f}]")


def _diagnosis(page: Page, measure: str, point: Point) -> None:
    """Signs that this doubt cannot be used on these items, or that the training went wrong."""
    here = diagnosis_facts(page.curves, measure, page.atlas.draws)
    diagnosis.show(diagnosis_of(joined(here, _cached_compare.training(page.atlas.model))))
