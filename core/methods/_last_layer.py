"""A head as what its last linear layer sees, and that layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.contracts import Network
from core.errors import UserFacingError
from core.fingerprint import torch_generator


@dataclass(frozen=True, slots=True, eq=False)
class LastLayer:
    """logits = trunk(features) @ weight.T + bias."""

    trunk: nn.Module
    weight: Tensor  # (classes, width)
    bias: Tensor  # (classes,), zeros where the layer has none
    biased: bool

    def logits(self, hidden: Tensor) -> Tensor:
        return nn.functional.linear(hidden, self.weight.to(hidden), self.bias.to(hidden))


def last_layer(network: Network) -> LastLayer:
    """Copies. A head that ends otherwise than in a linear layer is refused."""
    head = network.head
    linear = next((part for part in reversed(list(head.modules())) if type(part) is nn.Linear), None)
    if linear is not None:
        trunk = copy.deepcopy(head, {id(linear): nn.Identity()}).eval().requires_grad_(False)
        weight = linear.weight.detach().clone()
        bias = torch.zeros_like(weight[:, 0]) if linear.bias is None else linear.bias.detach().clone()
        found = LastLayer(trunk, weight, bias, linear.bias is not None)
        if _is_split(head, found, network.dim):
            return found
    raise UserFacingError(
        "This method needs a head that ends in a linear layer, and this network's does not. "
        "Use k-NN or Mahalanobis distances, which need none.",
        code="layer",
    )


def _is_split(head: nn.Module, found: LastLayer, dim: int) -> bool:
    """Asked with made-up features, because a module's structure does not tell what its forward does."""
    features = torch.randn(4, dim, generator=torch_generator("made-up features")).to(found.weight)
    with torch.no_grad():
        try:
            whole, parts = head(features), found.logits(found.trunk(features))
        except RuntimeError:  # what the last layer sees has another shape elsewhere in the head
            return False
    return whole.shape == parts.shape and torch.allclose(whole, parts, rtol=1e-4, atol=1e-4)
