"""Text tables, row by row, within limits. Runs in the decode child.

Rows are counted as a spreadsheet shows them: the header is row 1.
"""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from core.errors import TableError

_BLOCK = 1 << 16
_BATCH = 4096  # rows that go into the columns together
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_LOOK = 20  # rows that a delimiter is judged by


@dataclass(frozen=True, slots=True)
class TableLimits:
    """How much one table may hold."""

    rows: int = 5_000_000
    columns: int = 1_000
    cell: int = 65_536  # characters
    line: int = 1 << 20  # characters
    text: int = 600 << 20  # bytes of all cells together
    blanks: int = 1_000  # empty rows
    numbers: int = 600 << 20  # bytes of all number lists together


@dataclass(slots=True)
class TextColumn:
    """A column as one text and the length of each cell: tens of bytes a row, not hundreds."""

    name: str
    text: bytearray = field(default_factory=bytearray)  # UTF-8
    lengths: array[int] = field(default_factory=lambda: array("I"))  # characters of each cell

    def extend(self, cells: Sequence[str]) -> None:
        self.text += "".join(cells).encode()
        self.lengths.extend(map(len, cells))


@dataclass(slots=True)
class CsvTable:
    columns: list[TextColumn]
    delimiter: str  # its name
    encoding: str
    rows: int = 0
    blanks: list[int] = field(default_factory=list)  # data rows that stand before each empty row


def read_csv(stream: BinaryIO, limits: TableLimits) -> CsvTable:
    """All cells as text, by column."""
    encoding, skip = _encoding(stream)
    delimiter = _delimiter(islice(_lines(stream, encoding, skip, limits), _LOOK))
    former = csv.field_size_limit(limits.cell)
    try:
        rows = csv.reader(_lines(stream, encoding, skip, limits), delimiter=delimiter, strict=True)
        return _read(rows, delimiter, "UTF-8" if encoding == "utf-8" else "UTF-16", limits)
    finally:
        csv.field_size_limit(former)


def header_of(names: Sequence[str], limits: TableLimits) -> list[str]:
    """Column names, each used once."""
    if len(names) > limits.columns:
        raise TableError(
            f"The table has {len(names):,} columns and {limits.columns:,} are allowed; leave some out.",
            code="too-many-columns",
        )
    out, seen = [], set[str]()
    for number, name in enumerate(names, 1):
        plain = name.strip() or f"column {number}"
        if plain.casefold() in seen:
            raise TableError(f"Two columns are called {plain[:80]!r}; rename one of them.", code="duplicate-header")
        seen.add(plain.casefold())
        out.append(plain)
    return out


def _read(rows: Iterator[list[str]], delimiter: str, encoding: str, limits: TableLimits) -> CsvTable:
    done, header = 1, None
    table = CsvTable([], _DELIMITERS[delimiter], encoding)
    pending: list[list[str]] = []
    try:
        for row in rows:
            if header is None:
                header = header_of(row, limits)
                table.columns = [TextColumn(name) for name in header]
            elif not any(row):
                table.blanks.append(table.rows)
            elif len(row) != len(header):
                raise _ragged(done, len(row), len(header), delimiter)
            else:
                pending.append(row)
                table.rows += 1
            if len(pending) >= _BATCH:
                _store(table, pending, limits)
            done += 1
    except csv.Error as error:
        raise _unreadable(done, str(error), limits) from None
    _store(table, pending, limits)
    if header is None or not table.rows:
        what = "is empty" if header is None else f"has a header ({', '.join(header)[:120]}) but no rows"
        raise TableError(f"The table {what}; expected a header such as filename,label and a row a file.", code="empty")
    return table


