"""What the shell keeps for all visitors: the runner, the list of models, and that waiting jobs were woken."""

from __future__ import annotations

import ast
from pathlib import Path

import streamlit as st

from core import jobs
from core.contracts import Kind
from core.pipeline.atlas import HELDOUT, atlases
from core.runner import Runner
from core.settings import Settings
from core.ui import words
from core.ui.models import ModelFacts, facts_of

_METHODS = Path(__file__).resolve().parent.parent / "methods"


@st.cache_resource(max_entries=4, show_spinner=False, on_release=Runner.close)
def runner(_settings: Settings, known: tuple[str, ...]) -> Runner:
    """One for each set of settings; its process starts with the first thing that is asked."""
    return Runner(_settings)


@st.cache_resource(max_entries=4, show_spinner=False, ttl=30)
def model_list(_settings: Settings, stamp: tuple[str, ...]) -> tuple[ModelFacts, ...]:
    """Read anew where a model was saved or removed, and now and then: weights may have been fetched."""
    return facts_of(_settings, method_titles())


def stamp_of(settings: Settings) -> tuple[str, ...]:
    """A model that is saved is moved into its folder's place, which the folder above notes."""
    folders = (settings.checkpoints, settings.models)
    return tuple(f"{folder} {folder.stat().st_mtime_ns if folder.is_dir() else 0}" for folder in folders)


@st.cache_resource(show_spinner=False)
def method_titles() -> dict[str, str]:
    """Read from the files: importing a method imports torch, which this process never does."""
    found = {}
    for path in sorted(_METHODS.glob("[a-z]*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Method":
                told = {word.arg: word.value for word in node.keywords}
                found[path.stem] = str(ast.literal_eval(told["title"]))
    return found


@st.cache_resource(max_entries=8, show_spinner=False, ttl=20)
def data_list(_settings: Settings, here: tuple[str, ...], kind: Kind | None) -> dict[str, str]:
    """What ``data`` may be for a model of a kind, and what people call it. ``here``: the collections, by name."""
    titles = {}
    for facts in atlases(_settings, kind) if here else ():
        if facts.data != HELDOUT:
            count = "" if facts.items is None else f", {words.count(facts.items)} items"
            titles[facts.data] = (
                f"{facts.data}: {facts.title}{count}" if facts.title != facts.data else facts.data + count
            )
    return {HELDOUT: "Held-out items of the model"} | titles


@st.cache_resource(max_entries=4, show_spinner=False)
def wake(_settings: Settings, known: tuple[str, ...]) -> bool:
    """Once for each start of the server: what waited in line when the machine went down goes on."""
    jobs.wake(_settings)
    return True
