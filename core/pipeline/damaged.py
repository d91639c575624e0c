"""How the kept methods stand more and more damage: each kind of it alone, and all of them together.

The fields are those that are kept: they learned whole shapes, adapted to one usual damage, and meet another one here.
Every setting is asked of the same shapes. What was measured is kept setting by setting, so a stopped run goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.contracts import Progress, no_progress
from core.fingerprint import fingerprint, numpy_generator
from core.metrics.bootstrap import bootstrap
from core.pipeline.reconstruct import TITLES, Asked, Data, find, mark_of
from core.settings import Settings
from core.shapes.colours import Config as Colours
from core.shapes.observe import Glimpse, Scan

FIGURES = ("dice", "hd95", "band_ece", "band_nll", "off", "admitted")
_WHOLE = Scan(slice_mm=2.0, pixel_mm=2.0, degrees=0.0, blur_mm=0.0, label_noise=0.0, missing=0.0)
_ALL = Glimpse(kept=1.0, blanked=0.0, flipped=0.0)
_ALONE: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "vertebrae": {
        "slice_mm": (4.0, 8.0),
        "missing": (0.3, 0.6),
        "degrees": (15.0, 30.0),
        "blur_mm": (2.0, 4.0),
        "label_noise": (0.3, 0.8),
    },
    "digits": {"kept": (0.7, 0.4, 0.2), "blanked": (0.2, 0.4, 0.6), "flipped": (0.05, 0.1, 0.2)},
}
_TOGETHER: Mapping[str, tuple[dict[str, float], ...]] = {
    "vertebrae": (
        {"slice_mm": 3.0, "missing": 0.2, "degrees": 5.0, "blur_mm": 1.0, "label_noise": 0.1},
        {"slice_mm": 5.0, "missing": 0.4, "degrees": 15.0, "blur_mm": 2.0, "label_noise": 0.3},
        {"slice_mm": 8.0, "missing": 0.6, "degrees": 30.0, "blur_mm": 4.0, "label_noise": 0.8},
    ),
    "digits": (
        {"kept": 0.7, "flipped": 0.02},
        {"kept": 0.4, "blanked": 0.1, "flipped": 0.05},
        {"kept": 0.2, "blanked": 0.3, "flipped": 0.1},
    ),
}
SIDE = 48  # pixels: as large a picture as is filled in while one waits
_LEFT = (0.2, 0.05)
_RESAMPLES = 1000
_STRENGTHS = ("mild", "middle", "strong")


@dataclass(frozen=True, slots=True)
class Damage:
    kind: str  # a knob, "none" or "all together"
    level: str
    scan: Scan = _WHOLE
    glimpse: Glimpse = _ALL


def damages(data: Data) -> Iterator[Damage]:
    """None first, then each kind alone, then all together."""
    yield Damage("none", "")
    for knob, levels in _ALONE[data].items():
        for level in levels:
            yield _with(data, Damage(knob, f"{level:g}"), {knob: level})
    for name, knobs in zip(_STRENGTHS, _TOGETHER[data], strict=True):
        yield _with(data, Damage("all together", name), knobs)


def place_of(data: str, settings: Settings, *, shipped: bool = False) -> Path:
    """The file of what was measured."""
    folder = settings.checkpoints / "evaluations" if shipped else settings.home
    return folder / "shapes" / f"{data}-damage.json"


def measure(data: Data, count: int, settings: Settings, progress: Progress = no_progress) -> dict[str, Any]:
    """Every kept method on so many shapes under every damage."""
    wanted, mark = list(damages(data)), mark_of(data, settings)
    rows = []
    for number, damage in enumerate(wanted):
        progress(number, len(wanted), f"{damage.kind} {damage.level}".strip())
        rows.append(_kept(data, damage, count, mark, settings))
    progress(len(wanted), len(wanted), "done")
    return {"data": data, "shapes": count, "fields": mark[:16], "rows": rows}


def pictures(count: int, settings: Settings, progress: Progress = no_progress) -> dict[str, Any]:
    """Colour fields on pictures of Toybox, with fewer and fewer pixels left."""
    import io

    from PIL import Image

    from core.data import open_source
    from core.training.colours import painted

    dataset = open_source("toybox", settings)
    items = [item for item in dataset.items if item.split == "test"][:count]
    rows, done = [], 0
    for left in _LEFT:
        found: dict[str, list[Mapping[str, float | None]]] = {}
        for item in items:
            progress(done, len(items) * len(_LEFT), f"{left:.0%} left")
            picture = Image.open(io.BytesIO(dataset.read(item))).convert("RGB")
            picture.thumbnail((SIDE, SIDE))
            for one in painted(np.asarray(picture) / 255.0, Colours(kept=left)):
                found.setdefault(one.key, []).append({"psnr": one.psnr, "ranks": one.ranks, "seconds": one.seconds})
            done += 1
        methods = {key: {name: _mean(told, name) for name in told[0]} for key, told in found.items()}
        rows.append({"kind": "left", "level": f"{left:g}", "methods": methods})
    return {"data": "pictures", "shapes": len(items), "rows": rows}


def _kept(data: Data, damage: Damage, count: int, mark: str, settings: Settings) -> dict[str, Any]:
    from core.training.run_files import read, write

    path: Path = settings.runs / "shapes" / f"damage-{fingerprint(data, damage, count, mark)[:16]}.json"
    known = read(path)
    if not known:
        known = _measured(data, damage, count, settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, known)
    return known


def _measured(data: Data, damage: Damage, count: int, settings: Settings) -> dict[str, Any]:
    from core.pipeline._reconstructing import filled
    from core.shapes.kept import load

    fields = load(find(data, settings))
    found: dict[str, list[Mapping[str, float | None]]] = {key: [] for key in TITLES}
    for number in range(count):
        for answer in filled(Asked(data, number, damage.scan, damage.glimpse), None, fields, settings).answers:
            found[answer.key].append(answer.figures)
    methods = {key: {name: _mean(rows, name) for name in FIGURES} for key, rows in found.items()}
    return {"kind": damage.kind, "level": damage.level, "methods": methods}


def _mean(rows: list[Mapping[str, float | None]], name: str) -> list[float | None]:
    """With its interval over the shapes where it is defined."""
    values = np.array([row[name] for row in rows if row[name] is not None], np.float64)
    if not len(values):
        return [None, None, None]
    generator = numpy_generator("damage", name)
    found = bootstrap(lambda chosen: float(values[chosen].mean()), len(values), generator, resamples=_RESAMPLES)
    return [float(values.mean()), found.low, found.high]


def _with(data: Data, damage: Damage, knobs: Mapping[str, float]) -> Damage:
    part = "scan" if data == "vertebrae" else "glimpse"
    changed: Any = replace(getattr(damage, part), **knobs)
    return replace(damage, **{part: changed})
