"""Findings of the Inspect page: one computed sentence for each chart. Pure, no streamlit."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.contracts import THING
from core.ui import words
from core.ui.measures import WORDS
from core.verdict import spoken

if TYPE_CHECKING:
    from core.pipeline.inspect import Inspected
    from core.pipeline.places import Across, Along

LOOKS = {  # verdict code -> colour of Streamlit's Markdown, Material symbol
    "trust": ("green", "check_circle"),
    "ambiguous": ("orange", "call_split"),
    "unfamiliar": ("blue", "travel_explore"),
    "unsure": ("gray", "help"),
    "unusable": ("red", "block"),
}


def verdict(found: Inspected) -> str:
    """The sentence with its colour and sign."""
    colour, sign = LOOKS[found.verdict.code]
    return f":{colour}[:material/{sign}:] {words.plain(found.verdict.sentence, 300)}"


def numbers(found: Inspected, held: int) -> str:
    """The numbers behind the verdict, in one line. ``held``: calibration items."""
    parts = []
    total = found.percentiles.get("total")
    if total is not None:
        parts.append(f"more doubtful than {_among(total)} {words.count(held)} held-out items")
    novelty = found.percentiles.get("novelty")
    if novelty is not None:
        parts.append(f"more novel than {_among(novelty).removesuffix(' of')}")
    within = found.prediction_set
    if within is not None:
        count = len(within.labels)
        noun = "class" if count == 1 else "classes"
        parts.append(f"{count} {noun} in the {words.percent(within.coverage)} prediction set")
    said = "; ".join(parts)
    return said[:1].upper() + said[1:] + "." if said else "This model has no held-out items to compare with."


def _among(place: float) -> str:
    return "all" if place >= 99.5 else "none of" if place < 0.5 else f"{place:.0f} % of"


def bars(found: Inspected) -> str:
    first, second = found.predictions[0], found.predictions[1]
    lead = f"{spoken(first.label).capitalize()} leads with {words.chance(first.p)}"
    if found.draws == 1:
        return f"{lead}; one draw has no interval."
    if first.high - first.low < 0.01:
        return f"{lead}, and the draws agree."
    if first.low <= second.high:
        return (
            f"{lead}, and cannot be told apart from {spoken(second.label)} ({words.chance(second.p)}): "
            "what nine of ten draws say overlaps."
        )
    return f"{lead}; nine of ten draws put it between {words.chance(first.low)} and {words.chance(first.high)}."


def doubts(found: Inspected) -> str:
    total, classes = float(found.doubts["total"]), len(found.classes)
    most = f"{words.figure(total)} nats of at most ln {classes} = {words.figure(math.log(classes))}"
    if found.draws == 1:
        return f"The doubt is {most}; a single draw cannot say which kind it is."
    if found.percentiles.get("total", 100.0) < 50 and total < 0.1:
        return f"There is hardly any doubt: {most}."
    share = float(found.doubts["aleatoric"]) / max(total, 1e-12)
    if share >= 0.5:
        return f"{words.percent(share)} of the doubt is the {THING[found.kind]}'s own; it is {most}."
    return f"{words.percent(1 - share)} of the doubt is the model's, which has seen too little like it; it is {most}."


def enough(found: Inspected) -> str:
    told = found.enough
    if found.draws == 1:
        return "This model gives one answer, whatever the number of samples: there is nothing to average."
    last = told.parts[-1].total_error
    known = (
        "" if last is None else f" With all {found.draws} the total is known to ± {words.figure(1.96 * last[0], 2)}."
    )
    if told.settled >= found.draws and found.draws > 2:
        return f"The last of the {found.draws} draws still changed the verdict or the answer: take more.{known}"
    noun = "draw is" if told.settled == 1 else "draws are"
    return f"{told.settled} {noun} enough: from there on answer and verdict stay the same.{known}"


def ternary(names: Sequence[str], shares: np.ndarray) -> str:
    firsts = Counter(int(row) for row in shares.argmax(axis=1))
    said = [f"{count} say {spoken(names[place])}" for place, count in firsts.most_common()]
    joined = said[0] if len(said) == 1 else ", ".join(said[:-1]) + " and " + said[-1]
    return f"Of {len(shares)} draws, {joined}."


def within(found: Inspected) -> str:
    """The prediction set in words."""
    told = found.prediction_set
    if told is None:
        return "This model came without calibration items for so large a coverage, so no set can be promised."
    names = [spoken(label) for label in told.labels]
    listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "none of the classes"
    return (
        f"**{words.plain(listed, 400)}**: of such sets, {words.percent(told.coverage)} hold the true class, as "
        f"{words.count(told.n_calibration)} held-out items have shown."
    )


def along(told: Along) -> str:
    total = told.doubts["total"]
    if len(total) == 1:
        return f"The sound is one window long ({told.how})."
    worst, best = int(total.argmax()), int(total.argmin())
    if total[worst] - total[best] < 0.02:
        return f"The doubt is the same all along ({told.how})."
    start, end = words.figure(float(told.starts[worst])), words.figure(float(told.starts[worst] + told.seconds))
    return (
        f"Most doubtful from {start} to {end} s ({words.figure(float(total[worst]))} nats), surest at "
        f"{words.figure(float(told.starts[best]))} s ({words.figure(float(total[best]))}); {told.how}."
    )


def leaning(told: Across) -> str:
    row, column = np.unravel_index(int(told.without.argmin()), told.without.shape)
    least = float(told.without[row, column])
    if told.p - least < 0.02:
        return f"No single part decides: without any of them, {spoken(told.label)} keeps its {words.chance(told.p)}."
    place = _part_of(int(row), int(column), told.without.shape)
    return (
        f"The answer leans most on the {place}: without it, {spoken(told.label)} falls from {words.chance(told.p)} to "
        f"{words.chance(least)}."
    )


def bringing(told: Across) -> str:
    change = told.whole["total"] - told.doubts["total"]
    row, column = np.unravel_index(int(change.argmax()), change.shape)
    if change[row, column] < 0.02:
        return f"No part brings doubt in: covering one never lowers it by much ({told.how})."
    place = _part_of(int(row), int(column), change.shape)
    return (
        f"The {place} brings most doubt in: without it, {words.figure(told.whole['total'])} nats become "
        f"{words.figure(float(told.doubts['total'][row, column]))}; {told.how}."
    )


def _part_of(row: int, column: int, shape: tuple[int, ...]) -> str:
    down = ("upper", "middle", "lower")[min(2, 3 * row // shape[0])]
    right = ("left", "centre", "right")[min(2, 3 * column // shape[1])]
    return "very middle" if (down, right) == ("middle", "centre") else f"{down} {right}"


def moved(before: Inspected, now: Inspected) -> str:
    """What changed most, in places among the held-out items."""
    shared = [name for name in before.percentiles if name in now.percentiles and name in _TOLD]
    if not shared:
        return "This model has no held-out items, so changes have nothing to be measured by."
    change = {name: now.percentiles[name] - before.percentiles[name] for name in shared}
    name = max(change, key=lambda one: abs(change[one]))
    if abs(change[name]) < 1:
        return "No doubt moved by a place."
    verb = "rises" if change[name] > 0 else "falls"
    first, last = before.percentiles[name], now.percentiles[name]
    how = WORDS[name].adjective
    return f"What moves most is how {how} it is: that {verb} from place {first:.0f} to {last:.0f} of 100."


_TOLD = ("aleatoric", "epistemic", "novelty")  # of what a knob moves


def near(labels: Sequence[str | None], cosines: Sequence[float], what: str) -> str:
    told = [spoken(label) for label in labels if label]
    if not told:
        return f"The nearest of {what} have no labels."
    label, count = Counter(told).most_common(1)[0]
    return (
        f"{count} of the {len(labels)} nearest of {what} {'is' if count == 1 else 'are'} {label}; the nearest has a "
        f"cosine of {max(cosines):.3f}."
    )


def on_map(names: Sequence[str], spread: float) -> str:
    """``spread``: how far the neighbours lie from the place, 1: as far as any item may."""
    name, count = Counter(names).most_common(1)[0]
    where = "close together" if spread < 0.1 else "apart" if spread < 0.25 else "far apart, so the place says little"
    return f"It falls among {name} ({count} of its {len(names)} nearest), which lie {where} on the map."
