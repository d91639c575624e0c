"""Weights files of PANNs (Kong et al. 2020): a state dict under ``model``, 527 classes of AudioSet."""

from __future__ import annotations

import typing
from collections.abc import Mapping

import torch
from torch import Tensor

from core.backbones import panns
from core.backbones._drawing import undrawn
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._contract import Foreign, Format
from core.checkpoints.foreign._refusal import ForeignError, shown
from core.checkpoints.foreign._report import checked, compare
from core.checkpoints.foreign._tensors import Opened, cleaned, state_dict_in
from core.methods import deterministic

AUDIOSET = 527
CLASSIFIER = "fc_audioset"
FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")  # may be missing: they are facts, not weights
ARCHS: tuple[panns.Name, ...] = typing.get_args(panns.Name)
_STFT = "spectrogram_extractor.stft.conv_real.weight"
_FIRST = ("conv_block1.conv1.weight", "conv_block1.conv1.mu_kernel")
_CHANNELS = 64
_RATES = {1024: 32_000, 512: 16_000}  # by the length of the window


def read(opened: Opened, asked: Asked) -> Foreign:
    state, _ = state_dict_in(opened, "model", "state_dict")
    tensors = cleaned(state)
    return deterministic_of(tensors.by_name, asked, [*opened.notes, *tensors.notes], asked.arch)


def deterministic_of(given: Mapping[str, Tensor], asked: Asked, notes: list[str], arch: str | None) -> Foreign:
    """A plain network of the family, with one score a class."""
    count = classes_in(given, asked)
    config = config_of(given, arch, count, notes)
    found, report = checked(given, wanted(config, count), CLASSIFIER, f"PANNs {config.name}", asked, *FRONT_END)
    meant = not asked.backbone_only
    return Foreign(
        "panns",
        config,
        found,
        report,
        method="deterministic" if meant else None,
        method_config=deterministic.Config(scope="head") if meant else None,
        classes=asked.names(count, notes) if meant else (),
        task="multilabel",
        trained_on="AudioSet",
        licence="CC BY 4.0",
        notes=tuple(notes),
    )


def wanted(config: panns.Config, count: int) -> dict[str, Tensor]:
    """Names and shapes; weights have no data."""
    with undrawn(), torch.device("meta"):
        return panns.Panns(config, count).state_dict()


def classes_in(given: Mapping[str, Tensor], asked: Asked) -> int:
    """How many the network is to have; the report says where the file has another number."""
    last = given.get(f"{CLASSIFIER}.weight")
    if last is None:
        last = given.get(f"{CLASSIFIER}.mu_weight")
    rows = AUDIOSET if last is None or last.dim() != 2 else int(last.shape[0])
    if asked.classes is not None:
        return len(asked.classes)
    if rows != AUDIOSET and not asked.backbone_only:
        raise ForeignError(
            f"The file has {rows:,} classes and AudioSet has {AUDIOSET}; give their {rows:,} names with --classes.",
            code="classes",
        )
    return rows


def config_of(given: Mapping[str, Tensor], arch: str | None, count: int, notes: list[str]) -> panns.Config:
    """The network by name, or by what fits; the sample rate by the length of the file's own window."""
    stft = given.get(_STFT)
    window = 1024 if stft is None else int(stft.shape[-1])
    if window not in _RATES:
        raise ForeignError(
            f"The spectrogram of this file has a window of {window:,} samples; read here are 1024 (32 kHz) and 512 "
            "(16 kHz). Get the file of one of these.",
            code="rate",
        )
    rate = _RATES[window]
    told = "as its spectrogram says" if stft is not None else "taken for granted, as the file holds no spectrogram"
    notes.append(f"made for sound of {rate // 1000} kHz ({told}); other sound is resampled")
    width = _width(given)
    if arch is not None:
        return panns.Config(name=_named(arch), rate=rate, width=width)  # type: ignore[arg-type]
    configs = [panns.Config(name=name, rate=rate, width=width) for name in ARCHS]  # type: ignore[arg-type]
    reports = [compare(given, wanted(config, count), CLASSIFIER, FRONT_END) for config in configs]
    best = max(range(len(configs)), key=lambda n: (reports[n].fits, reports[n].head_only, -reports[n].differences))
    return configs[best]


def _width(given: Mapping[str, Tensor]) -> float:
    """1 for every published network; narrower ones, made with this code, are told by their first layer."""
    first = next((given[name] for name in _FIRST if name in given), None)
    channels = 0 if first is None or first.dim() != 4 else int(first.shape[0])
    return channels / _CHANNELS if 1 <= channels <= 4 * _CHANNELS else 1.0


def _named(arch: str) -> str:
    name = arch.lower().replace("_16k", "").replace("-16k", "")
    if name not in ARCHS:
        raise ForeignError(
            f"There is no PANNs network called {shown(arch)!r}; read here are {', '.join(ARCHS)}.", code="unknown-key"
        )
    return name


FORMAT = Format("panns", "PANNs .pth", ", ".join(ARCHS), read)
