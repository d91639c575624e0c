"""Which voice answers to which name."""

from __future__ import annotations

from types import MappingProxyType

from core.data._soundbox.animals import ChirpingBirds, Cow, Crickets, Dog
from core.data._soundbox.household import DoorKnock, Footsteps, KeyboardTyping
from core.data._soundbox.machines import ChurchBells, ClockTick, Helicopter, Siren, VacuumCleaner
from core.data._soundbox.music import Music
from core.data._soundbox.nature import CracklingFire, Rain, SeaWaves
from core.data._soundbox.novel import Chainsaw, CryingBaby, Rooster
from core.data._soundbox.ships import Ferry, Motorboat, Tanker, Tug
from core.data._soundbox.signal import Voice

# Neighbours are mixed with each other, so the order puts unlike sounds side by side.
TRAINED: MappingProxyType[str, type[Voice]] = MappingProxyType(
    {
        "dog": Dog,
        "rain": Rain,
        "church_bells": ChurchBells,
        "keyboard_typing": KeyboardTyping,
        "vacuum_cleaner": VacuumCleaner,
        "cow": Cow,
        "clock_tick": ClockTick,
        "sea_waves": SeaWaves,
        "music": Music,
        "footsteps": Footsteps,
        "helicopter": Helicopter,
        "chirping_birds": ChirpingBirds,
        "crackling_fire": CracklingFire,
        "siren": Siren,
        "door_wood_knock": DoorKnock,
        "crickets": Crickets,
    }
)
HELD_OUT: MappingProxyType[str, type[Voice]] = MappingProxyType(
    {"rooster": Rooster, "crying_baby": CryingBaby, "chainsaw": Chainsaw}
)
SHIPS: MappingProxyType[str, type[Voice]] = MappingProxyType(
    {"ship_tanker": Tanker, "ship_ferry": Ferry, "ship_tug": Tug, "ship_motorboat": Motorboat}
)
CLASSES = tuple(sorted(TRAINED))
PAIRS = tuple(zip(TRAINED, [*list(TRAINED)[1:], next(iter(TRAINED))], strict=True))


def voice_of(name: str) -> type[Voice]:
    for cast in (TRAINED, HELD_OUT, SHIPS):
        if name in cast:
            return cast[name]
    raise ValueError(f"no voice is called {name!r}")
