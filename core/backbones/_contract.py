"""What a module of core/backbones exports as BACKBONE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.contracts import Kind

if TYPE_CHECKING:
    import torch

    from core.backbones._network import StagedNetwork


class Build(Protocol):
    def __call__(
        self, classes: int, generator: torch.Generator, *, config: Any = None, weights: Path | None = None
    ) -> StagedNetwork: ...


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """One family. ``build`` draws from the generator what no weights file gives, and from nothing else."""

    key: str  # equals the module's name
    title: str
    kind: Kind | None  # None: either, as its config says
    summary: str  # one sentence for menus
    Config: type  # a frozen dataclass; Config() is what config=None means
    build: Build  # eval(), requires_grad_(False); a method sets what trains
