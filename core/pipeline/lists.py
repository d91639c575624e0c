"""Ready-made lists of a curator: what is ambiguous, what is novel, which labels look wrong, what is there twice, and
what lies on the boundary of two classes. Pure functions of an Atlas; no torch.

Every list says how it was made and what it cannot tell; where the items or the model lack what it needs, it says what
to do instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts import THING
from core.errors import UserFacingError
from core.maps.alike import Alike, alike
from core.metrics import labels as quality
from core.metrics.labels import Leading
from core.pipeline._atlas import Atlas
from core.verdict import UNFAMILIAR, Code, spoken

CLOSE = 0.2  # of the probability: two classes that lie closer are a boundary
ALIKE = 0.995  # cosine
LEAST_ALIKE, MOST_ALIKE = 0.8, 0.9999
_SINGLE = "These items have several labels each, and this list compares one label with one answer; look at {instead}."


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """The items of a list, the most striking first."""

    key: str
    title: str
    means: str  # how it was made, and what it cannot tell
    rows: np.ndarray  # of the atlas
    notes: tuple[str, ...] = ()  # why each is here
    finding: str = ""  # what was found, computed
    why_not: str | None = None  # a sentence: it cannot be made of these items

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    means: str
    make: Callable[[Atlas, _Kind, str, Sequence[Code], float], Listed]

    def none(self, key: str, why: str) -> Listed:
        return Listed(key, self.title, self.means, np.zeros(0, np.int64), why_not=why)

    def of(self, key: str, rows: np.ndarray, notes: Sequence[str], finding: str) -> Listed:
        return Listed(key, self.title, self.means, rows, tuple(notes), finding)


def titles() -> Mapping[str, str]:
    return {key: kind.title for key, kind in _KINDS.items()}


def listed(atlas: Atlas, key: str, codes: Sequence[Code] | None = None, *, least: float = ALIKE) -> Listed:
    """One list. ``codes``: the word of every item's verdict, where it is known; ``least``: of near duplicates."""
    if key not in _KINDS:
        raise UserFacingError(f"There is no list {key[:40]!r}; known: {', '.join(_KINDS)}.", code="no-list")
    if not LEAST_ALIKE <= least <= MOST_ALIKE:
        raise UserFacingError(
            f"Near duplicates are told by a cosine from {LEAST_ALIKE:g} to {MOST_ALIKE:g}, not {least:g}.", code="alike"
        )
    kind = _KINDS[key]
    codes = [atlas.code(row) for row in range(len(atlas))] if codes is None and key == "ambiguous" else codes or ()
    return kind.make(atlas, kind, key, codes, least)


# ---- doubt ----


def _ambiguous(atlas: Atlas, kind: _Kind, key: str, codes: Sequence[Code], _least: float) -> Listed:
    total, own = atlas.doubts.get("total"), atlas.doubts.get("aleatoric")
    if atlas.draws < 2 or total is None or own is None or not np.isfinite(own).any():
        return kind.none(key, "This model answers with one draw, which cannot tell whether an item is ambiguous; take "
                         "a model with several (an ensemble, MC dropout, Flipout), or more samples and bring "
                         "the collection up to date.")  # fmt: skip
    if "total" not in atlas.percentiles:
        return kind.none(key, "This model came without validation items to compare doubt with; choose another model.")
    mine = np.flatnonzero([code == "ambiguous" for code in codes])
    share = own[mine] / total[mine]
    order = np.lexsort((-own[mine], -np.round(share, 2)))
    rows, share = mine[order], share[order]
    asked = int((atlas.predicted >= 0).sum())
    said = f"{_of(atlas, len(rows), asked)} ambiguous"
    if len(rows):
        said += f"; {_most(atlas, rows)}"
    leading = atlas.leading
    notes = [
        f"{_pair(atlas, leading, row)}{round(100 * part)} % of its doubt is its own"
        for row, part in zip(rows.tolist(), share.tolist(), strict=True)
    ]
    return kind.of(key, rows, notes, f"{said}.")


