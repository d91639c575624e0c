"""Tensors from a file into a network: safetensors, and one pinned pickle that a requirement ships."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from core.backbones._drawing import Rule, initialise
from core.errors import UserFacingError
from core.fingerprint import sha256_of

_SHOWN = 3  # first differences that a message names


def read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserFacingError(
            f"The weights file {path.name} is not there or not a whole safetensors file; fetch or import it again.",
            code="weights",
        ) from error


def read_pinned_pickle(path: Path, sha256: str) -> dict[str, Tensor]:
    """A state dict whose bytes are known. The one place outside the importer where torch reads a pickle:
    only after its hash was checked, and only tensors."""
    raw = path.read_bytes()
    if sha256_of(raw) != sha256:
        raise UserFacingError(
            f"The weights file {path.name} is not the published one (its sha256 differs); install its package again.",
            code="weights",
        )
    return torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], classifier: str) -> bool:
    """Put all tensors into the module, strictly. False: the classifier is for another number of classes and was left.

    ``classifier`` is the dotted name of the last layer.
    """
    wanted = module.state_dict()
    given = {
        name: tensor.float() if tensor.is_floating_point() else tensor  # stored halves compute in float32
        for name, tensor in tensors.items()
    }
    own = [name for name in wanted if name.rpartition(".")[0] == classifier]
    fits = all(name in given and given[name].shape == wanted[name].shape for name in own)
    if not fits:
        given = {name: tensor for name, tensor in given.items() if name not in own}
        wanted = {name: tensor for name, tensor in wanted.items() if name not in own}
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}  # old files have none; never used here
    _refuse([f"{name} is missing" for name in wanted if name not in given and name not in counters])
    _refuse([f"{name} is not known" for name in given if name not in wanted])
    _refuse(
        [
            f"{name} is {_size(given[name])}, not {_size(tensor)}"
            for name, tensor in wanted.items()
            if name in given and given[name].shape != tensor.shape
        ]
    )
    module.load_state_dict(given, strict=False, assign=True)
    return fits


def fill_or_draw(network: nn.Module, weights: Path | None, generator: torch.Generator, rule: Rule = "he") -> None:
    """Weights of one of our own networks, whose last layer is head.classifier: from a file, or drawn."""
    if weights is None:
        initialise(network, generator, rule)
    elif not fill(network, read_safetensors(weights), "head.classifier"):
        initialise(network.get_submodule("head.classifier"), generator, rule)


def _refuse(differences: list[str]) -> None:
    if differences:
        more = f", and {len(differences) - _SHOWN:,} more" if len(differences) > _SHOWN else ""
        raise UserFacingError(
            f"The weights are of another network: {'; '.join(differences[:_SHOWN])}{more}. "
            "Choose the network they were made for.",
            code="weights",
        )


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"
