"""Everything before the first update of a training: data read, divided and prepared, the network built."""

from __future__ import annotations

import copy as copy_module
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from core import registry
from core.backbones._heads import Standardise
from core.backbones._matched import MatchedEntry
from core.backbones._network import StagedNetwork
from core.checkpoints.card import Card, Start
from core.checkpoints.folders import find, mark_of, read_card
from core.checkpoints.saved import network_of
from core.configs import to_json, with_settings
from core.contracts import Dataset, DatasetSpec, Progress, no_progress
from core.data import open_source
from core.errors import UserFacingError
from core.fingerprint import fingerprint
from core.methods import deterministic
from core.methods._contract import FitContext, Method
from core.settings import Settings
from core.training import cache, hooks
from core.training.augment import Augment
from core.training.balance import weighed
from core.training.divide import Sides, divided, narrowed
from core.training.examples import Examples
from core.training.heard import heard
from core.training.loop import Fit, fabric_of, fit
from core.training.plan import Plan, refuse_odd
from core.training.prepared import PreparedSet, prepare, rows_where
from core.training.stopping import stopped_gently

_RANDOM = ("flipout", "mc_dropout")  # methods of one network with noise below its head


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
        return self.context_of(self.examples["train"])

    def context_of(self, train: Examples) -> FitContext:
        return FitContext(self.dataset.task, len(self.dataset.classes), len(train), self.plan.seed)


def ready(
    plan: Plan,
    settings: Settings,
    *,
    device: str = "cpu",
    copy: Path | None = None,
    progress: Progress = no_progress,
    behind: Callable[[StagedNetwork], StagedNetwork] = lambda network: network,
) -> Ready:
    """Everything before the first update. What was read and computed before is found again.

    ``behind`` puts the network behind another entry, for experiments; no saved model remembers it.
    """
    refuse_odd(plan)
    method: Method[Any, Any] = registry.pick("core.methods", "METHOD", plan.method)
    begins = beginning_of(plan, settings)
    config = config_of(plan, method, begins)
    start = start_of(plan, settings, begins)
    dataset = dataset_of(plan, settings, copy, progress)
    sides = divided(dataset, plan.division)
    network = behind(network_of(start, len(dataset.classes), settings))
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
    if _is_two_fits(plan, config):
        found = _tuned(replace(found, examples=whole), settings, progress)
        if config.scope == "network":
            return found
    features = _features(found, whole, settings, progress)
    if plan.settled and not _is_two_fits(plan, config):
        found = replace(found, given=settled(found, features["train"]))
    return replace(found, examples=whole if config.scope == "network" else features)


def dataset_of(plan: Plan, settings: Settings, copy: Path | None, progress: Progress = no_progress) -> Dataset:
    """The classes that the plan learns, of its data."""
    if plan.data in registry.keys("core.data") and copy is None:
        spec: DatasetSpec = registry.pick("core.data", "DATASET", plan.data)
        if spec.prepare is not None:
            spec.prepare(settings, progress)  # once; reading would render every item anew
    return narrowed(open_source(plan.data, settings, copy), plan.division.classes)


def beginning_of(plan: Plan, settings: Settings) -> Card | None:
    """The card of the trained model that a plan begins with."""
    return None if plan.start in ("drawn", "published") else read_card(plan.start, settings)


def config_of(plan: Plan, method: Method[Any, Any], begins: Card | None = None) -> Any:
    """The method's settings. Fixed features are the head's scope where a method has one.

    A network that the same method made random stays random below its fixed features, which are then no vectors that
    could be kept: the scope is the network's, of which the head alone trains.
    """
    scope = "head" if plan.fit == "fixed" and "head" in method.scopes else method.scopes[0]
    if "network" in method.scopes and (plan.fit == "fine-tuned" or _is_random(plan, begins)):
        scope = "network"
    config = with_settings(method.Config(scope=scope), plan.config)
    if plan.fit == "fine-tuned" and config.scope == "head" and not plan.settled:
        raise UserFacingError(
            f"{method.title} fits a head and leaves the network as it is. Set settled to yes, and the network is first "
            "fine-tuned plainly (by settling); or set fit to fixed, and start to a network that you have trained.",
            code="setting",
        )
    return config


def _is_random(plan: Plan, begins: Card | None) -> bool:
    """Does the plan go on with a network that its own method made random?"""
    return begins is not None and begins.method == plan.method in _RANDOM and begins.scope == "network"


def _is_two_fits(plan: Plan, config: Any) -> bool:
    """Is all of the network trained plainly first? A head alone is settled on features that mean something."""
    return plan.settled and plan.fit == "fine-tuned" and (config.scope == "head" or plan.start == "drawn")


def start_of(plan: Plan, settings: Settings, begins: Card | None = None) -> Start:
    spec = registry.pick("core.backbones", "BACKBONE", plan.backbone)
    config = to_json(with_settings(spec.Config(), plan.network))
    if plan.start in ("drawn", "published"):
        if "pretrained" in config:
            config["pretrained"] = plan.start == "published"
        return Start(plan.backbone, config, plan.start, seed=plan.seed, head=plan.head)  # type: ignore[arg-type]
    if begins is not None and begins.backbone != plan.backbone:
        raise UserFacingError(
            f"{plan.start} is a {begins.backbone}, and the backbone was given as {plan.backbone}; give the same one.",
            code="weights",
        )
    if begins is not None and (other := _heard_otherwise(begins.start.config, config)):
        raise UserFacingError(
            f"{plan.start} learned from sounds or pictures that came to it in another way (network.{other}); give the "
            "backbone's settings as they were when it was trained.",
            code="weights",
        )
    keeps = "posteriors" if plan.method == "flipout" and _is_random(plan, begins) else "means"
    mark = mark_of(find(plan.start, settings))
    return Start(plan.backbone, config, "model", mark, plan.start, keeps, seed=plan.seed, head=plan.head)


