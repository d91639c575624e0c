"""How the points of a map look: colour by anything, size and opacity by doubt. Pure, no streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.pipeline.atlas import Atlas
from core.ui import bound, palette, plot
from core.ui.address import Kept
from core.ui.measures import TITLES, WORDS
from core.ui.plot import CATEGORIES, Classes, Measure
from core.verdict import spoken

MOST = len(CATEGORIES)  # names with a colour of their own, the group of the others among them
SMALL, LARGE = 4.0, 12.0  # pixels across, of the least and most doubtful
_MARKS = (0, 25, 50, 80, 95)  # percentiles with a tick
_SHORT = {"total": "doubt", "score": "score"}  # beside the colours, where a noun is long
_FIXED = {"confidence": "Confidence", "error": "Right or wrong", "label": "Class", "predicted": "Answer"}


def way(atlas: Atlas) -> Kept[str]:
    """The one that the link asks for."""
    return Kept("colour", "total", bound.one_of(tuple(ways(atlas))), "a way to colour this map")


def ways(atlas: Atlas) -> dict[str, str]:
    """Everything that an atlas can be coloured by: key -> name for people."""
    told = {name: title.capitalize() for name, title in TITLES.items() if name != "max_softmax"}  # it is confidence
    found = {name: title for name, title in told.items() if name in atlas.doubts}
    if atlas.score_name and "score" in found:
        found["score"] = atlas.score_name.capitalize()
    labelled = any(name is not None for name in atlas.label_names)
    judged = bool(np.isfinite(atlas.right).any())
    found |= {
        key: title for key, title in _FIXED.items() if (key != "label" or labelled) and (key != "error" or judged)
    }
    return found | {f"column {name}": f"Column: {spoken(name)}" for name in atlas.columns if _tells(atlas, name)}


def _tells(atlas: Atlas, name: str) -> bool:
    return len(set(atlas.columns[name])) > 1


def coloured(atlas: Atlas, rows: np.ndarray, by: str, dark: bool, named: Sequence[str] = ()) -> Measure | Classes:
    """``named``: the names that get a colour of their own where there are too many for all."""
    if by in atlas.doubts:
        return doubt(atlas, rows, by)
    if by == "confidence":
        values = 100 * atlas.confidence[rows]
        ticks = tuple((float(v), f"{v} %") for v in (0, 25, 50, 75, 100))
        # darker is more certain, as with doubt
        return Measure(
            100 - values, "confidence in the answer", tuple((100 - v, text) for v, text in ticks), 0.0, 100.0, values,
            "%{customdata:.0f} % for the answer",
        )  # fmt: skip
    if by == "error":
        colours = palette.palette(dark)
        right = atlas.right[rows]
        codes = np.where(np.isnan(right), 2, np.where(right >= 1, 0, 1))
        count = 3 if np.isnan(right).any() else 2
        names = ("right", "wrong", "no label")[:count]
        return Classes(codes, names, "", (colours.kept, colours.refused, CATEGORIES[8])[:count])
    return _named(values_of(atlas, rows, by), named, _order(atlas, by))


def values_of(atlas: Atlas, rows: np.ndarray, by: str) -> list[str]:
    """The words of some items that a way to colour is about."""
    if by == "label":
        return [spoken(atlas.label_names[row] or "no label") for row in rows.tolist()]
    if by == "predicted":
        said = [int(atlas.predicted[row]) for row in rows.tolist()]
        return [spoken(atlas.classes[place]) if place >= 0 else "no answer" for place in said]
    column = atlas.columns[by.removeprefix("column ")]
    return [spoken(column[row] or "none") for row in rows.tolist()]


def names_of(atlas: Atlas, rows: np.ndarray, by: str) -> tuple[str, ...]:
    """All names, in the order in which they get colours; empty where a number is shown."""
    if by in atlas.doubts or by in ("confidence", "error"):
        return ()
    there = Counter(values_of(atlas, rows, by))
    known = [name for name in _order(atlas, by) if name in there]
    return (*known, *(name for name, _ in there.most_common() if name not in set(known)))


def doubt(atlas: Atlas, rows: np.ndarray, measure: str) -> Measure:
    """By its place among the calibration items, which is what a reader can compare; the value itself on hover."""
    raw = atlas.doubts[measure][rows]
    title = _SHORT.get(measure, WORDS[measure].noun)
    if measure not in atlas.percentiles:
        known = raw[np.isfinite(raw)]
        low, high = np.percentile(known, (1, 99)) if len(known) else (0.0, 1.0)
        return Measure(np.nan_to_num(raw, nan=float(high)), title, (), float(low), float(max(high, low + 1e-9)))
    places = np.nan_to_num(atlas.percentiles[measure][rows], nan=100.0)
    ticks = tuple((float(mark), f"{mark} %") for mark in _MARKS)
    says = "%{customdata:.3g}, more than %{marker.color:.0f} % of calibration items"
    return Measure(places, f"{title} above … of calibration items", ticks, 0.0, 100.0, np.nan_to_num(raw), says)


def _order(atlas: Atlas, by: str) -> tuple[str, ...]:
    """Classes keep the order of the model, so that their colours are the same on every page and for every data."""
    return tuple(spoken(name) for name in atlas.classes) if by in ("label", "predicted") else ()


def _named(values: Sequence[str], named: Sequence[str], order: Sequence[str]) -> Classes:
    there = Counter(values)
    known = [name for name in order if name in there]
    every = [*known, *(name for name, _ in there.most_common() if name not in set(known))]
    if len(every) <= MOST:
        shown, rest = every, []
    else:
        shown = [name for name in every if name in set(named)][: MOST - 1] or every[: MOST - 1]
        rest = [name for name in every if name not in set(shown)]
    place = {name: code for code, name in enumerate(shown)}
    codes = np.array([place.get(value, len(shown)) for value in values], np.int64)
    names = (*shown, *([f"{len(rest)} others"] if rest else []))
    colours = tuple(_colour(name, code, order) for code, name in enumerate(shown))
    if len(set(colours)) < len(colours):  # two classes with one colour of their own: the place decides
        colours = CATEGORIES[: len(shown)]
    return Classes(codes, names, "", (*colours, *([CATEGORIES[8]] if rest else [])))


def _colour(name: str, code: int, order: Sequence[str]) -> str:
    lively = [colour for colour in CATEGORIES if colour != CATEGORIES[8]]  # the grey is for the others
    return lively[(order.index(name) if name in order else code) % len(lively)]


def share_of(atlas: Atlas, rows: np.ndarray, measure: str) -> np.ndarray:
    """0 for the least doubtful of them, 1 for the most, by rank."""
    values = np.nan_to_num(atlas.doubts[measure][rows], nan=np.inf)
    order = values.argsort(kind="stable").argsort(kind="stable")
    return order / max(1, len(values) - 1)


def sizes(share: np.ndarray | None, items: int, picked: np.ndarray | None) -> np.ndarray | float:
    """By doubt where wanted; what is selected stands out."""
    even = 7.0 if items <= 1_000 else 5.0 if items <= 10_000 else 3.5
    if share is None and picked is None:
        return even
    size = np.full(items, even) if share is None else SMALL + (LARGE - SMALL) * share
    return size if picked is None else np.where(picked, np.maximum(size, even) * 1.5, size)


def opacities(share: np.ndarray | None, kept: np.ndarray, picked: np.ndarray | None) -> np.ndarray:
    """What is above the threshold fades; so does what is not selected."""
    solid = np.full(len(kept), 0.85) if share is None else 0.25 + 0.7 * share
    faded = np.where(kept, solid, 0.1)
    return faded if picked is None else np.where(picked, 1.0, faded * 0.45)


def with_marks(figure: plot.Figure, marks: Sequence[tuple[str, float, float]], dark: bool) -> plot.Figure:
    """A visitor's own files, as signs beside their places: they are no points of the data."""
    figure.data[0].unselected = {"marker": {"opacity": 0.25}}
    colours = palette.palette(dark)
    for name, x, y in marks:
        figure.add_annotation(
            x=x, y=y, text=f"<b>{name}</b>", showarrow=True, arrowhead=2, arrowsize=1.2, arrowwidth=2, ax=0, ay=-34,
            arrowcolor=colours.ink, font={"color": colours.ink, "size": 14},
            bgcolor="rgba(255,255,255,0.85)" if not dark else "rgba(17,22,29,0.85)", borderpad=2,
        )  # fmt: skip
    return figure
