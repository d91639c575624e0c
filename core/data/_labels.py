"""What a table says about classes: names, numbers, votes and probabilities. Every refusal names its row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts import Truth
from core.data._table import Table
from core.errors import TableError

NAMES = ("label", "category", "class", "class_name", "target_name", "label_name", "target", "class_id", "label_id")
VOTES = ("human_counts", "counts", "votes", "label_counts", "soft_label", "soft_labels", "probs", "probabilities")
PROBS = "p_"  # prefix of one probability column a class
MOST_CLASSES = 10_000
_WHOLE = re.compile(r"[0-9]{1,9}(\.0+)?", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_TOLERANCE = 1e-3  # by which written probabilities may miss the sum of one


@dataclass(frozen=True, slots=True)
class Labels:
    """Classes, and for each row of the table its class and what is known of its doubt."""

    classes: tuple[str, ...] = ()
    labels: Sequence[int | None] = ()
    truths: Sequence[Truth | None] = ()
    used: frozenset[str] = frozenset()  # columns that went into this


def labels_of(table: Table) -> Labels:
    names, numbers = _label_columns(table)
    votes, soft_names, used = _votes(table)
    used |= {column for column in (names, numbers) if column is not None}
    classes, labels = _classes(table, names, numbers, soft_names, None if votes is None else votes.shape[1])
    truths: Sequence[Truth | None] = [None] * table.rows
    if votes is not None:
        order = [soft_names.index(name) for name in classes] if soft_names else slice(None)
        truths = [Truth(probs=tuple(row)) for row in votes[:, order].tolist()]
    return Labels(classes, labels, truths, frozenset(used))


def whole(cell: str) -> int | None:
    """A whole number from 0, in plain digits; None for anything else."""
    return int(cell.partition(".")[0]) if _WHOLE.fullmatch(cell) else None


def refuse(table: Table, column: str, index: int, why: str, others: int = 0) -> TableError:
    more = f" (and {others:,} more row{'s' if others > 1 else ''})" if others else ""
    return TableError(f"Row {table.row(index):,} of {table.name!r}: {column!r} {why}{more}.", code="label")


def refuse_cells(table: Table, column: str, bad: Callable[[str], bool], why: str) -> None:
    """Refuse the table for the first of the cells that are bad."""
    cells = table.texts[column]
    wrong = {cell for cell in set(cells) if bad(cell)}
    if wrong:
        rows = [index for index, cell in enumerate(cells) if cell in wrong]
        raise refuse(table, column, rows[0], f"is {cells[rows[0]][:60]!r}; {why}", len(rows) - 1)


def _label_columns(table: Table) -> tuple[str | None, str | None]:
    """The column with class names and the one with class numbers, as far as there are any."""
    plain = {column.casefold(): column for column in table.texts}
    given = [plain[name] for name in NAMES if name in plain and any(table.texts[plain[name]])]
    for column in given:
        _check(table, column)
    numbers = [column for column in given if all(map(_numeric, set(table.texts[column])))]
    names = [column for column in given if column not in numbers]
    return (names[0] if names else None), (numbers[0] if numbers else None)


def _check(table: Table, column: str) -> None:
    refuse_cells(table, column, lambda cell: not cell.strip(), "every row needs a label, or none")
    unfit = "a label is a name or a whole number from 0 in plain digits"
    refuse_cells(table, column, lambda cell: _numeric(cell) and whole(cell) is None, unfit)


def _numeric(cell: str) -> bool:
    """Anything some reader takes for a number, NaN and foreign digits included."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _classes(
    table: Table, names: str | None, numbers: str | None, soft: Sequence[str], width: int | None
) -> tuple[tuple[str, ...], Sequence[int | None]]:
    if names is None and numbers is None:
        classes = tuple(sorted(soft)) or tuple(str(n) for n in range(width or 0))
        return classes, [None] * table.rows
    if names is None and numbers is not None:
        return _numbered(table, numbers, soft, width)
    assert names is not None
    cells = table.texts[names]
    order = sorted(set(cells)) if numbers is None else _paired(table, names, numbers)
    if soft:
        known = set(soft)
        refuse_cells(table, names, lambda cell: cell not in known, f"the classes are {_some(soft)}")
        order = [*order, *sorted(known - set(order))] if numbers is not None else sorted(known)
    if width is not None and width != len(order):
        reason = f"The votes are for {width:,} classes and column {names!r} names {len(order):,}; they must agree."
        raise TableError(reason, code="soft-label")
    _demand_few(table, names, len(order))
    index = {name: number for number, name in enumerate(order)}
    return tuple(order), [index[cell] for cell in cells]


