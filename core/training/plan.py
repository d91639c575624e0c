"""A training as data: what is learned from what, how it starts, and every knob on the way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from core.configs import with_settings
from core.errors import UserFacingError
from core.methods._knobs import check, knob
from core.training.augmenting import Augment
from core.training.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Division:
    """Which items train, which choose and calibrate, and which are only ever scored."""

    by: Literal["split", "fold", "held", "drawn", "careless"] = knob(
        "split",
        "the set's own splits; one fold to test on; its own training part less some items of each class; or drawn by "
        "chance, whole recordings of each class; careless draws clip by clip, to show what leaks",
        choices=("split", "fold", "held", "drawn", "careless"),
    )
    test_fold: int = knob(1, "the fold that is only scored", least=0)
    validation_fold: int | None = knob(None, "the fold that chooses and calibrates; none: the other folds all train")
    held: int = knob(500, "items of each class that choose and calibrate", least=1)
    classes: tuple[str, ...] = knob((), "learn these classes alone, by name; none: all")
    parts: tuple[str, ...] = knob((), "train on these parts of a built-in set alone, such as clean; none: all")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides a trained model, besides the data's own bytes."""

    data: str = "soundbox"  # a data-set key, a folder, a manifest or a zip
    backbone: str = "convnet"
    network: tuple[str, ...] = ()  # settings of the backbone: "widths=32,64"
    start: str = "drawn"  # drawn, published, or the name of a trained model
    head: Literal["own", "standard", "unit"] = knob(
        "own",
        "the backbone's head; that on standardised features; or that on their standardised directions",
        choices=("own", "standard", "unit"),
    )
    method: str = "deterministic"
    config: tuple[str, ...] = ()  # settings of the method: "members=4"
    fit: Literal["fixed", "fine-tuned"] = knob(
        "fine-tuned", "train the head on fixed features, or the network", choices=("fixed", "fine-tuned")
    )
    division: Division = Division()
    schedule: Schedule = Schedule()  # noqa: RUF009
    augment: Augment = Augment()  # noqa: RUF009
    views: int = knob(1, "augmented views of each item, for fixed features", least=1, most=1000)
    settled: bool = False  # first train plainly: the head, or all of a network that the method only reads
    settling: Schedule = Schedule(epochs=100, batch=64, optimiser="adam", rate=1e-2, decay=0.014)  # noqa: RUF009
    anchor: str = ""  # the data that the starting network learned, for Dropsembles with ewc
    target_folds: int = knob(0, "loss prediction: folds of the losses it learns; 0: the classifier's own", least=0)
    numbers: Literal["float32", "float16", "int8"] = knob(
        "float16", "how matrices are stored", choices=("float32", "float16", "int8")
    )
    seed: int = knob(0, "of all that is drawn", least=0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One experiment of the sources: a plan, and what changes with a choice such as ``method=flipout``."""

    key: str
    title: str
    source: str  # the document it comes from
    summary: str
    plan: Plan
    cases: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())  # (choices joined by &, settings)
    candidates: tuple[tuple[str, ...], ...] = field(default=())  # settings that cross-validation chooses between


_CHOICES = ("data", "backbone", "start", "method", "fit", "head", "anchor", "seed")  # applied before the cases


def plan_of(recipe: Recipe, settings: tuple[str, ...] = ()) -> Plan:
    """The recipe's plan with the user's settings; theirs win over the recipe's cases.

    The recipe's settings of its backbone and its method mean nothing to another one, and are left out there.
    """
    first = tuple(setting for setting in settings if setting.partition("=")[0].strip() in _CHOICES)
    plan = with_plan_settings(recipe.plan, first)
    if plan.backbone != recipe.plan.backbone:
        plan = replace(plan, network=())
    if plan.method != recipe.plan.method:
        plan = replace(plan, config=())
    for condition, changes in recipe.cases:
        if all(_holds(plan, part) for part in condition.split("&")):
            plan = with_plan_settings(with_plan_settings(plan, changes), first)
    return with_plan_settings(plan, settings)


def with_plan_settings(plan: Plan, settings: tuple[str, ...]) -> Plan:
    """``config.x=1`` and ``network.x=1`` are kept as text until method and backbone are known."""
    for setting in settings:
        group, dot, rest = setting.partition(".")
        if dot and group in ("config", "network") and "=" not in group:
            kept = tuple(old for old in getattr(plan, group) if old.partition("=")[0] != rest.partition("=")[0])
            plan = replace(plan, **{group: (*kept, rest)})
        else:
            plan = with_settings(plan, (setting,))
    return plan


def _holds(plan: Plan, condition: str) -> bool:
    name, equals, wanted = condition.partition("=")
    if not equals or name not in _CHOICES:
        raise ValueError(f"{condition!r} is no choice a case can depend on")
    return str(getattr(plan, name)) == wanted


def refuse_odd(plan: Plan) -> None:
    """What no run could mean."""
    if plan.fit == "fixed" and plan.start == "drawn":
        raise UserFacingError(
            "Fixed features of a network that never learned anything say little; start from published weights or from "
            "a trained model, or set fit to fine-tuned.",
            code="setting",
        )
    if plan.fit == "fixed" and plan.augment.mixes:
        raise UserFacingError(
            "Mixing items is for networks that are trained; with fixed features set mixup and cutmix to 0.",
            code="setting",
        )
