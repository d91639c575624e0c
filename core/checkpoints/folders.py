"""Where trained models lie, and what is known of one without loading it. Nothing here needs torch."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.checkpoints.card import Card, card_of
from core.errors import StoreError, UserFacingError
from core.fingerprint import fingerprint
from core.settings import Settings
from core.store import artifacts

WEIGHTS = ("model", "network")  # the parts that a model cannot answer without


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
    known = [files[part][1] for part in WEIGHTS if part in files]
    return fingerprint(*(known or [sha256 for _, sha256 in files.values()]))  # without weights: its answers


def is_whole(folder: Path) -> bool:
    """Not so where a model is known by its answers alone, see ``without_weights``."""
    return WEIGHTS[0] in artifacts.load(folder).files


def without_weights(record: Mapping[str, Any]) -> str | None:
    """What a card says of weights that were too large to come with it; None where they came."""
    if WEIGHTS[0] in record.get("files", WEIGHTS):
        return None
    command = str(record.get("command", "")).replace(" --ship", "")
    return f"its weights are not in the repository; make them with {command}" if command else "it came without weights"


def lender_of(card: Card, folder: Path) -> str | None:
    """The plain model of the same data and network beside this folder: they have features and items in common.

    A plain one borrows from none, and none borrows from a damaged one.
    """
    if card.method == "deterministic":
        return None
    for path in sorted(folder.parent.glob("*/card.json")):
        with contextlib.suppress(StoreError):
            other = card_of(artifacts.load(path.parent).card, path.parent.name)
            if other.method == "deterministic" and _shared(other) == _shared(card):
                return other.name
    return None


def _shared(card: Card) -> tuple[Any, ...]:
    return card.start.backbone, card.start.config, card.data.fingerprint, card.data.test_fold


def places(settings: Settings) -> tuple[Path, Path]:
    """Where models are: the user's own, and those that came with the app."""
    return settings.models, settings.checkpoints


def read_card(name: str, settings: Settings) -> Card:
    return card_of(artifacts.load(find(name, settings)).card, name)
