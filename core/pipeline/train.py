"""From a plan to a trained model in a folder: read, divide, prepare, fit, judge on what was held out, save."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core import registry
from core.backbones._heads import Standardise
from core.backbones._network import StagedNetwork
from core.backbones._size import describe
from core.checkpoints import density
from core.checkpoints.card import Card, Cost, Start, TrainedOn
from core.checkpoints.saved import Model, network_of, places, save_model
from core.configs import to_json, with_settings
from core.contracts import Dataset, DatasetSpec, Progress, no_progress
from core.data import open_source
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.methods._contract import FitContext, Method
from core.settings import Settings
from core.store import artifacts
from core.training import cache, hooks
from core.training.balance import weighed
from core.training.divide import Sides, divided, narrowed
from core.training.examples import Examples
from core.training.loop import Fit, Fitted, fabric_of, fit
from core.training.plan import Plan, refuse_odd
from core.training.prepared import PreparedSet, prepare, rows_where


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A plan with its data read and its network built."""

    plan: Plan
    dataset: Dataset
    sides: Sides
    prepared: PreparedSet
    network: StagedNetwork
    start: Start
    method: Method[Any, Any]
    config: Any
    examples: dict[str, Examples]  # train, validation, test: features in scope head, else network inputs
    device: str

    @property
    def context(self) -> FitContext:
        return FitContext(self.dataset.task, len(self.dataset.classes), len(self.examples["train"]), self.plan.seed)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    model: Model
    ready: Ready
    fitted: Fitted


def ready(
    plan: Plan, settings: Settings, *, device: str = "cpu", copy: Path | None = None, progress: Progress = no_progress
) -> Ready:
    """Everything before the first update. What was read and computed before is found again."""
    refuse_odd(plan)
    if plan.data in registry.keys("core.data") and copy is None:
        spec: DatasetSpec = registry.pick("core.data", "DATASET", plan.data)
        if spec.prepare is not None:
            spec.prepare(settings, progress)  # once; reading would render every item anew
    dataset = narrowed(open_source(plan.data, settings, copy), plan.division.classes)
    sides = divided(dataset, plan.division)
    method: Method[Any, Any] = registry.pick("core.methods", "METHOD", plan.method)
    config = config_of(plan, method)
    start = start_of(plan)
    network = network_of(start, len(dataset.classes), settings)
    if dataset.kind != network.kind:
        raise UserFacingError(
            f"{dataset.title} is of the kind {dataset.kind}, and {plan.backbone} takes the kind {network.kind}; choose "
            "another backbone or another data set.",
            code="kind",
        )
    prepared = prepare(dataset, network, settings, dataset.task, progress)
    found = Ready(plan, dataset, sides, prepared, network, start, method, config, {}, device)
    return replace(found, examples=_examples(found, settings, progress))


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
    fabric = fabric_of(plan.schedule, device, devices, nodes)
    fitted = fit(wanted, settings.runs / name, fabric=fabric, progress=progress, stop=stop)
    return Trained(model_of(found, fitted, name), found, fitted)


def fit_of(found: Ready, settings: Settings) -> Fit:
    train_examples = found.examples["train"]
    weights = cache.weights_mark((*found.network.stages, ("head", found.network.head)))
    identity = fingerprint(found.prepared.fingerprint, found.plan, found.dataset.classes, weights)
    return Fit(
        found.method,
        found.config,
        found.network,
        weighed(found.context, train_examples.labels, found.plan.schedule),
        train_examples,
        found.plan.schedule,
        found.plan.augment,
        found.examples.get("validation"),
        hooks.prepare_of(found.plan, found.network, train_examples, found.sides.train, found.context, settings),
        identity,
        frozen_below=found.plan.fit == "fixed" and found.config.scope == "network",
    )


def config_of(plan: Plan, method: Method[Any, Any]) -> Any:
    """The method's settings. Fixed features are the head's scope where a method has one."""
    scope = "head" if plan.fit == "fixed" and "head" in method.scopes else method.scopes[0]
    if plan.fit == "fine-tuned" and "network" in method.scopes:
        scope = "network"
    return with_settings(method.Config(scope=scope), plan.config)


def start_of(plan: Plan) -> Start:
    spec = registry.pick("core.backbones", "BACKBONE", plan.backbone)
    config = to_json(with_settings(spec.Config(), plan.network))
    if plan.start in ("drawn", "published"):
        if "pretrained" in config:
            config["pretrained"] = plan.start == "published"
        return Start(plan.backbone, config, plan.start, seed=plan.seed, head=plan.head)  # type: ignore[arg-type]
    return Start(plan.backbone, config, "model", model=plan.start, seed=plan.seed, head=plan.head)


def _examples(found: Ready, settings: Settings, progress: Progress) -> dict[str, Examples]:
    """The sides as the method reads them; sides without items are left out.

    Features are made of all items at once, so that other divisions of the same data find them again.
    """
    sides = {"train": found.sides.train, "validation": found.sides.validation, "test": found.sides.test}
    chosen = {name: {item.id for item in items} for name, items in sides.items() if items}
    rows = {name: rows_where(found.prepared.items, ids) for name, ids in chosen.items()}
    whole = found.prepared.examples
    if found.config.scope == "network":
        return {name: whole.part(some) for name, some in rows.items()}
    identity = fingerprint(
        found.prepared.fingerprint, found.prepared.examples.ids, found.start.backbone, found.start.config
    )
    given = {"identity": identity, "device": found.device, "progress": progress}
    clean, _ = cache.features(found.network, whole, settings, **given)
    seen, plan = clean, found.plan
    if plan.views > 1:
        seen, _ = cache.features(
            found.network, whole, settings, augment=plan.augment, views=plan.views, seed=plan.seed, **given
        )
    inputs = {name: seen if name == "train" else clean for name in rows}
    ready = {name: whole.with_inputs(inputs[name]).part(some) for name, some in rows.items()}
    layer = next((part for part in found.network.head.modules() if isinstance(part, Standardise)), None)
    if layer is not None and found.start.weights != "model":
        every = torch.arange(len(ready["train"]))
        layer.learn(torch.cat([ready["train"].inputs.take(every, view) for view in range(plan.views)]))
    return ready


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
        cost=Cost(round(fitted.seconds, 2), hardware(found.device), _peak_memory()),
        recipe=to_json(plan),
        created=time.strftime("%Y-%m-%d", time.gmtime()),
        versions={"python": platform.python_version(), "torch": torch.__version__},
    )
    model = Model(card, found.network, found.method, fitted.state)
    return replace(
        model, density=density.fitted(features_of(model, found.examples["train"]), found.examples["train"].labels)
    )


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
    save_model(folder, trained.model, parts or {}, half=trained.ready.plan.half)
    return folder


def hardware(device: str) -> str:
    from core.device import choose

    cores = f"{torch.get_num_threads()} CPU threads"
    return cores if device == "cpu" else choose(device).title


def _peak_memory() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)
