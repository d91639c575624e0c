"""Several heads of one architecture as one module, so that all answer in one batched product."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap


class StackedHeads(nn.Module):
    """(items, dim) -> (members, items, classes). Its parameters are those of the heads with an axis in front."""

    def __init__(self, heads: Sequence[nn.Module]) -> None:
        super().__init__()
        parameters, buffers = stack_module_state(list(heads))
        self.members = len(heads)
        for name, value in parameters.items():
            self.register_parameter(_flat(name), nn.Parameter(value.detach()))
        for name, value in buffers.items():
            self.register_buffer(_flat(name), value.detach())
        self._names = tuple(parameters) + tuple(buffers)
        self._skeleton: nn.Module
        skeleton = copy.deepcopy(heads[0]).requires_grad_(False).to("meta")
        object.__setattr__(self, "_skeleton", skeleton)  # the architecture without weights; not a part of this module

    def forward(self, features: Tensor) -> Tensor:
        skeleton = self._own_skeleton()

        def one(tensors: dict[str, Tensor]) -> Tensor:
            return functional_call(skeleton, tensors, (features,))

        return vmap(one)(self._tensors())

    def one(self, member: int, features: Tensor) -> Tensor:
        """A single head's answer; what is random in it is random for this member alone."""
        tensors = {name: value[member] for name, value in self._tensors().items()}
        return functional_call(self._own_skeleton(), tensors, (features,))

    def has_random_parts(self, kind: type[nn.Module]) -> bool:
        return any(isinstance(part, kind) for part in self._skeleton.modules())

    def _own_skeleton(self) -> nn.Module:
        """One a call: functional_call hangs the weights into it for a moment, which another thread would see."""
        return copy.deepcopy(self._skeleton)

    def _tensors(self) -> dict[str, Tensor]:
        return {name: getattr(self, _flat(name)) for name in self._names}


def _flat(name: str) -> str:
    """A parameter's name may hold no dot."""
    return name.replace(".", "__")


def in_blocks(heads: StackedHeads, features: Tensor, rows: int) -> Tensor:
    """The same answer with at most ``rows`` (member, item) pairs at once."""
    size = max(1, rows // heads.members)
    return torch.cat([heads(some) for some in features.split(size)], dim=1)
