"""From what was read to a model in a folder, whole or not there; the original file is never touched."""

from __future__ import annotations

import platform
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core import registry
from core.backbones._entry import PictureEntry, SoundEntry
from core.backbones._network import StagedNetwork
from core.backbones._size import describe
from core.checkpoints.card import Card, Start, TrainedOn
from core.checkpoints.foreign import PACKAGE
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._contract import Foreign, Format
from core.checkpoints.foreign._refusal import ForeignError
from core.checkpoints.foreign._tensors import open_file
from core.checkpoints.saved import Model, begun, save_model
from core.checkpoints.weights import write_tensors
from core.configs import to_json
from core.fingerprint import sha256_of_file, torch_generator
from core.methods._contract import Method, frozen
from core.methods._held import Held, held_by, restored
from core.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A file with its identity."""

    format: Format
    sha256: str
    foreign: Foreign


def read(path: Path, format_key: str, asked: Asked) -> Read:
    """Look at one file; nothing is written."""
    chosen: Format = registry.pick(PACKAGE, "FORMAT", format_key.replace("-", "_"))
    opened = open_file(path)
    return Read(chosen, sha256_of_file(path), chosen.read(opened, asked))


def model_of(found: Read, name: str, folder: Path) -> Model:
    """A model that answers. ``folder`` is for a file that lives no longer than this call."""
    foreign = found.foreign
    assert foreign.method is not None
    spec = registry.pick("core.backbones", "BACKBONE", foreign.backbone)
    method: Method[Any, Any] = registry.pick("core.methods", "METHOD", foreign.method)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "network.safetensors"
        write_tensors(path, foreign.tensors)
        generator = torch_generator("network", 0)
        network = spec.build(len(foreign.classes), generator, config=foreign.network_config, weights=path)
    size = describe(network, _example(network))
    card = Card(
        name=name,
        kind=network.kind,
        task=foreign.task,
        backbone=foreign.backbone,
        method=foreign.method,
        scope=foreign.method_config.scope,
        classes=foreign.classes,
        start=Start(foreign.backbone, to_json(foreign.network_config), "stored", found.sha256),
        method_config=to_json(foreign.method_config),
        method_version=method.version,
        n_train=1,  # not known; only further fitting would ask
        seed=0,
        params=size.params,
        macs=size.macs,
        trained_on=foreign.trained_on or "not known",
        data=TrainedOn("", foreign.trained_on or "not known", foreign.licence),
        command=f"python -m core import FILE --format {found.format.key.replace('_', '-')} --name {name}",
        notes=(f"imported from a file with sha256 {found.sha256}", *foreign.notes),
        created=time.strftime("%Y-%m-%d", time.gmtime()),
        versions={"python": platform.python_version(), "torch": torch.__version__},
    )
    state = begun(method, card, network)
    base = held_by(state)
    if strange := [path for path in foreign.held if path not in base.tensors]:
        raise ForeignError(f"The method {method.title} has no place for {strange[0]}.", code="weights")
    try:
        state = restored(state, Held({**base.tensors, **foreign.held}, base.facts))
    except ValueError as error:
        raise ForeignError(f"The weights do not fit the method {method.title}: {error}.", code="weights") from error
    return Model(card, network, method, frozen(state))


def save(found: Read, name: str, settings: Settings, *, replace: bool = False) -> Path:
    """A model among the user's own; a network without classes becomes weights to begin training with."""
    foreign = found.foreign
    if foreign.method is None:
        path = settings.home / "weights" / f"{name}.safetensors"
        _refuse_taken(path, name, replace)
        write_tensors(path, foreign.tensors)
        return path
    folder = settings.models / name
    _refuse_taken(folder, name, replace)
    settings.models.mkdir(parents=True, exist_ok=True)
    parts: dict[str, dict[str, Tensor]] = {"network": dict(foreign.tensors)}
    save_model(folder, model_of(found, name, settings.models), parts)
    return folder


def _refuse_taken(path: Path, name: str, replace: bool) -> None:
    if path.exists() and not replace:
        raise ForeignError(f"The name {name!r} is taken; choose another, or add --replace.", code="taken")


def _example(network: StagedNetwork) -> Tensor:
    entry = network.entry
    if isinstance(entry, SoundEntry):
        return torch.zeros(1, entry.samples)
    assert isinstance(entry, PictureEntry)
    return torch.zeros(1, 3, *entry.size)
