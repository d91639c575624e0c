"""Everything before the first update of a training: data read, divided and prepared, the network built."""

from __future__ import annotations

import copy as copy_module
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from core import registry
from core.backbones._heads import Standardise
from core.backbones._network import StagedNetwork
from core.checkpoints.card import Start
from core.checkpoints.saved import network_of
from core.configs import to_json, with_settings
from core.contracts import Dataset, DatasetSpec, Progress, no_progress
from core.data import open_source
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.methods import deterministic
from core.methods._contract import FitContext, Method
from core.settings import Settings
from core.training import cache
from core.training.augment import Augment
from core.training.divide import Sides, divided, narrowed
from core.training.examples import Examples
from core.training.loop import Fit, fit
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
    given: StagedNetwork  # the network that the method is given: with a trained head where the plan settles one
    examples: dict[str, Examples]  # train, validation, test: features in scope head, else network inputs
    device: str

    @property
    def context(self) -> FitContext:
        return FitContext(self.dataset.task, len(self.dataset.classes), len(self.examples["train"]), self.plan.seed)


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
    found = Ready(plan, dataset, sides, prepared, network, start, method, config, network, {}, device)
    whole = _sides(found)
    if config.scope == "network" and not plan.settled:
        return replace(found, examples=whole)
    features = _features(found, whole, settings, progress)
    if plan.settled:
        found = replace(found, given=_settled(found, features["train"]))
    return replace(found, examples=whole if config.scope == "network" else features)


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


def _sides(found: Ready) -> dict[str, Examples]:
    """Network inputs of each side; sides without items are left out."""
    sides = {"train": found.sides.train, "validation": found.sides.validation, "test": found.sides.test}
    chosen = {name: {item.id for item in items} for name, items in sides.items() if items}
    return {name: found.prepared.examples.part(rows_where(found.prepared.items, ids)) for name, ids in chosen.items()}


def _features(found: Ready, whole: dict[str, Examples], settings: Settings, progress: Progress) -> dict[str, Examples]:
    """Each side's features. They are made of all items at once, so that other divisions of the data find them again."""
    every, plan = found.prepared.examples, found.plan
    identity = fingerprint(found.prepared.fingerprint, every.ids, found.start.backbone, found.start.config)
    given = {"identity": identity, "device": found.device, "progress": progress}
    clean, _ = cache.features(found.network, every, settings, **given)
    seen = clean
    if plan.views > 1:
        seen, _ = cache.features(
            found.network, every, settings, augment=plan.augment, views=plan.views, seed=plan.seed, **given
        )
    made = {}
    for name, examples in whole.items():
        rows = rows_where(found.prepared.items, set(examples.ids))
        made[name] = every.with_inputs(seen if name == "train" else clean).part(rows)
    layer = next((part for part in found.network.head.modules() if isinstance(part, Standardise)), None)
    if layer is not None and found.start.weights != "model":
        rows = torch.arange(len(made["train"]))
        layer.learn(torch.cat([made["train"].inputs.take(rows, view) for view in range(plan.views)]))
    return made


def _settled(found: Ready, train: Examples) -> StagedNetwork:
    """The network with its head trained plainly on the features of the training items."""
    context = FitContext(found.dataset.task, len(found.dataset.classes), len(train), found.plan.seed)
    config = deterministic.Config(scope="head")
    wanted = Fit(deterministic.METHOD, config, found.network, context, train, found.plan.settling, Augment())
    network = copy_module.deepcopy(found.network)
    network.head.load_state_dict(fit(wanted).state.model.state_dict())
    return network
