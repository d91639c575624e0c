"""The Map page: what it offers where there is nothing to draw, and how a source becomes a map."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import jobs as running_jobs
from core.cli import main
from core.errors import UserFacingError
from core.jobs import Job, JobStatus
from core.maps.saved import of_collection, saved_maps
from core.pipeline import uploads
from core.pipeline.atlas import open_atlas
from core.settings import Settings
from core.ui import _map_cards, cached
from tests import visits
from tests.atlases import MODEL, filled, picture
from tests.laying import lay_out_plainly
from tests.visits import at_home, refused_jobs, said


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """With the collection "five", which no map is drawn of and which only MODEL has answered."""
    home = tmp_path_factory.mktemp("home")
    with at_home(home) as settings:
        filled(settings, home / "pictures")
        yield settings


def opened(**parameters: str) -> AppTest:
    return visits.opened("2_Map", **parameters)


# ---- the page where there is less ----


def test_an_undrawn_collection_says_so_and_offers_to_draw(settings: Settings) -> None:
    app = opened(data="five", model=MODEL)
    assert "No map of these items is drawn yet" in said(app)
    assert "Draw the map" in [button.label for button in app.button]
    assert "5 pictures in five" in said(app)
    assert "1 item was not asked yet" in said(app)
    (table,) = app.dataframe
    assert table.value.to_dict("list") == {"file": ["broken.png"], "why": ["The file is <b>no</b> picture."]}


def test_a_model_that_never_saw_the_collection_offers_the_one_that_did(settings: Settings) -> None:
    app = opened(data="five", model="toybox-vim")
    assert "index it with toybox-vim" in said(app)
    labels = [button.label for button in app.button]
    assert "Index it with this model" in labels
    next(button for button in app.button if button.label.startswith("See it through")).click().run()
    assert not app.exception
    assert app.query_params["model"] in (MODEL, [MODEL])


def test_a_model_of_the_other_kind_is_not_offered_to_index_pictures(settings: Settings) -> None:
    app = opened(data="five", model="soundbox-ensemble")
    assert "holds pictures, and soundbox-ensemble takes sounds" in said(app)
    assert any(button.label.startswith("See it through") for button in app.button)
    assert "Index it with this model" not in [button.label for button in app.button]


def test_a_folder_that_is_not_there_is_one_sentence(settings: Settings) -> None:
    app = opened(model=MODEL)
    app.segmented_control(key="map-way").set_value("Folder").run()
    app.text_input(key="map-folder").set_value("/nowhere/at/all").run()
    assert "There is no such folder or file" in said(app)
    assert next(button for button in app.button if button.label == "Index and draw").disabled


def test_an_uploaded_zip_is_indexed_with_the_model_samples_and_seed_of_the_side_bar(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = refused_jobs(monkeypatch)
    app = opened(model=MODEL, samples="7", seed="3")
    app.file_uploader(key="map-upload").set_value(("My Toys.zip", b"PK and the rest", "application/zip")).run()
    next(button for button in app.button if button.label == "Index and draw").click().run()
    assert not app.exception
    (words,) = asked
    source = Path(words[1])
    assert (words[0], source.name, source.read_bytes()) == ("index", "My-Toys.zip", b"PK and the rest")
    rest = ["--collection", "my-toys", "--model", MODEL, "--samples", "7", "--seed", "3", "--map"]
    assert words[2:] == rest
    assert "held by another process" in said(app)


def test_items_whose_files_are_elsewhere_have_a_map_all_the_same(settings: Settings) -> None:
    app = opened(model="esc10-mc-dropout")
    assert "80 sounds of ESC" in said(app)
    next(button for button in app.button if button.label == "Play").click().run()
    assert not app.exception
    assert "not on this machine" in said(app)


def test_a_map_that_was_just_drawn_is_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(model="esc10-mc-dropout")
    first, second = (one.key for one in open_atlas("heldout", "esc10-mc-dropout", settings).maps)
    assert app.selectbox(key="map-which").value == first
    monkeypatch.setattr(running_jobs, "status", lambda job: JobStatus("done", result={"map": second}))
    job = Job("0", ("map",), "Draw the held-out items", 0.0, True, settings.jobs / "0")
    app.session_state["map-job"] = (job, "heldout", "options")
    app.run()
    assert not app.exception
    assert app.selectbox(key="map-which").value == second
    assert [toast.value for toast in app.toast] == ["The map is drawn."]


@pytest.mark.parametrize("where", ["chart", "card"])
def test_an_item_in_a_card_and_on_the_chart_has_one_player(settings: Settings, where: str) -> None:
    """Of two that are the same Streamlit would play only the first."""
    atlas = open_atlas("heldout", "soundbox-ensemble", settings)
    first = _map_cards.ordered(atlas, np.arange(len(atlas)), "classes")[0]
    app = opened(model="soundbox-ensemble")
    offered = [button for button in app.button if button.label == "Play"]
    assert not app.get("audio")
    app.session_state[_map_cards.PLAYED] = (atlas.name, atlas.ids[first.row], where)
    app.run()
    (player,) = app.get("audio")
    assert player.proto.autoplay is (where == "card")  # beside the chart it began with the click
    assert player.proto.alt.startswith(atlas.ids[first.row])
    left = [button for button in app.button if button.label == "Play"]
    assert len(offered) - len(left) == (where == "card")


def test_a_card_that_is_asked_to_play_closes_the_player_beside_the_chart(settings: Settings) -> None:
    atlas = open_atlas("heldout", "soundbox-ensemble", settings)
    first, second = (atlas.ids[card.row] for card in _map_cards.ordered(atlas, np.arange(len(atlas)), "classes")[:2])
    app = opened(model="soundbox-ensemble")
    app.session_state[_map_cards.PLAYED] = (atlas.name, first, "chart")
    app.run()
    app.button(key=f"map-cards-{second}-play").click().run()
    (player,) = app.get("audio")
    assert player.proto.alt.startswith(second)
    assert player.proto.autoplay
    assert _map_cards.CHANGED not in app.session_state


def test_the_chosen_map_stands_in_the_link(settings: Settings) -> None:
    first, second = (one.key for one in open_atlas("heldout", "soundbox-knn", settings).maps)
    app = opened(model="soundbox-knn")
    app.selectbox(key="map-which").set_value(second).run()
    assert app.query_params["map"] in (second[:12], [second[:12]])
    assert app.selectbox(key="map-which").value == second
    assert opened(model="soundbox-knn", map=second[:12]).selectbox(key="map-which").value == second
    assert opened(model="soundbox-knn", map="0" * 12).selectbox(key="map-which").value == first
    assert "not a map that is saved here" in said(opened(model="soundbox-knn", map="../../x"))


def test_colours_of_a_link_that_this_map_has_not_are_told(settings: Settings) -> None:
    app = opened(model="toybox-deterministic", colour="epistemic")
    assert "is not a way to colour this map" in said(app)
    assert "730 of 912 stay" in said(app)


# ---- uploads and the job ----


def test_the_same_upload_is_kept_once_and_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = uploads.kept(b"id,label\n", "../../a b.CSV", settings)
    assert first == uploads.kept(b"id,label\n", "c.csv", settings)
    assert first.is_relative_to(tmp_path / "uploads")
    assert [path.name for path in first.parent.iterdir()] == ["a-b.csv"]
    assert uploads.kept(b"id,name\n", "c.csv", settings).parent != first.parent
    assert uploads.kept(b"PK", "..\u202e/\x00.zip", settings).name == "data.zip"
    with pytest.raises(UserFacingError, match=r"\.zip"):
        uploads.kept(b"MZ", "run.exe", settings)


def test_one_command_takes_a_folder_to_a_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out_plainly(monkeypatch)
    for name in ("ball", "cup"):
        (tmp_path / "source" / name).mkdir(parents=True)
        for number in range(5):
            (tmp_path / "source" / name / f"{number}.png").write_bytes(picture(number + 5 * (name == "cup")))
    monkeypatch.setenv("PENUMBRA_HOME", str(tmp_path / "home"))
    words = ["index", str(tmp_path / "source"), "--collection", "new", "--model", "toybox-knn", "--map", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["stored"], told["problems"]) == (10, 0)
    here = replace(cached.environment.load(), home=tmp_path / "home")
    (drawn,) = saved_maps(of_collection("new", here))
    atlas = open_atlas("new", "toybox-knn", here)
    assert atlas.points is not None
    assert np.isfinite(atlas.points).all()
    assert set(drawn.ids) == set(atlas.ids)
    assert sorted(name or "" for name in atlas.label_names) == ["ball"] * 5 + ["cup"] * 5
