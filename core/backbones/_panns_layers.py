"""The layers of PANNs (Kong et al. 2020, https://arxiv.org/abs/1912.10211), named as its weights files name them.

Nothing here is strided: where the time-frequency plane halves, an average over 2 x 2 does it before the convolution.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.layers.augmentsite import AugmentSite
from core.layers.masks import MaskedDropout
from core.media import spectrogram
from core.media.spectrogram import MelConfig


def conv(inner: int, outer: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, kernel, padding=kernel // 2, bias=False)


class ConvBlock(nn.Module):
    """[convolution, normalisation, ReLU] once or twice, then an average over pool x pool."""

    def __init__(self, inner: int, outer: int, *, kernel: int = 3, pool: int = 2, double: bool = True) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(inner, outer, kernel), nn.BatchNorm2d(outer)
        self.conv2, self.bn2 = (conv(outer, outer, kernel), nn.BatchNorm2d(outer)) if double else (None, None)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        if self.conv2 is not None and self.bn2 is not None:
            x = F.relu(self.bn2(self.conv2(x)))
        return x if self.pool == 1 else F.avg_pool2d(x, self.pool)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inner: int, width: int, stride: int, name: str, p: float) -> None:
        super().__init__()
        self.stride = stride
        self.conv1, self.bn1 = conv(inner, width), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width), nn.BatchNorm2d(width)
        self.downsample = shortcut(inner, width, stride)
        self.drop = MaskedDropout(p, f"{name}.drop")

    def forward(self, x: Tensor) -> Tensor:
        out = x if self.stride == 1 else F.avg_pool2d(x, self.stride)
        out = self.drop(F.relu(self.bn1(self.conv1(out))))
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class Bottleneck(nn.Module):
    """1 x 1 to the width, 3 x 3, 1 x 1 to four widths, and a shortcut."""

    expansion = 4

    def __init__(self, inner: int, width: int, stride: int, name: str, p: float) -> None:
        super().__init__()
        self.stride = stride
        outer = width * self.expansion
        self.conv1, self.bn1 = conv(inner, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, outer, 1), nn.BatchNorm2d(outer)
        self.downsample = shortcut(inner, outer, stride)
        self.drop = MaskedDropout(p, f"{name}.drop")

    def forward(self, x: Tensor) -> Tensor:
        out = x if self.stride == 1 else F.avg_pool2d(x, self.stride)
        out = F.relu(self.bn1(self.conv1(out)))
        out = self.drop(F.relu(self.bn2(self.conv2(out))))
        return F.relu(self.bn3(self.conv3(out)) + self.downsample(x))


def shortcut(inner: int, outer: int, stride: int) -> nn.Module:
    if stride == 1:
        return nn.Identity() if inner == outer else nn.Sequential(conv(inner, outer, 1), nn.BatchNorm2d(outer))
    return nn.Sequential(nn.AvgPool2d(stride), conv(inner, outer, 1), nn.BatchNorm2d(outer))


class Resnet(nn.Module):
    """Four layers of blocks, each but the first halving the plane; called one layer at a time by the stages."""

    def __init__(self, block: type[BasicBlock | Bottleneck], counts: tuple[int, ...], width: int, p: float) -> None:
        super().__init__()
        inner = width
        for number, count in enumerate(counts, start=1):
            blocks = []
            for index in range(count):
                stride = 2 if index == 0 and number > 1 else 1
                blocks.append(block(inner, width, stride, f"resnet.layer{number}.{index}", p))
                inner = width * block.expansion
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            width *= 2
        self.channels = inner


class GlobalPool(nn.Module):
    """(items, channels, frames, mels) to (items, channels): mean over mels, then maximum plus mean over frames."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean(dim=3)
        return x.amax(dim=2) + x.mean(dim=2)


class Fixed(nn.Module):
    """A tensor of the front end under its name in weights files. It is a fact, not a weight."""

    weight: Tensor

    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(values.astype(np.float32)))


class Stft(nn.Module):
    """The Fourier kernels of the reference, windowed. They are kept to load and save; the FFT computes the same."""

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        times, bins = np.arange(config.n_fft), np.arange(config.n_fft // 2 + 1)
        turns = np.outer(bins, times) % config.n_fft * (2 * np.pi / config.n_fft)
        window = spectrogram.hann(config.n_fft)
        self.conv_real = Fixed((np.cos(turns) * window)[:, None])
        self.conv_imag = Fixed((-np.sin(turns) * window)[:, None])


class SpectrogramExtractor(nn.Module):
    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.stft = Stft(config)


class LogmelExtractor(nn.Module):
    melW: Tensor

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        bank = spectrogram.mel_bank(config).T.astype(np.float32)
        self.register_buffer("melW", torch.from_numpy(np.ascontiguousarray(bank)))


class MelNorm(nn.Module):
    """Batch normalisation over the mel bands of (items, 1, frames, mels). Training may mask and mix what it returns."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = norm
        self.site = AugmentSite(0.0)  # 0 is the mean of a band

    def forward(self, x: Tensor) -> Tensor:
        return self.site(self.norm(x.transpose(1, 3)).transpose(1, 3))


class Head(nn.Module):
    """Dropout, fc1, ReLU, dropout, classifier. ``hidden`` is what PANNs calls the embedding."""

    def __init__(self, fc1: nn.Linear, classifier: nn.Linear, drops: tuple[nn.Module, nn.Module]) -> None:
        super().__init__()
        self.drop_fc1, self.drop_logits = drops
        self.fc1, self.fc_audioset = fc1, classifier

    def hidden(self, features: Tensor) -> Tensor:
        return F.relu(self.fc1(self.drop_fc1(features)))

    def forward(self, features: Tensor) -> Tensor:
        return self.fc_audioset(self.drop_logits(self.hidden(features)))
