"""The Retrieve page: what is nearest to a query, how sure each of these is, and when it is better not to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.atlas import Atlas
from core.pipeline.found import Outcome, Result, Shelf, ask
from core.retrieval import Safety
from core.ui import (
    _cached_atlas,
    _cached_retention,
    _retention_charts,
    _retention_data,
    _retrieve_charts,
    _retrieve_query,
    _retrieve_wishes,
    address,
    controls,
    item_cards,
    plot,
    shell,
    tables,
    words,
)
from core.ui._retrieve_query import Asked
from core.ui.controls import Choice
from core.ui.measures import label_of, noun_of

_LOWEST = _retention_charts.LOWEST


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    choice: Choice
    atlas: Atlas
    shelf: Shelf


def opened(choice: Choice) -> Page | None:
    """None after a sentence that says what is missing."""
    if choice.model is None:
        st.info("No trained model is here yet. Make those that come with the app with 'make models'.")
        return None
    _retrieve_wishes.read()
    try:
        atlas = _cached_atlas.atlas(choice)
        return Page(choice, atlas, _cached_retention.shelf_for(atlas))
    except UserFacingError as error:
        _retention_data.missing(choice, error)
        return None


@st.fragment
def live(page: Page) -> None:
    """The query, its results and how far to trust them: a result can become the query, a filter runs only this."""
    asked = _retrieve_query.choose(page.atlas, page.shelf, page.choice)
    wish = _retrieve_wishes.choose(page.atlas, page.shelf)
    measure, same = wish.measure, wish.same_recording
    noun = noun_of(measure, page.atlas.score_name)
    if wish.safety is not None:
        _promise(page, wish.safety, measure, noun)
    if asked is not None:
        try:
            outcome = ask(page.shelf, asked.query, wish)
        except UserFacingError as error:
            st.error(words.plain(str(error), 400), icon=":material/block:")
        else:
            _answered(page, asked, outcome, measure, same)
    _trusted(page, measure, same, noun)


def _promise(page: Page, safety: Safety, measure: str, noun: str) -> None:
    """What the thresholds keep; where nothing can be kept, the smallest risk that can."""
    if safety.threshold is not None:
        st.info(words.plain(_retrieve_charts.promise(safety, noun), 600), icon=":material/verified_user:")
        return
    smallest = _retrieve_wishes.smallest_risk(page.atlas, measure)
    if smallest is None:
        st.info("With this doubt no risk can be promised here; another kind of doubt may do.",
                icon=":material/front_hand:")  # fmt: skip
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"The smallest risk that can be promised here by {noun} is **{smallest} %**.", width="content")
        st.button(f"Allow {smallest} %", on_click=_retrieve_wishes.allow, args=(smallest,))


# ---- what was found ----


def _answered(page: Page, asked: Asked, outcome: Outcome, measure: str, same: bool) -> None:
    left, right = st.columns([1, 4], gap="medium")
    with left:
        _query_card(page, asked, measure)
    with right:
        if outcome.refused:
            st.warning(f"**Not answered.** {words.plain(outcome.refused, 400)}", icon=":material/front_hand:")
            if outcome.alternatives:
                st.markdown("The least unsafe alternatives: of all near ones the least doubtful, but not an answer.")
                _grid(page, asked, outcome.alternatives, measure)
        else:
            finding = _retrieve_charts.outcome_finding(asked.query, outcome)
            st.markdown(f"**{words.plain(finding, 200)}**")
            _grid(page, asked, outcome.results, measure)
        st.caption(_retrieve_charts.held_back(outcome, same, item_cards.SOURCES[page.atlas.kind]))
        shown = outcome.results or outcome.alternatives
        if shown:
            tables.downloads(lambda: _columns(page, shown), "found", about=_about(page, measure),
                             name=f"nearest-{page.atlas.model}")  # fmt: skip


def _query_card(page: Page, asked: Asked, measure: str) -> None:
    with st.container(border=True, gap="xsmall"):
        st.caption("Your query")
        if asked.thumbnail is not None:
            st.image(asked.thumbnail, width=150, alt="thumbnail of the query")
        st.markdown(f"**{asked.title}**")
        if asked.preview is not None:
            st.audio(asked.preview, format="audio/flac", alt="the query")
        elif asked.row is not None:
            item_cards.player(page.atlas, page.atlas.ids[asked.row], "query")
        doubt = asked.query.doubts.get(measure)
        label = noun_of(measure, page.atlas.score_name)
        st.caption(f"{label[:1].upper()}{label[1:]}: {'–' if doubt is None else words.figure(doubt)}")
        if asked.row is not None:
            why = item_cards.reason(page.atlas, asked.row, measure)
            st.caption(f"{item_cards.ICONS[why.code]} {words.plain(why.text, 120)}")


def _grid(page: Page, asked: Asked, results: Sequence[Result], measure: str) -> None:
    ids = [page.atlas.ids[result.row] for result in results]
    thumbnails = _cached_atlas.thumbs_of(page.atlas, tuple(ids))
    with st.container(horizontal=True, gap="small", key="found-cards"):
        for result, id_ in zip(results, ids, strict=True):
            with st.container(border=True, width=146, gap="xsmall"):
                if id_ in thumbnails:
                    st.image(thumbnails[id_], width="stretch", alt=f"thumbnail of {id_}")
                same = "" if asked.query.label is None else (
                    ":material/check: " if result.label == asked.query.label else ":material/close: "
                )  # fmt: skip
                st.markdown(f"{same}**{item_cards.spoken(result.label)}**")
                st.caption(f"cosine {result.cosine:.3f}  \n{_doubt(page, result, measure)}")
                item_cards.player(page.atlas, id_, "found")
                st.button("Ask with this", key=f"ask-{id_}", type="tertiary", icon=":material/search:",
                          on_click=_ask_with, args=(page.atlas.kind, id_))  # fmt: skip


def _doubt(page: Page, result: Result, measure: str) -> str:
    label = label_of(measure, page.atlas.score_name)
    if result.doubt is None:
        return f"{label}: –"
    places = page.atlas.percentiles.get(measure)
    where = "" if places is None else f", {_surer(float(places[result.row]))}"
    return f"{label} {words.figure(result.doubt)}{where}"


def _surer(percentile: float) -> str:
    if percentile > 99.5:
        return "surer than hardly any"
    return "–" if percentile != percentile else f"surer than {100 - percentile:.0f} %"


def _ask_with(kind: str, id_: str) -> None:
    address.put(_retrieve_query.kept_item(), id_)
    address.put(_retrieve_query.kept_way(kind), _retrieve_query.STORED)


def _columns(page: Page, results: Sequence[Result]) -> tables.Columns:
    return {
        "rank": list(range(1, len(results) + 1)),
        "id": [page.atlas.ids[result.row] for result in results],
        "label": [result.label for result in results],
        "cosine": [result.cosine for result in results],
        **{name: [float(values[result.place]) for result in results] for name, values in page.shelf.doubts.items()},
    }


def _about(page: Page, measure: str) -> dict[str, str]:
    atlas = page.atlas
    facts = {"model": atlas.model, "data": atlas.title, "fingerprint": atlas.fingerprint, "seed": str(atlas.seed)}
    return facts | {"measure": measure, "share_kept": f"{controls.point():.2f}"}


# ---- how far to trust it ----


def _trusted(page: Page, measure: str, same: bool, noun: str) -> None:
    st.subheader("How far retrieval here can be trusted", anchor=False)
    quality = _cached_retention.quality(page.atlas, measure, same)
    said, knows = _retention_charts.share, quality.knows.value
    with st.container(horizontal=True, gap="small"):
        st.metric("Nearest is right (R@1)", said(quality.recall), width=170)
        st.metric(
            "Doubt knows (R-AUROC)",
            "–" if knows is None else f"{knows:.3f}",
            help="The chance that a query with a right nearest item is less doubtful than one with a wrong one; one "
            "half is a guess.",
            width=170,
        )
        st.metric("Items asked", words.count(quality.asked), width=140)
    drawn = _retrieve_charts.lines(quality, shell.is_dark())
    if not drawn:
        st.info(words.plain(quality.recall.reason or "There is nothing to compare.", 300))
        return
    share = max(_LOWEST, controls.point())
    finding = _retrieve_charts.finding(quality, share, noun)
    says = f"keep {100 * share:.0f} %: {said(_retrieve_charts.at(quality, 'both', share))}"
    handle = plot.Handle(share, _LOWEST, 1.0, 0.01, "share kept", says=says)
    figure = _retrieve_charts.figure(drawn, shell.is_dark())
    alt = f"R@1 against the share kept, four ways. {finding}"
    plot.show(figure, "four-ways-chart", alt=alt, handle=handle, told=plot.Told(drag=controls.set_point),
              name=f"retrieval-{page.atlas.model}")  # fmt: skip
    st.markdown(f"**{words.plain(finding, 400)}**")
    source = item_cards.SOURCES[page.atlas.kind]
    left = f"Neighbours of the same {source} {'count' if same else 'do not count'}."
    alone = f" {words.count(quality.alone)} items have no other {source} to compare with." if quality.alone else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Every item is asked of all others. {left}{alone}", width="stretch")
        tables.downloads(lambda: _four_ways(drawn), "four-ways", about=_about(page, measure),
                         name=f"retrieval-{page.atlas.model}")  # fmt: skip


def _four_ways(drawn: Sequence[plot.Curve]) -> tables.Columns:
    kept = {"share_kept": drawn[0].x.tolist()}
    return kept | {f"r_at_1 {line.name}".replace(" ", "_"): line.y.tolist() for line in drawn}
