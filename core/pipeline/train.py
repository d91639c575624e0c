"""From a plan to a trained model in a folder: read, divide, prepare, fit, judge on what was held out, save."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.backbones._size import describe
from core.checkpoints import density
from core.checkpoints.card import Card, Cost, TrainedOn
from core.checkpoints.folders import places
from core.checkpoints.saved import Model, save_model
from core.configs import to_json
from core.contracts import Progress, no_progress
from core.device import hardware
from core.methods._contract import modules_of
from core.pipeline.ready import Ready, fit_of, ready
from core.settings import Settings
from core.store import artifacts
from core.training.examples import Examples
from core.training.loop import Fitted, fabric_of, fit
from core.training.plan import Plan
from core.training.run_files import ABOUT, write
from core.training.stopping import stopped_gently


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    model: Model
    ready: Ready
    fitted: Fitted


def train(
    plan: Plan,
    name: str,
    settings: Settings,
    *,
    device: str = "cpu",
    devices: int = 1,
    nodes: int = 1,
    copy: Path | None = None,
    progress: Progress = no_progress,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """A fit that is resumed where its last checkpoint under this name is."""
    artifacts.check_name_of(name)
    found = ready(plan, settings, device=device, copy=copy, progress=progress)
    wanted = fit_of(found, settings)
    write(_folder(name, settings) / ABOUT, _about(found))
    fabric = fabric_of(plan.schedule, device, devices, nodes)
    with stopped_gently() as asked:
        fitted = fit(wanted, settings.runs / name, fabric=fabric, progress=progress, stop=lambda: stop() or asked())
    return Trained(model_of(found, fitted, name), found, fitted)


def _folder(name: str, settings: Settings) -> Path:
    folder = settings.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _about(found: Ready) -> dict[str, Any]:
    """What a page shows of a training while it runs."""
    return {
        "title": found.dataset.title,
        "kind": found.dataset.kind,
        "task": found.dataset.task,
        "classes": list(found.dataset.classes),
        "items": {name: len(examples) for name, examples in found.examples.items()},
        "division": found.sides.note,
        "method": found.method.title,
        "scope": found.config.scope,
        "gathers": found.method.single_pass,
        "unread": len(found.prepared.problems),
        "hardware": hardware(found.device),
    }


def model_of(found: Ready, fitted: Fitted, name: str) -> Model:
    """The trained model with the parts of its card that the training knows."""
    plan, dataset, config = found.plan, found.dataset, found.config
    size = describe(found.network, found.prepared.examples.inputs.take(torch.tensor([0]), 0))
    division = plan.division
    folded = division.by == "fold"
    aside = {division.test_fold, division.validation_fold}
    data = TrainedOn(
        key=dataset.key,
        title=dataset.title,
        licence=dataset.licence,
        fingerprint=found.prepared.fingerprint,
        train=len(found.examples["train"]),
        validation=len(found.examples.get("validation", ())),
        test=len(found.examples.get("test", ())),
        test_fold=division.test_fold if folded else None,
        validation_fold=division.validation_fold if folded else None,
        train_folds=tuple(sorted({i.fold for i in dataset.items if i.fold is not None} - aside)) if folded else (),
        note=found.sides.note,
    )
    card = Card(
        name=name,
        kind=found.network.kind,
        task=dataset.task,
        backbone=plan.backbone,
        method=plan.method,
        scope=config.scope,
        classes=dataset.classes,
        start=found.start,
        method_config=to_json(config),
        method_version=found.method.version,
        n_train=len(found.examples["train"]),
        seed=plan.seed,
        params=size.params,
        macs=size.macs,
        trained_on=dataset.title,
        data=data,
        cost=Cost(round(fitted.seconds, 2), hardware(found.device), fitted.memory),
        recipe=to_json(plan),
        created=time.strftime("%Y-%m-%d", time.gmtime()),
        versions={"python": platform.python_version(), "torch": torch.__version__},
    )
    network = found.network.to(_device(fitted.state))  # where the state answers
    model = Model(card, network, found.method, fitted.state)
    return replace(
        model, density=density.fitted(features_of(model, found.examples["train"]), found.examples["train"].labels)
    )


def _device(state: Any) -> torch.device:
    parameters = (parameter for module in modules_of(state) for parameter in module.parameters())
    return next((parameter.device for parameter in parameters), torch.device("cpu"))


def features_of(model: Model, examples: Examples) -> Tensor:
    """What the density is made from: features of the clean items, or of the first view."""
    from core.checkpoints.answering import features_of as embedded

    return embedded(model, examples)


def save(trained: Trained, settings: Settings, *, shipped: bool = False, parts: dict[str, Any] | None = None) -> Path:
    """Into the user's own models, or among those that come with the app. Of several processes one saves."""
    own, ours = places(settings)
    folder = (ours if shipped else own) / trained.model.name
    if not trained.fitted.leads:
        return folder
    save_model(folder, trained.model, parts or {}, numbers=trained.ready.plan.numbers)
    return folder
