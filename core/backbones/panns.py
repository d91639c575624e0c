"""PANNs (Kong et al. 2020, https://arxiv.org/abs/1912.10211): networks for sound, trained on AudioSet by their authors.

Layers and names are the reference's, so that its weights load as they are. Dropout sits where VI-PANN
(https://arxiv.org/abs/2401.05531) keeps it on at test time, and does nothing without a noise context.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from core.backbones import _weights
from core.backbones._contract import BackboneSpec
from core.backbones._drawing import initialise, undrawn
from core.backbones._entry import SoundEntry
from core.backbones._frontends import LogMel
from core.backbones._network import StagedNetwork
from core.backbones._panns_layers import (
    BasicBlock,
    Bottleneck,
    ConvBlock,
    GlobalPool,
    Head,
    LogmelExtractor,
    MelNorm,
    Resnet,
    SpectrogramExtractor,
)
from core.errors import UserFacingError
from core.layers.masks import MaskedDropout
from core.media.spectrogram import PANNS, MelConfig

Name = Literal["resnet18", "resnet22", "resnet34", "resnet38", "resnet54", "cnn6", "cnn10", "cnn14"]
_FRONT_ENDS = {32_000: PANNS, 16_000: MelConfig(rate=16_000, n_fft=512, hop=160, f_max=8_000.0)}
_WIDTH = 64  # channels of the first block
_AFTER = 2048  # channels of the block after the residual layers
_FRONT_END_SLACK = 1e-4  # float32 kernels computed by others


@dataclass(frozen=True, slots=True)
class Config:
    name: Name = "resnet54"
    rate: Literal[16_000, 32_000] = 32_000
    seconds: float = 10.0
    width: float = 1.0  # scales all channels; the published networks have 1
    block_dropout: float = 0.2  # between blocks
    bottleneck_dropout: float = (
        0.0  # inside residual blocks; the reference trains with 0.1, VI-PANN's mcd leaves it off
    )
    fc1_dropout: float = 0.5
    logit_dropout: float = 0.5


@dataclass(frozen=True, slots=True)
class _Plan:
    """The layers of one network. 18 and 34 are small: one convolution before, none after, one layer as head."""

    block: type[BasicBlock | Bottleneck] | None = None  # None: no residual layers
    counts: tuple[int, ...] = ()
    widths: tuple[int, ...] = (1,)  # of the plain blocks before, in units of the first
    last_pool: int = 2
    kernel: int = 3
    double: bool = True
    after: bool = False  # a plain block behind the residual layers
    fc1: bool = True


_PLANS: dict[str, _Plan] = {
    "resnet18": _Plan(BasicBlock, (2, 2, 2, 2), double=False, fc1=False),
    "resnet34": _Plan(BasicBlock, (3, 4, 6, 3), double=False, fc1=False),
    "resnet22": _Plan(BasicBlock, (2, 2, 2, 2), after=True),
    "resnet38": _Plan(BasicBlock, (3, 4, 6, 3), after=True),
    "resnet54": _Plan(Bottleneck, (3, 4, 6, 3), after=True),
    "cnn6": _Plan(widths=(1, 2, 4, 8), kernel=5, double=False),
    "cnn10": _Plan(widths=(1, 2, 4, 8)),
    "cnn14": _Plan(widths=(1, 2, 4, 8, 16, 32), last_pool=1),
}


class Panns(StagedNetwork):
    def __init__(self, config: Config, classes: int) -> None:
        mel, plan = _FRONT_ENDS[config.rate], _PLANS[config.name]
        first = max(1, round(_WIDTH * config.width))
        super().__init__("panns", "audio", 0, SoundEntry(config.rate, config.seconds))
        self.config = config
        self.spectrogram_extractor = SpectrogramExtractor(mel)
        self.logmel_extractor = LogmelExtractor(mel)
        self.bn0 = nn.BatchNorm2d(mel.mels)
        stages: list[tuple[str, nn.Module]] = [("logmel", LogMel(mel)), ("bn0", MelNorm(self.bn0))]
        channels = self._plain(stages, plan, first)
        if plan.block is not None:
            self.resnet = Resnet(plan.block, plan.counts, first, config.bottleneck_dropout)
            channels = self.resnet.channels
            for layer in ("layer1", "layer2", "layer3", "layer4"):
                parts = [self.resnet.get_submodule(layer)]
                stages.append((layer, nn.Sequential(*([self._drop()] if layer == "layer1" else []), *parts)))
        if plan.after:
            self.conv_block_after1 = ConvBlock(channels, outer := max(1, round(_AFTER * config.width)), pool=1)
            after = (nn.AvgPool2d(2), self._drop(), self.conv_block_after1)
            stages.append(("conv_block_after1", nn.Sequential(*after)))
            channels = outer
        stages.append(("pool", nn.Sequential(self._drop(), GlobalPool())))
        self.dim = channels
        self.arrange(tuple(stages), self._head(plan.fc1, classes))

    def _plain(self, stages: list[tuple[str, nn.Module]], plan: _Plan, first: int) -> int:
        inner = 1
        for number, factor in enumerate(plan.widths, start=1):
            pool = plan.last_pool if number == len(plan.widths) else 2
            block = ConvBlock(inner, first * factor, kernel=plan.kernel, pool=pool, double=plan.double)
            name = f"conv_block{number}"
            self.add_module(name, block)
            stages.append((name, block if number == 1 else nn.Sequential(self._drop(), block)))
            inner = first * factor
        return inner

    def _drop(self) -> MaskedDropout:
        """The next site between blocks: at the start of a stage, so that all before it runs once for all draws."""
        name = f"drop{sum(isinstance(child, MaskedDropout) for child in self.children()) + 1}"
        site = MaskedDropout(self.config.block_dropout, name)
        self.add_module(name, site)
        return site

    def _head(self, deep: bool, classes: int) -> nn.Module:
        self.drop_fc1 = MaskedDropout(self.config.fc1_dropout, "drop_fc1")
        self.fc_audioset = nn.Linear(self.dim, classes)
        if not deep:
            return nn.Sequential(self.drop_fc1, self.fc_audioset)
        self.fc1 = nn.Linear(self.dim, self.dim)
        self.drop_logits = MaskedDropout(self.config.logit_dropout, "drop_logits")
        return Head(self.fc1, self.fc_audioset, (self.drop_fc1, self.drop_logits))


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> Panns:
    """``weights``: the reference's state dict as safetensors. For another number of classes its last layer is left."""
    with undrawn():
        network = Panns(config or Config(), classes)
    if weights is None:
        _draw(network, generator)
    else:
        tensors = _weights.read_safetensors(weights)
        _check_front_end(network, tensors)
        if not _weights.fill(network, tensors, "fc_audioset"):
            initialise(network.fc_audioset, generator, "xavier")
    network.freeze()
    return network


def _draw(network: Panns, generator: torch.Generator) -> None:
    """As PANNs: Glorot, and residual branches that start silent."""
    initialise(network, generator, "xavier")
    for block in network.modules():
        if isinstance(block, (BasicBlock, Bottleneck)):
            nn.init.zeros_((block.bn2 if isinstance(block, BasicBlock) else block.bn3).weight)


def _check_front_end(network: Panns, tensors: dict[str, Tensor]) -> None:
    """The file's spectrogram must be the one that is computed; files without one are taken at their word."""
    for name, buffer in network.state_dict().items():
        if not name.startswith(("spectrogram_extractor.", "logmel_extractor.")):
            continue
        given = tensors.setdefault(name, buffer)
        if given.shape != buffer.shape or not torch.allclose(given.float(), buffer, atol=_FRONT_END_SLACK):
            raise UserFacingError(
                f"These weights were made for another spectrogram than that of {network.config.rate / 1000:g} kHz "
                f"({name} differs); choose the other rate.",
                code="weights",
            )


BACKBONE = BackboneSpec(
    key="panns",
    title="PANNs",
    kind="audio",
    summary="ResNet and CNN networks for sound, in the layers of the AudioSet reference, from 16 or 32 kHz.",
    Config=Config,
    build=build,
)
