"""Layers with Gaussian weights, sampled by Flipout (Wen et al. 2018, https://arxiv.org/abs/1803.04386).

    y_n = x_n W + b + r_n * ((x_n * s_n) dW + db),    dW = sigma * epsilon

epsilon is shared by a group of draws, the signs s and r belong to one draw of one item, so that every row has weights
of the right distribution and different rows are uncorrelated. ``estimator="local"`` samples outputs instead (Kingma et
al. 2015, https://arxiv.org/abs/1506.02557): right one unit at a time, but no single kernel makes them all.
Without a noise context a layer is its mean, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.layers import _noise
from core.layers._posterior import FlipoutOptions, Reduction, gaussian_kl, sigma_of, start

_BAYESIAN_TORCH = {
    "mu_kernel": "weight",
    "rho_kernel": "rho_weight",
    "mu_weight": "weight",
    "rho_weight": "rho_weight",
    "mu_bias": "bias",
    "rho_bias": "rho_bias",
}


class FlipoutLayer(nn.Module):
    """What linear and convolutional Flipout share. ``weight`` and ``bias`` are the means, so the names stay."""

    weight: Tensor
    bias: Any  # a parameter or None; torch's linear and convolutional layers type it differently
    rho_weight: Tensor
    rho_bias: Tensor | None
    options: FlipoutOptions
    layer_id: int
    channel_axis: int

    def apply_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The deterministic layer with these weights."""
        raise NotImplementedError

    def become_bayesian(self, source: nn.Module, name: str, options: FlipoutOptions, generator: Any = None) -> None:
        """Take the source's weights as means and give each a sigma and a prior."""
        self.options, self.layer_id = options, _noise.layer_id_of(name)
        for part in ("weight", "bias"):
            tensor = cast("Tensor | None", getattr(source, part))
            if tensor is None:
                self.register_parameter(f"rho_{part}", None)
                continue
            begin = start(tensor, options, generator)
            self.register_parameter(part, nn.Parameter(begin.mu))
            self.register_parameter(f"rho_{part}", nn.Parameter(begin.rho))
            self.register_buffer(f"prior_mean_{part}", begin.prior_mean)
            self.register_buffer(f"prior_sigma_{part}", begin.prior_sigma)
        self.train(source.training)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's name
        x, context = input, _noise.current()
        if context is None:
            return self.apply_weights(x, self.weight, self.bias)
        if x.dim() < 2 or (self.channel_axis > 0 and x.dim() != self.weight.dim()):
            raise ValueError(f"noise needs a batch axis, got an input of shape {tuple(x.shape)}")
        if self.options.estimator == "local":
            return self._local(x, context)
        if self.options.estimator == "sample":
            return self._sampled(x, context)
        return self._flipped(x, context)

    def kl(self, reduction: Reduction = "sum") -> Tensor:
        """KL of posterior to prior. "sum" is the evidence bound's; "mean" averages each tensor, as bayesian-torch."""
        total = torch.zeros((), dtype=self.weight.dtype, device=self.weight.device)
        for part in ("weight", "bias"):
            mu, rho = getattr(self, part), getattr(self, f"rho_{part}")
            if mu is not None:
                prior = getattr(self, f"prior_mean_{part}"), getattr(self, f"prior_sigma_{part}")
                total = total + gaussian_kl(mu, rho, *prior, reduction)
        return total

    def _flipped(self, x: Tensor, context: _noise.NoiseContext) -> Tensor:
        mean = self.apply_weights(x, self.weight, self.bias)
        turned = x * self._signs(x, context, "signs in")
        parts = [
            self.apply_weights(_part(turned, rows), *self._deviation(context, segment, "group"))
            for segment, rows in _spread(context.segments, len(x), context.rows)
        ]
        deviation = parts[0] if len(parts) == 1 else torch.cat(parts)
        return torch.addcmul(mean, self._signs(deviation, context, "signs out"), deviation)

    def _sampled(self, x: Tensor, context: _noise.NoiseContext) -> Tensor:
        parts = []
        for segment, rows in _spread(context.draw_segments, len(x), context.rows):
            weight, bias = self._deviation(context, segment, "draw")
            shifted = None if self.bias is None or bias is None else self.bias + bias
            parts.append(self.apply_weights(_part(x, rows), self.weight + weight, shifted))
        return torch.cat(parts)

    def _local(self, x: Tensor, context: _noise.NoiseContext) -> Tensor:
        mean = self.apply_weights(x, self.weight, self.bias)
        spread = None if self.rho_bias is None else sigma_of(self.rho_bias).square()
        variance = self.apply_weights(x.square(), sigma_of(self.rho_weight).square(), spread)
        some = variance > 0  # the root has no gradient at 0, and fast convolutions may fall below it
        deviation = torch.where(some, torch.where(some, variance, 1.0).sqrt(), 0.0)
        streams = _noise.rows_like(context.by_item(self.layer_id, "local"), len(x))
        noise = _noise.normal(streams, math.prod(mean.shape[1:])).reshape(mean.shape)
        return mean + deviation * noise.to(mean.dtype)

    def _deviation(
        self, context: _noise.NoiseContext, segment: _noise.Segment, shared: str
    ) -> tuple[Tensor, Tensor | None]:
        """sigma * epsilon of the weight and the bias, one epsilon for all rows of a segment."""
        found: list[Tensor | None] = []
        for part, rho in (("weight", self.rho_weight), ("bias", self.rho_bias)):
            if rho is None:
                found.append(None)
                continue
            stream = context.by_segment(segment, self.layer_id, f"{shared} {part}")
            epsilon = _noise.normal(stream, rho.numel()).reshape(rho.shape)
            found.append(sigma_of(rho) * epsilon.to(rho.dtype))
        return cast(Tensor, found[0]), found[1]

    def _signs(self, x: Tensor, context: _noise.NoiseContext, purpose: str) -> Tensor:
        streams = _noise.rows_like(context.by_item(self.layer_id, purpose), len(x))
        shape = list(x.shape[1:])
        if self.options.signs == "channel":
            axis = self.channel_axis % x.dim() - 1
            shape = [size if position == axis else 1 for position, size in enumerate(shape)]
        return _noise.signs(streams, math.prod(shape)).reshape(len(x), *shape).to(x.dtype)


