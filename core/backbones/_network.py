"""A network as methods see it: ordered stages, then a head."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from core.contracts import Kind, Media, Prepared

Stages = tuple[tuple[str, nn.Module], ...]


class Entry(Protocol):
    """What a network takes, and how one file becomes it."""

    def prepare(self, media: Media) -> Prepared: ...


class StagedNetwork(nn.Module):
    """Core's Network. A stage may be a view: layers that are registered elsewhere, under names a weights file knows.

    Views hang outside torch's registry, so every weight has one name; a deep copy keeps them together.
    """

    stages: Stages
    head: nn.Module

    def __init__(self, key: str, kind: Kind, dim: int, entry: Entry) -> None:
        super().__init__()
        self.key = key
        self.kind: Kind = kind
        self.dim = dim  # length of the vector that enters the head
        self.entry = entry

    def arrange(self, stages: Stages, head: nn.Module) -> None:
        """Stages and head made of layers this network already has."""
        self.stages = stages
        object.__setattr__(self, "head", head)

    def own(self, stages: Stages, head: nn.Module) -> None:
        """Stages and head as layers of this network, named as they are called."""
        for name, stage in stages:
            self.add_module(name, stage)
        self.stages = stages
        self.head = head

    def prepare(self, media: Media) -> Prepared:
        return self.entry.prepare(media)

    def embed(self, inputs: Tensor) -> Tensor:
        for _, stage in self.stages:
            inputs = stage(inputs)
        return inputs

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.embed(inputs))

    def freeze(self) -> StagedNetwork:
        """Ready for use, and shared between threads from here on."""
        for _, stage in self.stages:
            stage.eval()
        self.head.eval()
        return self.eval().requires_grad_(False)
