"""The only place where values become text of a query. Every value is a literal, never a fragment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.errors import StoreError
from core.store.rows import Where

_COLUMNS = {"ids": "id", "sha256": "sha256", "labels": "label", "groups": "group", "folds": "fold", "splits": "split"}


def literal(value: str | int) -> str:
    """A quoted text or a number; quotes inside are doubled, nothing else is special."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"a {type(value).__name__} is no literal here")
    if isinstance(value, int):
        return str(value)
    return "'" + check_text(value).replace("'", "''") + "'"


def check_text(value: str) -> str:
    """Text that can be stored: names with bytes that are no UTF-8 arrive as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        shown = value.encode("utf-8", "backslashreplace").decode()[:80]
        raise StoreError(f"The text {shown!r} is not valid Unicode; rename the item.", code="not-text") from None
    return value


def one_of(column: str, values: Iterable[str | int]) -> str:
    listed = ", ".join(sorted({literal(value) for value in values}))
    return f"`{column}` IN ({listed})" if listed else "false"


def compiled(where: Where, tagged: Sequence[str] | None = None) -> str | None:
    """A condition on the items table; ``tagged`` are the ids that carry the wanted tags."""
    parts = [one_of(column, given) for name, column in _COLUMNS.items() if (given := getattr(where, name)) is not None]
    if where.tags is not None:
        parts.append(one_of("id", tagged or ()))
    return " AND ".join(parts) or None
