"""Tags and notes: what people write beside the items of a collection. Kept in it, seen by every visitor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import StoreError, UserFacingError
from core.settings import Settings
from core.store import Writer, open_collection

LONGEST_TAG, LONGEST_NOTE = 40, 2_000
_PATIENCE = 6.0  # seconds that another writer may take: one who writes a tag is done by then
_PAUSE = 0.2
_CHUNK = 1_000  # ids in one question


@dataclass(frozen=True, slots=True)
class Marks:
    """What is written beside items now."""

    tags: Mapping[str, tuple[str, ...]]  # by item, in alphabetical order
    notes: Mapping[str, str]

    def counts(self) -> dict[str, int]:
        """Every tag and how many items have it, the most frequent first."""
        counts = Counter(tag for tags in self.tags.values() for tag in tags)
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def tagged(self, tag: str) -> tuple[str, ...]:
        return tuple(id_ for id_, tags in self.tags.items() if tag in tags)


def marks_of(collection: str, settings: Settings) -> Marks:
    opened = open_collection(settings.collections, collection)
    tags: dict[str, list[str]] = {}
    for row in opened.tags():
        tags.setdefault(row.id, []).append(row.tag)
    notes = {row.id: row.text for row in opened.notes()}
    return Marks({id_: tuple(sorted(found)) for id_, found in tags.items()}, notes)


def tag_of(text: str) -> str:
    """A tag as it is kept: one line, without blanks around it."""
    tag = " ".join(text.split())
    if not tag or not all(c.isprintable() for c in tag):
        raise UserFacingError("A tag needs at least one letter or digit; type one.", code="tag")
    if len(tag) > LONGEST_TAG:
        raise UserFacingError(
            f"The tag has {len(tag)} letters, and at most {LONGEST_TAG} are kept; use a note for more.", code="tag"
        )
    return tag


def note_of(text: str) -> str:
    note = text.strip()
    if len(note) > LONGEST_NOTE:
        raise UserFacingError(f"The note has {len(note):,} letters, and at most {LONGEST_NOTE:,} are kept; shorten it.",
                              code="note")  # fmt: skip
    return note


def tag(collection: str, ids: Sequence[str], text: str, settings: Settings) -> None:
    wanted = tag_of(text)
    written(collection, settings, lambda writer: writer.tag(known(writer, ids), wanted))


def untag(collection: str, ids: Sequence[str], text: str, settings: Settings) -> None:
    wanted = tag_of(text)
    written(collection, settings, lambda writer: writer.untag(ids, wanted))


def note(collection: str, ids: Sequence[str], text: str, settings: Settings) -> None:
    """The same note beside each, in place of the one it had; an empty one removes that."""
    kept = note_of(text)

    def change(writer: Writer) -> None:
        for id_ in known(writer, ids):
            writer.note(id_, kept)

    written(collection, settings, change)


def mark(collection: str, id_: str, tags: Sequence[str], note: str, settings: Settings) -> None:
    """Exactly these tags and this note beside one item."""
    wanted, text = {tag_of(one) for one in tags}, note_of(note)

    def change(writer: Writer) -> None:
        known(writer, [id_])
        here = {row.tag for row in writer.tags() if row.id == id_}
        for one in here - wanted:
            writer.untag([id_], one)
        for one in wanted - here:
            writer.tag([id_], one)
        writer.note(id_, text)

    written(collection, settings, change)


def written(collection: str, settings: Settings, change: Callable[[Writer], None]) -> None:
    """Change a collection as its one writer, all of it or nothing; wait a moment for another visitor who writes."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            with open_collection(settings.collections, collection, write=True) as writer:
                change(writer)
            return
        except StoreError as error:
            if error.code != "in-use" or time.monotonic() > end:
                raise
        time.sleep(_PAUSE)


def known(writer: Writer, ids: Sequence[str]) -> Sequence[str]:
    """The ids, all of which are items of the collection."""
    there: set[str] = set()
    for start in range(0, len(ids), _CHUNK):
        there |= writer.stored(ids[start : start + _CHUNK]).keys()
    if gone := [id_ for id_ in ids if id_ not in there]:
        raise UserFacingError(
            f"The collection {writer.name} has no item {gone[0][:80]!r}; it may have been indexed anew. Look again.",
            code="no-item",
        )
    return ids
