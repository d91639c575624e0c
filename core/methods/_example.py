"""One input of a network, made of nothing, for what can only be known by running it."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from core.contracts import Media, Network, Receipt

_RATE = 16_000


def example_of(network: Network) -> Tensor:
    """(1, ...): a second of silence or a grey square, as the network prepares it."""
    if network.kind == "audio":
        receipt = Receipt("none", "none", 0, rate=_RATE, seconds=1.0)
        media = Media("audio", np.zeros(_RATE, np.float32), _RATE, "", receipt)
    else:
        receipt = Receipt("none", "none", 0, width=64, height=64)
        media = Media("image", np.full((64, 64, 3), 128, np.uint8), None, "", receipt)
    return network.prepare(media).tensor[None]
