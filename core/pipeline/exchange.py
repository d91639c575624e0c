"""The items of a map as tables that FiftyOne, Spotlight and Embedding Atlas open, with the lines that open them.

FiftyOne         ``filepath``, ``tags`` as a list, names that are identifiers; it shows pictures, so of a sound its
                 spectrogram. CSV by its CSVDataset importer, Parquet by a line that makes samples.
Spotlight        a data frame: pictures and sounds by path, small pictures as bytes, ``embedding`` as a list.
Embedding Atlas  ``x``, ``y``, ``neighbors`` as {ids: row numbers from 0, distances}, pictures and sounds as
                 {bytes, path}, and a ``text`` that its tooltips and labels are made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.contracts import Progress, no_progress
from core.errors import UserFacingError
from core.maps.draw import MapOptions, neighbour_graph
from core.pipeline import _exchange_media, _exchange_recipes, plain_table
from core.pipeline.atlas import Atlas
from core.settings import Settings
from core.store import open_collection
from core.verdict import spoken

if TYPE_CHECKING:
    import pyarrow as pa

Tool = Literal["fiftyone", "spotlight", "embedding-atlas"]
TOOLS: Mapping[Tool, str] = {
    "fiftyone": "FiftyOne",
    "spotlight": "Spotlight",
    "embedding-atlas": "Embedding Atlas",
}
_NUMBERS = {".parquet": 50_000_000, ".csv": 2_000_000}  # of all embeddings in one file at most
_NEIGHBOURS = 15
_OURS = {"tags", "text", "image", "audio", "embedding", "neighbors"}  # columns that Spotlight and Embedding Atlas read
_RESERVED = {"id", "filepath", "tags", "metadata", "media_type", "created_at", "last_modified_at"}  # FiftyOne's own


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    table: pa.Table
    notes: tuple[str, ...]  # what is not in it, and why

    def __len__(self) -> int:
        return self.table.num_rows


def made(
    atlas: Atlas,
    rows: np.ndarray,
    tool: Tool,
    suffix: Literal[".csv", ".parquet"],
    settings: Settings,
    progress: Progress = no_progress,
) -> Made:
    """These rows of the atlas for one of the tools. Files that only exist inside the app are written out beside it."""
    import pyarrow as pa

    if tool not in TOOLS:
        raise UserFacingError(f"There is no export for {str(tool)[:40]!r}; known: {', '.join(TOOLS)}.", code="tool")
    notes: list[str] = []
    if tool == "embedding-atlas" and atlas.points is not None:
        placed = np.isfinite(atlas.points[rows]).all(axis=1)
        notes += _left_out(int((~placed).sum()), "without a place on the map")
        rows = rows[placed]
    inside = suffix == ".parquet"  # a CSV holds no pictures
    sound = atlas.kind == "audio"
    media = _exchange_media.gather(
        atlas,
        rows,
        settings,
        progress,
        files=tool != "embedding-atlas" or (sound and inside),
        pictures=(inside or tool == "fiftyone") and (sound or tool == "embedding-atlas"),
    )
    plain = plain_table.columns(atlas, rows)
    columns: dict[str, Any] = {
        f"column_{name}" if tool != "fiftyone" and name in _OURS else name: plain[name] for name in plain
    }
    build = {"fiftyone": _fiftyone, "spotlight": _spotlight, "embedding-atlas": _embedding_atlas}[tool]
    found, more = build(atlas, rows, columns, media, settings)
    facts = {**plain_table.about(atlas), "date": datetime.now(UTC).date().isoformat()}
    found |= {name: [text] * len(rows) for name, text in facts.items() if name not in found}
    table = pa.table({name: _column(values) for name, values in found.items()})
    if tool == "fiftyone":
        there = [path is not None for path in table["filepath"].to_pylist()]
        more += tuple(_left_out(there.count(False), "without a file that FiftyOne could show"))
        table = table.filter(pa.array(there, pa.bool_()))
    if suffix == ".csv":
        table, dropped = _without_bytes(table)
        more += dropped
    return Made(table, (*notes, *media.notes, *more))


def _left_out(count: int, why: str) -> list[str]:
    return (
        [f"{count:,} item{' ' if count == 1 else 's '}{why} {'is' if count == 1 else 'are'} left out."] if count else []
    )


def recipe(tool: Tool, file: str, made: Made) -> tuple[str, str]:
    """The language and the lines that open the file there."""
    import pyarrow as pa

    numbers = [field.name for field in made.table.schema if pa.types.is_floating(field.type)]
    return _exchange_recipes.recipe(tool, file, made.table.column_names, numbers)


# ---- one a tool ----

_Built = tuple[dict[str, Any], tuple[str, ...]]


def _fiftyone(
    atlas: Atlas, rows: np.ndarray, columns: dict[str, Any], media: _exchange_media.Media, settings: Settings
) -> _Built:
    shown, notes = media.paths, ()
    found: dict[str, Any] = {}
    if atlas.kind == "audio":
        shown = tuple(None if one is None else str(_exchange_media.kept(one, settings)) for one in media.pictures)
        found["sound_path"] = _texts(media.paths)
        notes = ("FiftyOne plays no sounds: the picture is the spectrogram, and sound_path leads to the file.",)
    first = {"filepath": _texts(shown), "item": columns.pop("id"), "tags": _lists(_tags(atlas, rows, settings))}
    first |= {"ground_truth": _texts(columns.pop("label")), "prediction": _texts(columns.pop("predicted"))}
    embedding, more = _embedding(atlas, rows)
    found |= first | embedding
    taken = {*found, *_RESERVED}
    rest = {name: values for (_, values), name in zip(columns.items(), _identifiers(columns, taken), strict=True)}
    return first | rest | found, (*notes, *more)


def _spotlight(
    atlas: Atlas, rows: np.ndarray, columns: dict[str, Any], media: _exchange_media.Media, settings: Settings
) -> _Built:
    seen: dict[str, Any] = {}
    if atlas.kind == "audio":
        seen = {"audio": _texts(media.paths), "image": _bytes(media.pictures)}
    elif any(path is not None for path in media.paths):
        seen = {"image": _texts(media.paths)}
    else:
        seen = {"image": _bytes(media.pictures)}
    tags = [", ".join(names) for names in _tags(atlas, rows, settings)]
    embedding, notes = _embedding(atlas, rows)
    return {"id": columns.pop("id"), **seen, **columns, "tags": tags, **embedding}, notes


def _embedding_atlas(
    atlas: Atlas, rows: np.ndarray, columns: dict[str, Any], media: _exchange_media.Media, settings: Settings
) -> _Built:
    text = [spoken(label or answer or "no label") for label, answer in
            zip(columns["label"], columns["predicted"], strict=True)]  # fmt: skip
    found: dict[str, Any] = {"id": columns.pop("id"), "text": text, "image": _inside(media.pictures)}
    notes: tuple[str, ...] = ()
    if atlas.kind == "audio":
        blobs, notes = _exchange_media.sounds(media.paths)
        found["audio"] = _inside(blobs, [None if path is None else Path(path).name for path in media.paths])
    found |= columns | {"tags": [", ".join(names) for names in _tags(atlas, rows, settings)]}
    if atlas.points is None:
        embedding, more = _embedding(atlas, rows)
        return found | embedding, (*notes, *more)
    near = _neighbours(atlas, rows)
    return found | ({} if near is None else {"neighbors": near}), notes


# ---- parts ----


def _tags(atlas: Atlas, rows: np.ndarray, settings: Settings) -> list[list[str]]:
    """Of a collection; in alphabetical order."""
    found: dict[str, list[str]] = {}
    if atlas.source == "collection":
        for row in open_collection(settings.collections, atlas.name).tags():
            found.setdefault(row.id, []).append(row.tag)
    return [sorted(found.get(atlas.ids[row], [])) for row in rows.tolist()]


def _places(atlas: Atlas, rows: np.ndarray) -> np.ndarray:
    """(rows,) place of each among the features, -1: it has none."""
    where = np.full(len(atlas), -1, np.int64)
    where[atlas.feature_rows] = np.arange(len(atlas.feature_rows))
    return where[rows]


def _embedding(atlas: Atlas, rows: np.ndarray) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the model made of each item, as a list of numbers."""
    import pyarrow as pa

    if atlas.features is None:
        return {}, ("No features of these items were stored, so there is no embedding.",)
    if len(rows) * atlas.features.shape[1] > _NUMBERS[".parquet"]:
        return {}, ("Embeddings are left out: they are too many numbers for one file; select fewer items.",)
    places = _places(atlas, rows)
    vectors = np.asarray(atlas.features, np.float32)
    cells = [vectors[place] if place >= 0 else None for place in places.tolist()]
    return {"embedding": pa.array(cells, pa.list_(pa.float32()))}, ()


