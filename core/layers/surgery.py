"""Converted copies of networks: layers replaced by their Bayesian or masked twins, the source untouched.

A layer's noise is fixed by its dotted name in the whole network; when converting a part, say where it hangs
(``prefix``). New parameters train, all others keep their ``requires_grad``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from core.errors import UserFacingError
from core.layers._posterior import FlipoutOptions, Reduction
from core.layers.bayesnorm import BayesNorm, NoiseShape, is_normalisation
from core.layers.flipout import (
    FlipoutConv1d,
    FlipoutConv2d,
    FlipoutConv3d,
    FlipoutLayer,
    FlipoutLinear,
    pads_same,
)
from core.layers.masks import MaskedDropout, MemberMask

AnyModule = TypeVar("AnyModule", bound=nn.Module)
_FLIPOUT = {
    nn.Linear: FlipoutLinear,
    nn.Conv1d: FlipoutConv1d,
    nn.Conv2d: FlipoutConv2d,
    nn.Conv3d: FlipoutConv3d,
}
_DROPOUTS = {nn.Dropout: False, nn.Dropout1d: True, nn.Dropout2d: True, nn.Dropout3d: True}  # -> channelwise


def to_flipout(
    module: AnyModule,
    options: FlipoutOptions = FlipoutOptions(),  # noqa: B008  frozen
    *,
    where: str = "all",
    generator: torch.Generator | None = None,
    prefix: str = "",
    share: bool = False,
) -> AnyModule:
    """A copy whose chosen linear and convolutional layers have Gaussian weights. Those that have them keep them."""
    found = [(name, layer) for name, layer in _layers(module, prefix) if _weighted(layer)]
    if not found:
        if any(isinstance(layer, FlipoutLayer) for layer in module.modules()):
            return _with(module, {}, share)  # all of it is random already
        raise UserFacingError(
            "Flipout needs a linear or convolutional layer, and this network has none. "
            "Use a method that needs no such layer: an ensemble, temperature scaling or a density score.",
            code="layer",
        )
    made: dict[nn.Module, nn.Module] = {}
    for name, layer in choose(found, where, module, prefix):
        twin = _flipout_of(layer)
        if twin is None:
            raise UserFacingError(
                f"The layer {name} ({type(layer).__name__}) has an arithmetic of its own, which Flipout cannot follow. "
                f"Convert other layers ({WHERE}), or use MC dropout or an ensemble.",
                code="layer",
            )
        made[layer] = twin.from_deterministic(layer, name, options, generator)
    return _with(module, made, share)


def to_bayesnorm(
    module: AnyModule,
    *,
    alpha: float = 0.01,
    noise: NoiseShape = "channel",
    where: str = "all",
    prefix: str = "",
    share: bool = False,
) -> AnyModule:
    """A copy whose chosen normalisation layers have a random scale."""
    found = [(name, layer) for name, layer in _layers(module, prefix) if is_normalisation(layer)]
    if not found:
        raise UserFacingError(
            "Bayesian normalisation needs a batch, layer, instance or group normalisation, and this network has none. "
            "Use MC dropout, Flipout or an ensemble, or a backbone with normalisation layers.",
            code="layer",
        )
    chosen = choose(found, where, module, prefix)
    made = {layer: BayesNorm(layer, name, alpha=alpha, noise=noise) for name, layer in chosen}
    return _with(module, dict(made), share)


def to_masked_dropout(module: AnyModule, *, prefix: str = "", share: bool = False) -> AnyModule:
    """A copy whose torch dropout layers draw their masks from the noise context."""
    found = [(name, layer) for name, layer in _layers(module, prefix) if type(layer) in _DROPOUTS]
    made: dict[nn.Module, nn.Module] = {}
    for name, layer in found:
        made[layer] = MaskedDropout(float(layer.p), name, channelwise=_DROPOUTS[type(layer)])  # type: ignore[attr-defined]
    return _with(module, made, share)


def to_member(
    module: AnyModule, shapes: dict[str, tuple[int, ...]], member: int, seed: int, *, share: bool = False
) -> AnyModule:
    """A copy thinned by one member's fixed masks. ``shapes`` are those of ``mask_shapes``."""
    made: dict[nn.Module, nn.Module] = {}
    for site in module.modules():
        if isinstance(site, MaskedDropout) and site.name in shapes:
            made[site] = MemberMask.draw(site, shapes[site.name], member, seed)
    if not made:
        raise UserFacingError(
            "Member masks need dropout sites, and this network has none that are used. "
            "Use an ensemble, or a backbone with dropout.",
            code="layer",
        )
    return _with(module, made, share)


