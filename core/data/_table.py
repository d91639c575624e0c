"""The one door for tables: CSV, TSV and Parquet, read in the decode child, held as columns."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from core.data._csv import TableLimits, TextColumn, read_csv
from core.data._parquet import BytesColumn, NumberColumn, read_cells, read_parquet
from core.errors import TableError
from core.media.door import default_sandbox
from core.media.sandbox import Limits, Sandbox

SUFFIXES = (".csv", ".tsv", ".parquet")
_SECONDS = 600.0
_SEGMENT = 16 << 20  # bytes of cells fetched at a time, as the table announces them
_KNOWN = 65_536  # different cells of a column that are looked up to be shared
_HELD = 192 << 20  # bytes of cells kept in memory for the next reader


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table's cells by column. Column order is the file's."""

    name: str
    rows: int
    texts: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, np.ndarray]  # (rows, width) float64, read-only
    counts: frozenset[str]  # number columns of whole numbers
    files: Mapping[str, int]  # columns of bytes and what they weigh
    groups: tuple[int, ...] = ()  # rows of each row group
    delimiter: str | None = None  # by name; None for Parquet
    blanks: tuple[int, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.texts, *self.numbers, *self.files)

    def row(self, index: int) -> int:
        """The number a spreadsheet shows for a data row: the header is row 1, empty rows count."""
        if self.delimiter is None:
            return index + 1
        return index + 2 + bisect_right(self.blanks, index)


def read_table(
    path: Path, *, name: str | None = None, limits: TableLimits | None = None, sandbox: Sandbox | None = None
) -> Table:
    """A whole table, without the content of its byte columns (see ``Cells``)."""
    params = {"path": str(path.resolve()), "limits": asdict(limits or TableLimits())}
    answer = (sandbox or default_sandbox()).call("table", params, limits=Limits(seconds=_SECONDS))
    texts: dict[str, tuple[str, ...]] = {}
    numbers: dict[str, np.ndarray] = {}
    files: dict[str, int] = {}
    blocks = iter(answer.blocks)
    for column in answer.header["columns"]:
        if column["form"] == "text":
            texts[column["name"]] = _cells(next(blocks), next(blocks))
        elif column["form"] == "numbers":
            numbers[column["name"]] = np.frombuffer(next(blocks), np.float64).reshape(-1, column["width"])
        else:
            files[column["name"]] = column["size"]
    header = answer.header
    counts = frozenset(c["name"] for c in header["columns"] if c.get("counts"))
    groups, blanks = tuple(header["groups"]), tuple(header["blanks"])
    return Table(name or path.name, header["rows"], texts, numbers, counts, files, groups, header["delimiter"], blanks)


def table_operation(params: Mapping[str, Any], blocks: Sequence[bytes]) -> tuple[dict[str, Any], list[Any]]:
    """Runs in the decode child: the columns of the table at ``path``."""
    limits = TableLimits(**params["limits"])
    with open(params["path"], "rb") as stream:
        if stream.read(4) != b"PAR1":
            table = read_csv(stream, limits)
            facts = {"rows": table.rows, "groups": [], "delimiter": table.delimiter, "blanks": table.blanks}
            return _answer(table.columns, facts)
    parquet = read_parquet(params["path"], limits)
    return _answer(parquet.columns, {"rows": parquet.rows, "groups": parquet.groups, "delimiter": None, "blanks": []})


def cells_operation(params: Mapping[str, Any], blocks: Sequence[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Runs in the decode child: the bytes of some cells of one row group."""
    names = ("path", "column", "group", "start", "count")
    lengths, cells = read_cells(*(params[name] for name in names))
    return {"lengths": lengths}, cells


class Cells:
    """The cells of a byte column, fetched some row groups at a time and kept while there is room. Safe to share."""

    def __init__(self, path: Path, table: Table, column: str, sandbox: Sandbox | None = None) -> None:
        self._path, self._column, self._sandbox = path.resolve(), column, sandbox
        self._ends = np.cumsum(table.groups)
        self._groups = table.groups
        self._step = max(1, int(_SEGMENT * table.rows / max(1, table.files[column])))
        self._stamp = self._identity()
        self._held: dict[tuple[int, int], tuple[bytes | None, ...]] = {}
        self._lock = Lock()

    def read(self, row: int) -> bytes:
        group = int(np.searchsorted(self._ends, row, side="right"))
        inside = row - int(self._ends[group] - self._groups[group])
        start = inside - inside % self._step
        with self._lock:
            held = self._held.pop((group, start), None)
            if held is None:
                held = self._fetch(group, start)
            self._held[group, start] = held  # the last one used stands last
            while len(self._held) > 1 and len(self._held) * _SEGMENT > _HELD:
                self._held.pop(next(iter(self._held)))
        cell = held[inside - start]
        if not cell:
            raise TableError(f"Row {row + 1:,} has an empty {self._column!r} cell.", code="empty-cell")
        return cell

    def _fetch(self, group: int, start: int) -> tuple[bytes | None, ...]:
        if self._identity() != self._stamp:
            raise TableError(f"{self._path.name!r} changed since it was opened; open it again.", code="changed")
        params = {"path": str(self._path), "column": self._column, "group": group, "start": start, "count": self._step}
        answer = (self._sandbox or default_sandbox()).call("cells", params, limits=Limits(seconds=_SECONDS))
        out: list[bytes | None] = []
        at, block = 0, answer.blocks[0]
        for length in answer.header["lengths"]:
            out.append(None if length < 0 else block[at : at + length])
            at += max(0, length)
        return tuple(out)

    def _identity(self) -> tuple[int, int]:
        facts = self._path.stat()
        return facts.st_size, facts.st_mtime_ns


def _answer(
    columns: Sequence[TextColumn | NumberColumn | BytesColumn], facts: dict[str, Any]
) -> tuple[dict, list[Any]]:
    told, blocks = [], []
    for column in columns:
        if isinstance(column, TextColumn):
            told.append({"form": "text", "name": column.name})
            blocks += [column.text, memoryview(column.lengths).cast("B")]
        elif isinstance(column, NumberColumn):
            told.append({"form": "numbers", "name": column.name, "width": column.width, "counts": column.counts})
            blocks.append(memoryview(column.values).cast("B"))
        else:
            told.append({"form": "bytes", "name": column.name, "size": column.size})
    return {"columns": told, **facts}, blocks


def _cells(text: bytes, lengths: bytes) -> tuple[str, ...]:
    """One text cut into cells; cells that are equal are one object."""
    whole, sizes = text.decode(), array("I", lengths)
    known: dict[str, str] = {}
    out, at = [], 0
    for size in sizes:
        cell = whole[at : at + size]
        out.append(known.setdefault(cell, cell) if len(known) < _KNOWN else known.get(cell, cell))
        at += size
    return tuple(out)
