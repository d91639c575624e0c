"""Where trained models lie, and what is known of one without loading it. Nothing here needs torch."""

from __future__ import annotations

from pathlib import Path

from core.checkpoints.card import Card, card_of
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.settings import Settings
from core.store import artifacts


def find(name: str, settings: Settings) -> Path:
    """The folder of a model: the user's own before the shipped one."""
    for folder in (settings.models / name, settings.checkpoints / name):
        if (folder / artifacts.CARD).is_file():
            return folder
    known = sorted({card.parent.name for place in places(settings) for card in place.glob("*/card.json")})
    raise UserFacingError(
        f"There is no model called {name[:60]!r}; "
        + (f"known: {', '.join(known[:20])}." if known else "train one first, or import one."),
        code="unknown-model",
    )


def mark_of(folder: Path) -> str:
    """What tells a model from another one that was kept under its name: its weights."""
    files = artifacts.load(folder).files
    return fingerprint(*[files[part][1] for part in ("model", "network") if part in files])


def places(settings: Settings) -> tuple[Path, Path]:
    """Where models are: the user's own, and those that came with the app."""
    return settings.models, settings.checkpoints


def read_card(name: str, settings: Settings) -> Card:
    return card_of(artifacts.load(find(name, settings)).card, name)
