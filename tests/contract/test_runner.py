"""The worker's answers are those of the model, alone or merged, and its line is told as it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.checkpoints.saved import load_model
from core.contracts import Dataset, Media, Receipt
from core.errors import UserFacingError
from core.layers import keys_of
from core.methods import mc_dropout
from core.methods._folding import ROWS
from core.metrics.uncertainty import decompose
from core.runner import Limits, Loaded, Request, Runner
from core.runner._asking import message_of
from core.runner._computing import Computing
from core.runner._growing import first_draws
from core.settings import Settings
from tests.running import FAILING, Faults, media_of, same, until
from tests.toy_models import few_digits, trained

HEAD, NETWORK, MEMBERS, SCORE = "toy-head", "toy-network", "toy-members", "toy-score"
MODELS = (HEAD, NETWORK, MEMBERS, SCORE)
LIMITS = Limits(waiting=4, together=6, models=4, silence=120)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("runner")
    settings = Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)
    digits = few_digits(settings, 12)
    trained(digits, settings, "mc_dropout", "head", name=HEAD, epochs=1)
    trained(digits, settings, "flipout", "network", name=NETWORK, epochs=1)
    trained(digits, settings, "ensemble", "network", name=MEMBERS, epochs=1, members=2)
    trained(digits, settings, "knn", "head", name=SCORE, epochs=1)
    return settings


@pytest.fixture(scope="module")
def digits(here: Settings) -> Dataset:
    return few_digits(here, 12)


@pytest.fixture(scope="module")
def media(digits: Dataset) -> tuple[Media, ...]:
    return tuple(media_of(digits, item) for item in digits.items[:10])


@pytest.fixture(scope="module")
def runner(here: Settings) -> Iterator[Runner]:
    with Runner(here, LIMITS, launch=FAILING) as runner:
        yield runner


@pytest.fixture
def faults(here: Settings) -> Iterator[Faults]:
    faults = Faults(here)
    yield faults
    for path in faults.folder.iterdir():
        path.unlink()


def sound() -> Media:
    return Media("audio", np.zeros(8000, np.float32), 8000, "ab" * 32, Receipt("wav", "PCM 16 bit", 16_044, 8000))


@pytest.mark.parametrize("name", MODELS)
def test_an_answer_is_what_the_method_says(name: str, runner: Runner, here: Settings, media: tuple[Media, ...]) -> None:
    answer = runner.ask(Request(name, media=media[:3], draws=6, seed=9))
    model = load_model(name, here)
    inputs = torch.stack([model.network.prepare(one).tensor for one in media[:3]])
    read = model.network.embed(inputs) if model.card.scope == "head" else inputs
    keys = keys_of([one.sha256 for one in media[:3]])
    said = model.method.predict(model.state, read, keys, draws=6, seed=9)
    same(answer.probs, said.probs.numpy())
    same(answer.mean, said.probs.double().mean(0).numpy())
    same(answer.m2, (said.probs.double() - said.probs.double().mean(0)).square().sum(0).numpy())
    parts = decompose(said)
    same(answer.doubts["epistemic"], parts.epistemic)
    if parts.epistemic_error is not None:
        same(answer.errors["epistemic"], parts.epistemic_error)
    if said.score is not None:
        np.testing.assert_allclose(answer.doubts["score"], said.score.double().numpy(), rtol=1e-5)
    assert "novelty" in answer.doubts
    assert (answer.score_name, answer.classes, answer.draws) == (said.score_name, model.card.classes, len(said.probs))
    assert answer.receipts[0].notes[: len(media[0].receipt.notes)] == media[0].receipt.notes
    assert answer.receipts[0].has("resized")


@pytest.mark.parametrize("name", MODELS)
def test_inputs_and_features_give_what_media_give(
    name: str, runner: Runner, here: Settings, media: tuple[Media, ...]
) -> None:
    whole = runner.ask(Request(name, media=media, draws=4))
    keys = tuple(one.sha256 for one in media)
    network = load_model(name, here).network
    inputs = np.stack([network.prepare(one).tensor.numpy() for one in media])
    same(runner.ask(Request(name, inputs=inputs, sha256s=keys, draws=4)).probs, whole.probs)
    asked = Request(name, features=whole.features, sha256s=keys, draws=4)
    if whole.scope == "head":
        same(runner.ask(asked).probs, whole.probs)
    else:
        with pytest.raises(UserFacingError, match="embed the items with it first"):
            runner.ask(asked)


def test_moments_alone_are_those_of_the_draws(runner: Runner, media: tuple[Media, ...]) -> None:
    kept = runner.ask(Request(NETWORK, media=media[:4], draws=7))
    asked = runner.ask(Request(NETWORK, media=media[:4], draws=7, keep=False))
    assert asked.probs is None
    for name in ("mean", "mean_entropy", "m2", "features"):
        same(getattr(asked, name), getattr(kept, name))


@pytest.mark.parametrize("name", [HEAD, NETWORK])
def test_answers_are_the_same_alone_and_merged(
    name: str, runner: Runner, media: tuple[Media, ...], faults: Faults
) -> None:
    parts = (media[:1], media[1:4], media[4:5])
    alone = [runner.ask(Request(name, media=part, draws=9, seed=2)) for part in parts]
    faults.put("hold")
    first = runner.submit(Request(HEAD, media=media[:1], draws=1))
    until(lambda: first.place() == 0, "the first one's turn")
    tickets = [runner.submit(Request(name, media=part, draws=9, seed=2)) for part in parts]
    other = runner.submit(Request(name, media=media[:1], draws=9, seed=3))
    faults.take("hold")
    merged = [ticket.result() for ticket in tickets]
    assert [(len(one), one.together) for one in merged] == [(1, 5), (3, 5), (1, 5)]
    assert other.result().together == 1
    for one, was in zip(merged, alone, strict=True):
        same(one.probs, was.probs)
        assert {name: values.tolist() for name, values in one.doubts.items()} == {
            name: pytest.approx(values.tolist(), rel=1e-4, abs=1e-5) for name, values in was.doubts.items()
        }


def test_a_file_of_another_kind_is_refused_and_takes_no_other_with_it(
    runner: Runner, media: tuple[Media, ...], faults: Faults
) -> None:
    faults.put("hold")
    first = runner.submit(Request(HEAD, media=media[:1], draws=1))
    until(lambda: first.place() == 0, "the first one's turn")
    good = runner.submit(Request(HEAD, media=media[:2], draws=3))
    bad = runner.submit(Request(HEAD, media=(sound(),), draws=3))
    faults.take("hold")
    assert len(good.result()) == 2
    with pytest.raises(UserFacingError, match="takes pictures") as refused:
        bad.result()
    assert refused.value.code == "kind"


def test_an_unknown_model_and_a_device_that_is_not_here_are_refused(runner: Runner, media: tuple[Media, ...]) -> None:
    with pytest.raises(UserFacingError, match="no model called 'nobody'"):
        runner.ask(Request("nobody", media=media[:1]))
    with pytest.raises(UserFacingError, match="no device 'cuda:9'"):
        runner.ask(Request(HEAD, media=media[:1], device="cuda:9"))
    with pytest.raises(UserFacingError, match="no model called"):
        runner.describe("nobody")


def test_the_place_in_line_is_told_while_it_changes(runner: Runner, media: tuple[Media, ...], faults: Faults) -> None:
    faults.put("hold")
    first = runner.submit(Request(HEAD, media=media[:1], draws=1))
    until(lambda: first.place() == 0, "the first one's turn")
    second = runner.submit(Request(HEAD, media=media[:1], draws=2))
    places: list[int] = []
    third = Request(HEAD, media=media[:1], draws=3)
    asking = threading.Thread(target=lambda: runner.ask(third, on_place=places.append))
    asking.start()
    until(lambda: places == [2], "its place")
    second.withdraw()
    until(lambda: places == [2, 1], "the place of the one that left")
    faults.take("hold")
    asking.join()
    assert places[:2] == [2, 1]
    assert first.result().draws == 1
    assert first.place() is None


def test_a_full_line_refuses_with_a_sentence(runner: Runner, media: tuple[Media, ...], faults: Faults) -> None:
    faults.put("hold")
    first = runner.submit(Request(HEAD, media=media[:1], draws=1))
    until(lambda: first.place() == 0, "the first one's turn")
    waiting = [runner.submit(Request(HEAD, media=media[:1], draws=2)) for _ in range(4)]
    with pytest.raises(UserFacingError, match=r"^4 requests are waiting for the models already; try again") as refused:
        runner.ask(Request(HEAD, media=media[:1], draws=2))
    assert refused.value.code == "busy"
    faults.take("hold")
    assert {ticket.result().together for ticket in waiting} == {4}


def test_a_growing_answer_begins_with_the_draws_of_the_whole(runner: Runner, media: tuple[Media, ...]) -> None:
    request = Request(NETWORK, media=media[:2], draws=20, seed=4)
    first, last = runner.refine(request)
    whole = runner.ask(request)
    assert first.probs is not None
    assert last.probs is not None
    assert whole.probs is not None
    assert (first.draws, last.draws) == (8, 20)
    same(first.probs, last.probs[:8])
    same(last.probs, whole.probs)


def test_what_answers_at_once_does_not_grow(runner: Runner, media: tuple[Media, ...]) -> None:
    usual = mc_dropout.METHOD.own_draws(mc_dropout.Config())
    cases = ((HEAD, 50, 50), (HEAD, None, usual), (MEMBERS, None, 2), (MEMBERS, 50, 2), (SCORE, 50, 1))
    for name, draws, want in cases:
        request = Request(name, media=media[:1], draws=draws)
        (only,) = runner.refine(request)
        assert only.draws == want
        same(only.mean, runner.ask(request).mean)
    wanted = {1: (), 15: (), 16: (8,), 50: (8,), 95: (8,), 96: (8, 64), 500: (8, 64, 128, 192, 256, 320, 384, 448)}
    assert {n: first_draws(n) for n in wanted} == wanted


@pytest.mark.parametrize(("fault", "most"), [("most-items", 3), ("most-rows", 20)])
def test_less_goes_through_at_once_where_memory_runs_out(
    fault: str, most: int, runner: Runner, media: tuple[Media, ...], faults: Faults
) -> None:
    name = HEAD if fault == "most-items" else NETWORK
    request = Request(name, media=media, draws=11, seed=1)
    whole = runner.ask(request)
    faults.put(fault, most)
    before = len(faults.noted())
    same(runner.ask(request).probs, whole.probs)
    sizes = [tuple(int(part) for part in word.split(".")) for word in faults.noted()[before:]]
    assert [items for items, _ in sizes][:3] == [10, 5, 2]
    fitting = [items for items, rows in sizes if (items if fault == "most-items" else rows) <= most]
    assert sum(fitting) == len(media)
    before = len(faults.noted())
    runner.ask(request)
    assert faults.noted()[before:][0] == ".".join(str(part) for part in sizes[-1])  # it remembers what fits


def test_a_model_that_no_memory_holds_is_refused_and_the_next_one_answers(
    runner: Runner, media: tuple[Media, ...], faults: Faults
) -> None:
    faults.put("most-items", 0)
    with pytest.raises(UserFacingError, match="memory of cpu is too small for toy-members") as refused:
        runner.ask(Request(MEMBERS, media=media[:2], draws=2))
    assert refused.value.code == "too-much-memory"
    faults.take("most-items")
    assert len(runner.ask(Request(MEMBERS, media=media[:2], draws=2))) == 2


def test_models_are_loaded_ahead_kept_by_last_use_and_described(here: Settings, media: tuple[Media, ...]) -> None:
    with Runner(here, replace(LIMITS, models=2)) as runner:
        assert runner.describe(HEAD).seconds is None
        assert runner.process() is None  # it has not been asked for anything
        runner.warm(HEAD)
        until(lambda: [one.name for one in runner.loaded()] == [HEAD], "the model's load")
        assert runner.devices()[-1].key == "cpu"
        guess = runner.describe(HEAD)
        assert guess.seconds is not None
        assert not guess.measured
        runner.ask(Request(SCORE, media=media[:1]))
        runner.ask(Request(HEAD, media=media[:1]))
        runner.ask(Request(NETWORK, media=media[:1], draws=4))
        assert [one.name for one in runner.loaded()] == [HEAD, NETWORK]
        assert all(isinstance(one, Loaded) and one.memory > 1000 for one in runner.loaded())
        told = runner.describe(NETWORK, 40)
        assert (told.loaded, told.precision, told.scope) == (True, "float32", "network")
        assert told.device is not None
        assert told.device.key == "cpu"
        assert told.seconds == pytest.approx(10 * (runner.describe(NETWORK, 4).seconds or 0))
        assert not runner.describe(SCORE).loaded
        assert runner.describe(SCORE).measured


def test_a_model_trained_again_answers_anew(
    runner: Runner, here: Settings, digits: Dataset, media: tuple[Media, ...]
) -> None:
    trained(digits, here, "mc_dropout", "head", name="toy-again", epochs=1)
    before = runner.ask(Request("toy-again", media=media[:1]))
    trained(digits, here, "mc_dropout", "head", name="toy-again", epochs=2)
    after = runner.ask(Request("toy-again", media=media[:1]))
    assert before.mark != after.mark
    assert np.abs(before.mean - after.mean).max() > 1e-4


def test_a_long_answer_gives_signs_of_life_with_every_pass(here: Settings, media: tuple[Media, ...]) -> None:
    signs: list[int] = []
    request = Request(NETWORK, media=media, draws=100)
    message, arrays = message_of([request])
    told, _ = Computing(here, Limits()).told(message, arrays, lambda: signs.append(1))
    assert len(told["answers"]) == 1
    assert len(signs) >= len(media) * 100 / ROWS
