"""What a lesson is asked with: its knobs and its seed, in the URL, so that one link gives a whole class the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from core.configs import Setting, settings_of
from core.errors import UserFacingError
from core.lessons import _plane
from core.lessons._contract import Lesson
from core.lessons._pictures import Plane
from core.training._plane_moons import Points
from core.ui import _learn_charts, address, bound, plot, shell, words
from core.ui._train_fields import label_of
from core.ui.address import Kept

SEED = Kept("lesson-seed", 0, bound.whole(0, 9999), "a whole number from 0 to 9999")
_STEPS = 20  # of a slider
_BESIDE = 3  # choices that have room beside each other
_ADDS = ("nothing", "a ring", "a square")


@dataclass(frozen=True, slots=True)
class Asked:
    lesson: Lesson
    config: Any
    seed: int


def asked(lesson: Lesson) -> Asked:
    """As the URL says; what it says wrongly is told beside the lesson."""
    plain = lesson.Config()
    fields = {one.name: address.get(_kept(lesson, one)) for one in settings_of(plain)}
    return Asked(lesson, replace(plain, **fields), address.get(SEED))


def show(now: Asked) -> None:
    """One widget a knob; a lesson is computed anew when one is let go."""
    st.markdown("**Turn a knob**")
    for one in settings_of(now.lesson.Config()):
        if one.shape != "text":
            _widget(now.lesson, one)
    st.number_input("Seed", 0, 9999, step=1, help="The same seed, the same points, weights and answers, for everybody.",
                    **bound.widget(SEED))  # fmt: skip
    if now.config != now.lesson.Config() or now.seed:
        st.button("As they were", icon=":material/restart_alt:", type="tertiary", on_click=_rest, args=(now.lesson,))


def clicked(now: Asked, picture: Plane, key: str) -> None:
    """The points, where a click adds one. It is in the URL as the knobs are."""
    place = kept(now.lesson, "added")
    own = _plane.read_points(now.config.added)
    st.markdown(f"**{picture.title}**")
    adds = st.segmented_control("A click adds", _ADDS, default=_ADDS[0], required=True, key=f"{key}-adds")
    figure, net, places = _learn_charts.clickable(picture, shell.is_dark())

    def add(trace: int, index: int) -> None:
        if adds != _ADDS[0] and trace == net and len(own) < _plane.MOST:
            label = np.array([_ADDS.index(adds) - 1])
            more = Points(np.concatenate([own.places, places[index : index + 1]]), np.concatenate([own.labels, label]))
            address.put(place, _plane.written(more))

    plot.show(figure, key, alt=f"{picture.title}. {picture.finding}", select=adds != _ADDS[0],
              told=plot.Told(click=add), name="points")  # fmt: skip
    said = f"{picture.finding} {words.counted(len(own), 'point')} of yours." if len(own) else picture.finding
    st.caption(said)
    if len(own):
        st.button("Remove mine", icon=":material/backspace:", type="tertiary", on_click=address.put, args=(place, ""))


def link(now: Asked) -> dict[str, str]:
    """What a link has to say. The prediction is in none: whoever follows it has to guess."""
    told = {"lesson": now.lesson.key, SEED.name: str(now.seed)}
    for one in settings_of(now.lesson.Config()):
        kept = _kept(now.lesson, one)
        value = getattr(now.config, one.name)
        if value != kept.default:
            told[kept.name] = kept.write(value)
    return told


def kept(lesson: Lesson, name: str) -> Kept[Any]:
    return _kept(lesson, next(one for one in settings_of(lesson.Config()) if one.name == name))


def _rest(lesson: Lesson) -> None:
    address.put(SEED, SEED.default)
    for one in settings_of(lesson.Config()):
        kept = _kept(lesson, one)
        address.put(kept, kept.default)


def _widget(lesson: Lesson, one: Setting) -> None:
    kept, (what, _, more) = _kept(lesson, one), one.help.partition("; ")
    label, tip = f"**{label_of(one.name)}**, {what}", f"{more[:1].upper()}{more[1:]}." if more else None
    if one.shape == "choice":
        choose = st.segmented_control if len(one.choices) <= _BESIDE else st.selectbox
        needed = {"required": True} if len(one.choices) <= _BESIDE else {}
        choose(label, one.choices, help=tip, format_func=_said, **needed, **bound.widget(kept))
        return
    assert one.least is not None
    assert one.most is not None
    if one.shape == "whole":
        step = max(1, round((one.most - one.least) / _STEPS))
        st.slider(label, int(one.least), int(one.most), step=step, help=tip, **bound.widget(kept))
    else:
        step = (one.most - one.least) / _STEPS
        st.slider(label, float(one.least), float(one.most), step=step, format="%.5g", help=tip, **bound.widget(kept))


def _said(choice: str | float) -> str:
    return label_of(choice) if isinstance(choice, str) else f"{choice:g}"


def _kept(lesson: Lesson, one: Setting) -> Kept[Any]:
    """A field of a lesson's config, as it stands in the URL."""
    name = f"{lesson.key}-{one.name}"
    if one.shape == "choice":
        return Kept(name, one.default, bound.one_of(one.choices), f"one of {', '.join(map(str, one.choices))}")
    if one.shape == "text":
        return Kept(name, one.default, partial(_fitting, lesson, one.name, str), "what this lesson takes")
    kind: Callable[[str], Any] = int if one.shape == "whole" else float
    wanted = f"a number from {one.least:g} to {one.most:g}"
    return Kept(name, one.default, partial(_fitting, lesson, one.name, kind), wanted, lambda value: f"{value:g}")


def _fitting(lesson: Lesson, name: str, kind: Callable[[str], Any], text: str) -> Any:
    """What the lesson's own check lets pass."""
    value = kind(text[:2000])
    try:
        replace(lesson.Config(), **{name: value})
    except UserFacingError as error:
        raise ValueError(text[:40]) from error
    return value
