"""From a selection on the map to the form of a training: a link that lasts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.cli import forms as forms_command
from core.pipeline import forms as asked
from core.pipeline import selected
from core.pipeline.atlas import Atlas, open_atlas
from core.settings import PROJECT, Settings
from core.ui import _cached_train, _map_selected, cached
from tests.visits import opened, pressed

MODEL = "toybox-ensemble"
FACTS = {
    "title": "Chosen", "kind": "image", "task": "multiclass", "classes": ["a", "b"], "items": 6,
    "labels": {"a": 3, "b": 3}, "folds": {}, "splits": {}, "groups": 0, "notes": [],
}  # fmt: skip
KEPT = (cached.settings, _cached_train._forms, _cached_train._facts)


@pytest.fixture(autouse=True)
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """What the page would ask of other processes is answered at once, by the same code."""

    def answered(words: Any, _: Settings) -> Any:
        if words[0] == "data":
            return FACTS
        return json.loads(json.dumps(forms_command._run(SimpleNamespace(what="all"), settings).document))  # type: ignore[arg-type]

    for name, value in settings.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PENUMBRA_CHECKPOINTS", str(PROJECT / "checkpoints"))
    monkeypatch.setattr(asked, "_asked", answered)
    for kept in KEPT:
        kept.clear()
    yield cached.settings()
    for kept in KEPT:
        kept.clear()


@pytest.fixture
def toys(here: Settings) -> Atlas:
    return open_atlas("heldout", MODEL, here)


def asking(app: AppTest) -> str:
    """What the link of a page asks for."""
    found = app.query_params["picked"]
    return found if isinstance(found, str) else found[0]


def some(atlas: Atlas, each: int) -> tuple[str, ...]:
    """So many recordings of each of two classes."""
    found = []
    for name in ("boat", "cup"):
        first = {int(atlas.groups[row]): row for row, label in enumerate(atlas.label_names) if label == name}
        found += [atlas.ids[row] for row in list(first.values())[:each]]
    return tuple(found)


def test_what_is_selected_on_the_map_opens_the_form_by_a_link_that_lasts(here: Settings, toys: Atlas) -> None:
    app = opened("2_Map", model=MODEL)
    app.session_state[_map_selected.HELD] = (toys.name, some(toys, 3))
    app.run()
    pressed(app, "Train on these")
    sent = selected.manifest_of(asking(app), here)
    assert sent is not None
    linked = opened("6_Train", picked=asking(app))
    for later in (app, linked):
        (command,) = [code.value for code in later.code]
        assert f"data={sent}" in command
        assert f"--name {toys.name}-selection-deterministic" in command
    linked.segmented_control(key="train-way").set_value("A set").run()
    assert str(sent) not in linked.code[0].value, "another choice is another choice"


def test_a_link_to_a_selection_that_is_not_kept_here_is_one_sentence(here: Settings) -> None:
    for asked_for in ("0" * 32, "../../etc"):
        app = opened("6_Train", picked=asked_for)
        assert "is not kept here any more" in app.warning[0].value
        assert "picked" not in app.query_params


def test_a_selection_that_nothing_can_learn_from_stays_on_the_map(here: Settings, toys: Atlas) -> None:
    app = opened("2_Map", model=MODEL)
    app.session_state[_map_selected.HELD] = (toys.name, some(toys, 2))
    app.run()
    pressed(app, "Train on these")
    assert "each needs 3, one to learn from" in app.error[0].value
    assert "picked" not in app.query_params


def test_another_selection_lets_go_of_what_was_sent(here: Settings, toys: Atlas) -> None:
    manifest = selected.write(toys, some(toys, 3), here)
    app = opened("2_Map", model=MODEL, picked=selected.key_of(manifest))
    app.session_state[_map_selected.HELD] = (toys.name, some(toys, 3))
    app.run()
    pressed(app, "Let go")
    assert "picked" not in app.query_params
