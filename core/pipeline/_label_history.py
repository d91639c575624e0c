"""What an item's label was before people changed it: kept with the item, in one of its further columns.

Indexing its source again leaves an item alone whose bytes are the same, and with it label and history.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from core.store import ItemRow

COLUMN = "label history"
FIRST = "first label"  # the column that readers see instead

Extra = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    at: str  # ISO 8601, UTC
    batch: str  # changes that were made together
    old: str | None
    new: str | None


def entries(extra: Sequence[tuple[str, str]]) -> tuple[Entry, ...]:
    """Oldest first."""
    text = dict(extra).get(COLUMN)
    return () if text is None else tuple(Entry(*one) for one in json.loads(text))


def changed(row: ItemRow, new: str | None, at: str, batch: str) -> ItemRow:
    told = (*entries(row.extra), Entry(at, batch, row.label, new))
    return replace(row, label=new, extra=_with(row.extra, told))


def taken_back(row: ItemRow) -> ItemRow:
    """Without its last change."""
    *rest, last = entries(row.extra)
    return replace(row, label=last.old, extra=_with(row.extra, rest))


def readable(extra: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """With the first label in place of the history."""
    told = entries(extra)
    plain = [pair for pair in extra if pair[0] != COLUMN]
    return [*plain, (FIRST, told[0].old or "none")] if told else plain


def _with(extra: Extra, told: Sequence[Entry]) -> Extra:
    plain = tuple(pair for pair in extra if pair[0] != COLUMN)
    if not told:
        return plain
    return (*plain, (COLUMN, json.dumps([astuple(one) for one in told], ensure_ascii=False)))