def _neighbours(atlas: Atlas, rows: np.ndarray) -> pa.Array | None:
    """The most alike ones among these rows, as row numbers; an item without features has none."""
    import pyarrow as pa

    places = _places(atlas, rows)
    known = np.flatnonzero(places >= 0)
    if atlas.features is None or len(known) < 3:
        return None
    metric = "cosine" if atlas.drawn is None else atlas.drawn.options.metric
    vectors = np.asarray(atlas.features[places[known]], np.float32)
    near, far = neighbour_graph(vectors, MapOptions(min(_NEIGHBOURS + 1, len(known)), metric=metric))
    cells: list[dict[str, list[Any]]] = [{"ids": [], "distances": []} for _ in range(len(rows))]
    for row, ids, distances in zip(known.tolist(), near[:, 1:], far[:, 1:], strict=True):
        cells[row] = {"ids": known[ids].tolist(), "distances": distances.tolist()}
    return pa.array(cells, pa.struct([("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float32()))]))


def _identifiers(names: Iterable[str], taken: set[str]) -> list[str]:
    """Names that FiftyOne takes for fields, each once."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "column"
        plain = f"c_{plain}" if plain[0].isdigit() else plain
        while plain in taken or plain in found:
            plain += "_of_item"
        found.append(plain)
    return found


def _column(values: Any) -> Any:
    import pyarrow as pa

    return values if isinstance(values, pa.Array) else pa.array(values)


def _texts(values: Sequence[str | None]) -> Any:
    import pyarrow as pa

    return pa.array(list(values), pa.string())


def _bytes(values: Sequence[bytes | None]) -> Any:
    import pyarrow as pa

    return pa.array(list(values), pa.binary())


def _inside(blobs: Sequence[bytes | None], names: Sequence[str | None] | None = None) -> Any:
    """Media inside the file; a name tells a viewer their format, bytes without one are looked into."""
    import pyarrow as pa

    named = names or [None] * len(blobs)
    cells = [None if raw is None else {"bytes": raw, "path": name} for raw, name in zip(blobs, named, strict=True)]
    return pa.array(cells, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def _lists(values: Sequence[Sequence[str]]) -> Any:
    import pyarrow as pa

    return pa.array([list(names) for names in values], pa.list_(pa.string()))


def _without_bytes(table: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """What a CSV cannot hold is left out and said; lists become JSON."""
    import pyarrow as pa

    dropped = [field.name for field in table.schema if pa.types.is_binary(field.type) or pa.types.is_struct(field.type)]
    if "embedding" in table.column_names and table.num_rows:
        width = max((len(cell) for cell in table["embedding"].to_pylist() if cell), default=0)
        if table.num_rows * width > _NUMBERS[".csv"]:
            dropped.append("embedding")
    if not dropped:
        return table, ()
    which = "it" if len(dropped) == 1 else "them"
    return table.drop_columns(dropped), (f"A CSV does not hold {', '.join(dropped)}; take Parquet for {which}.",)
