"""Weights of timm's models: safetensors, or a .bin or .pth state dict, also of older releases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from core.backbones import _timm, timm_vision
from core.backbones._timm_stages import classifier_of
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._contract import Foreign, Format
from core.checkpoints.foreign._refusal import ForeignError
from core.checkpoints.foreign._report import checked
from core.checkpoints.foreign._tensors import Opened, cleaned, state_dict_in
from core.methods import deterministic

KEYS = ("state_dict_ema", "state_dict", "model_ema", "model")  # averaged weights first, as timm itself takes them
# names of older releases, as endings
_OLD = {".gamma_1": ".ls1.gamma", ".gamma_2": ".ls2.gamma"}
_EITHER = ("norm.", "fc_norm.")  # the last normalisation of a transformer is called one or the other


def read(opened: Opened, asked: Asked) -> Foreign:
    state, key = state_dict_in(opened, *KEYS)
    tensors = cleaned(state)
    notes = [*opened.notes, *tensors.notes]
    if key is not None and key.endswith("_ema"):
        notes.append("the averaged weights (EMA) were taken")
    return vision(tensors.by_name, asked, arch_of(opened.value, asked), notes)[0]


def arch_of(value: Any, asked: Asked) -> str:
    """The model's name: what was asked for, or what timm's training wrote into the file."""
    arch = asked.arch or (value.get("arch") if isinstance(value, dict) else None)
    if not isinstance(arch, str):
        raise ForeignError("The file does not say which of timm's models it is; say it with --arch NAME.", code="arch")
    return arch


def vision(given: Mapping[str, Tensor], asked: Asked, arch: str, notes: list[str]) -> tuple[Foreign, int]:
    """The network with its classifier, and how many numbers enter it."""
    config = timm_vision.Config(name=arch)
    model: Any = _timm.create(arch, 2, None)
    names = {id(part): name for name, part in model.named_modules()}
    classifier = names[id(classifier_of(model))]
    given = renamed(given, model.state_dict(), notes)
    last = given.get(f"{classifier}.weight")
    count = len(asked.classes) if asked.classes else 2 if last is None or last.dim() != 2 else int(last.shape[0])
    wanted = _timm.create(arch, count, None).state_dict()
    found, report = checked(given, wanted, classifier, f"timm's {arch}", asked)
    height, width = timm_vision.entry_of(model, config).size
    notes.append(f"made for pictures of {width} x {height} pixels, prepared as timm says for this name")
    meant = not asked.backbone_only
    foreign = Foreign(
        "timm_vision",
        config,
        found,
        report,
        method="deterministic" if meant else None,
        method_config=deterministic.Config(scope="head") if meant else None,
        classes=asked.names(count, notes) if meant else (),
        notes=tuple(notes),
    )
    return foreign, classifier_of(model).in_features


def renamed(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    """Names of older releases as the model has them now."""
    found = {}
    for name, tensor in given.items():
        new = name
        for old, ending in _OLD.items():
            if name.endswith(old) and name not in wanted:
                new = name.removesuffix(old) + ending
        for one, other in (_EITHER, _EITHER[::-1]):
            if name.startswith(one) and name not in wanted and other + name.removeprefix(one) in wanted:
                new = other + name.removeprefix(one)
        if new != name and new in given:
            raise ForeignError(f"The file has both {name} and {new}, which are one; get another copy.", code="layout")
        found[new] = tensor
    if changed := sum(name not in found for name in given):
        notes.append(f"{changed} names of an older release of timm were brought up to date")
    return found


FORMAT = Format("timm", "timm safetensors or state dict", "any name of timm", read)
