"""Random weights from a passed generator, also where a library draws them from torch's global one.

torch gives its modules random weights when they are made. Inside these blocks every random function gets a generator
instead, in this thread only, so that building a network neither reads nor moves the state that other threads share.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

_IN_PLACE = {"uniform_", "normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"}
_IN_PLACE |= {"trunc_normal_", "orthogonal_", "sparse_", "bernoulli_", "exponential_", "cauchy_", "log_normal_"}
_IN_PLACE |= {"geometric_", "random_"}
Rule = Literal["xavier", "he", "torch"]
_FACTORIES = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}


class drawn_from(TorchFunctionMode):
    """Every random function called in this block draws from ``generator``."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__name__", "") in _IN_PLACE | _FACTORIES:
            given["generator"] = self.generator
        return func(*args, **given)


class undrawn(TorchFunctionMode):
    """Random weights are left out: NaN stands for what must be loaded or drawn afterwards."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in _IN_PLACE:
            tensor = args[0] if args else given["tensor"]
            with torch.no_grad():
                return tensor.fill_(math.nan) if tensor.is_floating_point() else tensor
        if name in _FACTORIES:
            given["generator"] = torch.Generator()
        return func(*args, **given)


def initialise(module: nn.Module, generator: torch.Generator, rule: Rule = "he") -> None:
    """Draw the weights of our own layers in the order of the network; normalisations are 1 and 0 from the start.

    xavier: Glorot and Bengio 2010, uniform, as PANNs; he: He et al. 2015, normal, fan in. Biases are 0. torch: what
    torch's layers draw for themselves, uniform within 1 / sqrt(fan in), biases too.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            if rule == "torch":
                bound = 1.0 / math.sqrt(layer.weight[0].numel())
                for weight in layer.parameters():
                    nn.init.uniform_(weight, -bound, bound, generator=generator)
                continue
            if rule == "xavier":
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            else:
                gain: Any = "relu" if not isinstance(layer, nn.Linear) else "linear"
                nn.init.kaiming_normal_(layer.weight, nonlinearity=gain, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.LSTM):
            bound = 1.0 / math.sqrt(layer.hidden_size)
            for weight in layer.parameters():
                nn.init.uniform_(weight, -bound, bound, generator=generator)
