"""Saving and loading trained models. Only what differs from the network a method began with is stored."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import registry
from core.backbones._heads import Standardise, standardised
from core.backbones._network import StagedNetwork
from core.checkpoints._beginnings import plain_network, regrown, still_random
from core.checkpoints.card import Card, Start, card_of
from core.checkpoints.density import Density, of_tensors
from core.checkpoints.folders import WEIGHTS, find, lender_of, mark_of, places, without_weights
from core.checkpoints.rounding import Numbers, decoded, encoded, rounded
from core.configs import from_json
from core.errors import StoreError
from core.fingerprint import torch_generator
from core.methods._contract import FitContext, Method, frozen
from core.methods._held import Held, held_by, moved, restored
from core.settings import Settings
from core.store import artifacts

MOST_SHIPPED = 15 << 20  # bytes of a file that comes with the app
_LEFT_OUT = ("prior_mean_", "prior_sigma_")  # of Flipout: fitting alone needs them, and ``init`` makes them again
_EMPTY = "nothing"  # the one tensor of a model that is all in its beginnings
_DEEPEST = 5  # models that begin with models


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A trained model that answers."""

    card: Card
    network: StagedNetwork  # what the method began with; its ``prepare`` and, in scope head, its features are used
    method: Method[Any, Any]
    state: Any
    density: Density | None = None

    @property
    def name(self) -> str:
        return self.card.name


def _found(start: Start, settings: Settings) -> Path:
    """The folder of the model that a start means, and no other one of its name."""
    assert start.model is not None
    first = find(start.model, settings)
    if start.sha256 is None:
        return first
    for folder in (first, *(place / start.model for place in places(settings))):
        if (folder / artifacts.CARD).is_file() and mark_of(folder) == start.sha256:
            return folder
    raise StoreError(
        f"The model {start.model!r} was trained again since another one began with it; train that one again too.",
        code="changed",
    )


def load_model(name: str, settings: Settings, device: str = "cpu") -> Model:
    """Frozen, in eval, on the device; the same folder gives the same answers bit for bit."""
    return _load(find(name, settings), settings, device, 0)


def _load(folder: Path, settings: Settings, device: str, depth: int) -> Model:
    name = folder.name
    if depth > _DEEPEST:
        raise StoreError(f"The model {name!r} begins with itself; train it again.", code="damaged")
    artifact = artifacts.load(folder)
    if apart := without_weights({**artifact.card, "files": artifact.files}):
        raise StoreError(f"The model {name!r} cannot be asked: {apart}.", code="no-weights")
    card = card_of(artifact.card, name)
    network = network_of(card.start, len(card.classes), settings, _stored(artifact), depth)
    method: Method[Any, Any] = registry.pick("core.methods", "METHOD", card.method)
    state = begun(method, card, network)
    given = {path: tensor for path, tensor in decoded(artifact.tensors()).items() if path != _EMPTY}
    base = held_by(state).tensors
    filled = {path: given[path].to(tensor.dtype) if path in given else tensor for path, tensor in base.items()}
    wide = set(card.doubles)
    extra = {path: t.double() if path in wide else t for path, t in given.items() if path not in base}
    absent = {path for path, fact in card.facts.items() if fact is None}
    kept = {path: tensor for path, tensor in filled.items() if not _under(path, absent)}
    try:
        state = restored(state, Held({**kept, **extra}, card.facts))
    except ValueError as error:
        raise StoreError(f"The weights of the model {name!r} do not fit its card: {error}.", code="damaged") from error
    state = moved(frozen(state), device)
    network.to(device)
    density = of_tensors(artifact.tensors("density")) if "density" in artifact.files else None
    return Model(card, network, method, state, density)


def begun(method: Method[Any, Any], card: Card, network: StagedNetwork) -> Any:
    """The State as it was before the first update."""
    config = from_json(method.Config, card.method_config)
    context = FitContext(card.task, len(card.classes), card.n_train, card.seed)
    return method.init(config, network, context, torch_generator("init", card.seed))


