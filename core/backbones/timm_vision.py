"""Any image network of timm by name: ResNets, vision transformers and the rest (https://github.com/huggingface/pytorch-image-models).

Pictures are prepared as the model's own configuration says. Published weights are fetched from the hub when there is
internet and ``pretrained`` is set; a local safetensors file does without.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core import settings
from core.backbones import _timm, _weights
from core.backbones._contract import BackboneSpec
from core.backbones._drawing import undrawn
from core.backbones._entry import PictureEntry
from core.contracts import Kind
from core.errors import UserFacingError
from core.media.spectrogram import MelConfig


@dataclass(frozen=True, slots=True)
class Config:
    name: str = "resnet18"
    pretrained: bool = False  # fetch the published weights when no file is given
    size: tuple[int, int] | None = None  # height, width; None: the model's own
    share: float | None = None  # of the shorter side; None: the model's own
    dropout: float = 0.2  # before the classifier
    kind: Kind = "image"
    heard: _timm.Heard = _timm.Heard()  # noqa: RUF009  frozen; for kind "audio"


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> _timm.TimmNetwork:
    config = config or Config()
    loads = weights is not None or config.pretrained
    options: dict[str, Any] = {} if config.size is None else _sized(config.name, config.size)
    model = _timm.create(config.name, classes, None if loads else generator, **options)
    if loads:
        tensors = _published(config.name, options) if weights is None else _weights.read_safetensors(weights)
        _timm.fill(model, tensors, generator)
    heard = config.heard if config.kind == "audio" else None
    network = _timm.TimmNetwork("timm_vision", model, entry_of(model, config), heard, config.dropout)
    network.freeze()
    return network


def entry_of(model: Any, config: Config) -> PictureEntry:
    """Size, crop, filter and normalisation of the model's own configuration, where ours says nothing else."""
    from timm.data.config import resolve_model_data_config

    told = resolve_model_data_config(model)
    _, height, width = told["input_size"]
    share = told["crop_pct"] if config.share is None else config.share
    size = config.size or (height, width)
    return PictureEntry(size, told["mean"], told["std"], share, told["interpolation"])


def _sized(name: str, size: tuple[int, int]) -> dict[str, Any]:
    """Models whose weights depend on the picture's size must be told it; the others take any."""
    import timm

    told = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    return {"img_size": size} if told is not None and told.fixed_input_size else {}


def _published(name: str, options: dict[str, Any]) -> dict[str, Tensor]:
    """The published tensors, through timm and the hub's cache."""
    import timm

    if settings.load().offline:
        raise UserFacingError(
            f"The published weights of {name} are fetched from the hub, and downloads are switched off; "
            "give a local safetensors file.",
            code="offline",
        )
    try:
        with undrawn():
            return timm.create_model(name, pretrained=True, **options).state_dict()
    except (OSError, RuntimeError, ValueError) as error:  # the hub's and requests' errors are OSErrors
        raise UserFacingError(
            f"The published weights of {name} could not be fetched; check the network or give a safetensors file.",
            code="weights",
        ) from error


# the lecture notes' ResNet18: 128 bands of 5 s at 16 kHz are 157 frames, shown as they are
LECTURE_RESNET18 = Config(
    size=(128, 157), kind="audio", heard=_timm.Heard(5.0, MelConfig(16_000, 2048, 512, 128, 0.0, 8_000.0))
)
BACKBONE = BackboneSpec(
    key="timm_vision",
    title="timm",
    kind=None,
    summary="Any image network of timm by name, for pictures or for sound shown as a log-mel picture.",
    Config=Config,
    build=build,
)
