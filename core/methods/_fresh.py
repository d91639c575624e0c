"""New random weights from a passed generator, whatever the layers are."""

from __future__ import annotations

from typing import Any

from torch import Generator, nn
from torch.overrides import TorchFunctionMode

_DRAWING = {"uniform_", "normal_", "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"}
_DRAWING |= {"trunc_normal_", "orthogonal_"}


class _FromGenerator(TorchFunctionMode):
    """In this block and thread, weights are drawn from a generator and torch's global one stays where it is."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__name__", "") in _DRAWING:
            given["generator"] = self.generator
        return func(*args, **given)


def redraw(module: nn.Module, generator: Generator) -> None:
    """Every layer forgets what it learned, by torch's rule for its kind; normalisations are 1 and 0 again.

    Parameters that belong to no such layer (a class token, a learned position) keep their values.
    """
    with _FromGenerator(generator):
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