def _store(table: CsvTable, pending: list[list[str]], limits: TableLimits) -> None:
    for column, cells in zip(table.columns, zip(*pending, strict=True), strict=False):
        column.extend(cells)
    pending.clear()
    if table.rows > limits.rows:
        raise TableError(f"The table has more than {limits.rows:,} rows; split it.", code="too-many-rows")
    if sum(len(column.text) for column in table.columns) > limits.text:
        raise TableError(f"The table holds more than {limits.text >> 20} MiB of text; split it.", code="too-large")
    if len(table.blanks) > limits.blanks:
        raise TableError(f"The table has more than {limits.blanks:,} empty rows; remove them.", code="blank-rows")


def _encoding(stream: BinaryIO) -> tuple[str, int]:
    """The encoding by its mark, and the bytes of the mark."""
    stream.seek(0)
    head = stream.read(3)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    return ("utf-16-be", 2) if head.startswith(codecs.BOM_UTF16_BE) else ("utf-8", 0)


def _texts(stream: BinaryIO, encoding: str, skip: int) -> Iterator[str]:
    """Decoded blocks with plain newlines; the first byte that is no text is named by its offset."""
    inner = codecs.getincrementaldecoder(encoding)("strict")
    outer = io.IncrementalNewlineDecoder(inner, translate=True)
    stream.seek(skip)
    at, final = skip, False
    while not final:
        block = stream.read(_BLOCK)
        final = not block
        kept = len(inner.getstate()[0])
        try:
            text = outer.decode(block, final)
        except UnicodeDecodeError as error:
            wrong = at - kept + error.start
            zero = at + block.find(b"\0") if encoding == "utf-8" and b"\0" in block else wrong
            raise _not_text(min(wrong, zero)) from None
        if "\0" in text:
            if encoding == "utf-8":
                raise _not_text(at + block.find(b"\0"))
            raise _not_text(at - kept + len(text[: text.index("\0")].encode(encoding)))
        at += len(block)
        if text:
            yield text


def _not_text(offset: int) -> TableError:
    return TableError(
        f"The table is neither UTF-8 nor UTF-16 text (byte {offset:,} cannot be read); save it as CSV in UTF-8.",
        code="encoding",
    )


def _lines(stream: BinaryIO, encoding: str, skip: int, limits: TableLimits) -> Iterator[str]:
    left, number = "", 1
    for text in _texts(stream, encoding, skip):
        *whole, rest = text.split("\n")
        if whole:
            whole[0] = left + whole[0]
            left = rest
            for line in whole:
                yield line + "\n"
            number += len(whole)
        else:
            left += rest
        if len(left) > limits.line:
            raise TableError(
                f"Line {number:,} of the table is longer than {limits.line:,} characters; is it a table of text?",
                code="too-long",
            )
    if left:
        yield left


def _delimiter(lines: Iterator[str]) -> str:
    """The delimiter that gives the same number of cells in the first rows; among equals the most cells."""
    text = list(lines)

    def fit(delimiter: str) -> tuple[bool, int]:
        try:
            widths = [len(row) for row in csv.reader(text, delimiter=delimiter) if row]
        except csv.Error:
            return False, 0
        return bool(widths) and widths[0] > 1 and len(set(widths)) == 1, widths[0] if widths else 0

    return max(_DELIMITERS, key=fit)


def _ragged(row: int, cells: int, expected: int, delimiter: str) -> TableError:
    return TableError(
        f"Row {row:,} has {cells:,} cells and the header has {expected:,} (separated by {_DELIMITERS[delimiter]}); "
        "fix that row.",
        code="ragged",
    )


def _unreadable(row: int, fault: str, limits: TableLimits) -> TableError:
    if "field larger" in fault:
        return TableError(
            f"A cell that starts in row {row:,} is too long (over {limits.cell:,} characters); "
            "perhaps a quote is not closed there.",
            code="too-long",
        )
    if "unexpected end" in fault:
        return TableError(f"A quote that opens in row {row:,} is never closed; close it.", code="unclosed-quote")
    return TableError(f"Row {row:,} cannot be read: text stands behind a closing quote.", code="quote")
