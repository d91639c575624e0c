"""Tables written and read in the test's own process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.data._csv import TableLimits
from core.data._labels import labels_of
from core.data._table import Table, read_table
from core.errors import TableError
from tests.hostile.forging import HereSandbox

HERE = HereSandbox()


def table_of(tmp_path: Path, raw: bytes | str, limits: TableLimits | None = None) -> Table:
    path = tmp_path / "table.csv"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return read_table(path, sandbox=HERE, limits=limits)


def refused(tmp_path: Path, raw: bytes | str, limits: TableLimits | None = None) -> TableError:
    with pytest.raises(TableError) as caught:
        labels_of(table_of(tmp_path, raw, limits))
    assert 20 < len(str(caught.value)) < 300
    assert str(tmp_path) not in str(caught.value)
    return caught.value


def parquet_of(tmp_path: Path, columns: Mapping[str, object], rows: int | None = None) -> Path:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table(dict(columns)), path, row_group_size=rows)
    return path
