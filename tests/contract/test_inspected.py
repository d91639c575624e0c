"""What an answer means is read without torch, and says what the model said, whatever it was asked with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.checkpoints.answering import answers
from core.errors import UserFacingError
from core.fingerprint import key_of
from core.media.door import open_media
from core.pipeline import inspect as walk
from core.runner import Answer, Here, Request
from core.settings import PROJECT, Settings
from core.training.examples import Examples, InMemory
from tests.inspecting import Inspector, inspect, png, with_held
from tests.patience import SECONDS
from tests.toy_models import few_digits


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("inspected")
    return Settings(home=folder / "home", checkpoints=folder / "checkpoints", device="cpu", offline=True)


@pytest.fixture(scope="module")
def dropout(here: Settings) -> Inspector:
    return with_held(few_digits(here, 12), here, "mc_dropout", "head", name="dropout")


class Growing:
    """As a Runner refines, with the steps that are told."""

    def __init__(self, here: Here, *steps: int) -> None:
        self.here, self.steps = here, steps

    def refine(self, request: Request) -> Iterator[Answer]:
        for draws in self.steps:
            yield self.here.ask(replace(request, draws=draws))


def test_what_is_inspected_is_the_answer_bit_for_bit(here: Settings, dropout: Inspector) -> None:
    """Between the model and the page nothing is rounded."""
    media = open_media(png(here))
    found, keys = inspect(media, dropout, draws=9, seed=4), torch.tensor([key_of(media.sha256)])
    inputs = InMemory(dropout.model.network.prepare(media).tensor[None])
    said = answers(dropout.model, Examples(inputs, torch.zeros(1), keys, ("one",)), draws=9, seed=4, keep=1)
    assert said.kept is not None
    assert np.array_equal(found.probs, said.kept.answer.probs[:, 0].numpy())
    assert found.doubts == {name: values[0] for name, values in said.doubts.items()}
    assert {one.label: one.p for one in found.predictions} == dict(zip(found.classes, said.probs[0], strict=True))


def test_an_answer_of_another_training_is_not_read_by_this_ones_facts(here: Settings, dropout: Inspector) -> None:
    with pytest.raises(UserFacingError, match="trained again"):
        walk.inspect(open_media(png(here)), replace(dropout.reader, mark="another"), dropout.here)


def test_a_file_is_read_at_its_place_among_those_asked_together(here: Settings, dropout: Inspector) -> None:
    medias = tuple(open_media(png(here, place)) for place in range(3))
    together = dropout.here.ask(Request(dropout.model.name, media=medias, draws=5))
    for row, media in enumerate(medias):
        found, alone = walk.inspected(media, dropout.reader, together, row=row), inspect(media, dropout, draws=5)
        np.testing.assert_allclose(found.probs, alone.probs, atol=1e-6)
        assert (found.sha256, found.receipt, found.verdict) == (media.sha256, alone.receipt, alone.verdict)
        assert found.neighbours is not None
        assert alone.neighbours is not None
        assert [near.id for near in found.neighbours] == [near.id for near in alone.neighbours]


def test_a_perturbed_file_may_take_the_noise_of_the_original_among_others(here: Settings, dropout: Inspector) -> None:
    """Alone, and merged with a file whose noise is its own."""
    first, other = (open_media(png(here, place)) for place in (0, 1))
    turned = replace(first, samples=255 - first.samples, sha256="ef" * 32)
    asks = dropout.here
    alone = asks.ask(Request("dropout", media=(replace(turned, sha256=first.sha256),), draws=6))
    own = asks.ask(Request("dropout", media=(turned,), draws=6))
    asked = Request("dropout", media=(turned, other), sha256s=(first.sha256, other.sha256), draws=6)
    merged = asks.ask(asked)
    assert alone.probs is not None
    assert own.probs is not None
    assert merged.probs is not None
    np.testing.assert_allclose(merged.probs[:, 0], alone.probs[:, 0], atol=1e-6)
    assert not np.allclose(own.probs, alone.probs, atol=1e-4)
    found = walk.inspected(turned, dropout.reader, merged)
    assert found.sha256 == turned.sha256
    with pytest.raises(ValueError, match="1 items need as many"):
        Request("dropout", media=(turned,), sha256s=("ab", "cd"))


def test_a_first_look_grows_into_the_whole_answer(here: Settings, dropout: Inspector) -> None:
    media = open_media(png(here))
    answers = Growing(dropout.here, 8, 30).refine(walk.How(30).request(dropout.model.name, media))
    first, last = (walk.inspected(media, dropout.reader, answer) for answer in answers)
    assert (first.draws, last.draws) == (8, 30)
    np.testing.assert_allclose(first.probs, last.probs[:8], atol=1e-6)
    whole = inspect(media, dropout, draws=30)
    assert np.array_equal(last.probs, whole.probs)
    assert (last.verdict, last.enough.settled) == (whole.verdict, whole.enough.settled)


def test_what_a_page_needs_to_ask_further_comes_with_the_answer(here: Settings, dropout: Inspector) -> None:
    found = inspect(open_media(png(here)), dropout, draws=2)
    assert found.hears is None
    assert found.vectors.dim == len(found.features)


ASKS = """
import sys
from pathlib import Path
import numpy as np
from core.contracts import Media, Receipt
import core.pipeline.found
from core.pipeline.inspect import How, document, inspect, reader_of, ternary
from core.pipeline.perturb import Knobs, perturbed
from core.pipeline.places import across
from core.runner import Runner
from core.settings import Settings
home, name = sys.argv[1:]
settings = Settings(home=Path(home), checkpoints=Path(home), device="cpu", offline=True)
pixels = np.arange(32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)
media = Media("image", pixels, None, "ab" * 32, Receipt("png", "RGB 8 bit", 1))
reader = reader_of(name, settings)
with Runner(settings) as runner:
    found = inspect(media, reader, runner, How(6))
    print(document(found, "one")["verdict_code"], ternary(found) is not None)
    print(len(across(media, name, runner, How(2), parts=2).without))
    turned = perturbed(media, Knobs(noise=0.5, blur=0.2))
    print(inspect(turned, reader, runner, How(6, noise_of=media.sha256)).draws)
print(sorted({"torch", "librosa", "numba", "sklearn", "lancedb", "pandas", "streamlit"} & set(sys.modules)))
"""


def test_who_asks_a_worker_never_loads_torch(here: Settings, dropout: Inspector) -> None:
    """From a file to verdict, doubt across it and a perturbed file, as a page does it."""
    words = [sys.executable, "-c", ASKS, str(here.home), "dropout"]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[:4] == ["unsure True", "2", "6", "[]"]
