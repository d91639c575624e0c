"""Answers to many items are those of the method, whatever the batch, the draws kept and the device's way there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.checkpoints.answering import answers, features_of, joined, some
from core.checkpoints.answers import Answers, kept_rows
from core.checkpoints.saved import Model
from core.contracts import Predictive
from core.errors import DataError
from core.metrics.uncertainty import decompose, max_softmax
from core.settings import Settings
from core.training.examples import Examples, InMemory
from tests.toy_models import NORMALISED, few_digits, part_of, trained

DRAWS = 6
CASES = ("mc_dropout-head", "flipout-network", "knn-head", "deterministic-network")  # the last in all its layers


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("answering")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


Case = tuple[Model, Examples, Predictive]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, here: Settings) -> Case:
    """A model, items, and what its method says of all of them at once."""
    key, _, scope = request.param.rpartition("-")
    start = NORMALISED if key == "deterministic" else None
    model, prepared = trained(few_digits(here, 12), here, key, scope, epochs=1, start=start)
    examples, _ = part_of(prepared, "test")
    inputs = examples.inputs.take(torch.arange(len(examples)), 0)
    if scope == "head":
        inputs = model.network.embed(inputs)
    return model, examples, model.method.predict(model.state, inputs, examples.keys, draws=DRAWS, seed=3)


def test_answers_are_those_of_the_method_in_batches_of_any_size(case: Case) -> None:
    model, examples, said = case
    for batch in (7, 1000):
        given = answers(model, examples, draws=DRAWS, seed=3, batch=batch)
        assert given.ids == examples.ids
        assert given.draws == len(said.probs)
        np.testing.assert_allclose(given.probs, said.probs.double().mean(0).numpy(), atol=1e-6)
        want = decompose(said)
        for part in ("total", "aleatoric", "epistemic"):
            np.testing.assert_allclose(given.doubts[part], getattr(want, part), atol=1e-5)
        np.testing.assert_allclose(given.doubts["max_softmax"], max_softmax(said), atol=1e-6)
        assert ("score" in given.doubts) == (said.score is not None)
        if said.score is not None:
            np.testing.assert_allclose(given.doubts["score"], said.score.double().numpy(), rtol=1e-5)
            assert given.score_name == said.score_name


def test_draws_are_kept_for_as_many_items_as_asked(case: Case) -> None:
    model, examples, said = case
    given = answers(model, examples, draws=DRAWS, seed=3, keep=9, batch=8)
    assert given.kept is not None
    assert len(given.kept.rows) == 9
    assert given.kept.rows[[0, -1]].tolist() == [0, len(examples) - 1]
    torch.testing.assert_close(given.kept.answer.probs, said.probs[:, torch.from_numpy(given.kept.rows)])
    assert answers(model, examples, draws=DRAWS).kept is None


def test_features_enter_the_head_without_noise(case: Case) -> None:
    """In scope network by the trained network: its head on them is its answer with the noise left off."""
    model, examples, _ = case
    given = answers(model, examples, draws=1)
    assert given.features is not None
    inputs = examples.inputs.take(torch.arange(len(examples)), 0)
    network = model.state.model if model.card.scope == "network" else model.network
    np.testing.assert_allclose(given.features, network.embed(inputs).numpy(), atol=1e-5)
    if model.card.method == "deterministic":
        assert np.abs(given.features - model.network.embed(inputs).numpy()).max() > 1e-2  # not what it began with
    assert given.features.dtype == np.float32
    read = examples if model.card.scope == "network" else examples.with_inputs(InMemory(torch.tensor(given.features)))
    torch.testing.assert_close(features_of(model, read), torch.from_numpy(given.features))


def test_features_that_are_there_already_are_not_computed_again(case: Case) -> None:
    model, examples, _ = case
    given = answers(model, examples, draws=DRAWS)
    assert given.features is not None
    ready = examples.with_inputs(InMemory(torch.from_numpy(given.features)))
    if model.card.scope == "network":
        with pytest.raises(ValueError, match="inputs"):
            answers(model, ready, draws=DRAWS, embedded=True)
    else:
        np.testing.assert_allclose(answers(model, ready, draws=DRAWS, embedded=True).probs, given.probs, atol=1e-6)


def test_novelty_is_there_where_a_density_is(case: Case) -> None:
    model, examples, _ = case
    given = answers(model, examples, draws=1)
    assert np.isfinite(given.doubts["novelty"]).all()
    assert "novelty" not in answers(replace(model, density=None), examples, draws=1).doubts


def test_no_item_has_no_answer(case: Case) -> None:
    model, examples, _ = case
    with pytest.raises(DataError, match="no item"):
        answers(model, examples.part(torch.zeros(0, dtype=torch.int64)))


def test_progress_ends_with_the_last_item(case: Case) -> None:
    model, examples, _ = case
    told: list[tuple[int, int, str]] = []
    answers(model, examples, draws=1, batch=10, progress=lambda *news: told.append(news))
    assert told[-1] == (len(examples), len(examples), "answer")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


def test_parts_of_a_set_make_the_whole(case: Case) -> None:
    """What several models say of a part each, with draws where all parts kept them."""
    model, examples, _ = case
    whole = answers(model, examples, draws=DRAWS, keep=1000)
    halves = [
        answers(model, examples.part(rows), draws=DRAWS, keep=1000) for rows in torch.arange(len(examples)).split(20)
    ]
    again = joined(halves)
    assert again.ids == whole.ids
    np.testing.assert_allclose(again.probs, whole.probs, atol=1e-6)
    assert set(again.doubts) == set(whole.doubts)
    np.testing.assert_allclose(again.doubts["novelty"], whole.doubts["novelty"], rtol=1e-4)
    assert again.kept is not None
    assert whole.kept is not None
    assert again.kept.rows.tolist() == list(range(len(examples)))
    torch.testing.assert_close(again.kept.answer.probs, whole.kept.answer.probs)
    assert again.features is None
    without = [replace(halves[0], kept=None), *halves[1:]]
    assert joined(without).kept is None


def test_some_of_the_answers_are_those_of_some_items(case: Case) -> None:
    model, examples, _ = case
    rows = np.array([4, 1, 7])
    whole = answers(model, examples, draws=DRAWS)
    few = answers(model, examples.part(torch.from_numpy(rows)), draws=DRAWS)
    taken: Answers = some(whole, rows)
    assert taken.ids == few.ids
    np.testing.assert_allclose(taken.probs, few.probs, atol=1e-6)
    assert taken.moments is not None
    assert few.moments is not None
    torch.testing.assert_close(taken.moments.m2, few.moments.m2, atol=1e-6, rtol=1e-4)


def test_kept_places_are_spread_over_all_items() -> None:
    assert kept_rows(10, 3).tolist() == [0, 4, 9]
    assert kept_rows(3, 10).tolist() == [0, 1, 2]
    assert kept_rows(5, 0).tolist() == []
