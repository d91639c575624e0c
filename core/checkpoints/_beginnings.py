"""What a fit makes of the model that it begins with: one network, of the means or with the Gaussians around them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from core.backbones._heads import Standardise
from core.backbones._network import StagedNetwork
from core.errors import UserFacingError

if TYPE_CHECKING:
    from core.checkpoints.saved import Model

_STANDARD = "standardise."
_OF_GAUSSIANS = ("rho_", "prior_mean_", "prior_sigma_")


def plain_network(model: Model) -> StagedNetwork:
    """The network that a model of one network is: its own, or the one it began with under its trained head.

    Gaussian weights are their means there.
    """
    state = model.state
    part = next((getattr(state, name) for name in ("model", "head") if hasattr(state, name)), None)
    if isinstance(part, StagedNetwork):
        return part
    if not isinstance(part, nn.Module):
        raise UserFacingError(
            f"{model.name} is several networks at once; begin with a model that is one, such as a deterministic one.",
            code="several-networks",
        )
    network = copy.deepcopy(model.network).to("cpu")
    try:
        network.head.load_state_dict(_means(part))
    except RuntimeError as error:
        raise UserFacingError(
            f"The head of {model.name} is not a plain one; begin with a deterministic model.", code="several-networks"
        ) from error
    return network


def regrown(source: StagedNetwork, target: StagedNetwork) -> StagedNetwork:
    """``target`` with all weights of ``source``; its last layer stays drawn where it is for other classes.

    Features may be standardised under a head that was not trained so: that is learned from the new data.
    """
    given, wanted = _means(source), target.state_dict()
    place = _last_of(target)
    last = [name for name in wanted if name.rpartition(".")[0] == place]
    fits = all(name in given and given[name].shape == wanted[name].shape for name in last)
    chosen = {name: tensor for name, tensor in given.items() if fits or name not in last}
    strange = [name for name in chosen if name not in wanted or chosen[name].shape != wanted[name].shape]
    known = any(name.startswith(_STANDARD) for name in given)
    apart = set() if known else {name for name in wanted if name.startswith(_STANDARD)}
    if strange or any(name not in chosen for name in wanted if name not in apart and (fits or name not in last)):
        raise UserFacingError(
            f"The trained network does not fit this backbone's settings ({(strange or ['some layers'])[0]}); leave the "
            "backbone's settings as they were when it was trained.",
            code="weights",
        )
    target.load_state_dict(chosen, strict=False)
    return cast(StagedNetwork, _given(target, known).freeze())


def still_random(model: Model, built: StagedNetwork) -> StagedNetwork:
    """A Flipout network as it was trained, on which only a last layer of other classes is new and plain."""
    network = model.state.model
    old, new = (each.get_submodule(_last_of(each)) for each in (network, built))
    if old.weight.shape == new.weight.shape:
        return _given(network, True)
    return cast(StagedNetwork, _given(copy.deepcopy(network, {id(old): new}), True).freeze())


def _given(network: StagedNetwork, known: bool) -> StagedNetwork:
    """Say whether what standardises the features learned that already."""
    for layer in network.head.modules():
        if isinstance(layer, Standardise):
            layer.given = known
    return network


def _means(module: nn.Module) -> dict[str, Tensor]:
    """The weights of a plain module: those with a Gaussian around them are its means."""
    found = module.state_dict()
    return {name: found[name] for name in found if not name.rpartition(".")[2].startswith(_OF_GAUSSIANS)}


def _last_of(network: StagedNetwork) -> str:
    """The dotted name of the last linear layer of the head."""
    names = {id(part): name for name, part in network.named_modules()}
    last = next(part for part in reversed(list(network.head.modules())) if isinstance(part, nn.Linear))
    return names[id(last)]
