"""Files of URL and of Pretrained Visual Uncertainties (Kirchhof et al., https://github.com/mkirchhof/url).

A timm model under ``model.`` and a network that predicts its loss under ``unc_module.``, as timm's training saves them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from core.checkpoints.foreign import timm
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._contract import Foreign, Format
from core.checkpoints.foreign._refusal import ForeignError
from core.checkpoints.foreign._tensors import Opened, cleaned, state_dict_in
from core.methods import loss_prediction

_MODEL, _DOUBT = "model.", "unc_module."
_LAYER = re.compile(r"(?:unc_module\.)?(\d{1,3})\.(weight|bias)")


def read(opened: Opened, asked: Asked) -> Foreign:
    state, key = state_dict_in(opened, *timm.KEYS)
    tensors = cleaned(state)
    notes = [*opened.notes, *tensors.notes]
    if key is not None and key.endswith("_ema"):
        notes.append("the averaged weights (EMA) were taken")
    backbone: dict[str, Tensor] = {}
    doubt: dict[str, Tensor] = {}
    for name, tensor in tensors.by_name.items():
        if name.startswith(_DOUBT):
            doubt[name.removeprefix(_DOUBT)] = tensor
        elif name.startswith(_MODEL):
            backbone[name.removeprefix(_MODEL)] = tensor
        else:
            raise ForeignError(
                f"The file is not laid out as URL's: {name!r} is neither under model. nor under unc_module. "
                "Choose the format it is of, such as timm.",
                code="layout",
            )
    found, features = timm.vision(backbone, asked, timm.arch_of(opened.value, asked), notes)
    if not doubt:
        told = "it holds no unc_module, so only its classifier answers (URL's other methods keep their doubt in it)"
        return replace(found, notes=(*found.notes, told), trained_on="ImageNet")
    if asked.backbone_only:
        return replace(found, trained_on="ImageNet")
    layers = _layers(doubt, features)
    config = _config(layers, _settings(opened.value), notes)
    return replace(
        found,
        method="loss_prediction",
        method_config=config,
        held={f"doubt.{name}": tensor for name, tensor in layers.items()},
        trained_on="ImageNet",
        notes=tuple(dict.fromkeys([*found.notes, *notes])),
    )


def _layers(doubt: Mapping[str, Tensor], width: int) -> dict[str, Tensor]:
    """The linear layers 0, 2, 4 ... as ours are numbered, each fitting the one before."""
    layers: dict[str, Tensor] = {}
    for name, tensor in doubt.items():
        match = _LAYER.fullmatch(name)
        if match is None:
            raise ForeignError(f"unc_module.{name} is no part of URL's uncertainty network.", code="weights")
        layers[f"{int(match[1])}.{match[2]}"] = tensor
    numbers = sorted({int(name.partition(".")[0]) for name in layers})
    for number in numbers:
        weight, bias = layers.get(f"{number}.weight"), layers.get(f"{number}.bias")
        last = number == numbers[-1]
        pairs = weight is not None and bias is not None and weight.dim() == 2 and bias.shape == weight.shape[:1]
        if not pairs or weight is None or weight.shape[1] != width or (last and weight.shape[0] != 1):
            raise ForeignError(
                f"The layer {number} of unc_module does not follow the one before; get another file.", code="weights"
            )
        width = int(weight.shape[0])
    if numbers != list(range(0, 2 * len(numbers), 2)) or len(numbers) < 2:
        raise ForeignError(
            "unc_module has no linear layers 0, 2, 4 ... as URL's network has; get another file.", code="weights"
        )
    return layers


def _config(layers: Mapping[str, Tensor], told: Mapping[str, Any], notes: list[str]) -> loss_prediction.Config:
    depth = len(layers) // 2 - 1
    widths = {int(layers[f"{2 * number}.weight"].shape[0]) for number in range(depth)}
    if len(widths) != 1:
        raise ForeignError("The hidden layers of unc_module differ in width, which URL's do not.", code="weights")
    sharpness = _number(told.get("inv_temp"), 1.0)
    if sharpness != 1.0:
        notes.append(f"its loss was that of the logits times {sharpness:g}; the class probabilities here are unscaled")
    if _number(told.get("unc_start_value"), 0.0) != 0.0:
        notes.append(
            "its doubts were scaled by a factor that the file does not hold: their order is right, not their size"
        )
    ranks = "order" in str(told.get("loss", ""))
    return loss_prediction.Config(
        loss="ranking" if ranks or "loss" not in told else "squared",
        width=widths.pop(),
        depth=depth,
        inverse_temperature=sharpness,
    )


def _settings(value: Any) -> Mapping[str, Any]:
    """The flags of the training, where the file has them."""
    kept = value.get("args") if isinstance(value, dict) else None
    return kept if isinstance(kept, dict) else getattr(kept, "__dict__", {})


def _number(value: Any, otherwise: float) -> float:
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if real and math.isfinite(value) and 1e-6 <= abs(value) <= 1e6 else otherwise


FORMAT = Format("url", "URL and PVU .pth.tar", "any name of timm", read)
