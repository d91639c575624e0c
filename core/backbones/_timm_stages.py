"""A timm model cut into stages by the names of its parts, checked against its own answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core.errors import UserFacingError

_SERIES = ("blocks", "stages", "layers")  # containers whose children are stages
_SINGLES = ("layer1", "layer2", "layer3", "layer4", "s1", "s2", "s3", "s4")  # parts that are stages
_TAIL = ("global_pool", "attn_pool", "fc_norm", "head", "head_dist", "head_drop", "fc", "classifier")
_CLOSE = 1e-4  # of the largest feature: the stages compute what the model computes


class Whole(nn.Module):
    """The model but its classifier, as one stage: for models whose parts are put together in a way of their own."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.parts = nn.ModuleList(_without(list(model.children()), model.get_classifier()))
        self._model = (model,)  # in a tuple: not a part of this stage

    def forward(self, x: Tensor) -> Tensor:
        (model,) = self._model
        return model.forward_head(model.forward_features(x), pre_logits=True)


class Embedding(nn.Module):
    """The first stage of a vision transformer: patches with their positions."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.patch_embed, self.pos_drop = model.patch_embed, model.pos_drop
        self.patch_drop, self.norm_pre = model.patch_drop, model.norm_pre
        self._model = (model,)

    def forward(self, x: Tensor) -> Tensor:
        (model,) = self._model
        return self.norm_pre(self.patch_drop(model._pos_embed(self.patch_embed(x))))


class Tail(nn.Module):
    """What follows the last block, up to the vector that enters the classifier."""

    def __init__(self, model: Any, before: list[nn.Module], behind: list[nn.Module]) -> None:
        super().__init__()
        self.before = nn.Sequential(*before)
        self.behind = nn.ModuleList(_without(behind, model.get_classifier()))
        self._model = (model,)

    def forward(self, x: Tensor) -> Tensor:
        (model,) = self._model
        return model.forward_head(self.before(x), pre_logits=True)


def classifier_of(model: Any) -> nn.Linear:
    last = model.get_classifier()
    if not isinstance(last, nn.Linear):
        raise UserFacingError(
            "This timm model does not end in one linear classifier, which every method here needs; "
            "choose another model of its family.",
            code="backbone",
        )
    return last


def stages_of(model: Any, size: tuple[int, int]) -> tuple[tuple[str, nn.Module], ...]:
    """Stages whose chain is the model without its classifier; as many as its structure shows and a trial confirms."""
    trial = _trial(size)
    with torch.no_grad():
        features = model.forward_head(model.forward_features(trial), pre_logits=True)
        answer = model(trial)
        if features.dim() != 2 or not _equal(model.get_classifier()(features), answer):
            raise UserFacingError(
                "This timm model does not put its classifier on one vector an item; choose another model.",
                code="backbone",
            )
        try:
            stages = _cut(model)
            out = trial
            for _, stage in stages:
                out = stage(out)
        except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
            return (("features", Whole(model)),)  # its parts do not simply follow one another
    return stages if _equal(out, features) else (("features", Whole(model)),)


def _cut(model: Any) -> tuple[tuple[str, nn.Module], ...]:
    stem: list[nn.Module] = []
    series: list[tuple[str, nn.Module]] = []
    before: list[nn.Module] = []
    behind: list[nn.Module] = []
    for name, child in model.named_children():
        if behind or name in _TAIL:
            behind.append(child)
        elif name in _SERIES:
            series += [(f"{name}{number}", part) for number, part in enumerate(child.children())]
        elif name in _SINGLES:
            series.append((name, child))
        else:
            (before if series else stem).append(child)
    first = Embedding(model) if hasattr(model, "_pos_embed") else nn.Sequential(*stem)
    return (("stem", first), *series, ("tail", Tail(model, before, behind)))


def _trial(size: tuple[int, int]) -> Tensor:
    """Two smooth pictures that differ, from no generator."""
    count = 2 * 3 * size[0] * size[1]
    return torch.sin(torch.arange(count, dtype=torch.float64) * 0.37).float().reshape(2, 3, *size)


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool((one - other).abs().max() <= _CLOSE * (1e-6 + other.abs().max()))


def _without(parts: list[nn.Module], classifier: nn.Module) -> list[nn.Module]:
    """The parts, opened where the classifier is inside one of them."""
    found = []
    for part in parts:
        if classifier not in set(part.modules()):
            found.append(part)
        elif part is not classifier:
            found += _without(list(part.children()), classifier)
    return found
