"""A collection that is indexed by hand, so that tests of pages need no torch."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from core.checkpoints.folders import find, mark_of
from core.contracts import Problem, Receipt
from core.settings import Settings
from core.store import About, Backbone, ItemRow, ModelRow, UncertaintyRow, open_collection

MODEL = "toybox-ensemble"
READ = Backbone("resnet32", "1", 4)
WORDS = ("Ball", "boat", "cup", "zebra", None)


def picture(number: int) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 20 * number, np.uint8)).save(target, "PNG")
    return target.getvalue()


def filled(settings: Settings, folder: Path) -> None:
    """Five pictures on disk, indexed by hand with answers of two ways of asking."""
    folder.mkdir()
    shas = []
    for number in range(5):
        (folder / f"{number}.png").write_bytes(picture(number))
        shas.append(hashlib.sha256(picture(number)).hexdigest())
    receipt = Receipt("png", "RGB 8 bit", 90, width=8, height=8)
    about = About("image", "Five", str(folder))
    mark = mark_of(find(MODEL, settings))
    with open_collection(settings.collections, "five", create=about, write=True) as writer:
        vectors = np.eye(5, 4, dtype=np.float32)
        writer.add_vectors(READ, shas[:4], vectors[:4])
        for number, word in enumerate(WORDS):
            extra = (("room", f"r{number % 2}"),)
            row = ItemRow(f"{number}.png", shas[number], "image", receipt, picture(number), word, number, extra=extra)
            writer.add([replace(row, group="pair") if number < 2 else row])
        for key, draws in (("few", 2), ("many", 9)):
            rows = [
                UncertaintyRow(
                    f"{n}.png", key, 0.1 * n + draws, 0.05 * n, None if n == 1 else 0.02, label="boat", confidence=0.9
                )
                for n in range(4)
            ]
            writer.add_uncertainties(rows)
            at = datetime(2026, 1, draws, tzinfo=UTC)
            writer.add_model(ModelRow(key, MODEL, mark, READ.key, READ.version, READ.dim, draws, 3, at))
        writer.add_problems([Problem("broken.png", "decode", "not-a-picture", "The file is <b>no</b> picture.")])
        writer.flush()
