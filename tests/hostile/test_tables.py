"""Tables made to harm: rows T-01 to T-06, T-11, T-12 and T-14 of the table of hazards. Each test id names its row."""

from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data import _table
from core.data._csv import TableLimits, read_csv
from core.data._table import Cells, read_table
from core.errors import TableError
from core.store.export import safe_cell
from tests.hostile.tabling import HERE, parquet_of, refused, table_of

TEXT = "file,label\nä.wav,dog\nb.wav,cat\n"
READ_ALIKE = {
    "T-02 UTF-8": TEXT.encode(),
    "T-02 UTF-8 with BOM": b"\xef\xbb\xbf" + TEXT.encode(),
    "T-02 UTF-16 little": b"\xff\xfe" + TEXT.encode("utf-16-le"),
    "T-02 UTF-16 big": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "T-02 CRLF": TEXT.replace("\n", "\r\n").encode(),
    "T-02 CR": TEXT.replace("\n", "\r").encode(),
    "T-02 mixed ends": "file,label\r\nä.wav,dog\rb.wav,cat\n".encode(),
    "T-02 no last newline": TEXT.strip().encode(),
    "T-05 empty rows": TEXT.replace("\n", "\n\n").encode(),
    "T-05 rows of empty cells": (TEXT + ",\n,\n").encode(),
    "T-06 semicolon": TEXT.replace(",", ";").encode(),
    "T-06 tab": TEXT.replace(",", "\t").encode(),
    "T-06 quoted": b'"file","label"\n"\xc3\xa4.wav","dog"\n"b.wav","cat"\n',
}


@pytest.mark.parametrize("raw", READ_ALIKE.values(), ids=READ_ALIKE.keys())
def test_the_same_cells_come_out_of_every_ordinary_form(tmp_path: Path, raw: bytes) -> None:
    table = table_of(tmp_path, raw)
    assert dict(table.texts) == {"file": ("ä.wav", "b.wav"), "label": ("dog", "cat")}


@pytest.mark.parametrize(
    ("mark", "name"), [(",", "comma"), (";", "semicolon"), ("\t", "tab")], ids=lambda x: f"T-06 {x!r}"
)
def test_the_delimiter_is_reported(tmp_path: Path, mark: str, name: str) -> None:
    assert table_of(tmp_path, f"file{mark}x\na{mark}1\n").delimiter == name


REFUSED = {
    "T-01 empty": (b"", "empty", "filename,label"),
    "T-01 only a BOM": (b"\xef\xbb\xbf", "empty", "filename,label"),
    "T-01 header only": (b"file,label\n", "empty", "file, label"),
    "T-02 latin-1": (TEXT.encode("latin-1"), "encoding", "byte 11 "),
    "T-02 latin-1 far in": (b"file,label\n" + b"a.wav,dog\n" * 20_000 + b"\xe4", "encoding", "byte 200,011 "),
    "T-02 NUL": (b"file,label\na\0.wav,dog\n", "encoding", "byte 12 "),
    "T-02 UTF-16 without mark": (TEXT.encode("utf-16-le"), "encoding", "byte 1 "),
    "T-02 UTF-16 half a pair": (b"\xff\xfe" + "file\n".encode("utf-16-le") + b"\x00\xd8a\0", "encoding", "byte 12 "),
    "T-02 UTF-16 with NUL": (b"\xff\xfe" + "fä\0le\n".encode("utf-16-le"), "encoding", "byte 6 "),
    "T-02 UTF-8 cut inside a letter": (TEXT.encode() + b"\xc3", "encoding", f"byte {len(TEXT.encode())} "),
    "T-03 long cell": ("file,label\na,b\n" + "x" * 200_000 + ",dog\n", "too-long", "row 3"),
    "T-04 open quote to the end": ('file,label\na,b\n"c.wav,dog\nd.wav,cat\n', "unclosed-quote", "row 3"),
    "T-04 open quote over many lines": ('file,label\n"' + "a.wav,dog\n" * 20_000, "too-long", "row 2"),
    "T-04 one line without end": ('file,label\n"' + "x" * 2_000_000, "too-long", "Line 2"),
    "T-05 ragged": ("file,label\na,b\nc,d,e\nf\n", "ragged", "Row 3 has 3 cells and the header has 2"),
    "T-05 ragged behind an empty row": ("file,label\n\na,b\nc\n", "ragged", "Row 4 has 1 cells"),
    "T-05 duplicate header": ("file,label,File\na,b,c\n", "duplicate-header", "'File'"),
    "T-05 many columns": (",".join(f"c{n}" for n in range(100_000)) + "\n", "too-many-columns", "100,000 columns"),
    "T-05 many empty rows": ("file\na\n" + "\n" * 5_000, "blank-rows", "1,000 empty rows"),
    "T-04 text behind a quote": ('file,label\n"a"b,c\n', "quote", "Row 2"),
}


