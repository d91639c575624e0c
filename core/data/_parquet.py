"""Parquet tables: text and number-list columns whole, byte columns a few cells at a time. Runs in the decode child."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.data._csv import TableLimits, TextColumn, header_of
from core.errors import TableError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH = 4096
_FEW = 64  # rows read at once where cells may be large
_MOST = 512 << 20  # bytes of the cells of one answer


@dataclass(slots=True)
class NumberColumn:
    """A column of lists of numbers, all of one length."""

    name: str
    counts: bool  # whole numbers
    width: int = 0
    values: array[float] = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class BytesColumn:
    """A column of files; only its size is known until cells are asked for."""

    name: str
    size: int  # bytes in the table, as announced


@dataclass(slots=True)
class ParquetTable:
    columns: list[TextColumn | NumberColumn | BytesColumn]
    rows: int
    groups: list[int]  # rows of each row group


def read_parquet(path: str, limits: TableLimits) -> ParquetTable:
    table = _open(path)
    rows = table.metadata.num_rows
    header_of(table.schema_arrow.names, limits)
    if rows > limits.rows:
        raise TableError(
            f"The table has {rows:,} rows and {limits.rows:,} are allowed; split it.", code="too-many-rows"
        )
    if not rows:
        raise TableError("The table has no rows; expected a row a file.", code="empty")
    groups = [table.metadata.row_group(n).num_rows for n in range(table.num_row_groups)]
    columns = [_column(table, number, name) for number, name in enumerate(table.schema_arrow.names)]
    read = [column for column in columns if not isinstance(column, BytesColumn)]
    if read:
        _fill(table, read, limits)
    return ParquetTable(columns, rows, groups)


def read_cells(path: str, column: str, group: int, start: int, count: int) -> tuple[list[int], list[bytes]]:
    """Cells ``start`` to ``start + count`` of one row group: their lengths (-1: none there) and their bytes."""
    lengths: list[int] = []
    blocks: list[bytes] = []
    total, at = 0, 0
    for batch in _open(path).iter_batches(_FEW, row_groups=[group], columns=[column], use_threads=False):
        at += batch.num_rows
        if at <= start:
            continue
        first = max(0, start - (at - batch.num_rows))
        cells = batch.column(0).slice(first, count - len(lengths)).to_pylist()
        lengths += [-1 if cell is None else len(cell) for cell in cells]
        blocks += [cell for cell in cells if cell]
        total += sum(len(cell) for cell in cells if cell)
        if total > _MOST:
            raise TableError(f"The files in column {column!r} are too large to be read from a table.", code="too-large")
        if len(lengths) >= count:
            break
    return lengths, [b"".join(blocks)]


def _open(path: str) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, pre_buffer=False, memory_map=False)
    except (pa.ArrowException, OSError, ValueError):
        raise TableError("The Parquet file is damaged or cut short; send another copy.", code="damaged") from None


def _column(table: pq.ParquetFile, number: int, name: str) -> TextColumn | NumberColumn | BytesColumn:
    import pyarrow as pa

    is_type = pa.types
    at = table.schema_arrow.field(number)
    kind = at.type.value_type if is_type.is_dictionary(at.type) else at.type
    marked = any(key.startswith(b"ARROW:extension") for key in at.metadata or {})
    if marked or isinstance(kind, pa.BaseExtensionType):
        raise _refused(name, "an extension type")
    if is_type.is_list(kind) or is_type.is_large_list(kind) or is_type.is_fixed_size_list(kind):
        inner = kind.value_type
        if not (is_type.is_integer(inner) or is_type.is_floating(inner)):
            raise _refused(name, f"a nested type ({str(kind)[:60]})")
        return NumberColumn(name, is_type.is_integer(inner))
    if is_type.is_nested(kind):
        raise _refused(name, f"a nested type ({str(kind)[:60]})")
    if is_type.is_binary(kind) or is_type.is_large_binary(kind) or is_type.is_fixed_size_binary(kind):
        return BytesColumn(name, _announced(table, name))
    if not (is_type.is_primitive(kind) or is_type.is_string(kind) or is_type.is_large_string(kind)):
        raise _refused(name, f"the type {str(kind)[:60]}")
    return TextColumn(name)


def _announced(table: pq.ParquetFile, name: str) -> int:
    total = 0
    for number in range(table.num_row_groups):
        group = table.metadata.row_group(number)
        chunks = (group.column(n) for n in range(group.num_columns))
        total += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema == name)
    return total


def _refused(name: str, kind: str) -> TableError:
    return TableError(
        f"Column {name[:80]!r} has {kind}; use text, numbers, bytes, or lists of numbers.", code="column-type"
    )


def _fill(table: pq.ParquetFile, columns: list[Any], limits: TableLimits) -> None:
    import pyarrow as pa

    row = 0
    names = [column.name for column in columns]
    try:
        for batch in table.iter_batches(_BATCH, columns=names, use_threads=False):
            for column in columns:
                values = batch.column(batch.schema.get_field_index(column.name))
                if isinstance(column, TextColumn):
                    column.extend(_texts(values))
                else:
                    _extend(column, values, row)
            row += batch.num_rows
            text = sum(len(c.text) for c in columns if isinstance(c, TextColumn))
            numbers = sum(len(c.values) * 8 for c in columns if isinstance(c, NumberColumn))
            if text > limits.text or numbers > limits.numbers:
                raise TableError("The table holds more text or numbers than is allowed; split it.", code="too-large")
            for column in columns:
                if isinstance(column, TextColumn) and max(column.lengths[-batch.num_rows :], default=0) > limits.cell:
                    raise TableError(f"A cell of column {column.name!r} near row {row:,} is too long.", code="too-long")
    except MemoryError:
        raise
    except (pa.ArrowException, OSError):
        raise TableError("The Parquet file is damaged or cut short; send another copy.", code="damaged") from None


def _texts(values: pa.Array) -> list[str]:
    """Cells as text; a missing one is empty."""
    import pyarrow as pa

    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if pa.types.is_floating(kind):
        return ["" if cell is None else repr(float(cell)) for cell in values.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [cell or "" for cell in values.to_pylist()]
    return ["" if cell is None else str(cell) for cell in values.to_pylist()]


def _extend(column: NumberColumn, values: pa.Array, before: int) -> None:
    for row, cell in enumerate(_lists(values), before + 1):
        if not cell or (column.width and len(cell) != column.width):
            expected = f"{column.width} as before it" if column.width else "one a class"
            raise TableError(
                f"Row {row:,}: {column.name!r} holds {len(cell)} numbers, expected {expected}.", code="soft-label"
            )
        column.width = len(cell)
        column.values.extend(float("nan") if number is None else float(number) for number in cell)


def _lists(values: pa.Array) -> Iterator[list[Any]]:
    for cell in values.to_pylist():
        yield cell if cell is not None else []
