"""Retention and Retrieve on data as visitors bring them: own words, other classes, no labels, other models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.errors import UserFacingError
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.judged import Strangers
from core.pipeline.retained import point_of
from core.settings import Settings
from core.ui import _cached_atlas, _cached_retention, _retention_data, tables
from core.ui.controls import Choice
from core.ui.item_cards import reason
from tests import visits
from tests.visits import at_home, said

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = "toybox-ensemble"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path) -> Iterator[None]:
    with at_home(tmp_path / "home"):
        yield


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    settings = Settings(home=tmp_path_factory.mktemp("home"), checkpoints=ROOT / "checkpoints", offline=True)
    return open_atlas("heldout", MODEL, settings)


def opened(page: str, **parameters: str) -> AppTest:
    return visits.opened(page, **{"model": MODEL, **parameters})


def brought(monkeypatch: pytest.MonkeyPatch, atlas: Atlas, **changes: Any) -> None:
    """As if a visitor's own collection was chosen."""
    own = replace(atlas, source="collection", title="My data", fingerprint=f"own {sorted(changes)}", **changes)
    monkeypatch.setattr(_cached_atlas, "atlas", lambda choice: own)
    monkeypatch.setattr(_cached_atlas, "thumbs_of", lambda atlas, ids: {})


def metric(app: AppTest, label: str) -> str:
    return next(str(one.value) for one in app.metric if one.label.startswith(label))


def test_the_operating_point_and_the_measure_come_from_the_link() -> None:
    app = opened("3_Retention", keep="0.5", measure="epistemic")
    assert metric(app, "Kept") == "456 of 912"
    assert "surest 50 % by unfamiliarity raises accuracy from 81.1 % to" in said(app)
    assert "a perfect order would reach 100.0 %" in said(app)
    assert "456 answers are refused" in said(app)


def test_own_words_are_mapped_to_classes(monkeypatch: pytest.MonkeyPatch, shipped: Atlas) -> None:
    words = tuple("vessel" if name == "boat" else name for name in shipped.label_names)
    labels = np.where(np.array(words) == "vessel", -1, shipped.labels)
    brought(monkeypatch, shipped, label_names=words, labels=labels)
    app = opened("3_Retention")
    boats = words.count("vessel")
    assert f"{912 - boats} items were judged" in said(app)
    assert "11 of 12 are classes of the model" in app.expander[0].label
    mapped = {word: word for word in shipped.classes if word != "boat"} | {"vessel": "boat"}
    whole = _cached_retention.judgement(shipped, tuple(mapped.items()))
    assert len(whole) == 912 - boats  # of the held-out items "boat" is no word of the mapping
    monkeypatch.setattr(_retention_data, "_table", lambda found, atlas: tuple(mapped.items()))
    app = opened("3_Retention")
    assert "912 items were judged" in said(app)


def test_labels_of_other_classes_are_judged_by_the_nearest_item(
    monkeypatch: pytest.MonkeyPatch, shipped: Atlas
) -> None:
    words = tuple(f"thing {name}" for name in shipped.label_names)
    brought(monkeypatch, shipped, label_names=words, labels=np.full(912, -1))
    app = opened("3_Retention")
    assert "is the nearest of the other" in said(app)
    assert "raises R@1 from 76.0 %" in said(app)


def test_without_labels_the_items_are_sorted_and_it_is_said_why(
    monkeypatch: pytest.MonkeyPatch, shipped: Atlas
) -> None:
    brought(monkeypatch, shipped, label_names=(None,) * 912, labels=np.full(912, -1))
    app = opened("3_Retention", keep="0.25")
    assert "have no labels" in said(app)
    assert metric(app, "Kept") == "228 of 912"
    assert "no label**, taken for" in said(app)
    app = opened("4_Retrieve", safe="True")
    assert "calibrated on labels" in said(app)
    assert "fewer than four" in said(app)


def test_a_model_asked_about_other_items_is_not_laid_over(shipped: Atlas) -> None:
    assert _retention_data.not_comparable(shipped, shipped) == ""
    fewer = replace(shipped, ids=(*shipped.ids[:-1], "another"))
    assert "911 of the 912" in _retention_data.not_comparable(shipped, fewer)
    assert "another version" in _retention_data.not_comparable(shipped, replace(shipped, version="x"))


