"""A model is asked about data of one's own: the words of the job, the same on every page."""

from __future__ import annotations

from core.store import open_collection
from core.ui import cached
from core.ui.controls import Choice


def line(chosen: Choice, source: str, name: str) -> list[str]:
    """A collection is made of a source, as the chosen model sees it, or is brought up to date."""
    assert chosen.model is not None
    found = ["index", source, "--collection", name, "--model", chosen.model]
    return [*found, "--samples", str(chosen.draws), "--seed", str(chosen.seed)]


def again(chosen: Choice) -> list[str]:
    """The chosen collection, from where it was read first."""
    return line(chosen, open_collection(cached.settings().collections, chosen.data).about.source, chosen.data)
