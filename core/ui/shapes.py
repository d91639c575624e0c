"""The Shapes page: damage a shape, see what each method fills in, and whether its doubt knows what it made up."""

from __future__ import annotations

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.reconstruct import TITLES, UNITS, Answer, Filled, key_of
from core.ui import (
    _cached_shapes,
    _shapes_charts,
    _shapes_damage,
    _shapes_knobs,
    _shapes_picture,
    _shapes_take,
    _shapes_words,
    address,
    bound,
    cached,
    plot,
    shell,
    tables,
    words,
)
from core.ui._shapes_charts import Cut
from core.ui._shapes_knobs import Chosen
from core.ui._shapes_wait import waited
from core.ui.address import Kept

_MOST = 3  # methods beside each other
METHODS = Kept(
    "shape-methods", ("single", "anchored", "ensemble"), bound.several(_MOST), f"up to {_MOST} methods", ",".join
)
COLOUR = Kept("shape-colour", "play", bound.one_of(tuple(_shapes_words.COLOURS)), "play, total or epistemic")
VIEW = Kept("shape-cut", "above", bound.one_of(tuple(_shapes_charts.VIEWS)), "above, side or front")
AT = Kept("shape-at", 50, bound.whole(0, 100), "a whole number from 0 to 100")
_SPOT = "shapes-spot"  # of the session: where a cut was clicked


def page() -> None:
    kind = _shapes_knobs.kind()
    if kind == "picture":
        _shapes_picture.show()
        return
    answer = st.container()
    chosen = _shapes_knobs.chosen(kind)
    if chosen is None:
        return
    card = _cached_shapes.card(chosen.asked.data)
    if card is None:
        st.info(f"No fields of {chosen.asked.data} are here; make them with python -m core shapes {chosen.asked.data}.")
        return
    studio = _cached_shapes.studio()
    begin = "Filling in; the first time its process wakes for a few seconds."
    found = waited(begin, lambda progress, place: studio.fill(chosen.asked, chosen.own, progress, place))
    if found is None:
        return
    data = chosen.asked.data
    answer.markdown(f"**{words.plain(_shapes_words.verdict(found, data), 500)}**")
    if data == "vertebrae":
        st.caption(f":material/warning: {_shapes_words.WARNING}")
    _beside(chosen, found)
    _cuts(chosen, found)
    st.markdown("**Every method on this shape**")
    told = _shapes_words.columns(found, card, data)
    tables.show(told, "shape-methods", alt=f"Table of {len(found.answers)} methods on this shape.",
                about=chosen.query(), name=chosen.stem, config=_formats(told))  # fmt: skip
    _shapes_take.show(chosen, found)
    st.markdown(f"**Over {card['study']['shapes']} shapes, with 95 % intervals**")
    st.caption(words.plain(_shapes_words.compared(card), 400))
    alt = "Table of the methods' means over all test shapes."
    about = {"command": card["command"]}
    tables.show(_shapes_words.measured(card, data), "shape-study", alt=alt, about=about, name=f"shapes-{data}")
    _shapes_damage.show(data)


# ---- methods beside each other ----


@st.fragment
def _beside(chosen: Chosen, found: Filled) -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        drawn = [name for name in address.get(METHODS) if name in TITLES]
        st.multiselect("Methods", list(TITLES), format_func=lambda key: TITLES[str(key)], max_selections=_MOST,
                       **bound.widget(METHODS, drawn))  # fmt: skip
    with right:
        ways, colours = _ways(found), _shapes_words.COLOURS
        st.segmented_control("Colour", ways, format_func=lambda key: colours[str(key)], required=True,
                             help=_shapes_words.HELP, **bound.widget(COLOUR, _colour(found)))  # fmt: skip
    shown = [found[key] for key in address.get(METHODS) if key in TITLES] or [found["ensemble"]]
    columns = st.columns(1 + len(shown))
    with columns[0]:
        st.markdown("**What was seen**")
        _seen(chosen, found)
    top = max(_shapes_charts.highest(found, answer, _colour(found)) for answer in shown)  # one scale for all
    for column, answer in zip(columns[1:], shown, strict=True):
        with column:
            st.markdown(f"**{answer.title}**")
            _drawn(chosen, found, answer, top)


def _seen(chosen: Chosen, found: Filled) -> None:
    share = f"{words.percent(float(found.seen.seen.mean()))} of its voxels were seen"
    if found.seen.labels.ndim == 2:
        figure, share = _shapes_charts.seen_pixels(found, shell.is_dark()), share.replace("voxels", "pixels")
    else:
        figure = _shapes_charts.bare(_cached_shapes.seen_mesh(_key(chosen), found), shell.is_dark())
    steps = " × ".join(words.figure(step) for step in found.seen.spacing)
    plot.show(figure, "shape-seen", alt=f"What was seen of the shape. {share}.", name=f"{chosen.stem}-seen")
    st.caption(f"{share}, {steps} {UNITS[chosen.asked.data]} apart.")


