"""Saved maps: drawn once, drawn again when something changed, gone with their collection."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.cli import main
from core.errors import StoreError, UserFacingError
from core.maps.draw import MapOptions
from core.maps.saved import load_map, of_collection, saved_maps
from core.pipeline.map import SPREAD, draw_heldout, draw_map, seeds_agree
from core.settings import Settings
from core.store import About, delete, open_collection
from tests.laying import lay_out_plainly
from tests.stored import TOY, item, sha, vector

ITEMS = 24


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path)
    filled(settings, range(ITEMS))
    return settings


@pytest.fixture(autouse=True)
def plain_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out_plainly(monkeypatch)


def filled(settings: Settings, numbers: range) -> None:
    with open_collection(settings.collections, "one", create=About("audio"), write=True) as writer:
        writer.add_vectors(TOY, [sha(n) for n in numbers], np.stack([vector(n) for n in numbers]))
        writer.add([item(n, name=f"a\\n\n{n}") for n in numbers])


def test_a_map_is_drawn_once(settings: Settings) -> None:
    first = draw_map("one", settings)
    again = draw_map("one", settings)
    assert first.created == again.created
    assert np.array_equal(first.points, again.points)
    assert first.ids == again.ids == tuple(f"a\\n\n{n}" for n in range(ITEMS))
    for name in ("key", "options", "backbone", "method", "trust", "seconds", "notes"):
        assert getattr(again, name) == getattr(first, name), name


def test_a_changed_collection_and_changed_options_are_drawn_anew(settings: Settings) -> None:
    first = draw_map("one", settings)
    for options in (MapOptions(seed=1), MapOptions(neighbours=5), MapOptions(min_dist=0.5)):
        assert draw_map("one", settings, options).key != first.key
    filled(settings, range(ITEMS, ITEMS + 1))
    assert len(draw_map("one", settings).ids) == ITEMS + 1
    assert len(saved_maps(of_collection("one", settings))) == 5
    assert saved_maps(of_collection("one", settings))[0].ids[-1] == f"a\\n\n{ITEMS}"


def test_a_damaged_map_is_drawn_again(settings: Settings) -> None:
    first = draw_map("one", settings)
    (file,) = settings.collections.glob("one/maps/*/map.safetensors")
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 0xFF
    file.write_bytes(raw)
    assert load_map(of_collection("one", settings), first.key) is None
    assert np.array_equal(draw_map("one", settings).points, first.points)
    assert load_map(of_collection("one", settings), first.key) is not None


def test_seeds_are_compared_on_two_maps_of_the_same_items(settings: Settings) -> None:
    drawn = draw_map("one", settings)
    assert seeds_agree(drawn, drawn) == 1.0
    assert 0.0 <= (seeds_agree(drawn, draw_map("one", settings, MapOptions(seed=5))) or 0.0) <= 1.0
    assert len(saved_maps(of_collection("one", settings))) == 2


def test_maps_go_with_their_collection(settings: Settings) -> None:
    draw_map("one", settings)
    delete(settings.collections, "one")
    assert saved_maps(of_collection("one", settings)) == ()


def test_a_collection_without_vectors_says_what_to_do(settings: Settings) -> None:
    with open_collection(settings.collections, "bare", create=About("audio"), write=True) as writer:
        writer.add([item(0)])
    with pytest.raises(StoreError, match="--model"):
        draw_map("bare", settings)


def test_the_command_prints_one_document(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    assert main(["map", "one", "--seed", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["items"], told["options"]["seed"], told["seeds_agree"]) == (ITEMS, 3, None)
    assert [point["id"] for point in told["points"]] == [f"a\\n\n{n}" for n in range(ITEMS)]
    assert main(["map", "absent"]) == 2
    assert main(["map"]) == main(["map", "one", "--heldout", "toybox-vim"]) == 2
    assert main(["map", "one", "--neighbours", "1"]) == 2


def test_what_came_with_a_model_is_drawn_once_for_all_that_share_its_features(tmp_path: Path) -> None:
    """Also where the first of them shipped: nothing is written then."""
    settings = Settings(home=tmp_path)
    shipped = draw_heldout("toybox-ensemble", settings, SPREAD)
    assert shipped.key == draw_heldout("toybox-vim", settings, SPREAD).key
    assert not (tmp_path / "maps").exists()
    assert shipped.options == SPREAD
    with pytest.raises(UserFacingError, match="no model"):
        draw_heldout("toybox-nothing", settings)
