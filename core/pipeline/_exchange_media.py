"""Pictures and sounds of items for other programs: where their files lie, or a copy where they have no file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.contracts import Dataset, Progress
from core.drafts import draft
from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.media.sniff import sniff
from core.pipeline.atlas import Atlas, read_item, source_of, thumbnails
from core.settings import Settings

COPIES = 5_000  # files that are written for one export at most
PICTURES = 3_000  # small pictures inside one file at most
SOUNDS, SOUND_BYTES = 300, 64 << 20  # sounds inside one file at most


@dataclass(frozen=True, slots=True)
class Media:
    """Of the items, in their order; None where there is nothing."""

    paths: tuple[str | None, ...]  # absolute
    pictures: tuple[bytes | None, ...]  # small; of a sound its spectrogram
    notes: tuple[str, ...]


def gather(
    atlas: Atlas, rows: np.ndarray, settings: Settings, progress: Progress, *, files: bool, pictures: bool
) -> Media:
    """``files``: are their paths wanted? ``pictures``: are small pictures? Those also stand in where no file is."""
    ids = [atlas.ids[row] for row in rows.tolist()]
    paths: list[str | None] = [None] * len(ids)
    notes, source, small = [], None, {}
    try:
        source = source_of(atlas, settings)
    except UserFacingError as error:
        notes += [str(error)] if files else []
    if files and source is not None:
        paths, missing = _paths(atlas, ids, settings, source, progress)
        notes += (
            [f"{missing:,} files could not be read, or are beyond the {COPIES:,} that are copied."] if missing else []
        )
    if pictures or (files and source is None):
        if len(ids) <= PICTURES:
            small = thumbnails(atlas, ids, settings, source)
        else:
            notes.append(f"Small pictures are left out beyond {PICTURES:,} items; select fewer to have them.")
    return Media(tuple(paths), tuple(_jpeg(small[id_]) if id_ in small else None for id_ in ids), tuple(notes))


def _jpeg(small: bytes) -> bytes:
    """As every tool knows it: Embedding Atlas does not recognise WebP by its first bytes."""
    target = io.BytesIO()
    with Image.open(io.BytesIO(small)) as picture:
        picture.convert("RGB").save(target, "JPEG", quality=90)
    return target.getvalue()


def _paths(
    atlas: Atlas, ids: Sequence[str], settings: Settings, source: Dataset, progress: Progress
) -> tuple[list[str | None], int]:
    by_id = {item.id: item for item in source.items}
    found: list[str | None] = []
    copied = missing = 0
    for done, id_ in enumerate(ids, 1):
        own = source.locate(by_id[id_]) if source.locate is not None and id_ in by_id else None
        place = None if own is None else str(own.resolve())
        if place is None and copied < COPIES:
            copied += 1
            place = _copy(atlas, id_, settings, source)
        missing += place is None
        found.append(place)
        progress(done, len(ids), "files")
    return found, missing


def _copy(atlas: Atlas, id_: str, settings: Settings, source: Dataset) -> str | None:
    """Named by its content, so that it is written once."""
    try:
        raw = read_item(atlas, id_, settings, source)
    except (UserFacingError, OSError):
        return None
    return str(kept(raw, settings))


def kept(raw: bytes, settings: Settings) -> Path:
    digest = sha256_of(raw)
    place = settings.home.resolve() / "exports" / digest[:2] / f"{digest[:32]}.{sniff(raw).container}"
    if place.is_file():
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with draft(place) as part:
            part.write_bytes(raw)
    except OSError as error:
        sentence = "The files of the items could not be written here; free some space, then try again."
        raise UserFacingError(sentence, code="disk") from error
    return place


def sounds(paths: Sequence[str | None]) -> tuple[list[bytes | None], tuple[str, ...]]:
    """Their bytes, where they are few and small enough to be inside a file."""
    sizes = [0 if path is None else Path(path).stat().st_size for path in paths]
    if len(paths) > SOUNDS or sum(sizes) > SOUND_BYTES:
        note = f"Sounds are left out beyond {SOUNDS} items or {SOUND_BYTES >> 20} MB; select fewer to hear them there."
        return [None] * len(paths), (note,)
    return [None if path is None else Path(path).read_bytes() for path in paths], ()
