"""Compare on what visitors bring: collections, links that ask in vain, models that cannot answer, nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.errors import UserFacingError
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.sheets import Sheet, benches, collection_sheet
from core.pipeline.tabled import Benches
from core.settings import Settings
from core.ui import _cached_compare, _compare_ask, models
from tests import visits
from tests.visits import at_home, said

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("toybox-deterministic", "toybox-mc-dropout")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path) -> Iterator[None]:
    with at_home(tmp_path / "home"):
        yield


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), checkpoints=ROOT / "checkpoints", offline=True)


def brought(name: str, settings: Settings, **changes: object) -> Atlas:
    """As a collection stores it: without the probabilities of all classes."""
    atlas = open_atlas("heldout", name, settings)
    own = replace(atlas, source="collection", name="mine", title="My data", probs=None, version="3")
    return replace(own, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def collected(settings: Settings) -> tuple[Sheet, ...]:
    return tuple(collection_sheet(brought(name, settings), settings) for name in NAMES)


def opened(**parameters: str) -> AppTest:
    return visits.opened("5_Compare", **{"model": NAMES[0], **parameters})


def test_a_collection_is_judged_without_what_a_model_learned_from(settings: Settings) -> None:
    learned = np.arange(912) < 100
    atlas = brought(NAMES[0], settings, learned=learned)
    sheet = collection_sheet(atlas, settings)
    assert len(sheet) == 812
    assert sheet.errors is not None
    assert sheet.errors.mean() == pytest.approx(1 - atlas.right[100:].mean())
    assert sheet.losses is None
    assert "five likeliest" in sheet.reason("nll")
    assert sheet.neighbour is not None
    foreign = collection_sheet(brought(NAMES[0], settings, labels=np.full(912, -1)), settings)
    assert foreign.errors is None
    assert len(foreign) == 912
    assert "no label of these items" in foreign.reason("accuracy")


def test_a_collection_sorts_by_what_it_has(monkeypatch: pytest.MonkeyPatch, collected: tuple[Sheet, ...]) -> None:
    monkeypatch.setattr(
        _cached_compare, "benches", lambda kind, data: Benches(benches(collected), (("other", "why."),))
    )
    app = opened()
    assert "has the lowest AUGRC" in said(app)
    assert "2 models answered the same 912 items of My data" in said(app)
    assert "other cannot be judged: why." in said(app)
    columns = next(box for box in app.selectbox if box.label == "Best first by")
    assert "NLL" not in columns.options
    assert "R@1" in columns.options


def test_a_link_that_asks_in_vain_is_told_and_the_page_stands() -> None:
    app = opened(reference="nobody", doubt="love", sort="speed", elsewhere="../../x", set="nowhere", drawn=",")
    for name in ("reference", "doubt", "sort", "elsewhere", "drawn"):
        assert f"The link asks for {name} " in said(app)
    assert "has the lowest NLL" in said(app)


def test_a_link_chooses_reference_doubt_column_and_models() -> None:
    app = opened(reference=NAMES[1], doubt="epistemic", sort="augrc", drawn=f"{NAMES[1]},toybox-laplace")
    assert "has the lowest AUGRC" in said(app)
    assert "against MC dropout" in said(app) or "worse by more than chance" in said(app)
    assert sum(one.value.startswith("Overconfident") or "fident by" in one.value for one in app.caption) == 2


def test_where_nobody_can_be_judged_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: str, data: str) -> Benches:
        raise UserFacingError("No model can be judged on these items: they are of none.")

    monkeypatch.setattr(_cached_compare, "benches", refuse)
    app = opened()
    assert "No model can be judged" in said(app)
    assert not app.tabs


def test_only_models_that_can_answer_are_asked(monkeypatch: pytest.MonkeyPatch, collected: tuple[Sheet, ...]) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(
        _compare_ask.running_jobs, "submit", lambda settings, line, **more: started.append(list(line)) or None
    )
    monkeypatch.setattr(_compare_ask.st, "session_state", {})
    bench = benches(collected)[0]
    known = {one.name: one for one in models.model_list()}
    told = tuple(replace(one, ready=one.name != NAMES[0], why_not="weights are missing") for one in known.values())
    monkeypatch.setattr(models, "model_list", lambda: told)
    _compare_ask.start(bench, ["digits:test"], 24)
    assert [line[2] for line in started] == [NAMES[1]]
    assert started[0][started[0].index("--samples") + 1] == str(bench.sheets[1].draws)
    assert "1 cannot answer now: weights are missing" in _compare_ask._unable(bench)
    _compare_ask.start(bench, [" "], 24)
    assert "names no items" in _compare_ask.st.session_state["compare-refused"]
