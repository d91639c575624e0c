"""Where the items of an Atlas can be read again: to be played, shown and compared. Nothing is ever fetched for that."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from core.contracts import Dataset, Item
from core.data import open_source
from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.media import door, preview
from core.pipeline._atlas import Atlas
from core.settings import Settings
from core.store import Where, open_collection


def data_of(source: str, settings: Settings) -> Dataset:
    """The data set of a key or path, from what is on this machine."""
    return open_source(source, replace(settings, offline=True))


def source_of(atlas: Atlas, settings: Settings) -> Dataset:
    """The data that the items came from."""
    source = atlas.name
    if atlas.source == "collection":
        source = open_collection(settings.collections, atlas.name).about.source
    try:
        return data_of(source, settings)
    except UserFacingError as error:
        what = f"The files of {atlas.title} are not on this machine, so they cannot be played or shown whole"
        then = "point PENUMBRA_DATA at a copy of them"
        if atlas.source == "collection":
            what = f"The source of the collection {atlas.name} is not where it was, so its items cannot be played"
            then = "index it again from where it is now"
        raise UserFacingError(f"{what}; {then}.", code="no-source") from error


def read_item(atlas: Atlas, id_: str, settings: Settings, source: Dataset | None = None) -> bytes:
    """The original bytes of an item; of a window of a recording what was heard of it."""
    source = source or source_of(atlas, settings)
    by_id = {item.id: item for item in source.items}
    if id_ in by_id:
        return _checked(source.read(by_id[id_]), atlas, id_)
    recording, sign, window = id_.rpartition("#")
    if sign and recording in by_id:
        return _window(source, by_id[recording], window)
    raise UserFacingError(f"The item {id_[:80]!r} is no longer among the files behind {atlas.title}.", code="no-item")


def thumbnails(atlas: Atlas, ids: Sequence[str], settings: Settings, source: Dataset | None = None) -> dict[str, bytes]:
    """Small pictures of those items that have one: stored ones, or made of what can be read."""
    if atlas.source == "collection":
        table = open_collection(settings.collections, atlas.name).items(("id", "thumbnail"), Where(ids=list(ids)))
        pairs = zip(table["id"].to_pylist(), table["thumbnail"].to_pylist(), strict=True)
        return {id_: picture for id_, picture in pairs if picture}
    try:
        source = source or source_of(atlas, settings)
    except UserFacingError:
        return {}
    with ThreadPoolExecutor(settings.decoders) as pool:
        made = pool.map(lambda id_: _thumbnail(atlas, id_, settings, source), ids)
        return {id_: picture for id_, picture in zip(ids, made, strict=True) if picture is not None}


def thumbnail(atlas: Atlas, id_: str, settings: Settings) -> bytes | None:
    return thumbnails(atlas, [id_], settings).get(id_)


def _thumbnail(atlas: Atlas, id_: str, settings: Settings, source: Dataset) -> bytes | None:
    try:
        return door.open_view(read_item(atlas, id_, settings, source), kind=atlas.kind).thumbnail
    except (UserFacingError, OSError):
        return None


def _checked(raw: bytes, atlas: Atlas, id_: str) -> bytes:
    """What is played is what was judged."""
    place = atlas.place(id_)
    if atlas.shas is not None and place is not None and atlas.shas[place] != sha256_of(raw):
        raise UserFacingError(
            f"The file {id_[:80]!r} has changed since it was indexed; index its source again.", code="changed"
        )
    return raw


def _window(source: Dataset, item: Item, window: str) -> bytes:
    path = None if source.locate is None else source.locate(item)
    start, _, end = window.partition("-")
    if path is None:
        raise UserFacingError(f"The recording {item.id[:80]!r} cannot be read in windows here.", code="no-source")
    probe = door.probe(path)
    first, last = (round(float(seconds) * probe.rate) for seconds in (start, end))
    return preview.of_sound(door.open_window(path, first, min(last, probe.frames) - first, known=probe))
