"""One file on the Inspect page and who is asked about it."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts import Media
from core.ui import cached
from core.ui.cached import Shown
from core.ui.controls import Choice


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    key: str  # of widgets: one for each card of a page
    raw: bytes
    view: Shown
    chosen: Choice  # with a model that takes such a file
    others: tuple[tuple[str, bytes], ...] = ()  # names and bytes of all files of the page

    def media(self) -> Media:
        return cached.media(self.raw)
