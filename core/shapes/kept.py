"""Trained fields of one kind of shape on disk: the networks that they share once, and each method's State.

A folder holds ``model.safetensors`` and a card that says how every field is put together; matrices are float16. The
same folder gives the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import registry
from core.configs import from_json, to_json
from core.errors import StoreError
from core.fingerprint import torch_generator
from core.methods._contract import FitContext, Method, frozen
from core.methods._held import Held, held_by, restored
from core.shapes.fields import Field, Part
from core.shapes.networks import FieldNetwork, build
from core.shapes.plan import FieldConfig
from core.store import artifacts


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    card: Mapping[str, Any]
    fields: Mapping[str, Field]


def save(folder: Path, fields: Mapping[str, Field], card: Mapping[str, Any]) -> None:
    """Replaces what was there as one. ``card`` is what else there is to say."""
    networks: list[FieldNetwork] = []
    tensors: dict[str, Tensor] = {}
    told = {}
    for key, field in fields.items():
        parts = []
        for part in field.parts:
            place = next((n for n, one in enumerate(networks) if one is part.network), len(networks))
            if place == len(networks):
                networks.append(part.network)
                tensors |= {f"network.{place}.{name}": t for name, t in part.network.encoder.state_dict().items()}
            held = held_by(part.state)
            tensors |= {f"state.{_slug(key)}.{len(parts)}.{path}": t for path, t in held.tensors.items()}
            parts.append(
                {
                    "network": place,
                    "method": part.method.key,
                    "config": to_json(part.state.config),
                    "context": to_json(part.state.context),
                    "facts": dict(held.facts),
                }
            )
        told[key] = {"draws": field.draws, "parts": parts}
    record = {**card, "network": to_json(networks[0].config), "networks": len(networks), "fields": told}
    artifacts.save(folder, {"model": {name: _array(tensor) for name, tensor in tensors.items()}}, record)


def load(folder: Path) -> Kept:
    artifact = artifacts.load(folder)
    card = artifact.card
    try:
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in artifact.tensors().items()}
        config = from_json(FieldConfig, card["network"])
        networks = [_network(config, _under(tensors, f"network.{place}.")) for place in range(card["networks"])]
        fields = {key: _field(key, told, networks, tensors) for key, told in card["fields"].items()}
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"The weights of {folder.name!r} do not fit its card: {error}.", code="damaged") from error
    return Kept(card, fields)


def _network(config: FieldConfig, encoder: Mapping[str, Tensor]) -> FieldNetwork:
    network = build(config, "kept")
    network.encoder.load_state_dict(dict(encoder))
    return network


def _field(key: str, told: Mapping[str, Any], networks: list[FieldNetwork], tensors: Mapping[str, Tensor]) -> Field:
    parts = []
    for number, one in enumerate(told["parts"]):
        method: Method[Any, Any] = registry.pick("core.methods", "METHOD", one["method"])
        network = networks[one["network"]]
        config, context = from_json(method.Config, one["config"]), from_json(FitContext, one["context"])
        state = method.finish(method.init(config, network, context, torch_generator("kept")))
        held = Held(_under(tensors, f"state.{_slug(key)}.{number}."), one["facts"])
        parts.append(Part(network, method, frozen(restored(state, held))))
    return Field(tuple(parts), int(told["draws"]))


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _slug(key: str) -> str:
    return key.replace(" ", "-")


def _array(tensor: Tensor) -> np.ndarray:
    matrix = tensor.ndim > 1 and tensor.is_floating_point()
    return (tensor.half() if matrix else tensor).detach().cpu().numpy()
