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
from core.errors import StoreError, UserFacingError
from core.media import door
from core.pipeline.retrieve import Limits, Retrieved, catalogue_of, retrieve, safe_of
from core.pipeline.scored import Asking, index_with
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


def asked(settings: Settings, media: Media, limits: Limits) -> Retrieved:
    collection = open_collection(settings.collections, "digits")
    return retrieve(catalogue_of(collection, settings), Here(settings), media, limits)


def test_a_stored_picture_finds_others_and_neither_itself_nor_its_recording(settings: Settings) -> None:
    digits = digits_of(settings)
    _, media = stored(settings, 4)
    found = asked(settings, media, Limits(k=1000))
    assert found.excluded == 2
    ids = {one.id for one in found.results}
    assert ids == {item.id for item in digits.items} - {digits.items[4].id, digits.items[5].id}
    cosines = [one.cosine for one in found.results]
    assert cosines == sorted(cosines, reverse=True)
    labels = {item.id: digits.classes[item.label or 0] for item in digits.items}
    assert all(one.label == labels[one.id] for one in found.results)
    own = asked(settings, media, Limits(k=1000, same_recording=True))
    assert {one.id for one in own.results} - ids == {digits.items[5].id}


def test_the_query_is_as_doubtful_as_when_it_was_indexed(settings: Settings) -> None:
    _, media = stored(settings, 7)
    found = asked(settings, media, Limits())
    row = next(
        one
        for one in open_collection(settings.collections, "digits").uncertainties(found.model.key)
        if one.id == digits_of(settings).items[7].id
    )
    assert found.query.total == pytest.approx(row.total, rel=1e-4)
    assert found.query.label == row.label


def test_doubtful_items_are_left_out(settings: Settings) -> None:
    _, media = stored(settings, 0)
    every = asked(settings, media, Limits(k=1000))
    totals = [one.doubts.total for one in every.results if one.doubts is not None]
    most = float(np.median(totals))
    found = asked(settings, media, Limits(k=1000, most=most))
    expected = [one.id for one in every.results if one.doubts is not None and one.doubts.total <= most]
    assert [one.id for one in found.results] == expected
    assert found.too_doubtful == len(totals) - len(expected)


def test_an_unsafe_query_is_refused_with_the_least_doubtful_near_it(settings: Settings) -> None:
    _, media = stored(settings, 1)
    found = asked(settings, media, Limits(k=5, risk=1e-6))
    assert found.results == ()
    assert "risk" in found.refused
    doubts = [one.doubts.total for one in found.alternatives if one.doubts is not None]
    assert len(doubts) == 5
    assert doubts == sorted(doubts)


def test_a_safe_query_is_answered_from_the_safe_database(settings: Settings) -> None:
    found = [asked(settings, stored(settings, at)[1], Limits(k=3, risk=0.9)) for at in range(4)]
    answered = [one for one in found if not one.refused]
    assert answered
    for one in answered:
        assert one.safety is not None
        assert one.safety.threshold is not None
        assert one.query.total <= one.safety.threshold
        assert len(one.results) == 3


def test_a_catalogue_and_its_thresholds_serve_many_queries(settings: Settings) -> None:
    """What was worked out once gives what working it out anew gives."""
    catalogue, here = catalogue_of(open_collection(settings.collections, "digits"), settings), Here(settings)
    limits = Limits(k=3, risk=0.9)
    safe = safe_of(catalogue, limits)
    assert safe.rows.any()
    for at in range(3):
        media = stored(settings, at)[1]
        found, anew = retrieve(catalogue, here, media, limits, safe=safe), asked(settings, media, limits)
        assert (found.results, found.safety, found.refused) == (anew.results, anew.safety, anew.refused)


def test_what_cannot_be_asked_is_refused_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    _, media = stored(settings, 0)
    for limits in (Limits(measure="mood"), Limits(measure="score"), Limits(risk=2.0), Limits(k=0)):
        with pytest.raises(UserFacingError):
            asked(settings, media, limits)
    with open_collection(tmp_path, "bare", create=About("image"), write=True):
        pass
    with pytest.raises(StoreError, match="--model"):
        catalogue_of(open_collection(tmp_path, "bare"), settings)


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
    assert main(["retrieve", "digits", str(file), "-k", "2"]) == 0
    assert "left out" in capsys.readouterr().out
    assert main(["retrieve", "digits", str(tmp_path / "absent.png")]) == 2
