"""The recipes as offers: what each needs, why one is not ready, and how long it took where that is known. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.checkpoints.listed import cards, models
from core.checkpoints.weights import path_of
from core.configs import to_json
from core.contracts import DatasetSpec
from core.data import open_source, specs
from core.errors import UserFacingError
from core.settings import Settings
from core.training.plan import Plan, Recipe
from core.training.recipes import recipes
from core.training.run_files import read

FIRST, OWN = "first", "own"


@dataclass(frozen=True, slots=True)
class Offer:
    recipe: Recipe
    needs: str  # "Soundbox, made here; the model soundbox-deterministic"
    why_not: str | None  # a sentence; None: it can be started

    @property
    def methods(self) -> tuple[str, ...]:
        """What the recipe says of other methods than its own."""
        conditions = [part for condition, _ in self.recipe.cases for part in condition.split("&")]
        named = [part.partition("=")[2] for part in conditions if part.startswith("method=")]
        return tuple(dict.fromkeys((self.recipe.plan.method, *named)))


@dataclass(frozen=True, slots=True)
class Took:
    seconds: float
    hardware: str


def offers(settings: Settings) -> tuple[Offer, ...]:
    """In the order of the files; the one to begin with first, without the blank one."""
    known = {spec.key: spec for spec in specs()}
    here: dict[str, str | None] = {}
    found = []
    for recipe in sorted(recipes().values(), key=lambda one: one.key != FIRST):
        if recipe.key == OWN:
            continue
        data = recipe.plan.data
        if data not in here:
            here[data] = _data_missing(data, known, settings)
        why = here[data] or _start_missing(recipe.plan, settings)
        found.append(Offer(recipe, _needs(recipe.plan, known), why))
    return tuple(found)


def took(settings: Settings) -> dict[str, Took]:
    """What the training of every model that is here took, by its plan."""
    found = {}
    for path in cards(settings).values():
        told: Mapping[str, Any] = read(path)
        cost = told.get("cost") or {}
        if told.get("recipe") and cost.get("seconds") is not None:
            mark = json.dumps(told["recipe"], sort_keys=True)
            found[mark] = Took(float(cost["seconds"]), str(cost.get("hardware", "")))
    return found


def mark_of(plan: Plan) -> str:
    """By which ``took`` knows a plan."""
    return json.dumps(to_json(plan), sort_keys=True)


def _needs(plan: Plan, known: Mapping[str, DatasetSpec]) -> str:
    spec = known[plan.data]
    parts = [f"{spec.title}, {'made on this machine' if spec.builtin else 'a published set'}"]
    if plan.start == "published":
        parts.append("published weights of the network")
    elif plan.start != "drawn":
        parts.append(f"the model {plan.start}")
    return "; ".join(parts)


def _data_missing(key: str, known: Mapping[str, DatasetSpec], settings: Settings) -> str | None:
    """Looked for on this machine alone."""
    if known[key].builtin:
        return None
    try:
        open_source(key, replace(settings, offline=True))
    except UserFacingError as error:
        if error.code == "offline" and not settings.offline:
            return None  # it is fetched when it is needed
        return str(error)
    return None


def _start_missing(plan: Plan, settings: Settings) -> str | None:
    if plan.start == "drawn":
        return None
    if plan.start == "published":
        try:
            if plan.backbone == "sfx":
                path_of("sfx", settings)
        except UserFacingError as error:
            return str(error)
        return None
    rows = {row.name: row for row in models(settings)}
    if plan.start not in rows:
        return f"It begins with the model {plan.start}, which is not here; train that one first."
    why = rows[plan.start].why_not
    return None if why is None else f"It begins with the model {plan.start}, which is not ready: {why}."
