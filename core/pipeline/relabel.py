"""New labels for items of a collection: what would change, the change itself, and taking it back.

Labels change all at once or not at all, and every change is kept with its item, so that the last one can be undone and
indexing the source again does not bring an old label back.
"""

from __future__ import annotations

import difflib
import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.errors import UserFacingError
from core.pipeline._label_history import changed, entries, taken_back
from core.pipeline.atlas import plain
from core.pipeline.marks import known, note_of, written
from core.settings import Settings
from core.store import Collection, ItemRow, Writer, open_collection
from core.store.export import safe_cell

MOST = 20_000  # items in one change: their rows are held in memory
_CHUNK = 500
_TOLD = 20  # problems that are named
_LONGEST = 120  # letters of a class


@dataclass(frozen=True, slots=True)
class Line:
    """What a sheet says of one item. ``label``: as it was when the sheet was made."""

    row: int  # as a spreadsheet counts
    id: str
    label: str
    new_label: str
    note: str | None  # None: the sheet has no notes


@dataclass(frozen=True, slots=True)
class Change:
    id: str
    old: str | None
    new: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a sheet would do. Nothing is done while there are problems."""

    changes: tuple[Change, ...]
    notes: tuple[tuple[str, str], ...]  # id and its new note
    untouched: int  # lines that ask for nothing
    already: int  # lines whose new label is there already
    problems: tuple[str, ...]  # sentences
    fresh: tuple[str, ...] = ()  # classes that the collection did not have

    def moves(self) -> dict[tuple[str, str], int]:
        """(old, new) and how often, the most frequent first."""
        counts = Counter((change.old or "no label", change.new) for change in self.changes)
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


@dataclass(frozen=True, slots=True)
class Batch:
    """Labels that were changed together."""

    key: str
    at: str
    changes: tuple[Change, ...]


def preview(
    name: str, lines: Sequence[Line], settings: Settings, *, classes: Sequence[str] = (), new_classes: bool = False
) -> Preview:
    """Check every line against the collection as it is now. ``classes``: those of the model, which are known too."""
    if not lines:
        raise UserFacingError("The list has no rows; export one, fill in new_label and bring it back.", code="empty")
    collection = open_collection(settings.collections, name)
    labels = _labels(collection)
    shown = {safe_cell(id_): id_ for id_ in labels} | {id_: id_ for id_ in labels}
    words = _Words([*collection.about.classes, *(label for label in labels.values() if label), *classes])
    notes = {row.id: row.text for row in collection.notes()}
    found, problems = _Found(), _Problems()
    for line in lines:
        id_ = shown.get(line.id)
        if id_ is None:
            problems.add("unknown", f"row {line.row:,}: the collection has no item {line.id[:80]!r}")
            continue
        found.note(id_, line, notes.get(id_, ""))
        if not line.new_label.strip():
            found.untouched += 1
            continue
        new = words.known(line.new_label.strip()) or (line.new_label.strip() if new_classes else None)
        if new is None or len(new) > _LONGEST or not new.isprintable():
            problems.add("class", f"row {line.row:,}: {words.unknown(line.new_label.strip())}")
        elif labels[id_] == new:
            found.already += 1
        elif line.label not in {labels[id_] or "", safe_cell(labels[id_] or "")}:
            here, then = ((label or "none")[:60] for label in (labels[id_], line.label))
            problems.add(
                "stale", f"row {line.row:,}: the label of {id_[:80]!r} is {here} now and was {then} in the list"
            )
        elif found.changes.setdefault(id_, Change(id_, labels[id_], new)).new != new:
            problems.add("twice", f"row {line.row:,}: {id_[:80]!r} has two different new labels")
    if len(found.changes) > MOST:
        problems.add("many", f"{len(found.changes):,} labels would change, and at most {MOST:,} can at once")
    fresh = tuple(dict.fromkeys(change.new for change in found.changes.values() if not words.known(change.new)))
    changes, texts = tuple(found.changes.values()), tuple(found.notes.items())
    return Preview(changes, texts, found.untouched, found.already, problems.told(), fresh)


def apply(name: str, planned: Preview, settings: Settings) -> Batch:
    """Change labels and notes as planned; what changed in the meantime is refused, and then nothing changes."""
    if planned.problems:
        raise UserFacingError(planned.problems[0], code="relabel")
    if not planned.changes and not planned.notes:
        raise UserFacingError("Nothing would change: no row has a new label or note.", code="empty")
    batch = Batch(uuid.uuid4().hex[:12], datetime.now(UTC).isoformat(timespec="microseconds"), planned.changes)

    def change(writer: Writer) -> None:
        rows = _fetched(writer, [one.id for one in planned.changes])
        for one in planned.changes:
            if rows[one.id].label != one.old:
                raise UserFacingError(
                    f"The label of {one.id[:80]!r} was changed by somebody else meanwhile; look at the preview again.",
                    code="stale",
                )
        writer.add([changed(rows[one.id], one.new, batch.at, batch.key) for one in planned.changes])
        known(writer, [id_ for id_, _ in planned.notes])
        for id_, text in planned.notes:
            writer.note(id_, text)

    written(name, settings, change)
    return batch


def one(name: str, id_: str, new: str, settings: Settings, *, classes: Sequence[str] = ()) -> Preview:
    """A new label for one item, which may be a class that nobody had."""
    here = _labels(open_collection(settings.collections, name)).get(id_)
    line = Line(1, id_, here or "", new, None)
    return preview(name, [line], settings, classes=classes, new_classes=True)


def history(name: str, settings: Settings) -> tuple[Batch, ...]:
    """What was changed together, the last first."""
    return _batches(open_collection(settings.collections, name))


def undo(name: str, settings: Settings) -> Batch:
    """Take back what was changed last."""
    found: list[Batch] = []

    def change(writer: Writer) -> None:
        batches = _batches(writer)
        if not batches:
            raise UserFacingError(f"No label of {name} was ever changed here; there is nothing to take back.",
                                  code="nothing")  # fmt: skip
        rows = _fetched(writer, [one.id for one in batches[0].changes])
        writer.add([taken_back(row) for row in rows.values()])
        found.append(batches[0])

    written(name, settings, change)
    return found[-1]


# ---- the collection ----


def _labels(collection: Collection) -> dict[str, str | None]:
    table = collection.items(("id", "label", "extra"))
    for text in table["extra"].to_pylist():
        if any(key == "labels" for key, _ in json.loads(text)):
            raise UserFacingError(
                f"The items of {collection.name} have several labels each, and a list of new labels gives one; change "
                "them in the source and index it again.",
                code="several-labels",
            )
    return dict(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))


def _fetched(collection: Collection, ids: Sequence[str]) -> dict[str, ItemRow]:
    rows: dict[str, ItemRow] = {}
    for start in range(0, len(ids), _CHUNK):
        rows |= {row.id: row for row in collection.fetch(ids[start : start + _CHUNK])}
    if gone := [id_ for id_ in ids if id_ not in rows]:
        raise UserFacingError(f"{collection.name} has no item {gone[0][:80]!r} any more; look again.", code="no-item")
    return rows


def _batches(collection: Collection) -> tuple[Batch, ...]:
    """By the last change of each item: an earlier one can only be taken back after it."""
    table = collection.items(("id", "extra"))
    found: dict[tuple[str, str], list[Change]] = {}
    for id_, text in zip(table["id"].to_pylist(), table["extra"].to_pylist(), strict=True):
        for one in entries(json.loads(text)):
            found.setdefault((one.at, one.batch), []).append(Change(id_, one.old, one.new or ""))
    return tuple(Batch(key, at, tuple(found[at, key])) for at, key in sorted(found, reverse=True))


# ---- lines ----


class _Words:
    """The classes that are known, and how each is written."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(dict.fromkeys(names))
        self._exact = {safe_cell(name): name for name in self.names} | {name: name for name in self.names}
        self._plain: dict[str, str] = {}
        for name in self.names:
            self._plain.setdefault(plain(name), name)

    def known(self, text: str) -> str | None:
        return self._exact.get(text) or self._plain.get(plain(text))

    def unknown(self, text: str) -> str:
        near = difflib.get_close_matches(plain(text), list(self._plain), 1)
        hint = f"; did you mean {self._plain[near[0]]}?" if near else f"; known: {', '.join(self.names[:12])}"
        return f"{text[:60]!r} is no class of the collection or of the model{hint}"


class _Found:
    def __init__(self) -> None:
        self.changes: dict[str, Change] = {}
        self.notes: dict[str, str] = {}
        self.untouched = self.already = 0

    def note(self, id_: str, line: Line, here: str) -> None:
        if line.note is None or line.note in {"", here, safe_cell(here)}:
            return  # an empty cell removes nothing: somebody may have written since the list was made
        text = line.note[1:] if line.note.startswith("'") and safe_cell(line.note[1:]) == line.note else line.note
        self.notes[id_] = note_of(text)


class _Problems:
    """The first few in words, the others by number."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[str]] = {}

    def add(self, kind: str, sentence: str) -> None:
        self._by_kind.setdefault(kind, []).append(sentence)

    def told(self) -> tuple[str, ...]:
        out = []
        for sentences in self._by_kind.values():
            out += [f"{one[:1].upper()}{one[1:]}." for one in sentences[:_TOLD]]
            if len(sentences) > _TOLD:
                out.append(f"And {len(sentences) - _TOLD:,} more rows like these.")
        return tuple(out)
