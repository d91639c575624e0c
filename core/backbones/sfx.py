"""The sound-effects network of Ma and Lerch (ISMIR 2022, https://github.com/alisonbma/aisfx).

Eight convolutions over a log-mel spectrogram of 44.1 kHz sound, named as in the weights file of aisfx 0.1.2.
It is fully convolutional: a whole clip gives one vector, which is better than the mean over its 2.3 s patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.backbones import _weights
from core.backbones._contract import BackboneSpec
from core.backbones._drawing import initialise, undrawn
from core.backbones._entry import SoundEntry
from core.backbones._frontends import LinearLog, PaddedMel
from core.backbones._network import StagedNetwork
from core.layers.augmentsite import AugmentSite
from core.layers.masks import MaskedDropout

MEL = PaddedMel(rate=44_100, n_fft=2048, hop=1024, mels=96, f_max=22_050.0, scale="htk")
GAIN, TOP = 10_000.0, 9.457798957824707  # log10(1 + GAIN m) / TOP; the largest value in the authors' training sounds
WIDTHS = (64, 128, 256, 512)
PUBLISHED_HEADS = "fc."  # of the weights file: nine heads whose classes have no published names


@dataclass(frozen=True, slots=True)
class Config:
    seconds: float = 5.0
    dropout: float = 0.2  # between blocks and before the classifier


class Block(nn.Module):
    """[3 x 3 convolution, normalisation, ReLU] twice, then a maximum over pool x pool."""

    def __init__(self, inner: int, outer: int, pool: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return x if self.pool == 1 else F.max_pool2d(x, self.pool)


class MeanThenMax(nn.Module):
    """(items, channels, frames, mels) to (items, channels): mean over mels, maximum over frames."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=3).amax(dim=2)


class Sfx(StagedNetwork):
    def __init__(self, config: Config, classes: int) -> None:
        super().__init__("sfx", "audio", WIDTHS[-1], SoundEntry(MEL.rate, config.seconds, peak=True))
        self.embedding_net = nn.Module()
        logmel = nn.Sequential(LinearLog(MEL, GAIN, TOP), AugmentSite(0.0))  # silence is 0
        stages: list[tuple[str, nn.Module]] = [("logmel", logmel)]
        inner = 1
        for number, outer in enumerate(WIDTHS, start=1):
            name = f"conv_block{number}"
            block = Block(inner, outer, pool=1 if number == len(WIDTHS) else 2)
            self.embedding_net.add_module(name, block)
            stages.append(
                (name, block if number == 1 else nn.Sequential(self._drop(number - 1, config.dropout), block))
            )
            inner = outer
        stages.append(("pool", MeanThenMax()))
        self.drop_classifier = MaskedDropout(config.dropout, "drop_classifier")
        self.classifier = nn.Linear(inner, classes)
        self.arrange(tuple(stages), nn.Sequential(self.drop_classifier, self.classifier))

    def _drop(self, number: int, p: float) -> MaskedDropout:
        site = MaskedDropout(p, f"drop{number}")
        self.add_module(site.name, site)
        return site


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> Sfx:
    """``weights``: safetensors of the published file's tensors, or of a network saved here. The nine published heads
    are left out; the classifier is drawn where the file has none of this size."""
    with undrawn():
        network = Sfx(config or Config(), classes)
    if weights is None:
        initialise(network, generator)
    else:
        tensors = _weights.read_safetensors(weights)
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith(PUBLISHED_HEADS)}
        if not _weights.fill(network, own, "classifier"):
            initialise(network.classifier, generator)
    network.freeze()
    return network


BACKBONE = BackboneSpec(
    key="sfx",
    title="Sound effects CNN",
    kind="audio",
    summary="Eight convolutions trained on sound-effects libraries; small, and strong on everyday sounds.",
    Config=Config,
    build=build,
)
