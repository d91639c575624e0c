"""The Map page for a curator: lists that a link asks for, tags, notes and labels that are kept, and what is refused."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.pipeline import marks
from core.pipeline.atlas import open_atlas
from core.pipeline.lists import listed
from core.pipeline.map import draw_map
from core.settings import Settings
from core.store import open_collection
from core.ui import _map_data
from tests import visits
from tests.atlases import MODEL, filled
from tests.visits import at_home, pressed, refused_jobs, said


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("drawn")
    settings = Settings(home=home, offline=True)
    filled(settings, home / "pictures")
    draw_map("five", settings)
    return home


@pytest.fixture
def settings(drawn: Path, tmp_path: Path) -> Iterator[Settings]:
    """With the collection "five" and its map."""
    shutil.copytree(drawn, tmp_path / "home")
    with at_home(tmp_path / "home") as settings:
        yield settings


def opened(**parameters: str) -> AppTest:
    return visits.opened("2_Map", **parameters)


def label_of(settings: Settings, id_: str) -> str | None:
    return open_collection(settings.collections, "five").fetch([id_])[0].label


# ---- lists ----


def test_a_link_opens_a_list_in_its_order_and_another_model_its_own(settings: Settings) -> None:
    app = opened(model=MODEL, list="novel")
    atlas = open_atlas("heldout", MODEL, settings)
    found = listed(atlas, "novel")
    assert f"{len(found)} selected" in said(app)
    assert "beyond all validation items" in said(app)
    assert app.pills(key="map-order").value == "listed"
    plays = [button.key for button in app.button if button.label == "Enlarge"]
    assert plays[:3] == [f"map-cards-{atlas.ids[row]}-play" for row in found.rows[:3]]
    app.query_params["model"] = "toybox-deterministic"
    app.run()
    other = listed(open_atlas("heldout", "toybox-deterministic", settings), "novel")
    assert f"{len(other)} selected" in said(app)


def test_a_list_that_cannot_be_made_says_what_to_do_and_selects_nothing(settings: Settings) -> None:
    app = opened(model="toybox-deterministic", list="ambiguous")
    assert "answers with one draw" in said(app)
    assert "All 912" in said(app)
    assert "which is not a ready-made list; none is used" in said(opened(model=MODEL, list="best"))


def test_leaving_a_list_lets_go_of_its_items(settings: Settings) -> None:
    app = opened(model=MODEL, list="wrong")
    assert "in doubt" in said(app)
    pressed(app, "Let go")
    assert "All 912" in said(app)
    assert "list" not in app.query_params


def test_what_came_with_a_model_becomes_a_collection_to_be_marked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = refused_jobs(monkeypatch)
    app = pressed(opened(model=MODEL, list="novel"), "Make a collection of these")
    (words,) = asked
    assert words[0] == "index"
    assert words[2:6] == ["--collection", "my-toybox", "--model", MODEL]
    with Path(words[1]).open() as stream:
        ids = [row["id"] for row in csv.DictReader(stream)]
    atlas = open_atlas("heldout", MODEL, settings)
    found = listed(atlas, "novel").rows
    assert set(ids) == {atlas.ids[row] for row in found}
    assert "held by another process" in said(app)


# ---- tags, notes, labels ----


def test_a_card_keeps_tags_a_note_and_a_label(settings: Settings) -> None:
    app = opened(data="five", model=MODEL)
    app.button(key="map-cards-0.png-mark").click().run()
    app.multiselect(key="map-cards-0.png-tags").set_value(["loud"])
    app.text_area(key="map-cards-0.png-note").set_value("heard twice")
    app.selectbox(key="map-cards-0.png-label").set_value("boat")
    pressed(app, "Save")
    found = marks.marks_of("five", settings)
    assert (found.tags, found.notes) == ({"0.png": ("loud",)}, {"0.png": "heard twice"})
    assert label_of(settings, "0.png") == "boat"
    fresh = opened(data="five", model=MODEL)
    assert ":gray-badge[loud]" in said(fresh)
    assert "heard twice" in said(fresh)


def test_a_tag_for_all_is_added_chosen_by_and_removed(settings: Settings) -> None:
    marks.tag("five", ["0.png", "2.png"], "odd", settings)
    app = opened(data="five", model=MODEL)
    app.selectbox(key="map-tag").set_value("odd").run()
    pressed(app, "Only those with it")
    assert "2 selected" in said(app)
    pressed(app, "Remove it")
    assert "2 items are without the tag odd now" in said(app)
    assert marks.marks_of("five", settings).counts() == {}
    assert "2 selected" in said(app)


def test_a_note_for_all_is_written_and_goes_out_with_the_table(settings: Settings) -> None:
    marks.tag("five", ["0.png", "2.png"], "odd", settings)
    app = opened(data="five", model=MODEL)
    app.text_area(key="map-note-all").set_value("from the old microphone").run()
    pressed(app, "Write it")
    assert "5 items have this note now" in said(app)
    assert set(marks.marks_of("five", settings).notes.values()) == {"from the old microphone"}
    atlas = open_atlas("five", MODEL, settings)
    told = _map_data._written(atlas, np.array([2, 1]))
    assert told == {"tags": ["odd", None], "note": ["from the old microphone"] * 2}
    assert _map_data._written(open_atlas("heldout", MODEL, settings), np.array([2])) == {}


def test_who_writes_while_another_process_does_is_told_so_and_nothing_is_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "_PATIENCE", 0.0)
    marks.tag("five", ["0.png"], "odd", settings)
    app = opened(data="five", model=MODEL)
    app.selectbox(key="map-tag").set_value("odd").run()
    with open_collection(settings.collections, "five", write=True):
        pressed(app, "Tag 5 items")
        assert "is being written by process" in said(app)
    pressed(app, "Tag 5 items")
    assert marks.marks_of("five", settings).counts() == {"odd": 5}


def test_labels_are_filled_in_looked_at_applied_and_taken_back(settings: Settings) -> None:
    app = pressed(opened(data="five", model=MODEL), "Fill in the model's class")
    assert "3 labels would change" in said(app)  # four were answered, of which one is labelled so
    pressed(app, "Apply")
    assert "3 labels changed" in said(app)
    assert label_of(settings, "0.png") == "boat"
    pressed(app, "Take it back")
    assert "as before" in said(app)
    assert label_of(settings, "0.png") == "Ball"