def network_of(
    start: Start, classes: int, settings: Settings, stored: Path | None = None, depth: int = 0
) -> StagedNetwork:
    """The network a method began with."""
    spec = registry.pick("core.backbones", "BACKBONE", start.backbone)
    config = from_json(spec.Config, start.config)
    generator = torch_generator("network", start.seed)
    weights = stored if start.weights == "stored" else None
    if start.weights == "published" and start.backbone == "sfx":
        from core.checkpoints.weights import path_of

        weights = path_of("sfx", settings)
    built = spec.build(classes, generator, config=config, weights=weights)
    built = built if start.head == "own" else standardised(built, unit=start.head == "unit")
    if start.weights != "model":
        return built
    model = _load(_found(start, settings), settings, "cpu", depth + 1)
    if start.keeps == "posteriors":
        return still_random(model, built)
    return regrown(plain_network(model), built)


def save_model(
    folder: Path,
    model: Model,
    parts: Mapping[str, Mapping[str, Tensor]],
    *,
    numbers: Numbers = "float32",
    shipped: Path | None = None,
) -> Card:
    """``parts`` are further ones, such as what was held out.

    ``shipped`` is a second folder, for all of it where no file is too large to come with the app (then ``folder`` is
    left alone), else for all but the weights. What its plain neighbour holds as well is stored there alone.
    """
    card, held, tensors = model.card, held_by(model.state), _learned(model)
    stored = sum(tensor.numel() for tensor in tensors.values())
    arrays = encoded(tensors, numbers) or {_EMPTY: np.zeros(1, np.uint8)}
    written: dict[str, Mapping[str, np.ndarray]] = {"model": arrays}
    if model.density is not None:
        written["density"] = {name: tensor.numpy() for name, tensor in model.density.tensors().items()}
    if card.start.weights == "stored" and "network" not in parts:
        parts = {**parts, "network": _own_tensors(model.network)}
    written |= {name: {key: t.detach().cpu().numpy() for key, t in part.items()} for name, part in parts.items()}
    doubles = tuple(path for path, tensor in tensors.items() if tensor.dtype == torch.float64)
    card = replace(card, facts=dict(held.facts), doubles=doubles, cost=replace(card.cost, stored=stored))
    weights = {name: sum(array.nbytes for array in written.get(name, {}).values()) for name in WEIGHTS}
    if shipped is None or max(weights.values()) > MOST_SHIPPED:
        artifacts.save(folder, written, card.to_json())
        written = {name: arrays for name, arrays in written.items() if name not in WEIGHTS}
    if shipped is not None:
        artifacts.save(shipped, written, card.to_json(), lender=lender_of(card, shipped))
    return card


def as_stored(model: Model, numbers: Numbers) -> Model:
    """The model with its numbers rounded as ``save_model`` rounds them, so that what is judged is what is kept."""
    held = held_by(model.state)
    whole = {path: tensor.clone() for path, tensor in held.tensors.items()}
    return replace(model, state=restored(model.state, Held({**whole, **rounded(_learned(model), numbers)}, held.facts)))


def _learned(model: Model) -> dict[str, Tensor]:
    """What of a State is not in what it began with; only this is stored."""
    base = held_by(begun(model.method, model.card, _as_begun(model.network, model.card.start))).tensors
    return {
        path: tensor
        for path, tensor in held_by(model.state).tensors.items()
        if not any(word in path for word in _LEFT_OUT)
        and not path.endswith("num_batches_tracked")
        and (path not in base or not _same(tensor, base[path]))
    }


def _stored(artifact: artifacts.Artifact) -> Path | None:
    """The file of a foreign network, checked against the card before it is read."""
    if "network" not in artifact.files:
        return None
    artifact.tensors("network")
    return artifact.folder / "network.safetensors"


def _own_tensors(network: StagedNetwork) -> dict[str, Tensor]:
    """What the backbone's ``build`` takes back: all but what was put before its head."""
    left_out = ("standardise.", "num_batches_tracked")
    return {
        name: tensor
        for name, tensor in network.state_dict().items()
        if not name.startswith(left_out) and not name.endswith(left_out)
    }


def _copy(network: StagedNetwork) -> StagedNetwork:
    return copy.deepcopy(network).to("cpu")


def _as_begun(network: StagedNetwork, start: Start) -> StagedNetwork:
    """A copy that knows no more of the data than the one a reader will make."""
    network = _copy(network)
    for layer in network.head.modules():
        if start.head != "own" and isinstance(layer, Standardise) and not layer.given:
            layer.forget()
    return network


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.cpu(), other.cpu())


def _under(path: str, absent: set[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in absent)