def mask_shapes(module: nn.Module, run: Callable[[], object]) -> dict[str, tuple[int, ...]]:
    """The mask's shape at every dropout site that ``run`` (one forward pass) goes through."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(site: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(site, MaskedDropout)
        shapes[site.name] = site.mask_shape(inputs[0])

    hooks = [site.register_forward_pre_hook(note) for site in module.modules() if isinstance(site, MaskedDropout)]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return shapes


def total_kl(module: nn.Module, reduction: Reduction = "sum", *, training: bool = False) -> Tensor:
    """KL of all Bayesian weights: "sum" is the evidence bound's, "mean" is bayesian-torch's (means, summed).

    ``training``: only of the layers that train, for what a fixed layer costs never changes.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, FlipoutLayer)]
    if not layers:
        raise ValueError("this network has no Bayesian weights, so its KL is not defined")
    if training:
        layers = [layer for layer in layers if layer.weight.requires_grad] or layers
    terms = [layer.kl(reduction) for layer in layers]
    return torch.stack([term.to(terms[0].device) for term in terms]).sum()


WHERE = "all, first N, last N, every N, or stage NAME ..."


def choose(
    found: list[tuple[str, nn.Module]], where: str, module: nn.Module, prefix: str = ""
) -> list[tuple[str, nn.Module]]:
    """Some of the layers, in the order of the network: ``where`` is one of WHERE."""
    word, *rest = where.split() or [""]
    if word == "stage" and rest:
        inside, known = _stage_members(module, rest, prefix)
        chosen = [(name, layer) for name, layer in found if layer in inside]
        if not chosen:
            raise UserFacingError(
                f"The stages {' '.join(rest)} hold no layer to convert; this network's stages are {', '.join(known)}.",
                code="where",
            )
        return chosen
    count = int(rest[0]) if len(rest) == 1 and rest[0].isdigit() else 1 if not rest else 0
    if where == "all":
        return found
    if word == "first" and count:
        return found[:count]
    if word == "last" and count:
        return found[-count:]
    if word == "every" and rest and count:
        return found[::count]
    raise UserFacingError(f"Which layers to convert was given as {where!r}; use {WHERE}.", code="where")


def _stage_members(module: nn.Module, wanted: list[str], prefix: str) -> tuple[set[nn.Module], list[str]]:
    stages = getattr(module, "stages", None)
    stages = dict(stages if isinstance(stages, tuple) else module.named_children())
    if isinstance(head := getattr(module, "head", None), nn.Module):
        stages.setdefault("head", head)
    unknown = [name for name in wanted if name not in stages]
    if unknown:
        place = f" of {prefix}" if prefix else ""
        raise UserFacingError(
            f"There is no stage {unknown[0]}{place}; this network's stages are {', '.join(stages)}.", code="where"
        )
    return {layer for name in wanted for layer in stages[name].modules()}, list(stages)


def _layers(module: nn.Module, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    """Every distinct module with its dotted name in the whole network, but for what attention layers hold inside:
    torch's nn.MultiheadAttention reads the weights of its parts and never calls them."""
    closed: set[nn.Module] = set()
    for name, layer in module.named_modules(prefix=prefix):
        if isinstance(layer, nn.MultiheadAttention):
            closed |= set(layer.modules())
        if layer not in closed:
            yield name, layer


def _weighted(layer: nn.Module) -> bool:
    return isinstance(layer, tuple(_FLIPOUT)) and not isinstance(layer, FlipoutLayer)


def _flipout_of(layer: nn.Module) -> Any:
    """The Flipout twin; None for a subclass that computes something else."""
    for kind, twin in _FLIPOUT.items():
        if isinstance(layer, kind) and (type(layer).forward is kind.forward or pads_same(layer)):
            return twin
    return None


def _with(module: AnyModule, made: dict[nn.Module, nn.Module], share: bool) -> AnyModule:
    """A deep copy in which some modules are others. With ``share`` it holds the source's frozen tensors themselves."""
    memo: dict[int, object] = {id(old): new for old, new in made.items()}
    if share:
        memo |= {id(tensor): tensor for tensor in module.parameters() if not tensor.requires_grad}
        memo |= {id(tensor): tensor for part in module.modules() if not part.training for tensor in part.buffers(False)}
    return copy.deepcopy(module, memo)
