"""A collection indexed with a model: its vectors, its doubts, and only what changed done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.checkpoints.answering import answers
from core.checkpoints.folders import find, mark_of
from core.contracts import Dataset, Item, Scope
from core.errors import DataError
from core.pipeline import scored
from core.pipeline.scored import Asking, embedder_of, index_with
from core.settings import Settings
from core.store import About, Collection, UncertaintyRow, Writer, open_collection
from tests.toy_models import few_digits, trained

DRAWS = 4


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), decoders=1, offline=True)


@pytest.fixture(scope="module")
def digits(settings: Settings) -> Dataset:
    return few_digits(settings, 40)


def asked(digits: Dataset, settings: Settings, key: str, scope: Scope) -> tuple[Asking, dict[str, UncertaintyRow]]:
    """A model, and what it says of the items when they are asked outside any collection."""
    model, prepared = trained(digits, settings, key, scope, epochs=1)
    asking = Asking(model, mark_of(find(model.name, settings)), DRAWS)
    given = answers(model, prepared.examples, draws=DRAWS)
    rows = {}
    for at, id_ in enumerate(given.ids):
        best = int(given.probs[at].argmax())
        rows[id_] = UncertaintyRow(
            id_,
            asking.key,
            given.doubts["total"][at],
            novelty=given.doubts["novelty"][at],
            epistemic=given.doubts["epistemic"][at] if given.draws > 1 else None,
            label=digits.classes[best],
            confidence=given.probs[at, best],
        )
    return asking, rows


def indexed(asking: Asking, dataset: Dataset, folder: Path, name: str = "one") -> Collection:
    about = About(dataset.kind, dataset.title, dataset.key, dataset.classes)
    with open_collection(folder, name, create=about, write=True) as writer:
        index_with(asking, dataset, writer, workers=1)
    return open_collection(folder, name)


@pytest.mark.parametrize(("key", "scope"), [("mc_dropout", "head"), ("deterministic", "head"), ("abnn", "network")])
def test_what_is_stored_is_what_the_model_says(
    settings: Settings, digits: Dataset, key: str, scope: Scope, tmp_path: Path
) -> None:
    asking, expected = asked(digits, settings, key, scope)
    collection = indexed(asking, digits, tmp_path)
    found = {row.id: row for row in collection.uncertainties(asking.key)}
    assert set(found) == set(expected) == {item.id for item in digits.items}
    for id_, row in expected.items():
        for name in ("total", "novelty", "confidence"):
            assert getattr(found[id_], name) == pytest.approx(getattr(row, name), rel=1e-3, abs=1e-5), name
        assert (found[id_].epistemic is None) == (key == "deterministic")
        assert found[id_].label == row.label == found[id_].top[0][0]
        assert [p for _, p in found[id_].top] == sorted((p for _, p in found[id_].top), reverse=True)
    (told,) = collection.models()
    assert (told.name, told.key, told.draws) == (asking.model.name, asking.key, DRAWS)
    assert collection.vectors(told.vectors).matrix.shape == (len(digits.items), told.dim)


class Counting:
    """An embedder that counts what goes through its network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.items = 0
        make = embedder_of

        def counted(asking: Asking) -> scored.Embedder:
            made = make(asking)

            def embed(inputs: Sequence[Any], shas: Sequence[str]) -> scored.Passed:
                self.items += len(inputs)
                return made.embed(inputs, shas)

            return replace(made, embed=embed)

        monkeypatch.setattr(scored, "embedder_of", counted)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


@pytest.mark.parametrize(("key", "scope"), [("mc_dropout", "head"), ("abnn", "network")])
def test_only_what_changed_is_computed_again(
    settings: Settings, digits: Dataset, key: str, scope: Scope, tmp_path: Path, counting: Counting
) -> None:
    asking, _ = asked(digits, settings, key, scope)
    before = indexed(asking, digits, tmp_path).uncertainties(asking.key)
    assert counting.items == len(digits.items)
    other = few_digits(settings, 41).items[5]
    changed = digits.items[3].id
    read = digits.read
    edited = replace(digits, read=lambda item: read(other if item.id == changed else item))
    collection = indexed(asking, edited, tmp_path)
    assert counting.items == len(digits.items) + 1
    after = {row.id: row for row in collection.uncertainties(asking.key)}
    assert {row.id for row in before if after[row.id] != row} == {changed}


def test_other_draws_and_other_heads_read_no_item_again(
    settings: Settings, digits: Dataset, tmp_path: Path, counting: Counting
) -> None:
    asking, _ = asked(digits, settings, "mc_dropout", "head")
    indexed(asking, digits, tmp_path)
    more = replace(asking, samples=2 * DRAWS)
    plain, _ = asked(digits, settings, "deterministic", "head")
    for again in (more, plain):
        collection = indexed(again, digits, tmp_path)
        assert len(collection.uncertainties(again.key)) == len(digits.items)
    assert counting.items == len(digits.items)
    assert len({row.key for row in collection.models()}) == 3
    assert len(collection.backbones) == 1


def test_a_picture_twice_under_two_names_has_doubts_twice(settings: Settings, digits: Dataset, tmp_path: Path) -> None:
    asking, _ = asked(digits, settings, "abnn", "network")
    first = digits.items[0]
    read = digits.read
    copied = replace(
        digits,
        items=(*digits.items[:3], Item("copy", first.label)),
        read=lambda item: read(first if item.id == "copy" else item),
    )
    found = {row.id: row for row in indexed(asking, copied, tmp_path).uncertainties(asking.key)}
    assert replace(found["copy"], id=first.id) == found[first.id]


def test_what_cannot_be_read_is_a_problem_and_the_rest_goes_on(
    settings: Settings, digits: Dataset, tmp_path: Path
) -> None:
    asking, _ = asked(digits, settings, "deterministic", "head")
    read = digits.read
    broken = replace(digits, read=lambda item: b"nothing" if item.id == digits.items[2].id else read(item))
    collection = indexed(asking, broken, tmp_path)
    assert [problem.id for problem in collection.problems()] == [digits.items[2].id]
    assert len(collection.uncertainties(asking.key)) == len(digits.items) - 1


def test_a_model_of_the_other_kind_is_refused(settings: Settings, digits: Dataset, tmp_path: Path) -> None:
    asking, _ = asked(digits, settings, "deterministic", "head")
    about = About("audio")
    with open_collection(tmp_path, "sounds", create=about, write=True) as writer, pytest.raises(DataError) as refusal:
        index_with(asking, replace(digits, kind="audio"), writer)
    assert refusal.value.code == "kind"
    assert isinstance(writer, Writer)


def test_vectors_are_those_of_the_network(settings: Settings, digits: Dataset, tmp_path: Path) -> None:
    model, prepared = trained(digits, settings, epochs=1)
    asking = Asking(model, mark_of(find(model.name, settings)))
    collection = indexed(asking, digits, tmp_path)
    vectors = collection.vectors(collection.models()[0].vectors)
    given = answers(model, prepared.examples)
    assert given.features is not None
    order = [given.ids.index(id_) for id_ in vectors.ids]
    np.testing.assert_allclose(vectors.matrix, given.features[order], rtol=1e-4, atol=1e-5)
