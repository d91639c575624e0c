"""The trained models for people: what each is, what asking it takes, and why one is not ready."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.checkpoints.listed import cards, models
from core.contracts import THING, Kind, Scope, Task
from core.errors import UserFacingError
from core.runner import Described
from core.settings import Settings
from core.ui import words

SCOPES: Mapping[Scope, str] = {"head": "last layers", "network": "whole network"}
KINDS: Mapping[Kind, str] = {kind: f"{name.capitalize()}s" for kind, name in THING.items()}
_FIRST = ("soundbox", "toybox")  # one class an item, made here; a loss on other data compares with none of theirs


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a card says, in the words of the pages."""

    name: str
    title: str  # "Soundbox, MC dropout"
    kind: Kind
    task: Task
    scope: Scope
    method: str
    method_title: str
    backbone: str
    classes: tuple[str, ...]
    params: int
    macs: int | None
    trained_on: str
    data: str  # key of the data set
    licence: str
    items: tuple[int, int, int]  # train, validation, test
    metrics: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]
    ready: bool
    why_not: str | None
    own: bool
    fetched: bool  # stands on published weights that do not come with the app

    @property
    def scope_words(self) -> str:
        return SCOPES[self.scope]

    def metric(self, name: str) -> float | None:
        value = self.metrics.get(name, {}).get("value")
        return None if value is None else float(value)


def model_list() -> tuple[ModelFacts, ...]:
    """Every model that has a readable card, those of one kind and data set together."""
    from core.ui import _cached_shell, cached

    settings = cached.settings()
    return _cached_shell.model_list(settings, _cached_shell.stamp_of(settings))


def facts(name: str) -> ModelFacts:
    for one in model_list():
        if one.name == name:
            return one
    raise UserFacingError(f"There is no model called {name[:60]!r}; choose one in the side bar.", code="unknown-model")


def default(kind: Kind = "audio") -> ModelFacts | None:
    """The one to begin with: ready, came with all it needs, and has the lowest held-out loss on the first data."""

    def order(one: ModelFacts) -> tuple[bool, bool, bool, bool, float, str]:
        loss = one.metric("nll")
        return (one.own, one.fetched, one.data not in _FIRST, loss is None, loss or 0.0, one.name)

    found = sorted((one for one in model_list() if one.kind == kind and one.ready), key=order)
    return found[0] if found else None


def matching(kind: Kind, than: str | None = None) -> ModelFacts | None:
    """For a file of that kind: the model of the same method where there is one, else the one to begin with."""
    known = {one.name: one for one in model_list()}
    method = known[than].method if than in known else None
    alike = [one for one in known.values() if one.kind == kind and one.ready and one.method == method]
    return min(
        alike, key=lambda one: (one.own, one.fetched, one.data not in _FIRST, one.name), default=None
    ) or default(kind)


def facts_of(settings: Settings, titles: Mapping[str, str]) -> tuple[ModelFacts, ...]:
    """Without torch: from the cards."""
    places, found = cards(settings), []
    for row in models(settings):
        try:
            card = json.loads(places[row.name].read_text())
            data, title = card["data"], titles.get(card["method"], card["method"])
            one = ModelFacts(
                name=row.name,
                title=f"{card['trained_on']}, {_bare(title)}",
                kind=card["kind"],
                task=card["task"],
                scope=card["scope"],
                method=card["method"],
                method_title=title,
                backbone=card["backbone"],
                classes=tuple(card["classes"]),
                params=int(card["params"]),
                macs=card["macs"],
                trained_on=card["trained_on"],
                data=data["key"],
                licence=data["licence"],
                items=(data["train"], data["validation"], data["test"]),
                metrics=card["metrics"],
                notes=tuple(card["notes"]),
                ready=row.ready,
                why_not=row.why_not,
                own=row.own,
                fetched=card["start"]["weights"] == "published",
            )
        except (KeyError, TypeError, ValueError, OSError):
            continue  # a card of another version, or damaged: `python -m core models` tells it
        found.append(one)
    return _named_apart(sorted(found, key=lambda one: (one.kind, one.own, one.fetched, one.trained_on, one.title)))


def _bare(title: str) -> str:
    """The scope is told by itself."""
    return title.partition(" (")[0]


def _named_apart(found: Sequence[ModelFacts]) -> tuple[ModelFacts, ...]:
    """Titles that several models share get their names beside them."""
    from dataclasses import replace

    titles = [one.title for one in found]
    return tuple(
        replace(one, title=f"{one.title} ({one.name})") if titles.count(one.title) > 1 else one for one in found
    )


# ---- drawn ----


def card(one: ModelFacts, described: Described | None) -> None:
    """What a person wants to know before asking."""
    st.markdown(f"**{words.plain(one.title)}**")
    right = one.metrics.get("accuracy", {})
    lines = [
        f"takes {KINDS[one.kind].lower()}, answers with one of {len(one.classes)} classes"
        if one.task == "multiclass"
        else f"takes {KINDS[one.kind].lower()}, answers with any of {len(one.classes)} classes",
        f"doubts by **{words.plain(one.method_title)}**; its randomness lives in the **{one.scope_words}**",
        f"learned from {words.count(one.items[0])} items of **{words.plain(one.trained_on)}** "
        f"({words.plain(one.licence, 120)})",
    ]
    if right.get("value") is not None:
        interval = f" [{100 * right['low']:.1f}, {100 * right['high']:.1f}]" if right.get("low") is not None else ""
        lines.append(
            f"right on {100 * right['value']:.1f} %{interval} of {words.count(one.items[2])} items it never trained on"
        )
    if described is not None:
        lines += _cost(described)
    lines += [words.plain(note, 300) for note in one.notes]
    st.markdown("\n".join(f"- {line}" for line in lines))
    st.caption("Classes: " + ", ".join(words.plain(name.replace("_", " ")) for name in one.classes[:40]))


def _cost(described: Described) -> list[str]:
    device = described.device.title if described.device else "a device that is still being looked for"
    memory = f"{words.size(described.memory)} of weights" + (", in memory" if described.loaded else "")
    lines = [f"computes on {words.plain(device)} in {described.precision}; {memory}"]
    if described.seconds is None:
        lines.append("how long an answer takes is known after the first one")
    else:
        about = words.seconds(described.seconds)
        how = "as measured here" if described.measured else "guessed from its size"
        lines.append(f"about {about} for one item at {described.draws} samples, {how}")
    return lines