def _novel(atlas: Atlas, kind: _Kind, key: str, _codes: Sequence[Code], _least: float) -> Listed:
    places, raw = atlas.percentiles.get("novelty"), atlas.doubts.get("novelty")
    if places is None or raw is None:
        return kind.none(key, "This model stored no density of what it learned from, so it cannot tell what is novel; "
                         "choose another model.")  # fmt: skip
    known = np.isfinite(places)
    mine = np.flatnonzero(known & (np.nan_to_num(places) >= UNFAMILIAR))
    rows = mine[np.argsort(-raw[mine], kind="stable")]
    chance = (100 - UNFAMILIAR) / 100
    share = len(rows) / max(1, int(known.sum()))
    said = f"{_of(atlas, len(rows), int(known.sum()))} more novel than {UNFAMILIAR:g} % of validation items"
    said += f": {share:.1%} of them, where {chance:.1%} would be by chance".replace("%", " %")
    notes = ["beyond all validation items" if places[row] >= 100 else f"beyond {places[row]:.1f} %" for row in rows]
    return kind.of(key, rows, notes, f"{said}.")


def _boundary(atlas: Atlas, kind: _Kind, key: str, _codes: Sequence[Code], _least: float) -> Listed:
    leading = atlas.leading
    if atlas.task != "multiclass":
        return kind.none(key, _SINGLE.format(instead="the most ambiguous ones"))
    if leading is None or leading.places.shape[1] < 2:
        return kind.none(key, "Nothing is stored of the second most probable class; bring the collection up to date.")
    gap = np.where(leading.places[:, 1] >= 0, leading.probs[:, 0] - leading.probs[:, 1], np.inf)
    mine = np.flatnonzero(gap < CLOSE)
    rows = mine[np.argsort(gap[mine], kind="stable")]
    pairs = Counter(tuple(sorted(leading.places[row, :2].tolist())) for row in rows.tolist())
    said = f"{_of(atlas, len(rows), int(leading.answered.sum()))} between two classes"
    if pairs:
        (one, other), often = pairs.most_common(1)[0]
        names = " and ".join(sorted(spoken(atlas.classes[place]) for place in (one, other)))
        said += f", most often between {names} ({often})"
    return kind.of(key, rows, [_pair(atlas, leading, row, whole=True) for row in rows.tolist()], f"{said}.")


# ---- labels ----


def _wrong(atlas: Atlas, kind: _Kind, key: str, _codes: Sequence[Code], _least: float) -> Listed:
    leading, thing = atlas.leading, THING[atlas.kind]
    if atlas.labels.ndim == 2:
        return kind.none(key, _SINGLE.format(instead="the most ambiguous ones"))
    if leading is None:
        return kind.none(key, "No answers are stored; bring the collection up to date.")
    known = (atlas.labels >= 0) & leading.answered
    if not known.any():
        there = any(name is not None for name in atlas.label_names)
        return kind.none(key, "No label of these items is a class of this model; choose a model that knows them, or "
                         "train one on them." if there else f"No {thing} has a label. Index a folder with one "
                         "sub-folder a class, or a manifest with a column label.")  # fmt: skip
    other, fit = quality.suspected(leading, atlas.labels), quality.fit(leading, atlas.labels)
    mine = np.flatnonzero(other >= 0)
    rows = mine[np.argsort(fit[mine], kind="stable")]
    said = f"{_of(atlas, len(rows), int(known.sum()), 'labels')} in doubt"
    if len(rows):
        pairs = Counter((int(atlas.labels[row]), int(other[row])) for row in rows.tolist())
        (label, instead), often = pairs.most_common(1)[0]
        names = [spoken(atlas.classes[place]) for place in (label, instead)]
        said += f"; {names[0]} that looks like {names[1]} is the most frequent ({often})" if often > 1 else ""
    if strange := int(len(atlas) - known.sum()):
        said += f". {strange:,} have no label that this model knows and are left out"
    if atlas.learned is not None and (learned := int((atlas.learned & known).sum())):
        said += f". The model learned from {learned:,} of them and may know their errors by heart"
    notes = [
        f"looks like {spoken(atlas.classes[int(other[row])])}: fit of the label {fit[row]:.2f} of 1"
        for row in rows.tolist()
    ]
    return kind.of(key, rows, notes, f"{said}.")


# ---- duplicates ----


