"""timm's models as staged networks, for pictures and, through a log-mel picture, for sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from core.backbones import _weights
from core.backbones._drawing import drawn_from, initialise, undrawn
from core.backbones._entry import PictureEntry, SoundEntry
from core.backbones._frontends import MelPicture
from core.backbones._network import StagedNetwork
from core.backbones._timm_stages import classifier_of, stages_of
from core.contracts import Kind
from core.errors import UserFacingError
from core.layers.masks import MaskedDropout
from core.media.spectrogram import MelConfig

MODEL = "model"  # the name under which timm's model is part of the network


@dataclass(frozen=True, slots=True)
class Heard:
    """How sound becomes a picture."""

    seconds: float = 5.0
    mel: MelConfig = MelConfig(mels=128)  # noqa: RUF009  frozen


class TimmNetwork(StagedNetwork):
    def __init__(self, key: str, model: nn.Module, pictures: PictureEntry, heard: Heard | None, dropout: float) -> None:
        classifier = classifier_of(model)
        kind: Kind = "image" if heard is None else "audio"
        entry = pictures if heard is None else SoundEntry(heard.mel.rate, heard.seconds)
        super().__init__(key, kind, classifier.in_features, entry)
        self.model = model.eval()
        stages = stages_of(model, pictures.size)
        if heard is not None:
            shown = MelPicture(heard.mel, pictures.size, pictures.mean, pictures.std)
            stages = (("logmel", shown), *stages)
        self.drop_classifier = MaskedDropout(dropout, "drop_classifier")
        self.arrange(stages, nn.Sequential(self.drop_classifier, classifier))


def create(name: str, classes: int, generator: torch.Generator | None, **options: Any) -> nn.Module:
    """timm's model with weights from the generator; without one they are NaN, to be filled."""
    import timm

    if not is_known(name):
        near = timm.list_models(f"{name[:6]}*")[:5]
        hint = f" Near it: {', '.join(near)}." if near else ""
        raise UserFacingError(f"timm has no model called {name[:60]!r}.{hint}", code="unknown-key")
    with undrawn() if generator is None else drawn_from(generator):
        return timm.create_model(name, pretrained=False, num_classes=classes, **options)


def is_known(name: str) -> bool:
    """A model of timm, and if a tag says which of its published weights, one of its tags."""
    import timm

    try:
        return timm.is_model(name) and (timm.get_pretrained_cfg(name) is not None or "." not in name)
    except RuntimeError:  # how timm answers a tag it does not know
        return False


def fill(model: nn.Module, tensors: Mapping[str, Tensor], generator: torch.Generator) -> None:
    """Published tensors under timm's names, or those of a network saved here; another classifier is drawn."""
    names = {id(part): name for name, part in model.named_modules()}
    prefix = f"{MODEL}."
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    classifier = classifier_of(model)
    if not _weights.fill(model, own, names[id(classifier)]):
        initialise(classifier, generator)
