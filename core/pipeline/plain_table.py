"""What is known of the items of a map, a column each: what every export has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.pipeline.atlas import Atlas
from core.verdict import Code


def columns(atlas: Atlas, rows: np.ndarray, codes: Sequence[Code] | None = None) -> dict[str, Sequence[object]]:
    """``codes``: the word of every item's verdict, where it is known already."""
    chosen = rows.tolist()
    found: dict[str, Sequence[object]] = {
        "id": [atlas.ids[row] for row in chosen],
        "label": [atlas.label_names[row] for row in chosen],
        "predicted": [atlas.classes[place] if (place := int(atlas.predicted[row])) >= 0 else None for row in chosen],
        "confidence": numbers(atlas.confidence[rows]),
        "right": numbers(atlas.right[rows]),
        "verdict": [atlas.code(row) if codes is None else codes[row] for row in chosen],
    }
    for name, values in atlas.doubts.items():
        found[name] = numbers(values[rows])
    for name, values in atlas.percentiles.items():
        found[f"{name}_percentile"] = numbers(values[rows])
    if atlas.points is not None:
        found["x"], found["y"] = (numbers(atlas.points[rows, axis]) for axis in (0, 1))
    for name, texts in atlas.columns.items():
        found[name if name not in found else f"column_{name}"] = [texts[row] for row in chosen]
    return found


def about(atlas: Atlas) -> dict[str, str]:
    """What these answers stand on: the same for every item."""
    return {
        "model": atlas.model,
        "data": atlas.name,
        "fingerprint": atlas.fingerprint[:16],
        "samples": str(atlas.draws),
        "seed": str(atlas.seed),
    }


def numbers(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values.tolist()]
