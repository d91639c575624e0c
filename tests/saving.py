"""Models of every method on backbones that can be built again, fitted for a moment on made-up inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.backbones._heads import Standardise
from core.backbones._network import StagedNetwork
from core.checkpoints import density
from core.checkpoints.card import Card, Start, TrainedOn
from core.checkpoints.saved import Model, network_of
from core.configs import to_json
from core.contracts import Predictive, Scope, Task
from core.methods._contract import FitContext
from core.settings import Settings
from core.training.augment import Augment
from core.training.examples import Examples, InMemory
from core.training.loop import Fit, fit
from core.training.schedule import Schedule
from tests.fits import METHODS
from tests.tiny import as_labels, keys_for

ITEMS = 48
CLASSES = ("a", "b", "c")
TOY = Start("toy", {"kind": "image", "hidden": 8}, seed=5)
RESNET = Start("resnet32", {"blocks": 1, "width": 4}, seed=5)
MEL = {"rate": 8000, "n_fft": 256, "hop": 160, "mels": 16, "f_min": 50.0, "f_max": 4000.0}
CONVNET = Start("convnet", {"seconds": 0.5, "mel": MEL, "widths": [4, 8], "hidden": 8}, seed=5)
SMALL: dict[str, dict[str, Any]] = {key: {"members": 2} for key in ("abnn", "ensemble", "dropsembles")}


def start_for(key: str, scope: str) -> Start:
    """A head needs no network to speak of; dropout over a network needs one that has some."""
    if scope == "head":
        return TOY
    return CONVNET if key in ("mc_dropout", "dropsembles") else RESNET


def inputs_for(network: StagedNetwork, seed: int = 0) -> tuple[Tensor, Tensor]:
    """One picture or sound a class, and noise."""
    shape = (3, 32, 32) if network.kind == "image" else (4000,)
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(len(CLASSES), *shape, generator=torch.Generator().manual_seed(77))
    labels = torch.arange(ITEMS) % len(CLASSES)
    noise = torch.randn(ITEMS, *shape, generator=generator)
    return (patterns[labels] + 0.7 * noise) * (1.0 if network.kind == "image" else 0.1), labels


@dataclass(frozen=True, eq=False)
class Made:
    model: Model
    inputs: Tensor  # of other items, as the network takes them
    keys: Tensor
    labels: Tensor

    def answer(self, model: Model, draws: int = 5) -> Predictive:
        read = self.inputs
        if model.card.scope == "head":
            with torch.no_grad():
                read = model.network.embed(read)
        return model.method.predict(model.state, read, self.keys, draws=draws, seed=4)


def made(
    settings: Settings,
    key: str,
    scope: Scope,
    *,
    task: Task = "multiclass",
    start: Start | None = None,
    name: str = "made",
    epochs: int = 6,
    **options: Any,
) -> Made:
    """A fitted model that is not saved yet."""
    method = METHODS[key]
    config = method.Config(scope=scope, **{**SMALL.get(key, {}), **options})
    start = start or start_for(key, scope)
    network = network_of(start, len(CLASSES), settings)
    inputs, labels = inputs_for(network)
    labels = as_labels(labels, len(CLASSES), task)
    with torch.no_grad():
        features = network.embed(inputs)
    for layer in network.head.modules():
        if isinstance(layer, Standardise) and start.weights != "model":
            layer.learn(features)
    train = Examples(InMemory(features if scope == "head" else inputs), labels, keys_for(ITEMS))
    context = FitContext(task, len(CLASSES), ITEMS, seed=2)
    schedule = Schedule(epochs=epochs, batch=16, rate=0.01)
    fitted = fit(Fit(method, config, network, context, train, schedule, Augment()))
    card = Card(
        name=name,
        kind=network.kind,
        task=task,
        backbone=start.backbone,
        method=key,
        scope=scope,
        classes=CLASSES,
        start=start,
        method_config=to_json(config),
        method_version=method.version,
        n_train=ITEMS,
        seed=2,
        params=1,
        macs=None,
        trained_on="Made",
        data=TrainedOn("made", "Made", "none"),
    )
    model = Model(card, network, method, fitted.state, density.fitted(features, labels))
    others, kinds = inputs_for(network, seed=1)
    return Made(model, others, keys_for(ITEMS, 500), kinds)


def renamed(found: Made, **changes: Any) -> Made:
    return replace(found, model=replace(found.model, card=replace(found.model.card, **changes)))
