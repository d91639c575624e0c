"""The Learn page: one lesson at a time; guess, then see it computed, then turn its knobs."""

from __future__ import annotations

import itertools

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import UserFacingError
from core.lessons._contract import Lesson, Outcome, lessons
from core.lessons._pictures import Chain, Chart, Plane
from core.ui import (
    _cached_learn,
    _learn_chain,
    _learn_draw,
    _learn_knobs,
    _learn_own,
    _learn_take,
    address,
    bound,
    glossary,
    words,
)
from core.ui._learn_knobs import Asked
from core.ui.address import Kept

_DONE, _NEW = "learn-done", "learn-new"  # of the session: lessons that were revealed, and whether one is just now


def page() -> None:
    course = lessons()
    lesson = _which(course)
    with bound.telling():
        asked = _learn_knobs.asked(lesson)
    st.subheader(lesson.title, anchor=False)
    st.markdown(f"**{lesson.idea}**")
    for paragraph in lesson.opening:
        st.markdown(paragraph)
    st.fragment(_lesson)(asked)


def _which(course: tuple[Lesson, ...]) -> Lesson:
    """The list of lessons, with what is done and what comes next."""
    keys = tuple(lesson.key for lesson in course)
    kept = Kept("lesson", keys[0], bound.one_of(keys), "one of the lessons")
    done: set[str] = st.session_state.setdefault(_DONE, set())

    def named(key: str) -> str:
        mark = ":material/check_circle: " if key in done else ""
        return f"{mark}{keys.index(key) + 1} · {course[keys.index(key)].title}"

    with bound.telling():
        chosen = address.get(kept)
    st.pills(
        f"Lessons, {len(done)} of {len(keys)} done",
        keys,
        format_func=named,
        required=True,
        **bound.widget(kept, chosen),
    )
    return course[keys.index(address.get(kept) or chosen)]


def _lesson(asked: Asked) -> None:
    """Until the guess is made: the setting and the question. Then what came out, and the knobs."""
    if st.session_state.pop(_NEW, False):
        st.rerun()  # the list above counts it
    asked = _learn_knobs.asked(asked.lesson)
    guess = st.session_state.get(_guess(asked.lesson))
    left, right = st.columns([3, 2], gap="large")
    with right:
        if guess is None:
            _predict(asked.lesson)
        else:
            _learn_knobs.show(asked)
    with left:
        bar, growing = st.empty(), st.empty()  # while it is computed; then they are gone
        _before(asked, guess is not None)
    if guess is not None:
        found = _computed(asked, bar, growing)
        if found is not None:
            _reveal(asked, found, guess)


def _guess(lesson: Lesson) -> str:
    return f"learn-guess-{lesson.key}"


def _predict(lesson: Lesson) -> None:
    st.markdown(f"**What do you expect?** {lesson.question}")
    told = st.radio(
        "Your prediction", range(len(lesson.options)), None, format_func=lambda place: lesson.options[place],
        key=f"learn-options-{lesson.key}", label_visibility="collapsed",
    )  # fmt: skip
    st.button(
        "Compute it", icon=":material/visibility:", type="primary", disabled=told is None, key="learn-reveal",
        on_click=_hold, args=(lesson, told),
    )  # fmt: skip
    if told is None:
        st.caption("Choose one first: a guess that was wrong is remembered best.")
    else:
        st.caption(f"It is computed when you press: about {words.seconds(lesson.seconds)} on a free core.")


def _hold(lesson: Lesson, guess: int) -> None:
    st.session_state[_guess(lesson)] = guess
    done: set[str] = st.session_state.setdefault(_DONE, set())
    st.session_state[_NEW] = lesson.key not in done
    done.add(lesson.key)


def _again(lesson: Lesson) -> None:
    st.session_state.pop(_guess(lesson), None)


def _before(asked: Asked, live: bool) -> None:
    """``live``: the guess is made, and what is shown takes clicks."""
    try:
        pictures = _cached_learn.before(asked.lesson, asked.config, asked.seed)
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return
    for number, picture in enumerate(pictures):
        key = f"learn-{asked.lesson.key}-before-{number}"
        if isinstance(picture, Chain):
            _learn_chain.show(asked, picture, live, key)
        elif isinstance(picture, Plane) and live and hasattr(asked.config, "added"):
            _learn_knobs.clicked(asked, picture, key)
        else:
            _learn_draw.show(picture, key)


def _computed(asked: Asked, slot: DeltaGenerator, growing: DeltaGenerator) -> Outcome | None:
    room = _cached_learn.classroom()
    found = room.known(asked.lesson, asked.config, asked.seed)
    if found is not None:
        return found
    bar = slot.progress(0.0, "The lessons' process is waking; the first time that takes a few seconds.")
    drawn = itertools.count()

    def progress(done: int, total: int, stage: str) -> None:
        bar.progress(done / total, f"{stage} ({done} of {total})")

    def on_place(before: int) -> None:
        bar.progress(0.0, f"{words.counted(before, 'reader')} before you; then it is your turn.")

    def on_chart(chart: Chart) -> None:
        with growing.container():
            _learn_draw.show(chart, f"learn-growing-{next(drawn)}")

    try:
        found = room.outcome(asked.lesson, asked.config, asked.seed, progress, on_place, on_chart)
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
    slot.empty()
    growing.empty()
    return found


def _reveal(asked: Asked, found: Outcome, guess: int) -> None:
    lesson = asked.lesson
    right = guess == found.right
    mark = ":green[:material/check_circle:]" if right else ":orange[:material/cancel:]"
    came, expected = (_within(lesson.options[place]) for place in (found.right, guess))
    said = f"As you expected: {came}." if right else f"You expected: {expected}. It came out: {came}."
    st.markdown(f"#### {mark} {said}")
    st.markdown(words.plain(found.reveal, 400))
    first, *rest = found.pictures
    left, beside = st.columns([3, 2], gap="large")
    with left:
        _learn_draw.show(first, f"learn-{lesson.key}-0")
    with beside:
        st.markdown("**What you just saw**")
        st.markdown("\n".join(f"- {words.plain(sentence, 400)}" for sentence in found.sentences))
        with st.container(horizontal=True):
            st.button("Guess again", icon=":material/undo:", type="tertiary", on_click=_again, args=(lesson,))
            if lesson.terms:
                glossary.show(lesson.terms)
    for start in range(0, len(rest), 2):
        for place, column in enumerate(st.columns(2, gap="large")[: len(rest) - start], start):
            with column:
                _learn_draw.show(rest[place], f"learn-{lesson.key}-{place + 1}")
    st.divider()
    _learn_own.show(asked)
    _learn_take.show(asked, found)


def _within(option: str) -> str:
    """As it stands inside a sentence; names keep their capitals."""
    return option[:1].lower() + option[1:]