def _twice(atlas: Atlas, kind: _Kind, key: str, _codes: Sequence[Code], least: float) -> Listed:
    if atlas.features is None or not len(atlas.feature_rows):
        return kind.none(key, "No features of these items are stored, so likeness cannot be told; bring the collection "
                         "up to date.")  # fmt: skip
    found = alike(atlas.features, least)
    at = np.asarray(atlas.feature_rows, np.int64)
    there = np.flatnonzero(found.group >= 0)
    highest = np.full(int(found.group.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(highest, found.group[there], found.cosine[there])
    order = np.lexsort((there, found.group[there], -highest[found.group[there]]))
    there = there[order]
    finding = _told_twice(atlas, found, at)
    return kind.of(key, at[there], [_note_twice(atlas, found, at, row) for row in there.tolist()], finding)


def _told_twice(atlas: Atlas, found: Alike, at: np.ndarray) -> str:
    members: dict[int, list[int]] = {}
    for row in np.flatnonzero(found.group >= 0).tolist():
        members.setdefault(int(found.group[row]), []).append(int(at[row]))
    if not members:
        return f"No two of {len(at):,} are so alike."
    one = sum(len({int(atlas.groups[row]) for row in rows}) == 1 for rows in members.values())
    split = atlas.columns.get("split", (None,) * len(atlas))
    labels = sum(len({atlas.label_names[row] for row in rows} - {None}) > 1 for rows in members.values())
    across = sum(len({split[row] for row in rows} - {None}) > 1 for rows in members.values())
    said = [f"{sum(map(len, members.values())):,} items in {len(members):,} group{'' if len(members) == 1 else 's'}"]
    source = "recording" if atlas.kind == "audio" else "source"
    said += [f"{one:,} of one {source} each"] if one else []
    said += [f"in {labels:,} the labels differ"] if labels else []
    lies = "lies" if across == 1 else "lie"
    said += [f"{across:,} {lies} in several splits, where one gives the other away"] if across else []
    return "; ".join(said) + "."


def _note_twice(atlas: Atlas, found: Alike, at: np.ndarray, row: int) -> str:
    mine, other = int(at[row]), int(at[found.partner[row]])
    same = atlas.shas is not None and atlas.shas[mine] == atlas.shas[other]
    parts = [f"group {int(found.group[row]) + 1}"]
    how = "the same bytes as" if same else f"{found.cosine[row]:.4f} like"
    parts.append(f"{how} {atlas.ids[other]}")
    if atlas.groups[mine] == atlas.groups[other]:
        parts.append("one recording" if atlas.kind == "audio" else "one source")
    names = (atlas.label_names[mine], atlas.label_names[other])
    if None not in names and names[0] != names[1]:
        parts.append(f"labelled {spoken(str(names[0]))} and {spoken(str(names[1]))}")
    return ", ".join(parts)


# ---- words ----


def _of(atlas: Atlas, some: int, every: int, what: str = "") -> str:
    return f"{some:,} of {every:,} {what or THING[atlas.kind] + 's'} {'is' if some == 1 else 'are'}"


def _most(atlas: Atlas, rows: np.ndarray) -> str:
    """The class that most of them are answered with."""
    name, often = Counter(atlas.classes[int(atlas.predicted[row])] for row in rows.tolist()).most_common(1)[0]
    return f"the model most often says {spoken(name)} of them ({often})"


def _pair(atlas: Atlas, leading: Leading | None, row: int, *, whole: bool = False) -> str:
    """Its two most probable classes."""
    if leading is None or leading.places.shape[1] < 2 or leading.places[row, 1] < 0 or atlas.task != "multiclass":
        return ""
    names = [spoken(atlas.classes[int(place)]) for place in leading.places[row, :2]]
    if not whole:
        return f"{names[0]} or {names[1]}, "
    return ", ".join(f"{name} {round(100 * p)} %" for name, p in zip(names, leading.probs[row, :2], strict=True))


_KINDS: Mapping[str, _Kind] = {
    "ambiguous": _Kind(
        "Most ambiguous",
        "Doubtful answers whose doubt is mostly the item's own, by the rules of the verdict, the largest share "
        "first. The two kinds of doubt are estimates; listen or look before you drop one.",
        _ambiguous,
    ),
    "novel": _Kind(
        "Most novel",
        f"Items farther from what the model learned than {UNFAMILIAR:g} % of its validation items, the farthest first. "
        "New is not wrong: it may be a new class, a spoilt file, or just rare.",
        _novel,
    ),
    "wrong": _Kind(
        "Confident and wrong",
        "Labels that confident learning doubts: the model is as sure of another class as it usually is of that class. "
        "Least fitting first. It cannot tell whether the label or the model errs, so hear or see each.",
        _wrong,
    ),
    "twice": _Kind(
        "Near duplicates",
        "Pairs whose features point nearly the same way, joined into groups, the likest first. The model sees no "
        "difference between them, which does not prove that there is none.",
        _twice,
    ),
    "boundary": _Kind(
        "On the boundary",
        f"Answers whose two best classes are less than {CLOSE:.0%} apart, the closest first. It tells where classes "
        "meet, and not whether the item or the model is to blame.".replace("20%", "20 %"),
        _boundary,
    ),
}
