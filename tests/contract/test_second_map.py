"""A second map beside the first: which are offered, what joins them, what is said, and a selection that both show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.maps.beside import stay
from core.maps.draw import MapOptions
from core.maps.saved import SavedMap, of_collection, save_map
from core.maps.trust import Trust
from core.pipeline.atlas import Atlas, open_atlas
from core.settings import Settings
from core.store import ItemRow, UncertaintyRow, open_collection
from core.ui import _map_selected
from tests import visits
from tests.atlases import MODEL, READ, filled
from tests.visits import at_home, said

TWO = "soundbox-ensemble"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """With the collections "five", and "four", where one of its files is another and two are missing; both drawn."""
    home = tmp_path_factory.mktemp("home")
    with at_home(home) as settings:
        filled(settings, home / "pictures")
        with open_collection(settings.collections, "five") as five:
            about, models = replace(five.about, title="Four"), five.models()
            items = five.fetch([f"{number}.png" for number in range(5)])
            told = [row for one in models for row in five.uncertainties(one.key)]
            vectors = five.vectors(READ)
        with open_collection(settings.collections, "four", create=about, write=True) as writer:
            shas = [item.sha256 for item in items[:3]]
            writer.add_vectors(READ, shas, vectors.matrix[:3])
            kept: list[ItemRow] = [*items[:2], replace(items[2], sha256="0" * 64), replace(items[4], id="new.png")]
            writer.add(kept)
            answers: list[UncertaintyRow] = [row for row in told if row.id in {"0.png", "1.png", "2.png"}]
            writer.add_uncertainties(answers)
            for one in models:
                writer.add_model(one)
            writer.flush()
        for name, ids in (("five", ("0.png", "1.png", "2.png", "3.png")), ("four", ("0.png", "1.png", "2.png"))):
            drawn = SavedMap(
                f"{len(ids)}" * 64, ids, np.arange(2 * len(ids), dtype=np.float32).reshape(-1, 2), MapOptions(), READ,
                "pca", Trust(None, None, 0, 0), 0.1, datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
            )  # fmt: skip
            save_map(of_collection(name, settings), drawn)
        yield settings


def opened(session: dict[str, object] | None = None, **parameters: str) -> AppTest:
    return visits.opened("2_Map", session, **parameters)


@pytest.fixture(scope="module")
def toys(settings: Settings) -> Atlas:
    return open_atlas("heldout", TWO, settings)


def test_another_seed_says_how_many_neighbours_stay_beside_what_chance_gives(toys: Atlas) -> None:
    other = toys.maps[1]
    app = opened(model=TWO, second=f"~~{other.key[:12]}")
    drawn = toys.on(other)
    assert toys.points is not None
    assert drawn.points is not None
    every, chosen = stay(toys.points, drawn.points), stay(toys.points, drawn.points, np.arange(20, 60))
    assert every is not None
    assert chosen is not None
    assert f"Of the 15 items that lie nearest to an item on one map, **{100 * every.share:.0f} %** are" in said(app)
    assert f"by chance it would be {100 * every.chance:.2g} %." in said(app)
    held = (toys.name, tuple(toys.ids[20:60]))
    some = opened({_map_selected.HELD: held}, model=TWO, second=f"~~{other.key[:12]}")
    assert f"nearest to each of the 40 selected items on one map, **{100 * chosen.share:.0f} %** are" in said(some)
    assert "are on both maps" not in said(some)
    assert "Seed 0, 15 neighbours, distance 0.8, cosine. The most" in said(some)


def test_other_seeds_and_models_of_the_same_data_are_offered_and_the_choice_stands_in_the_link(toys: Atlas) -> None:
    app = opened(model=TWO)
    beside = app.selectbox(key="map-beside")
    assert beside.value == ""
    assert "Seed 1, 15 neighbours, distance 0.8, cosine" in beside.options
    assert "Soundbox, k-NN distance" in beside.options
    assert not any("Toybox" in name for name in beside.options)
    beside.set_value("soundbox-knn~~").run()
    assert app.query_params["second"] in ("soundbox-knn~~", ["soundbox-knn~~"])
    assert "the places are the same, and only the doubts differ" in said(app)
    assert "Soundbox, Ensemble. The most doubtful tenth" in said(app)
    assert "Soundbox, k-NN distance. The most doubtful tenth" in said(app)
    app.selectbox(key="map-beside").set_value("").run()
    assert "second" not in app.query_params
    assert "only the doubts differ" not in said(app)


def test_two_collections_are_joined_where_id_and_bytes_are_the_same(settings: Settings) -> None:
    (settings.collections / "Not one of ours").mkdir()
    app = opened(model=MODEL, data="five", second="~four~", samples="9", seed="3")
    assert "2 pictures are on both maps, of 5 here and 4 there; only these are joined." in said(app)
    held = ("five", ("0.png", "2.png", "3.png"))
    some = opened({_map_selected.HELD: held}, model=MODEL, data="five", second="~four~", samples="9", seed="3")
    assert "2 of the 3 selected are not on the second map." in said(some)


def test_a_second_map_that_is_not_there_is_one_sentence(settings: Settings) -> None:
    assert "is none of these data, or is not here any more" in said(opened(model=TWO, second="~~" + "0" * 12))
    assert "which is not a second map" in said(opened(model=TWO, second="nonsense"))
    app = opened(model=TWO, second="toybox-knn~~")
    assert re.search("second map of the link is none of these data", said(app))
