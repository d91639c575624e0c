"""A network that takes another view of every item: the same layers behind an entry that shifts or crops first."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields

from core.backbones._entry import PictureEntry, SoundEntry
from core.backbones._network import StagedNetwork
from core.contracts import Media, Prepared
from core.media.views import view


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewedSound(SoundEntry):
    number: int
    seed: int

    def prepare(self, media: Media) -> Prepared:
        return SoundEntry.prepare(self, view(media, self.number, self.seed).media)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewedPicture(PictureEntry):
    number: int
    seed: int

    def prepare(self, media: Media) -> Prepared:
        return PictureEntry.prepare(self, view(media, self.number, self.seed).media)


def viewed(network: StagedNetwork, number: int, seed: int) -> StagedNetwork:
    """What is prepared for one view is never taken for another: the entry says which it is."""
    entry = network.entry
    if type(entry) not in (SoundEntry, PictureEntry):
        raise TypeError("an entry that does something of its own first has one view")
    own = {field.name: getattr(entry, field.name) for field in fields(entry)}  # type: ignore[arg-type]
    made = ViewedSound if isinstance(entry, SoundEntry) else ViewedPicture
    found = copy.copy(network)
    found.entry = made(**own, number=number, seed=seed)
    return found