def _numbered(
    table: Table, column: str, soft: Sequence[str], width: int | None
) -> tuple[tuple[str, ...], Sequence[int | None]]:
    count = width or MOST_CLASSES
    refuse_cells(
        table, column, lambda cell: (whole(cell) or 0) >= count, f"class numbers go from 0 to {count - 1:,} here"
    )
    cells = table.texts[column]
    if width is not None:
        return tuple(soft) or tuple(str(n) for n in range(width)), [whole(cell) for cell in cells]
    values = sorted({whole(cell) or 0 for cell in set(cells)})
    index = {value: number for number, value in enumerate(values)}
    return tuple(str(value) for value in values), [index[whole(cell) or 0] for cell in cells]


def _paired(table: Table, names: str, numbers: str) -> list[str]:
    """Class names in the order of their numbers; one name a number and the other way round."""
    to_name: dict[int, str] = {}
    to_number: dict[str, int] = {}
    for index, (name, cell) in enumerate(zip(table.texts[names], table.texts[numbers], strict=True)):
        number = whole(cell) or 0
        if to_name.setdefault(number, name) != name or to_number.setdefault(name, number) != number:
            known = to_name[number] if to_name[number] != name else f"number {to_number[name]}"
            raise refuse(table, names, index, f"is {name[:60]!r} with number {number}, which was {known[:60]!r} before")
    return [to_name[number] for number in sorted(to_name)]


def _demand_few(table: Table, column: str, count: int) -> None:
    if count > MOST_CLASSES:
        raise TableError(
            f"Column {column!r} of {table.name!r} has {count:,} different labels and {MOST_CLASSES:,} are allowed; "
            "is it a column of ids?",
            code="too-many-classes",
        )


def _votes(table: Table) -> tuple[np.ndarray | None, list[str], set[str]]:
    """Probabilities (rows, classes), the class names if the table has them, and the columns used."""
    spread = [column for column in table.texts if column.startswith(PROBS) and len(column) > len(PROBS)]
    plain = {column.casefold(): column for column in table.numbers}
    listed = next((plain[name] for name in VOTES if name in plain), None)
    if listed is not None:
        return _normal(table, listed, table.numbers[listed], listed in table.counts), [], {listed}
    if len(spread) < 2:
        return None, [], set()
    comma = table.delimiter not in {None, "comma"}
    values = np.array([_floats(table, column, comma) for column in spread]).T
    return _normal(table, f"{PROBS}...", values, counts=False), [c[len(PROBS) :] for c in spread], set(spread)


def _floats(table: Table, column: str, comma: bool) -> list[float]:
    """Finite numbers in plain digits; a decimal comma only where the comma separates nothing else."""

    def plain(cell: str) -> str:
        return cell.replace(",", ".", 1) if comma else cell

    refuse_cells(
        table,
        column,
        lambda cell: not _DECIMAL.fullmatch(plain(cell)) or not np.isfinite(float(plain(cell))),
        "expected a finite number in plain digits",
    )
    known: Mapping[str, float] = {cell: float(plain(cell)) for cell in set(table.texts[column])}
    return [known[cell] for cell in table.texts[column]]


def _normal(table: Table, column: str, values: np.ndarray, counts: bool) -> np.ndarray:
    """Rows that sum to one. Votes are divided by their number; probabilities must already be some."""
    sums = values.sum(axis=1)
    for wrong, why in (
        (~np.isfinite(values).all(axis=1), "holds a number that is not finite"),
        ((values < 0).any(axis=1), "holds a negative number"),
        (sums <= 0, "holds no vote at all"),
        (np.zeros_like(sums, bool) if counts else np.abs(sums - 1) > _TOLERANCE, "does not sum to one"),
    ):
        if wrong.any():
            raise refuse(table, column, int(np.argmax(wrong)), why, int(wrong.sum()) - 1)
    return values / sums[:, None]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (" ..." if len(names) > 6 else "")
