"""What the Map page says: sentences computed from the items. Pure, no streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.contracts import THING
from core.maps.trust import Trust
from core.pipeline.atlas import HELDOUT, Atlas
from core.ui import words
from core.ui._map_paint import values_of
from core.ui.measures import WORDS
from core.verdict import Code, spoken

LOOKS: dict[Code, str] = {
    "trust": ":green[:material/check_circle:] trust",
    "ambiguous": ":orange[:material/call_split:] ambiguous",
    "unfamiliar": ":blue[:material/travel_explore:] unfamiliar",
    "unsure": ":gray[:material/help:] unsure",
    "unusable": ":red[:material/block:] unusable",
}
_LEAST = 8  # items of a group before anything is said of it


def things(atlas: Atlas, number: int) -> str:
    return f"{words.count(number)} {THING[atlas.kind]}{'' if number == 1 else 's'}"


def about(atlas: Atlas, titled: str, codes: Sequence[Code]) -> str:
    """The answer first: what there is, how often the model is right, which kinds of doubt there are."""
    if atlas.source == HELDOUT:
        what = f"**{things(atlas, len(atlas))} of {words.plain(atlas.title)} that {titled} never trained on**"
    else:
        what = f"**{things(atlas, len(atlas))} in {words.plain(atlas.name)}, as {titled} sees them**"
    right = atlas.fair[np.isfinite(atlas.fair)]
    learned = 0 if atlas.learned is None else int(atlas.learned.sum())
    parts = [what]
    if len(right):
        some = "" if len(right) == len(atlas) else f" of the {words.count(len(right))} with a label it knows"
        if learned:
            some = f" of the {words.count(len(right))} with a label it knows that it did not learn from"
        whole = " in full" if atlas.labels.ndim == 2 else ""
        parts.append(f"{words.percent(float(right.mean()))}{some} are answered right{whole}")
    elif learned:
        parts.append(f"it learned from {words.count(learned)} of them, so its answers to these prove nothing")
    counts = Counter(code for row, code in enumerate(codes) if atlas.predicted[row] >= 0)
    told = [f"{words.count(counts[code])} {word}" for code, word in _WORDS.items() if counts[code]]
    if told:
        parts.append(", ".join(told))
    return "; ".join(parts) + "."


_WORDS: dict[Code, str] = {
    "ambiguous": "are ambiguous",
    "unfamiliar": "are unlike what it learned",
    "unsure": "leave it unsure",
}


def finding(atlas: Atlas, rows: np.ndarray, by: str) -> str:
    """One sentence on what the colours show."""
    if len(rows) < _LEAST:
        return f"Only {things(atlas, len(rows))} are drawn: too few to say where the doubt lies."
    if by in atlas.doubts or by == "confidence":
        return _doubtful(atlas, rows, by)
    if by == "error":
        return _errors(atlas, rows)
    return _groups(atlas, rows, by)


def _doubtful(atlas: Atlas, rows: np.ndarray, by: str) -> str:
    values = 1.0 - atlas.confidence[rows] if by == "confidence" else atlas.doubts[by][rows]
    known = np.isfinite(values)
    rows, values = rows[known], values[known]
    count = max(1, len(rows) // 10)
    top = rows[np.argsort(-values, kind="stable")[:count]]
    word = WORDS["max_softmax" if by == "confidence" else by].adjective
    labelled = any(atlas.label_names[row] is not None for row in rows.tolist())
    way = "label" if labelled else "predicted"
    among, everywhere = Counter(values_of(atlas, top, way)), Counter(values_of(atlas, rows, way))
    lift = {name: (among[name] / count) / (everywhere[name] / len(rows)) for name in among if among[name] >= 2}
    said = f"The most {word} tenth"
    if not lift or max(lift.values()) < 1.3:
        said += " is spread over all classes"
    else:
        name = max(lift, key=lambda key: (lift[key], among[key]))
        said += (
            f" is {words.figure(lift[name], 2)} times as often {words.plain(name)} as the rest of the data would give"
        )
    right = atlas.fair[top]
    judged = right[np.isfinite(right)]
    if len(judged) >= _LEAST:
        every = atlas.fair[rows]
        said += f"; {words.percent(float(judged.mean()))} of it is right, against "
        said += f"{words.percent(float(every[np.isfinite(every)].mean()))} in all"
    return said + "."


def _errors(atlas: Atlas, rows: np.ndarray) -> str:
    right = atlas.fair[rows]
    wrong = rows[right < 1]
    judged = int(np.isfinite(right).sum())
    fresh = " to items that it did not learn from" if atlas.learned is not None and atlas.learned.any() else ""
    if not judged:
        return "No answer can be judged: no item has a label that the model knows and did not learn from."
    if not len(wrong):
        return f"All {words.count(judged)} answers{fresh} are right."
    said = f"{words.count(len(wrong))} of {words.count(judged)} answers{fresh} are wrong"
    if atlas.labels.ndim == 1:
        pairs = Counter((int(atlas.labels[row]), int(atlas.predicted[row])) for row in wrong.tolist())
        (truth, answer), often = pairs.most_common(1)[0]
        first, second = (words.plain(spoken(atlas.classes[place])) for place in (truth, answer))
        said += f"; {first} taken for {second} is the most frequent, {often} times"
    return said + "."


def _groups(atlas: Atlas, rows: np.ndarray, by: str) -> str:
    values = np.array(values_of(atlas, rows, by), dtype=object)
    counts = Counter(values.tolist())
    right = atlas.fair[rows]
    shares = {}
    for name, count in counts.items():
        mine = right[values == name]
        mine = mine[np.isfinite(mine)]
        if count >= _LEAST and len(mine) >= _LEAST:
            shares[name] = (float(mine.mean()), len(mine))
    if len(shares) < 2:
        name, count = counts.most_common(1)[0]
        return f"{len(counts)} groups; the largest is {words.plain(name)} with {things(atlas, count)}."
    low, high = min(shares, key=lambda name: shares[name]), max(shares, key=lambda name: shares[name])
    return (
        f"The model is right least often on {words.plain(low)} ({words.percent(shares[low][0])} of "
        f"{words.count(shares[low][1])}) and most often on {words.plain(high)} ({words.percent(shares[high][0])} of "
        f"{words.count(shares[high][1])})."
    )


def trust(found: Trust | None) -> str:
    """How far to believe what lies close."""
    if found is None or found.trustworthiness is None or found.kept is None:
        return "Too few items to say how far this map can be trusted."
    value = found.trustworthiness
    how = "nearly all" if value >= 0.97 else "most" if value >= 0.9 else "many" if value >= 0.8 else "only some"
    return (
        f"Trustworthiness {words.figure(value)} of 1: {how} items that lie close here are alike for the model. Of an "
        f"item's {found.k} most similar ones, {words.percent(found.kept)} are among its {found.k} nearest on the map."
    )


def agreement(share: float | None, first: int, second: int) -> str:
    if share is None:
        return ""
    return (
        f"Drawn again from another seed, {words.percent(share)} of the neighbours stay neighbours (seeds {first} and "
        f"{second}): trust what both maps show."
    )


def item(atlas: Atlas, row: int) -> str:
    """One item in a line: its label, and the answer where that is another one."""
    label, place = atlas.label_names[row], int(atlas.predicted[row])
    answer = spoken(atlas.classes[place]) if place >= 0 else ""
    name = words.plain(spoken(label).capitalize()) if label else ""
    if place < 0:
        return f"**{name or 'No label'}**, and no answer yet"
    sure = words.chance(float(atlas.confidence[row])).replace(" ", "\u00a0")
    if not name:
        return f"**{words.plain(answer.capitalize())}**, {sure}"
    if atlas.right[row] >= 1:
        return f"**{name}**, recognised: {sure}"
    return f"**{name}**, taken for {words.plain(answer)}: {sure}"


def doubts(atlas: Atlas, row: int) -> str:
    """The word of its verdict, and the place of the doubt behind it among those of the calibration items."""
    if atlas.predicted[row] < 0:
        return "Not asked yet: bring the collection up to date."
    code = atlas.code(row)
    names = (("novelty", "more novel"), ("epistemic", "less familiar")) if code == "unfamiliar" else ()
    names = names or (("total", "more doubtful"),)
    told = [(float(places[row]), word) for name, word in names if (places := atlas.percentiles.get(name)) is not None]
    known = [pair for pair in told if np.isfinite(pair[0])]
    if not known:
        return LOOKS[code]
    place, word = max(known)
    return f"{LOOKS[code]}: {word} than " + ("all" if place >= 100 else f"{place:.0f} % of") + " calibration items"


def neighbours(labels: list[str], spread: float, file: str) -> str:
    """Why a file was put where it is."""
    counts = Counter(labels)
    name, often = counts.most_common(1)[0]
    said = (
        f"{words.plain(file)} lies where its {len(labels)} most similar items are, {often} of them {words.plain(name)}"
    )
    return said + (
        ". They lie far apart, so take the place with care." if spread > 0.15 else ", and they lie close together."
    )