def _heard_otherwise(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """The first setting that decides what a network's numbers mean, and differs; weights do not tell."""
    for name in ("kind", "rate", "mel"):
        if one.get(name, other.get(name)) != other.get(name, one.get(name)):
            return name
    if one.get("heard", {}).get("mel") != other.get("heard", {}).get("mel") and one.get("kind") == "audio":
        return "heard.mel"
    return None


def _sides(found: Ready) -> dict[str, Examples]:
    """Network inputs of each side; sides without items are left out."""
    sides = {"train": found.sides.train, "validation": found.sides.validation, "test": found.sides.test}
    chosen = {name: {item.id for item in items} for name, items in sides.items() if items}
    return {name: found.prepared.examples.part(rows_where(found.prepared.items, ids)) for name, ids in chosen.items()}


def _features(found: Ready, whole: dict[str, Examples], settings: Settings, progress: Progress) -> dict[str, Examples]:
    """Each side's features. They are made of all items at once, so that other divisions of the data find them again."""
    every, plan = found.prepared.examples, found.plan
    identity = features_mark(found.prepared, found.network, found.start)
    given = {"identity": identity, "device": found.device, "progress": progress}
    clean, _ = cache.features(found.network, every, settings, **given)
    seen = clean
    if plan.views > 1:
        augment = replace(plan.augment, mixup=0.0, cutmix=0.0)  # labels of a head's items are their own
        seen, _ = cache.features(
            found.network, every, settings, augment=augment, views=plan.views, seed=plan.seed, **given
        )
    made = {}
    for name, examples in whole.items():
        rows = rows_where(found.prepared.items, set(examples.ids))
        made[name] = every.with_inputs(seen if name == "train" else clean).part(rows)
    scale(found, made["train"])
    return made


def features_mark(prepared: PreparedSet, network: StagedNetwork, start: Start) -> str:
    """Which items these are, prepared in which way."""
    other = [repr(network.entry)] if isinstance(network.entry, MatchedEntry) else []
    return fingerprint(prepared.fingerprint, prepared.examples.ids, start.backbone, start.config, *other)


def scale(found: Ready, train: Examples) -> None:
    """Where the head sees standardised features, it learns how large they are from all views of the training items."""
    layer = next((part for part in found.network.head.modules() if isinstance(part, Standardise)), None)
    if layer is not None and not layer.given and found.start.weights != "stored":
        rows = torch.arange(len(train))
        layer.learn(torch.cat([train.inputs.take(rows, view) for view in range(found.plan.views)]))


def _tuned(found: Ready, settings: Settings, progress: Progress) -> Ready:
    """The network trained plainly. A head reads what it makes of the items, and the model then stores it."""
    plain = plain_plan(found.plan)
    wanted = replace(found, plan=plain, method=deterministic.METHOD, config=deterministic.Config(scope="network"))
    fabric = fabric_of(plain.schedule, found.device)
    with stopped_gently() as stop:
        fitted = fit(
            replace(fit_of(wanted, settings), validation=None),
            plain_folder(wanted, settings),
            fabric=fabric,
            progress=progress,
            stop=stop,
            keep=True,
        )
    network = fitted.state.model.to("cpu").freeze()
    if found.config.scope == "network":
        return replace(found, given=network)
    return replace(found, network=network, given=network, start=replace(found.start, weights="stored"))


def plain_plan(plan: Plan) -> Plan:
    """What of a plan decides the network that is trained plainly first: methods on top of it share one."""
    few = {name: getattr(plan, name) for name in ("data", "backbone", "network", "start", "head", "division")}
    return Plan(**few, schedule=plan.settling, augment=plan.augment, seed=plan.seed)


def is_plain(plan: Plan) -> bool:
    """Does the plan train what another one may go on with?"""
    return plain_plan(replace(plan, settling=plan.schedule)) == replace(plan, settling=Plan().settling)


def plain_folder(found: Ready, settings: Settings) -> Path:
    """Of a plain fit without validation, whoever asks for it."""
    return settings.runs / f"plain-{fingerprint(found.prepared.fingerprint, found.plan, found.start)[:16]}"


def fit_of(found: Ready, settings: Settings) -> Fit:
    train_examples = found.examples["train"]
    if found.config.scope == "network" and found.device == "cpu":  # elsewhere they cost less than their way there
        train_examples = heard(train_examples, found.given, found.plan.augment)
    weights = cache.weights_mark((*found.given.stages, ("head", found.given.head)))
    learned = replace(found.plan, numbers="float32")  # how they are stored changes nothing that is learned
    identity = fingerprint(found.prepared.fingerprint, learned, found.dataset.classes, weights)
    return Fit(
        found.method,
        found.config,
        found.given,
        weighed(found.context, train_examples.labels, found.plan.schedule),
        train_examples,
        found.plan.schedule,
        found.plan.augment,
        found.examples.get("validation"),
        hooks.prepare_of(found.plan, found.given, train_examples, found.sides.train, found.context, settings),
        identity,
        frozen_below=found.plan.fit == "fixed" and found.config.scope == "network",
    )


def settled(found: Ready, train: Examples) -> StagedNetwork:
    """The network with its head trained plainly on the features of the training items."""
    context = found.context_of(train)
    config = deterministic.Config(scope="head")
    wanted = Fit(deterministic.METHOD, config, found.network, context, train, found.plan.settling, Augment())
    network = copy_module.deepcopy(found.network)
    network.head.load_state_dict(fit(wanted).state.model.state_dict())
    return network
