"""Tables that can be taken along: shown, and as CSV and Parquet with what they stand on in every row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.store.export import safe_cell

Columns = Mapping[str, Sequence[Any]]


def show(columns: Columns, key: str, *, alt: str, about: Mapping[str, str], name: str, config: Any = None) -> None:
    """A table and its two downloads."""
    st.dataframe(dict(columns), hide_index=True, alt=alt, column_config=config, key=f"{key}-table")
    downloads(lambda: columns, key, about=about, name=name)


def downloads(columns: Callable[[], Columns], key: str, *, about: Mapping[str, str], name: str) -> None:
    """Two buttons; the files are made when one is pressed. ``about``: model, data fingerprint, seed."""
    with st.container(horizontal=True, gap="small", width="content"):
        for kind, mime, write in (("csv", "text/csv", csv_of), ("parquet", "application/octet-stream", parquet_of)):
            st.download_button(
                "CSV" if kind == "csv" else "Parquet",
                lambda write=write: write(columns(), about),
                f"{name}.{kind}",
                mime,
                key=f"{key}-{kind}",
                on_click="ignore",
                icon=":material/download:",
                type="tertiary",
            )


def with_facts(columns: Columns, about: Mapping[str, str]) -> dict[str, Sequence[Any]]:
    """What the rows stand on beside them, and today's date, the same in every row."""
    items = len(next(iter(columns.values()), ()))
    facts = {**about, "date": datetime.now(UTC).date().isoformat()}
    return {**columns, **{name: [text] * items for name, text in facts.items() if name not in columns}}


def csv_of(columns: Columns, about: Mapping[str, str]) -> bytes:
    whole = with_facts(columns, about)
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    writer.writerow([safe_cell(name) for name in whole])
    for row in zip(*whole.values(), strict=True):
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return target.getvalue().encode()


def parquet_of(columns: Columns, about: Mapping[str, str]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    whole = {name: pa.array(list(values)) for name, values in with_facts(columns, about).items()}
    target = io.BytesIO()
    parquet.write_table(pa.table(whole), target)
    return target.getvalue()
