"""Files that are there whole or not at all: each is written beside its place, then put into it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def draft(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Where to write; what was written takes the place of ``path`` at once, unless something went wrong.

    Its name begins with a dot, and two writers never share one. ``durable``: it outlasts a loss of power, too.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield part
        if durable:
            handle = os.open(part, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
