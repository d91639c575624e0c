"""How much faster a head learns from features that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.experiments._study import Answer, Panel, Series, Spoken, Study
from core.metrics.students import Mean

_CLAIMED = 180.0
_BENCH = Spoken("cache-speed", "tests.bench.features --items 64 --epochs 30 --threads 1", 1)
_WAYS = {
    "through the network": "seconds an epoch, through the network",
    "from kept features": "seconds an epoch, from the cache",
}


def tell(documents: Mapping[str, Any]) -> Answer:
    found = documents[_BENCH.name]
    ratio = found["ratio"]
    sentence = (
        f"An epoch of a head is {ratio:.0f} times as fast from kept features of EfficientNet-Lite0 at {found['size']} "
        f"pixels as through the network; keeping them takes {found['seconds to compute the cache']:.3g} s once, for "
        f"{found['items']} pictures."
    )
    values = tuple(Mean(found[key], None, None) for key in _WAYS.values())
    panel = Panel("", "seconds an epoch", tuple(_WAYS), (Series("one epoch", "kept", values),), joined=False)
    return Answer(sentence, "holds" if ratio >= _CLAIMED else "fails", (panel,))


STUDY = Study(
    "loss_cache",
    "Keeping features",
    "Pretrained Visual Uncertainties",
    "https://arxiv.org/abs/2402.16569",
    "How much faster does a head learn from features that are computed once?",
    f"About {_CLAIMED:.0f} times.",
    "A small convolutional network on a CPU instead of a ViT on a GPU; the same head learns in both ways.",
    (),
    tell,
    (_BENCH,),
)
