"""A collection as a table for other programs: .csv or .parquet, one row an item."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from core.errors import StoreError
from core.store._faults import sync, told
from core.store.rows import Where

if TYPE_CHECKING:
    import pyarrow as pa

    from core.store._snapshot import Snapshot

_PLAIN = ("id", "sha256", "kind", "label", "fold", "group", "split", "seconds", "truth", "receipt")
_MEASURES = ("label", "confidence", "total", "aleatoric", "epistemic", "novelty", "score", "top")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # a spreadsheet would run such a cell


def writer_for(path: Path) -> Callable[[pa.Table, Path], None]:
    """How a file of this name is written."""
    write = {".csv": _write_csv, ".parquet": _write_parquet}.get(path.suffix.lower())
    if write is None:
        raise StoreError(
            f"An export ends in .csv or .parquet, not in {path.suffix[:20]!r}; name it so.", code="bad-suffix"
        )
    return write


def replaced(path: Path, table: pa.Table, write: Callable[[pa.Table, Path], None]) -> None:
    """Write the file whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".export-", delete=False) as stream:
        temporary = Path(stream.name)
    try:
        write(table, temporary)
        sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def to_file(path: Path, table: pa.Table, write: Callable[[pa.Table, Path], None]) -> None:
    """``replaced``, where a full disk or a missing folder is a sentence."""
    with told("write", f"the export {path.name!r}"):
        replaced(path, table, write)


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula, nor for a number: a name +1 would come back as 1."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def octets(table: pa.Table, suffix: str) -> bytes:
    """A file of this kind, for a browser that takes it along."""
    if suffix == ".csv":
        text = io.StringIO(newline="")
        _csv_into(table, text)
        return text.getvalue().encode()
    import pyarrow.parquet as pq

    target = io.BytesIO()
    pq.write_table(table, target)
    return target.getvalue()


def joined(snapshot: Snapshot) -> pa.Table:
    """Items with their further columns, tags, note, measures of each model and place on each map."""
    import pyarrow as pa

    table = snapshot.items((*_PLAIN, "extra"), Where())
    ids = table["id"].to_pylist()
    extra = [dict(json.loads(text)) for text in table["extra"].to_pylist()]
    table = table.drop_columns(["extra"])
    columns: dict[str, Sequence[Any]] = {}
    for name in sorted({name for record in extra for name in record}):
        columns[f"extra.{name}"] = pa.array([record.get(name) for record in extra], pa.string())
    tags: dict[str, list[str]] = {}
    for row in snapshot.rows("tags", ["id", "tag"]).to_pylist():
        tags.setdefault(row["id"], []).append(row["tag"])
    columns["tags"] = pa.array([json.dumps(sorted(tags[i]), ensure_ascii=False) if i in tags else None for i in ids])
    notes = {row["id"]: row["text"] for row in snapshot.rows("notes", ["id", "text"]).to_pylist()}
    columns["note"] = pa.array([notes.get(i) for i in ids], pa.string())
    for source, owner, fields in (("uncertainties", "model", _MEASURES), ("positions", "map", ("x", "y"))):
        wide = snapshot.rows(source, ["id", owner, *fields])
        by_owner: dict[str, dict[str, dict[str, Any]]] = {}
        for row in wide.to_pylist():
            by_owner.setdefault(row[owner], {})[row["id"]] = row
        for key, rows in sorted(by_owner.items()):
            for field in fields:
                values = [rows[i][field] if i in rows else None for i in ids]
                columns[f"{owner} {key[:12]}: {field}"] = pa.array(values, wide.schema.field(field).type)
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path)


def _write_csv(table: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        _csv_into(table, stream)


def _csv_into(table: pa.Table, stream: TextIO) -> None:
    writer = csv.writer(stream)
    writer.writerow([safe_cell(name) for name in table.column_names])
    for batch in table.to_batches(max_chunksize=4096):
        for record in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            writer.writerow([_cell(value) for value in record])


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return safe_cell(value) if isinstance(value, str) else value
