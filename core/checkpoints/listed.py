"""The models that are here, as their cards say, and what one that is not ready still needs. Nothing here loads one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.checkpoints.folders import without_weights
from core.errors import UserFacingError
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model, as its card says."""

    name: str
    kind: str | None = None
    task: str | None = None
    backbone: str | None = None
    method: str | None = None
    scope: str | None = None
    classes: tuple[str, ...] = ()
    params: int | None = None
    macs: int | None = None
    trained_on: str | None = None
    ready: bool = False
    why_not: str | None = None
    own: bool = False  # trained or imported here; the others came with the app


_TOLD = ("kind", "task", "backbone", "method", "scope", "params", "macs", "trained_on")


def models(settings: Settings) -> tuple[ModelRow, ...]:
    """The user's own models and those that came with the app, by name; an own one hides another of its name."""
    found = cards(settings)
    return tuple(_row(found[name], settings) for name in sorted(found))


def cards(settings: Settings) -> dict[str, Path]:
    """The card of each model. A name that begins with a dot is still being written, or replaced."""
    found = {card.parent.name: card for place in _places(settings) for card in place.glob("*/card.json")}
    return {name: card for name, card in found.items() if not name.startswith(".")}


def _places(settings: Settings) -> tuple[Path, Path]:
    return settings.checkpoints, settings.models


def _row(card: Path, settings: Settings) -> ModelRow:
    """A damaged card is a row that says so, and hides no other model."""
    name, own = card.parent.name, card.parent.parent == settings.models
    try:
        told: Any = json.loads(card.read_text())
        facts: dict[str, Any] = {key: told.get(key) for key in _TOLD} | {"classes": tuple(told.get("classes", ()))}
    except (ValueError, AttributeError, TypeError):
        return ModelRow(name, why_not="its card.json is damaged", own=own)
    missing = _missing(card, settings, ())
    return ModelRow(name, **facts, ready=missing is None, why_not=missing, own=own)


def _missing(card: Path, settings: Settings, above: tuple[str, ...]) -> str | None:
    """What a model cannot answer without, followed through the models that it begins with."""
    try:
        told: Any = json.loads(card.read_text())
        if apart := without_weights(told):
            return apart
        lent: Any = (told.get("lent") or {}).get("model")
        if not (lent and lent["left"] is None) and not (card.parent / "model.safetensors").is_file():
            return "model.safetensors is missing"
        if lent and not (card.parent.parent / str(lent["by"]) / "card.json").is_file():
            return f"its weights lie with the model {lent['by']}, which is not here"
        start: Any = told.get("start") or {}
        weights, source = start.get("weights"), start.get("model")
        published = weights == "published" and start.get("backbone") == "sfx"
    except (ValueError, AttributeError, TypeError, KeyError):
        return "its card.json is damaged"
    if published and not _fetched("sfx", settings):
        return "needs the sound-effects weights: python -m core weights fetch sfx"
    if weights != "model":
        return None
    if source in above:
        return f"begins with itself, through {source}"
    found = [place / str(source) / "card.json" for place in reversed(_places(settings))]
    known = [path for path in found if path.is_file()]
    if not known:
        return f"needs the model {source}, which is not here"
    below = _missing(known[0], settings, (*above, str(source)))
    return None if below is None else f"needs the model {source}: {below}"


def _fetched(key: str, settings: Settings) -> bool:
    from core.checkpoints.weights import path_of

    try:
        path_of(key, settings)
    except UserFacingError:
        return False
    return True