@pytest.mark.parametrize(("raw", "code", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_table_that_cannot_be_read_says_where(tmp_path: Path, raw: bytes | str, code: str, told: str) -> None:
    error = refused(tmp_path, raw)
    assert error.code == code
    assert told in str(error)


class Endless(io.RawIOBase):
    """A gigabyte behind one open quote; it counts what is taken of it."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        start, self.taken = self.taken, self.taken + size
        return (b'file,label\n"' if start == 0 else b"").ljust(size, b"x") if start < 1 << 30 else b""

    def seek(self, offset: int, whence: int = 0) -> int:
        self.taken = offset
        return offset


@pytest.mark.parametrize("row", ["T-04"])
def test_an_open_quote_before_a_gigabyte_is_bounded(row: str) -> None:
    stream = Endless()
    with pytest.raises(TableError):
        read_csv(stream, TableLimits())  # type: ignore[arg-type]
    assert stream.taken < 4 << 20


@pytest.mark.parametrize("row", ["T-12"])
def test_rows_are_held_in_tens_of_bytes(tmp_path: Path, row: str) -> None:
    """5,000,000 rows of this kind fit into the child's gigabyte; `python -m tests.hostile.big_table` reads them all."""
    rows = 60_000
    raw = "file,label,fold,group\n" + "".join(f"audio/{n:07d}.wav,dog,{n % 5},{n // 7}\n" for n in range(rows))
    (tmp_path / "table.csv").write_text(raw)
    params = {"path": str(tmp_path / "table.csv"), "limits": {}}
    tracemalloc.start()
    try:
        header, _ = _table.table_operation(params, [])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert header["rows"] == rows
    assert peak < (8 << 20) + 90 * rows


@pytest.mark.parametrize("row", ["T-12"])
def test_the_row_limit_ends_the_reading(tmp_path: Path, row: str) -> None:
    assert refused(tmp_path, "file\n" + "a\n" * 9_000, TableLimits(rows=4_000)).code == "too-many-rows"


NESTED = {
    "T-14 struct": pa.array([{"a": 1}]),
    "T-14 list of lists": pa.array([[[1.0]]]),
    "T-14 list of structs": pa.array([[{"a": 1}]]),
    "T-14 list of text": pa.array([["a"]]),
    "T-14 map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "T-14 uuid extension": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)], pa.binary(16))),
    "T-14 json extension": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])),
}


@pytest.mark.parametrize("values", NESTED.values(), ids=NESTED.keys())
def test_columns_of_nested_and_extension_types_are_refused(tmp_path: Path, values: pa.Array) -> None:
    path = parquet_of(tmp_path, {"file": ["a"], "deep": values})
    with pytest.raises(TableError, match="'deep' has") as caught:
        read_table(path, sandbox=HERE)
    assert caught.value.code == "column-type"


@pytest.mark.parametrize("row", ["T-14"])
def test_an_unknown_extension_is_refused_by_its_mark(tmp_path: Path, row: str) -> None:
    field = pa.field("deep", pa.string(), metadata={"ARROW:extension:name": "strange"})
    pq.write_table(pa.table([["a"], ["b"]], schema=pa.schema([pa.field("file", pa.string()), field])), tmp_path / "t")
    with pytest.raises(TableError, match="extension type"):
        read_table(tmp_path / "t", sandbox=HERE)


@pytest.mark.parametrize("row", ["T-14"])
@pytest.mark.parametrize("cut", [0.3, 0.9, 0.999])
def test_a_cut_parquet_file_is_refused(tmp_path: Path, row: str, cut: float) -> None:
    path = parquet_of(tmp_path, {"file": [f"{n}.wav" for n in range(1000)]})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    with pytest.raises(TableError, match="damaged or cut short"):
        read_table(path, sandbox=HERE)


def test_cells_of_bytes_come_back_whatever_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of 7, segments of 4 cells, one segment held: every border is crossed."""
    cells = [bytes([n]) * (n % 5 + 1) for n in range(40)]
    path = parquet_of(tmp_path, {"image": pa.array(cells, pa.binary())}, rows=7)
    table = read_table(path, sandbox=HERE)
    monkeypatch.setattr(_table, "_SEGMENT", 4 * table.files["image"] // 40)
    monkeypatch.setattr(_table, "_HELD", 1)
    reader = Cells(path, table, "image", HERE)
    for row in [*range(40), 39, 0, 20, 6, 7, 13, 14]:
        assert reader.read(row) == cells[row]


def test_a_table_that_changed_since_is_not_read_further(tmp_path: Path) -> None:
    path = parquet_of(tmp_path, {"image": pa.array([b"a"], pa.binary())})
    reader = Cells(path, read_table(path, sandbox=HERE), "image", HERE)
    parquet_of(tmp_path, {"image": pa.array([b"abc"] * 3, pa.binary())})
    with pytest.raises(TableError, match="changed since"):
        reader.read(0)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"], ids=lambda s: f"T-11 {s!r}")
def test_an_exported_cell_is_never_a_formula(start: str) -> None:
    for body in ("cmd|' /C calc'!A0", "1+1", "SUM(A1:A9)", "dog", "1"):
        assert safe_cell(start + body) == "'" + start + body


@pytest.mark.parametrize("row", ["T-11"])
def test_words_are_exported_as_they_are(row: str) -> None:
    for cell in ("0.5", "1e-9", "dog", "a=b", "", "3-4"):
        assert safe_cell(cell) == cell


def test_cells_are_what_the_csv_module_reads(tmp_path: Path) -> None:
    rows = [["a,b", 'say "hi"', "two\nlines"], ["ü", " spaced ", "𝄞"], ["x", "", "y;z\t"]]
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["file", "b", "c"], *rows])
    table = table_of(tmp_path, buffer.getvalue())
    assert list(zip(*table.texts.values(), strict=True)) == [tuple(row) for row in rows]
