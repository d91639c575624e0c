"""Retrieval from a collection: neighbours with their doubts, its own recording left out, refusals explained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.checkpoints.folders import find, mark_of
from core.cli import main
from core.contracts import Dataset, Media
from core.errors import UserFacingError
from core.media import door
from core.pipeline.atlas import Atlas, open_atlas
from core.pipeline.found import Outcome, Query, Wish, ask, of_file, shelf_of, trial_of
from core.pipeline.scored import Asking, index_with
from core.retrieval import Safety, chosen
from core.runner import Here
from core.settings import Settings
from core.store import About, open_collection
from tests.toy_models import few_digits, trained

EVERY = 36


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"), decoders=1, offline=True)
    digits = digits_of(settings)
    model, _ = trained(few_digits(settings, 25), settings, "mc_dropout", epochs=3)
    asking = Asking(model, mark_of(find(model.name, settings)), 4)
    about = About("image", classes=digits.classes)
    with open_collection(settings.collections, "digits", create=about, write=True) as writer:
        index_with(asking, digits, writer, workers=1)
    return settings


def digits_of(settings: Settings) -> Dataset:
    """Pairs of them are of one recording."""
    digits = few_digits(settings, EVERY)
    items = tuple(replace(item, group=f"pair-{at // 2}") for at, item in enumerate(digits.items))
    return replace(digits, items=items)


def stored(settings: Settings, at: int) -> tuple[bytes, Media]:
    digits = digits_of(settings)
    raw = digits.read(digits.items[at])
    return raw, door.open_media(raw, kind="image")


@pytest.fixture(scope="module")
def atlas(settings: Settings) -> Atlas:
    return open_atlas("digits", open_collection(settings.collections, "digits").models()[0].name, settings)


@pytest.fixture(scope="module")
def queries(settings: Settings, atlas: Atlas) -> list[Query]:
    """The first pictures as files."""
    here, shelf = Here(settings), shelf_of(atlas)
    return [of_file(atlas, shelf, here, stored(settings, at)[1]) for at in range(8)]


def safety_of(atlas: Atlas, risk: float) -> Safety:
    return chosen(trial_of(shelf_of(atlas), "total"), risk=risk)


def ids_of(atlas: Atlas, outcome: Outcome) -> list[str]:
    return [atlas.ids[one.row] for one in outcome.results]


def test_a_stored_picture_finds_others_and_neither_itself_nor_its_recording(
    settings: Settings, atlas: Atlas, queries: list[Query]
) -> None:
    digits = digits_of(settings)
    found = ask(shelf_of(atlas), queries[4], Wish(k=1000))
    assert found.own == 2
    ids = set(ids_of(atlas, found))
    assert ids == {item.id for item in digits.items} - {digits.items[4].id, digits.items[5].id}
    cosines = [one.cosine for one in found.results]
    assert cosines == sorted(cosines, reverse=True)
    labels = {item.id: digits.classes[item.label or 0] for item in digits.items}
    assert all(one.label == labels[atlas.ids[one.row]] for one in found.results)
    own = ask(shelf_of(atlas), queries[4], Wish(k=1000, same_recording=True))
    assert set(ids_of(atlas, own)) - ids == {digits.items[5].id}


def test_the_query_is_as_doubtful_as_when_it_was_indexed(
    settings: Settings, atlas: Atlas, queries: list[Query]
) -> None:
    row = atlas.ids.index(digits_of(settings).items[7].id)
    assert queries[7].doubts["total"] == pytest.approx(atlas.doubts["total"][row], rel=1e-4)
    assert queries[7].predicted == atlas.classes[atlas.predicted[row]]
    assert queries[7].confidence == pytest.approx(atlas.confidence[row], rel=1e-4)


def test_a_model_that_was_trained_again_is_not_asked(settings: Settings, atlas: Atlas) -> None:
    """Its features have nothing to do with those that are stored."""
    with pytest.raises(UserFacingError, match="trained again"):
        of_file(replace(atlas, mark="another"), shelf_of(atlas), Here(settings), stored(settings, 0)[1])


def test_doubtful_items_are_left_out(atlas: Atlas, queries: list[Query]) -> None:
    every = ask(shelf_of(atlas), queries[0], Wish(k=1000))
    totals = [one.doubt for one in every.results if one.doubt is not None]
    most = float(np.median(totals))
    found = ask(shelf_of(atlas), queries[0], Wish(k=1000, most=most))
    expected = [atlas.ids[one.row] for one in every.results if one.doubt is not None and one.doubt <= most]
    assert ids_of(atlas, found) == expected
    assert found.held_back == len(totals) - len(expected)


def test_an_unsafe_query_is_refused_with_the_least_doubtful_near_it(atlas: Atlas, queries: list[Query]) -> None:
    found = ask(shelf_of(atlas), queries[1], Wish(k=5, safety=safety_of(atlas, 1e-6)))
    assert found.results == ()
    assert "risk of 0.0001 %" in found.refused
    doubts = [one.doubt for one in found.alternatives if one.doubt is not None]
    assert len(doubts) == 5
    assert doubts == sorted(doubts)


def test_a_safe_query_is_answered_from_the_safe_database(atlas: Atlas, queries: list[Query]) -> None:
    safety = safety_of(atlas, 0.9)
    assert safety.threshold is not None
    asked = [(query, ask(shelf_of(atlas), query, Wish(k=3, safety=safety))) for query in queries]
    answered = [(query, found) for query, found in asked if not found.refused]
    assert answered
    for query, found in answered:
        assert query.doubts["total"] <= safety.threshold
        assert len(found.results) == 3


def test_what_cannot_be_asked_is_refused_in_a_sentence(atlas: Atlas, queries: list[Query]) -> None:
    shelf = shelf_of(atlas)
    for wish in (Wish(measure="mood"), Wish(measure="score"), Wish(k=0)):
        with pytest.raises(UserFacingError):
            ask(shelf, queries[0], wish)
    with pytest.raises(UserFacingError, match="between 0 and 1"):
        safety_of(atlas, 2.0)
    with pytest.raises(UserFacingError, match="no doubt called mood"):
        trial_of(shelf, "mood")


def test_the_command_prints_one_document(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PENUMBRA_HOME", str(settings.home))
    file = tmp_path / "digit.png"
    file.write_bytes(stored(settings, 3)[0])
    assert main(["retrieve", "digits", str(file), "-k", "2", "--risk", "0.9", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["results"] or told["alternatives"]) == 2
    assert told["excluded"] == 2
    query = told["query"]
    assert query["total"] > 0
    assert 0 < query["confidence"] <= 1
    for one in told["results"] or told["alternatives"]:
        assert set(one) == {"id", "label", "cosine", *query}
    assert main(["retrieve", "digits", str(file), "-k", "2"]) == 0
    assert "left out" in capsys.readouterr().out
    assert main(["retrieve", "digits", str(file), "--measure", "mood"]) == 2
    assert main(["retrieve", "digits", str(file), "--risk", "2"]) == 2
    with open_collection(settings.collections, "bare", create=About("image"), write=True):
        pass
    assert main(["retrieve", "bare", str(file)]) == 2
    assert "--model" in capsys.readouterr().err
    assert main(["retrieve", "digits", str(tmp_path / "absent.png")]) == 2
