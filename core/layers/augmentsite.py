"""The place inside a network where training may change a spectrogram: masks, shifts, mixtures of two items.

A site does nothing unless the caller says so for the calls of one block: ``with augmenting(transform): ...``. What
answers never says so. A site has no weights and draws nothing; all randomness is in the transform.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from torch import Tensor, nn


class Transform(Protocol):
    """What is done at a site. It may return fewer items than it got, where it mixes pairs."""

    def __call__(self, x: Tensor, site: AugmentSite) -> Tensor: ...


_CURRENT: ContextVar[Transform | None] = ContextVar("augmenting", default=None)


@contextmanager
def augmenting(transform: Transform | None) -> Iterator[None]:
    """Apply a transform at the site of every network called in this block, in this thread."""
    token = _CURRENT.set(transform)
    try:
        yield
    finally:
        _CURRENT.reset(token)


class AugmentSite(nn.Module):
    """The identity on spectrograms (items, 1, ., .), outside ``augmenting``."""

    def __init__(self, blank: float, *, time: int = 2, bands: int = 3) -> None:
        super().__init__()
        self.blank = blank  # the value of a place that is masked or emptied
        self.time, self.bands = time, bands  # axes

    def forward(self, x: Tensor) -> Tensor:
        transform = _CURRENT.get()
        return x if transform is None else transform(x, self)

    def extra_repr(self) -> str:
        return f"blank={self.blank}, time={self.time}, bands={self.bands}"


def has_site(module: nn.Module) -> bool:
    """Can this network's spectrograms be changed in training?"""
    stages = (stage for _, stage in getattr(module, "stages", ()))  # they may be views, which torch does not list
    return any(isinstance(part, AugmentSite) for whole in (module, *stages) for part in whole.modules())
