"""``inspect`` keeps its contract for every method, and its answer hangs on nothing but file, model, draws and seed."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core import registry
from core.checkpoints.answering import answers
from core.checkpoints.saved import Model
from core.cli import main
from core.contracts import Scope
from core.errors import UserFacingError
from core.media.door import open_media
from core.pipeline import _neighbours
from core.pipeline import inspect as walk
from core.pipeline.inspect import Beside, Inspected, beside, document, ternary
from core.pipeline.scored import asking_of, index_with
from core.settings import Settings
from core.store import About, open_collection
from core.training.examples import Examples, InMemory, keys_of_items
from tests.inspecting import Inspector, directions_in, inspect, inspect_bytes, png, saved, with_held
from tests.toy_models import aspects, few_digits, trained

KEYS = {
    "file", "sha256", "kind", "predictions", "total", "aleatoric", "epistemic", "novelty", "score", "percentile",
    "verdict", "verdict_code", "prediction_set", "neighbours", "receipt", "seconds",
}  # fmt: skip
METHODS = registry.discover("core.methods", "METHOD")
CASES = [(key, scope) for key, method in METHODS.items() for scope in method.scopes]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("inspect")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


@pytest.fixture(scope="module")
def dropout(here: Settings) -> Inspector:
    return with_held(few_digits(here, 12), here, "mc_dropout", "head", name="dropout")


def assert_contract(told: dict[str, Any], classes: tuple[str, ...]) -> None:
    assert set(told) >= KEYS
    json.dumps(told, allow_nan=False)
    probs = [row["p"] for row in told["predictions"]]
    assert sorted(row["label"] for row in told["predictions"]) == sorted(classes)
    assert probs == sorted(probs, reverse=True)
    assert all(0 <= row["low"] <= row["p"] <= row["high"] <= 1 + 1e-6 for row in told["predictions"])
    assert told["total"] == pytest.approx(told["aleatoric"] + told["epistemic"])
    assert all(0 <= place <= 100 for place in told["percentile"].values())
    assert told["verdict_code"] in {"trust", "ambiguous", "unfamiliar", "unsure", "unusable"}
    assert set(told["prediction_set"]["labels"]) <= set(classes)
    assert told["prediction_set"]["coverage"] >= 0.9
    assert told["seconds"] > 0


@pytest.mark.parametrize(("key", "scope"), CASES, ids=["-".join(case) for case in CASES])
def test_every_method_inspects(here: Settings, key: str, scope: Scope) -> None:
    digits = few_digits(here, 12)
    inspector = with_held(digits, here, key, scope)
    found = inspect_bytes(png(here), inspector, draws=4)
    told = document(found, "digit.png")
    assert_contract(told, digits.classes)
    assert sum(row["p"] for row in told["predictions"]) == pytest.approx(1.0, abs=1e-5)
    assert (told["score"] is None) == (told["score_name"] is None)
    assert len(told["neighbours"]) == 5
    assert ("epistemic" in told["percentile"]) == (found.draws > 1)


def test_several_labels_inspect(here: Settings) -> None:
    inspector = with_held(aspects(here, 6), here, "mc_dropout", "head", name="aspects")
    found = inspect_bytes(png(here), inspector, draws=4, coverage=0.9)
    assert_contract(document(found, "digit.png"), inspector.model.card.classes)
    assert found.prediction_set is not None
    assert found.prediction_set.n_calibration == min(inspector.model.card.posthoc["conformal"]["counts"])


def test_the_answer_is_that_of_the_walk_over_many(here: Settings, dropout: Inspector) -> None:
    digits = few_digits(here, 12)
    medias = [open_media(png(here, place)) for place in range(3)]
    alone = [inspect(media, dropout, draws=8, seed=3) for media in medias]
    tensors = torch.stack([dropout.model.network.prepare(media).tensor for media in medias])
    keys = keys_of_items(tuple(media.sha256 for media in medias))
    together = answers(dropout.model, Examples(InMemory(tensors), keys, keys, ("a", "b", "c")), draws=8, seed=3)
    for row, found in enumerate(alone):
        by_class = {prediction.label: prediction.p for prediction in found.predictions}
        assert [by_class[name] for name in digits.classes] == pytest.approx(together.probs[row].tolist(), abs=1e-5)
        assert found.doubts["novelty"] == pytest.approx(together.doubts["novelty"][row], rel=1e-5)


def test_few_draws_are_the_beginning_of_many(here: Settings, dropout: Inspector) -> None:
    media = open_media(png(here))
    few, many = (inspect(media, dropout, draws=count, seed=1) for count in (8, 50))
    other = inspect(media, dropout, draws=8, seed=2)
    np.testing.assert_allclose(few.probs, many.probs[:8], atol=1e-6)
    assert not np.allclose(few.probs, other.probs)


def test_the_interval_is_that_of_the_draws(here: Settings, dropout: Inspector) -> None:
    found = inspect_bytes(png(here), dropout, draws=40)
    for prediction in found.predictions:
        drawn = found.probs[:, found.classes.index(prediction.label)].astype(float)
        assert prediction.p == pytest.approx(drawn.mean(), abs=1e-6)
        assert prediction.low == pytest.approx(min(drawn.mean(), np.quantile(drawn, 0.05)), abs=1e-6)
        assert prediction.high == pytest.approx(max(drawn.mean(), np.quantile(drawn, 0.95)), abs=1e-6)


def test_settled_is_where_label_and_verdict_stop_changing(here: Settings, dropout: Inspector) -> None:
    """Against inspecting again with every smaller number of draws."""

    def said(found: Inspected) -> tuple[str, str]:
        return found.verdict.code, found.predictions[0].label

    settled = set()
    for place in range(6):
        media = open_media(png(here, place))
        each = [said(inspect(media, dropout, draws=count)) for count in range(2, 13)]
        expected = max((count + 1 for count, pair in enumerate(each, 2) if pair != each[-1]), default=2)
        found = inspect(media, dropout, draws=12).enough
        settled.add(found.settled)
        assert max(2, found.settled) == expected
        assert found.draws[-1] == 12
        errors = [part.total_error for part in found.parts]
        assert errors[0] is None
        assert all(error is not None and np.isfinite(error).all() for error in errors[1:])
    assert len(settled) > 1, "these items do not tell anything apart"


def test_neighbours_are_the_nearest_held_out_items(here: Settings, dropout: Inspector) -> None:
    """By a loop over all, with their true labels and their own doubts."""
    found, held = inspect_bytes(png(here), dropout), dropout.heldout
    assert held is not None
    assert held.features is not None
    assert held.basis == "whole"

    def cosine(other: np.ndarray) -> float:
        mine = found.features
        return sum(a * b for a, b in zip(mine.tolist(), other.tolist(), strict=True)) / math.sqrt(
            sum(a * a for a in mine.tolist()) * sum(b * b for b in other.tolist())
        )

    near = sorted(((cosine(row), place) for place, row in enumerate(held.features)), reverse=True)[:5]
    assert found.neighbours is not None
    for neighbour, (similarity, place) in zip(found.neighbours, near, strict=True):
        row = held.feature_rows[place]
        assert neighbour.id == held.answers.ids[row]
        assert neighbour.cosine == pytest.approx(similarity, abs=1e-5)
        assert neighbour.label == dropout.model.card.classes[held.labels[row]]
        assert neighbour.total == held.answers.doubts["total"][row]


def test_features_stored_along_the_density_find_an_item_itself(here: Settings, dropout: Inspector) -> None:
    """Wide features are stored projected: the query goes the same way, so that an item is like itself."""
    model, held = dropout.model, dropout.heldout
    assert held is not None
    assert held.features is not None
    along = directions_in(model)
    assert along is not None
    projected = along.along(held.features)
    wide = replace(held, features=projected, basis="density")
    for place in (0, 5):
        found = _neighbours.of_heldout(held.features[place], wide, along, model.card.classes, 3)
        assert found is not None
        assert found[0].id == held.answers.ids[held.feature_rows[place]]
        assert found[0].cosine == pytest.approx(1.0, abs=1e-5)
    own = replace(held, basis="own")
    assert _neighbours.of_heldout(held.features[0], own, along, model.card.classes, 3) is None


def test_a_model_that_came_alone_is_never_trusted(here: Settings) -> None:
    model: Model = trained(few_digits(here, 12), here, "mc_dropout", "head", name="alone", epochs=1)[0]
    found = walk.inspect_bytes(png(here), *saved("alone", here))
    assert model.card.posthoc == {}
    assert found.verdict.code == "unsure"
    assert found.prediction_set is None
    assert found.neighbours is None
    assert found.percentiles == {}


def test_two_models_are_compared_by_what_is_usual_for_each(here: Settings, dropout: Inspector) -> None:
    first = inspect_bytes(png(here), dropout)
    label = first.predictions[0].label
    other = replace(first, model="other", percentiles={"total": first.percentiles["total"] + 1})
    assert beside(first, other) == Beside(first.classes, True, "other")
    turned = replace(other, predictions=(first.predictions[1], first.predictions[0], *first.predictions[2:]))
    assert beside(turned, first) == Beside(first.classes, False, "other")
    narrow = replace(other, classes=tuple(name for name in first.classes if name != label), percentiles={})
    assert beside(first, narrow) == Beside(narrow.classes, None, None)
    with pytest.raises(ValueError, match="one file"):
        beside(first, replace(other, sha256="ab" * 32))


def test_the_three_shares_of_each_draw_add_up(here: Settings, dropout: Inspector) -> None:
    found = inspect_bytes(png(here), dropout, draws=9)
    shown = ternary(found)
    assert shown is not None
    names, shares = shown
    assert names == tuple(prediction.label for prediction in found.predictions[:3])
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    first, second = (found.classes.index(name) for name in names[:2])
    np.testing.assert_allclose(shares[:, 0] * found.probs[:, second], shares[:, 1] * found.probs[:, first], rtol=1e-4)


def test_refused_files_stand_among_the_others(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(few_digits(here, 12), here, "mc_dropout", "head", name="spoken", epochs=1)
    for name, value in here.environ().items():
        monkeypatch.setenv(name, value)
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(png(here))
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))

    def asked(*words: object) -> tuple[int, str, str]:
        code = main(["inspect", *map(str, words), "--model", "spoken"])
        out = capsys.readouterr()
        return code, out.out, out.err

    code, out, _ = asked(good, bad, tmp_path / "none.png", "--samples", 3, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["model"], told["samples"], len(told["items"])) == ("spoken", 3, 3)
    assert "predictions" in told["items"][0]
    assert [set(item) for item in told["items"][1:]] == [{"file", "error"}] * 2
    code, out, error = asked(bad, "--json")
    assert code == 2
    assert "error" in json.loads(out)["items"][0]
    assert len(error.strip().splitlines()) == 1
    assert asked(good)[1].startswith("good.png: ")
    assert asked(good, "--coverage", "1.5")[0] == 2
    with pytest.raises(UserFacingError):
        walk.inspect_bytes(b"nothing of ours", *saved("spoken", here))


def test_neighbours_of_a_collection_are_its_own_items(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An item of the collection is nearest to itself, with the doubt that was stored for it."""
    digits = few_digits(here, 24)
    trained(digits, here, "mc_dropout", "head", name="indexed", epochs=1)
    trained(digits, here, "mc_dropout", "network", name="stranger", epochs=1)
    asking = asking_of("indexed", here, "cpu", 4)
    about = About("image", digits.title, digits.key, digits.classes)
    with open_collection(here.collections, "shelf", create=about, write=True) as writer:
        index_with(asking, digits, writer, workers=1)
        stored = {row.id: row.total for row in writer.uncertainties(asking.key)}
    for name, value in here.environ().items():
        monkeypatch.setenv(name, value)
    item, file = digits.items[3], tmp_path / "item.png"
    file.write_bytes(digits.read(item))
    assert main(["inspect", str(file), "--model", "indexed", "--collection", "shelf", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["items"][0]
    assert told["neighbours_of"] == "shelf"
    first = told["neighbours"][0]
    assert (first["id"], first["label"]) == (item.id, digits.classes[item.label or 0])
    assert first["cosine"] == pytest.approx(1.0, abs=1e-5)
    assert first["total"] == stored[item.id]
    assert main(["inspect", str(file), "--model", "stranger", "--collection", "shelf"]) == 2
    assert "index it with that model" in capsys.readouterr().err
