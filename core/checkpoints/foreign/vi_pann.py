"""Weights files of VI-PANN (https://arxiv.org/abs/2401.05531): ResNet54, plain or with Gaussian weights.

The Gaussian ones are in bayesian-torch's names. Its head (fc1 and fc_audioset) is plain or Gaussian: both are read.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from core.backbones import panns as family
from core.backbones._drawing import undrawn
from core.checkpoints.foreign import panns
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._contract import Foreign, Format
from core.checkpoints.foreign._refusal import ForeignError
from core.checkpoints.foreign._report import checked
from core.checkpoints.foreign._tensors import Opened, cleaned, state_dict_in
from core.layers.flipout import bayesian_torch_names
from core.methods import flipout

_NETWORK = "resnet54"
_GAUSSIAN = (".mu_kernel", ".mu_weight")
_LEAST = -30.0  # rho below it, a standard deviation under 1e-13, is set to it: the KL stays finite
_HEAD = ("fc1", panns.CLASSIFIER)


def read(opened: Opened, asked: Asked) -> Foreign:
    state, _ = state_dict_in(opened, "model", "state_dict")
    tensors = cleaned(state)
    given, notes = tensors.by_name, [*opened.notes, *tensors.notes]
    arch = asked.arch or _NETWORK
    if not any(name.endswith(_GAUSSIAN) for name in given):
        return panns.deterministic_of(given, asked, notes, arch)
    return _gaussian(given, asked, notes, arch)


def _gaussian(given: Mapping[str, Tensor], asked: Asked, notes: list[str], arch: str) -> Foreign:
    count = panns.classes_in(given, asked)
    config = panns.config_of(given, arch, count, notes)
    names = bayesian_torch_names(given)
    if len(names) < len(given):
        notes.append(f"{len(given) - len(names)} saved noises and priors of bayesian-torch were left out")
    ours = {names[name]: given[name] for name in given if name in names}
    rhos = {name: tensor for name, tensor in ours.items() if name.rpartition(".")[2].startswith("rho_")}
    means = {name: tensor for name, tensor in ours.items() if name not in rhos}
    title = f"VI-PANN {config.name}"
    found, report = checked(means, panns.wanted(config, count), panns.CLASSIFIER, title, asked, *panns.FRONT_END)
    with undrawn(), torch.device("meta"):
        network = family.Panns(config, count)
    where = _where(network, means, rhos, notes)
    notes.append("the file holds no prior, as bayesian-torch saves none: N(0, 1) was taken, which its authors used")
    meant = not asked.backbone_only
    return Foreign(
        "panns",
        config,
        found,
        report,
        method="flipout" if meant else None,
        method_config=flipout.Config(where=where, rho_spread=0.0, signs="element", dropout=False) if meant else None,
        held={f"model.{name}": _floored(name, tensor, notes) for name, tensor in rhos.items()} if meant else {},
        classes=asked.names(count, notes) if meant else (),
        task="multilabel",
        trained_on="AudioSet",
        notes=tuple(notes),
    )


def _where(network: family.Panns, means: Mapping[str, Tensor], rhos: Mapping[str, Tensor], notes: list[str]) -> str:
    """Which layers are Gaussian, as the method says it: every convolution, with the head or without."""
    weighted = {name for name, part in network.named_modules() if isinstance(part, (nn.Conv2d, nn.Linear))}
    gaussian = {name.rpartition(".")[0] for name in rhos}
    plain = {name for name in _HEAD if name in weighted}
    for layer in sorted(gaussian):
        for part in ("weight", "bias"):
            mean, rho = means.get(f"{layer}.{part}"), rhos.get(f"{layer}.rho_{part}")
            if (mean is None) != (rho is None) or (mean is not None and rho is not None and mean.shape != rho.shape):
                raise ForeignError(f"The layer {layer} has means and deviations that do not pair.", code="weights")
    if gaussian == weighted:
        notes.append("every convolution and the head have Gaussian weights")
        return "all"
    if gaussian == weighted - plain:
        notes.append("every convolution has Gaussian weights, the head is plain")
        stages = [name for name, stage in network.stages if any(isinstance(p, nn.Conv2d) for p in stage.modules())]
        return " ".join(["stage", *stages])
    odd = sorted(gaussian ^ (weighted - plain))[:3]
    raise ForeignError(
        "The Gaussian layers of this file are neither all convolutions nor those with the head "
        f"(odd are {', '.join(odd)}); get another file.",
        code="weights",
    )


def _floored(name: str, rho: Tensor, notes: list[str]) -> Tensor:
    if float(rho.min()) >= _LEAST:
        return rho
    low = int((rho < _LEAST).sum())
    notes.append(f"{low:,} deviations of {name} were below {_LEAST:g} in rho (1e-13) and were set to it")
    return torch.clamp_min(rho, _LEAST)


FORMAT = Format("vi_pann", "VI-PANN .pth, deterministic or Flipout", ", ".join(panns.ARCHS), read)
