"""An upload as a source on disk, named by its content, so that a job can read it after the page is gone."""

from __future__ import annotations

import re
from pathlib import Path

from core.drafts import draft
from core.errors import UserFacingError
from core.fingerprint import sha256_of
from core.settings import Settings

SUFFIXES = (".zip", ".csv", ".tsv", ".parquet")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def kept(raw: bytes, name: str, settings: Settings) -> Path:
    """Written whole or not at all; the same bytes are kept once, under the first name that they came with.

    In a folder of its own, so that a manifest finds nothing beside it.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UserFacingError(
            f"{name[:60]!r} is no source; give a .zip of a folder, or a manifest as .csv or .parquet.", code="no-source"
        )
    folder = settings.uploads / "sources" / sha256_of(raw)[:32]
    if found := sorted(folder.glob(f"[!.]*{suffix}")):
        return found[0]
    place = folder / f"{_UNSAFE.sub('-', Path(name).stem).strip('-')[:40] or 'data'}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with draft(place) as part:
            part.write_bytes(raw)
    except OSError as error:
        sentence = "The upload could not be stored here; free some space, then try again."
        raise UserFacingError(sentence, code="disk") from error
    return place
