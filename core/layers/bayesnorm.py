"""Normalisation with a random scale (Franchi et al. 2023, https://arxiv.org/abs/2312.15297).

    BNL(h) = (h - mean) / sqrt(var + eps) * gamma * (1 + alpha * epsilon) + beta

The deterministic layer's output is o = x_hat * gamma + beta, hence BNL(h) = o + (o - beta) * alpha * epsilon: every
kind of normalisation keeps its own arithmetic, and alpha = 0 is the source bit for bit. Running statistics are frozen.
"""

from __future__ import annotations

import copy
import math
from typing import Literal

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from core.errors import UserFacingError
from core.layers import _noise

NoiseShape = Literal["channel", "element", "sample_channel"]
NORMALISATIONS = (_BatchNorm, _InstanceNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_TAIL = ("drop", "act")  # timm's layers that normalise and activate: applied in this order after the normalisation


class BayesNorm(nn.Module):
    """A normalisation layer and its noise. ``norm`` is a copy of the source, without the activation it may hold.

    Scale and shift are trainable, whatever the source's were.
    """

    def __init__(self, source: nn.Module, name: str, *, alpha: float = 0.01, noise: NoiseShape = "channel") -> None:
        super().__init__()
        if noise not in ("channel", "element", "sample_channel"):
            raise ValueError(f"noise is channel, element or sample_channel, not {noise!r}")
        _refuse(source, name)
        self.norm = copy.deepcopy(source)
        self.drop, self.act = (_taken(self.norm, part) for part in _TAIL)
        self.norm.requires_grad_(True)
        self.alpha = alpha
        self.noise = noise  # channel: a random gamma a draw, shared by items; element: as the authors' code
        self.layer_id = _noise.layer_id_of(name)
        self.train(source.training)

    @property
    def scale(self) -> Tensor | None:
        """gamma, the parameter that the noise multiplies; None where there is none and it is 1."""
        return getattr(self.norm, "weight", None)

    @property
    def shift(self) -> Tensor | None:
        """beta."""
        return getattr(self.norm, "bias", None)

    def train(self, mode: bool = True) -> BayesNorm:
        super().train(mode)
        self.norm.eval()  # running statistics stay those of the source
        return self

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(x)
        context = _noise.current()
        if context is not None and self.alpha != 0.0:
            scaled = out if self.shift is None else out - self.shift.reshape(_broadcast(self.norm, self.shift, out))
            out = out + scaled * (self.alpha * self._epsilon(out, context))
        return self.act(self.drop(out))

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, noise={self.noise!r}"

    def _epsilon(self, out: Tensor, context: _noise.NoiseContext) -> Tensor:
        streams = context.by_draw if self.noise == "channel" else context.by_item
        rows = _noise.rows_like(streams(self.layer_id, "scale"), len(out))
        shape = tuple(out.shape[1:]) if self.noise == "element" else _channels(self.norm, out)
        return _noise.normal(rows, math.prod(shape)).reshape(len(out), *shape).to(out.dtype)


def is_normalisation(module: nn.Module) -> bool:
    return isinstance(module, NORMALISATIONS)


def _refuse(source: nn.Module, name: str) -> None:
    kind = type(source).__name__
    if not is_normalisation(source):
        raise UserFacingError(
            f"The layer {name} is a {kind}; Bayesian normalisation needs a batch, instance, layer or "
            "group normalisation. Choose other layers.",
            code="layer",
        )
    if isinstance(source, _BatchNorm) and source.running_mean is None:
        raise UserFacingError(
            f"The batch normalisation {name} has no running statistics, so an answer would depend on "
            "the rest of its batch. Use a network trained with running statistics.",
            code="layer",
        )
    unknown = [part for part, child in source.named_children() if part not in _TAIL]
    if unknown:
        raise UserFacingError(
            f"The layer {name} ({kind}) holds a further layer, {unknown[0]}, whose place is not known. "
            "Choose other layers.",
            code="layer",
        )


def _taken(norm: nn.Module, part: str) -> nn.Module:
    """The sub-layer of this name, replaced by nothing where it was."""
    child = norm._modules.get(part)
    if child is None:
        return nn.Identity()
    setattr(norm, part, nn.Identity())
    return child


def _last(norm: nn.Module) -> bool:
    """Are the channels the last axes? LayerNorm's are, but for the "2d" variants, which permute pictures themselves."""
    return isinstance(norm, (nn.LayerNorm, nn.RMSNorm)) and "2d" not in type(norm).__name__


def _broadcast(norm: nn.Module, parameter: Tensor, out: Tensor) -> tuple[int, ...]:
    """The shape in which a parameter meets the output."""
    return tuple(parameter.shape) if _last(norm) else (len(parameter), *[1] * (out.dim() - 2))


def _channels(norm: nn.Module, out: Tensor) -> tuple[int, ...]:
    """The shape of one row's noise when it is one value a channel."""
    if isinstance(norm, (nn.LayerNorm, nn.RMSNorm)) and _last(norm):
        return (*[1] * (out.dim() - 1 - len(norm.normalized_shape)), *norm.normalized_shape)
    return (out.shape[1], *[1] * (out.dim() - 2))