class FlipoutLinear(FlipoutLayer, nn.Linear):
    """On (rows, ..., features): with channel signs all tokens of a row share its weights."""

    channel_axis = -1

    @classmethod
    def from_deterministic(
        cls,
        layer: nn.Linear,
        name: str,
        options: FlipoutOptions = FlipoutOptions(),  # noqa: B008  frozen
        generator: torch.Generator | None = None,
    ) -> FlipoutLinear:
        """``name`` is the layer's dotted name in its whole network; it fixes the noise."""
        made = cls(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        made.become_bayesian(layer, name, options, generator)
        return made

    def apply_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(x, weight, bias)


class _FlipoutConv(FlipoutLayer):
    channel_axis = 1
    pads_same = False  # TensorFlow's "same": padded by the input's size, more behind than before
    _conv_forward: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def from_deterministic(
        cls,
        layer: nn.Conv1d | nn.Conv2d | nn.Conv3d,
        name: str,
        options: FlipoutOptions = FlipoutOptions(),  # noqa: B008  frozen
        generator: torch.Generator | None = None,
    ) -> Any:
        """``name`` is the layer's dotted name in its whole network; it fixes the noise."""
        shape = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        build = cast(Callable[..., Any], cls)
        made = build(*shape, layer.groups, layer.bias is not None, layer.padding_mode, device="meta")
        made.pads_same = pads_same(layer)
        made.become_bayesian(layer, name, options, generator)
        return made

    def apply_weights(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.pads_same:
            x = F.pad(x, same_padding(tuple(x.shape[2:]), self.kernel_size, self.stride, self.dilation))
        if self.weight.dim() == 4 and self.weight.stride(1) == 1 < self.weight[0, 0].numel():
            weight = weight.to(memory_format=torch.channels_last)  # said anew: with one channel it is forgotten
        return self._conv_forward(x, weight, bias)


class FlipoutConv1d(_FlipoutConv, nn.Conv1d):
    pass


class FlipoutConv2d(_FlipoutConv, nn.Conv2d):
    pass


class FlipoutConv3d(_FlipoutConv, nn.Conv3d):
    pass


def pads_same(layer: nn.Module) -> bool:
    """Is this timm's convolution with TensorFlow's padding? Told by name, since layers know torch only."""
    return type(layer).__name__ == "Conv2dSame"


def same_padding(
    sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> list[int]:
    """For F.pad (last axis first): as much as makes ceil(size / stride) outputs, the odd one at the end."""
    padding: list[int] = []
    for size, width, step, gap in reversed(list(zip(sizes, kernel, stride, dilation, strict=True))):
        needed = max((math.ceil(size / step) - 1) * step + (width - 1) * gap + 1 - size, 0)
        padding += [needed // 2, needed - needed // 2]
    return padding


def bayesian_torch_names(names: Iterable[str]) -> dict[str, str]:
    """bayesian-torch's parameter names to ours. Its saved noise and priors (``eps_*``, ``prior_*``) are left out."""
    found = {}
    for name in names:
        head, dot, tail = name.rpartition(".")
        if not tail.startswith(("eps_", "prior_")):
            found[name] = head + dot + _BAYESIAN_TORCH.get(tail, tail)
    return found


def _spread(segments: tuple[_noise.Segment, ...], rows: int, known: int) -> list[tuple[_noise.Segment, slice]]:
    """The rows of each segment in an activation that may hold several rows an item (see rows_like)."""
    times = max(1, rows // max(1, known))
    return [(segment, slice(segment.rows.start * times, segment.rows.stop * times)) for segment in segments]


def _part(x: Tensor, rows: slice) -> Tensor:
    """Some rows. All of them are no slice: the gradient of one is a copy, in a layout that slows all that follows."""
    return x if rows == slice(0, len(x)) else x[rows]