def test_other_models_are_drawn_and_compared_in_words() -> None:
    app = opened("3_Retention")
    app.multiselect(key="pick-overlay").set_value(["toybox-mc-dropout", "toybox-deterministic"]).run()
    assert not app.exception
    assert "At 80 % kept," in said(app)
    assert "has the best accuracy" in said(app)


def test_items_from_outside_are_mixed_in_by_the_link_and_set_aside_first(monkeypatch: pytest.MonkeyPatch) -> None:
    doubts = {name: np.full(20, 9.0) for name in ("total", "aleatoric", "epistemic", "novelty", "max_softmax")}
    strangers = Strangers("Whales", tuple(f"whale-{at}" for at in range(20)), doubts)
    monkeypatch.setattr(_cached_retention, "made", lambda *asked: strangers)
    app = opened("3_Retention", mix="made", keep="0.9")
    assert metric(app, "Kept") == "839 of 932"
    assert "20 items of Whales are mixed in" in said(app)
    assert said(app).count("From outside") == 12  # the first page of cards is theirs
    app = opened("3_Retention", mix="whales")
    assert "not a set of items from outside that is here" in said(app)
    assert metric(app, "Kept") == "730 of 912"


def test_one_threshold_cuts_on_every_page(shipped: Atlas) -> None:
    for share in (0.3, 0.8):
        point = point_of(_cached_retention.curves(shipped), "total", share)
        assert _cached_retention.threshold(shipped, "total", share) == point.threshold
    assert _cached_retention.threshold(shipped, "total", 1.0) is None


def test_a_reason_follows_the_rules_of_verdicts(shipped: Atlas) -> None:
    codes = [shipped.code(row) for row in range(912)]
    for code, word in (("unfamiliar", "Unfamiliar: "), ("ambiguous", "Ambiguous: "), ("trust", "Doubt beyond")):
        row = codes.index(code)
        assert reason(shipped, row, "total").text.startswith(word)


def test_a_stored_item_is_answered_or_refused_with_alternatives(shipped: Atlas) -> None:
    safe, unsafe = (shipped.ids[int(order(shipped.doubts["total"]))] for order in (np.argmin, np.argmax))
    app = opened("4_Retrieve", query=safe, safe="True", risk="10", k="5")
    assert "of 5 share the label" in said(app)
    app = opened("4_Retrieve", query=unsafe, safe="True", risk="10", k="5")
    assert "Not answered." in said(app)
    assert "allows at most" in said(app)
    assert "least unsafe alternatives" in said(app)
    assert len([one for one in app.button if one.label == "Ask with this"]) == 5
    app = opened("4_Retrieve", query=unsafe, safe="True", risk="1")
    assert "The smallest risk that can be promised here by total doubt is **10 %**" in said(app)
    next(one for one in app.button if one.label == "Allow 10 %").click().run()
    assert "at most 10 % of these find a wrong nearest item" in said(app)


def test_a_wrong_link_falls_back_with_a_sentence() -> None:
    app = opened("4_Retrieve", query="../../x", k="0", risk="99")
    assert "not a whole number from 1 to 48" in said(app)
    assert "is not among these data" in said(app)
    assert "share the label" in said(app)


def test_a_model_without_features_says_what_to_do(monkeypatch: pytest.MonkeyPatch, shipped: Atlas) -> None:
    brought(monkeypatch, shipped, features=None)
    app = opened("4_Retrieve")
    assert "index a collection" in app.error[0].value.replace("\\", "")

    def refuse(choice: Choice) -> Atlas:
        raise UserFacingError("That model has said nothing of these items; index them with it.")

    monkeypatch.setattr(_cached_atlas, "atlas", refuse)
    for page in ("3_Retention", "4_Retrieve"):
        app = opened(page)
        assert len(app.error) == 1
        assert not app.metric


def test_downloads_carry_what_they_stand_on() -> None:
    from io import BytesIO

    from pyarrow import parquet

    columns, about = {"id": ["=1+1", "b"], "doubt": [0.25, None]}, {"model": "m", "fingerprint": "f", "seed": "0"}
    lines = tables.csv_of(columns, about).decode().splitlines()
    assert lines[0] == "id,doubt,model,fingerprint,seed,date"
    assert lines[1].startswith("'=1+1,0.25,m,f,0,2")
    table = parquet.read_table(BytesIO(tables.parquet_of(columns, about)))
    assert table["doubt"].to_pylist() == [0.25, None]
    assert table["model"].to_pylist() == ["m", "m"]
