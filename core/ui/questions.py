"""The Questions page: what the source papers asked or left open, and what was measured here, one card each."""

from __future__ import annotations

import streamlit as st

from core import jobs
from core.errors import UserFacingError
from core.experiments._study import Answer, Study, Verdict
from core.ui import _cached_sweeps, _panel_charts, _questions_report, address, bound, cached, plot, shell, tables, words
from core.ui.address import Kept

VERDICTS: dict[Verdict, tuple[str, str]] = {
    "holds": (":material/check_circle:", "Holds here"),
    "fails": (":material/cancel:", "Not so here"),
    "open": (":material/help:", "Cannot be told from this"),
    "measured": (":material/straighten:", "Left open by the paper; measured here"),
}
_REFUSED = "questions-refused"
Cards = dict[str, tuple[Study, Answer | None]]


def page() -> None:
    cards = _cached_sweeps.answers()
    st.markdown(f"**{_questions_report.summary(cards)}**")
    if said := st.session_state.get(_REFUSED):
        st.error(words.plain(said, 300), icon=":material/block:")
    with bound.telling():
        paper = _paper(cards)
    mine = [pair for pair in cards.values() if pair[0].paper == paper]
    for study, answer in sorted(mine, key=lambda pair: pair[1] is None):
        _card(study, answer)
    _all(cards)


def _paper(cards: Cards) -> str:
    """Those with an answer first."""
    papers = tuple(dict.fromkeys(s.paper for s, _ in sorted(cards.values(), key=lambda pair: pair[1] is None)))
    kept = Kept("paper", papers[0], bound.one_of(papers), "a source that asked something")
    return str(st.segmented_control("Asked by", papers, required=True, **bound.widget(kept, address.get(kept))))


def _card(study: Study, answer: Answer | None) -> None:
    with st.container(border=True, key=f"question-{study.key.replace('_', '-')}"):
        st.subheader(study.question, anchor=False)
        claim = study.claim or "It leaves this open."
        st.markdown(f"[{words.plain(study.paper)}]({study.link}): {words.plain(claim, 300)}")
        if answer is None:
            st.info(
                f"Not measured yet. One core needs about {words.seconds(60 * study.minutes)}; what it finds will "
                "stand here.",
                icon=":material/inbox:",
            )
        else:
            icon, verdict = VERDICTS[answer.verdict]
            st.markdown(f"{icon} **{verdict}.** {words.plain(answer.sentence, 800)}")
            _charts(study, answer)
            st.caption(words.plain(_questions_report.scope(answer), 600))
        st.caption(f"What differs: {words.plain(study.differs, 300)}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                "Measure it" if answer is None else "Measure it again",
                key=f"measure-{study.key}",
                on_click=_measure,
                args=(study, answer is not None),
                icon=":material/play_arrow:",
                help="A job in the background. Trainings that this machine has done are found, not done again.",
            )
            with st.popover("Commands", icon=":material/terminal:"):
                st.code("\n".join(study.commands), language="bash", wrap_lines=True)


def _charts(study: Study, answer: Answer) -> None:
    for number, (panel, place) in enumerate(zip(answer.panels, st.columns(len(answer.panels)), strict=True)):
        said = _panel_charts.finding(panel)
        key = f"question-{study.key}-{number}".replace("_", "-")
        with place:
            alt = f"{panel.y} by {panel.x}. {said}"
            plot.show(_panel_charts.drawn(panel, shell.is_dark()), key, alt=alt, name=key)
            st.caption(words.plain(said, 300))


def _measure(study: Study, again: bool) -> None:
    """Runs before the page does; the strip above it shows how far the job is, and the page follows when it ends."""
    line = ["study", study.key, *(["--again"] if again else [])]
    try:
        jobs.submit(cached.settings(), line, title=f"Question: {study.title}", again=True)
    except UserFacingError as error:
        st.session_state[_REFUSED] = str(error)
        return
    st.session_state.pop(_REFUSED, None)


@st.fragment
def _all(cards: Cards) -> None:
    with st.expander("All questions in one table", icon=":material/table:"):
        columns = _questions_report.columns(cards, {key: said for key, (_, said) in VERDICTS.items()})
        about = {"of": "Penumbra, Questions"}
        tables.show(columns, "questions", alt=_questions_report.summary(cards), about=about, name="questions")
        _questions_report.downloads(cards)