def _drawn(chosen: Chosen, found: Filled, answer: Answer, top: float) -> None:
    under, colour = _shapes_words.under(found, answer, chosen.asked.data), _colour(found)
    alt = f"{answer.title}, coloured by {_shapes_words.COLOURS[colour]}. {under}"
    key, title = f"shape-{answer.key}", _shapes_words.UNITS_OF.get(colour, UNITS[chosen.asked.data])
    if answer.mean.ndim == 2:
        cut = Cut.of(found, "above", 0.5)
        values = _shapes_charts.coloured(found, answer, colour)
        figure = _shapes_charts.doubt(found, answer, cut, values, top, title, shell.is_dark())
    else:
        try:
            mesh = _cached_shapes.mesh(_key(chosen), found, answer.key, colour)
        except UserFacingError as error:
            st.caption(words.plain(str(error), 300))
            return
        figure = _shapes_charts.surface(mesh, answer.title, top, title, shell.is_dark())
    plot.show(figure, key, alt=alt, name=f"{chosen.stem}-{answer.key}")
    st.caption(words.plain(under, 300))


def _ways(found: Filled) -> tuple[str, ...]:
    """A surface has a place, which may be off; of a plane all of the doubt is seen."""
    return ("play", "epistemic") if found.answers[0].mean.ndim == 3 else ("total", "epistemic")


def _colour(found: Filled) -> str:
    chosen, ways = address.get(COLOUR), _ways(found)
    return chosen if chosen in ways else ways[0]


def _key(chosen: Chosen) -> str:
    return key_of(chosen.asked, chosen.own, cached.settings())


# ---- cuts, and the members one by one ----


@st.fragment
def _cuts(chosen: Chosen, found: Filled) -> None:
    flat = found.answers[0].mean.ndim == 2
    st.markdown("**Ask the members one by one**" if flat else "**Cut it open, and ask the members one by one**")
    several = [one for one in found.answers if len(one.members) > 1]
    kept = Kept("shape-members", "ensemble", bound.one_of(tuple(one.key for one in several)), "a method with members")
    left, middle, right = st.columns([2, 3, 3], vertical_alignment="bottom")
    with left:
        st.selectbox("Members of", [one.key for one in several], format_func=lambda key: TITLES[str(key)],
                     **bound.widget(kept))  # fmt: skip
    if not flat:
        with middle:
            views = _shapes_charts.VIEWS
            st.segmented_control("Cut", list(views), format_func=lambda key: views[str(key)], required=True,
                                 **bound.widget(VIEW))  # fmt: skip
        with right:
            st.slider("Where", 0, 100, format="%d %%", help="From one end of the box to the other.",
                      **bound.widget(AT))  # fmt: skip
    answer = found[address.get(kept)]
    cut = Cut.of(found, address.get(VIEW), address.get(AT) / 100)
    left, right = st.columns(2)
    with left:
        _doubt(chosen, found, answer, cut)
    with right:
        _members(chosen, found, answer, cut)


def _doubt(chosen: Chosen, found: Filled, answer: Answer, cut: Cut) -> None:
    top = float(answer.total.max()) or 1.0
    figure = _shapes_charts.doubt(found, answer, cut, answer.total, top, "nats of doubt", shell.is_dark())
    said = f"{answer.title}'s doubt in nats, of at most ln 2 = 0.69; white is what it drew"
    said += ", dotted orange what is true." if found.truth is not None else "."
    plot.show(figure, "shape-cut", alt=said, name=f"{chosen.stem}-cut")
    st.caption(said)


def _members(chosen: Chosen, found: Filled, answer: Answer, cut: Cut) -> None:
    spot = st.session_state.get(_SPOT)
    at = spot[1] if spot is not None and spot[0] == cut.axis else None
    figure = _shapes_charts.members(found, answer, cut, shell.is_dark(), at)
    x, y = _shapes_charts.net(cut)
    last = len(answer.members) + (found.truth is not None) + (at is not None)  # the net comes after all outlines

    def clicked(trace: int, index: int) -> None:
        if trace == last:
            st.session_state[_SPOT] = (cut.axis, (float(x[index]), float(y[index])))

    alt = f"The outlines of {len(answer.members)} members of {answer.title}."
    plot.show(
        figure, "shape-members", alt=alt, select=True, told=plot.Told(click=clicked), name=f"{chosen.stem}-members"
    )
    if at is None:
        st.caption(f"{alt} Click a place, and each says how sure it is there.")
    else:
        st.caption(f"{alt} {_shapes_words.answers_at(answer, cut, at)}")


def _formats(told: dict[str, list[object]]) -> dict[str, object]:
    shares = {name for name in told if name.startswith(("made up", "missing", "9-in-10"))}
    number = st.column_config.NumberColumn
    return {
        name: number(format="percent" if name in shares else "localized" if name == "numbers kept" else "%.3g")
        for name in told
        if name != "method"
    }
