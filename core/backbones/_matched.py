"""A network that hears every sound in one band and at one active length, so that neither gives a data set away."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from core.backbones._entry import SoundEntry
from core.backbones._network import StagedNetwork
from core.contracts import Media, Prepared
from core.media import active, audio

RATE = 8_000  # Hz: nothing above 4 kHz is left


@dataclass(frozen=True, slots=True)
class MatchedEntry:
    """``entry`` after the sound was brought to RATE and its active part to ``active`` seconds."""

    entry: SoundEntry
    active: float
    rate: int = RATE

    def prepare(self, media: Media) -> Prepared:
        return self.entry.prepare(active.loudest_part(audio.resample(media, self.rate), self.active))


def matched(network: StagedNetwork, seconds: float) -> StagedNetwork:
    """The same layers behind another entry; what is prepared for one is never taken for the other."""
    if not isinstance(network.entry, SoundEntry):
        raise TypeError("only sounds are brought to one band and one active length")
    found = copy.copy(network)
    found.entry = MatchedEntry(network.entry, seconds)
    return found
