"""The lecture's four recipes: each fault of the original is put right, and would be noticed here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.checkpoints.answering import answers
from core.checkpoints.saved import network_of
from core.fingerprint import torch_generator
from core.layers import augmentsite
from core.layers.augmentsite import AugmentSite
from core.methods._contract import Batch, modules_of
from core.pipeline.keep import keep
from core.pipeline.train import Trained, train
from core.settings import Settings
from core.training import loop
from core.training.augment import augmented
from core.training.plan import plan_of
from core.training.recipes import pick
from tests.contract.published import lay
from tests.fits import assert_same_bits, tensors
from tests.small_sets import esc

FOUR = (0, 3, 14, 36)  # dog, cow, chirping birds, vacuum cleaner
FRAMES = 157


@dataclass(frozen=True)
class Notes:
    """Twenty clips of the four classes in five folds."""

    settings: Settings
    folder: Path

    def train(self, key: str, *choices: str, name: str = "") -> Trained:
        plan = plan_of(pick(key), ("data=esc50", "schedule.epochs=2", *choices))
        return train(plan, name or key, self.settings, copy=self.folder)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Notes:
    root = tmp_path_factory.mktemp("lecture")
    settings = Settings(home=root / "home", checkpoints=root / "checkpoints", device="cpu", offline=True)
    return Notes(settings, lay(root / "esc50", esc(FOUR)))


@pytest.fixture(scope="module")
def transferred(notes: Notes) -> Trained:
    return notes.train("lecture-transfer", "network.size=64")


@pytest.mark.parametrize("key", ["lecture-lstm", "lecture-convnet", "lecture-augmented"])
def test_a_clip_is_answered_alike_alone_and_among_others(notes: Notes, key: str) -> None:
    """The LSTM of the notes took the clips of a batch for the steps of one sequence."""
    trained = notes.train(key)
    assert trained.model.card.classes == ("dog", "cow", "chirping_birds", "vacuum_cleaner")
    assert (trained.model.card.data.train, trained.model.card.data.test) == (16, 4)
    every = trained.ready.prepared.examples
    backwards = every.part(torch.arange(len(every)).flip(0))
    together, turned = answers(trained.model, every), answers(trained.model, backwards)
    np.testing.assert_allclose(turned.probs[::-1], together.probs, atol=1e-6)
    for row in range(0, len(every), 7):
        alone = answers(trained.model, every.part(torch.tensor([row])))
        np.testing.assert_allclose(alone.probs[0], together.probs[row], atol=1e-6)
    assert float(np.ptp(together.probs, axis=0).max()) > 1e-6, "every clip has the same answer"


def test_a_move_by_nothing_leaves_the_spectrogram_and_a_real_one_blanks_what_came_in() -> None:
    """The notes blanked all of it where the move was 0, once in 31 clips."""
    augment = plan_of(pick("lecture-augmented")).augment
    waves, site = torch.zeros(8, 16), AugmentSite(-80.0, time=3, bands=2)
    clean = torch.arange(8 * 128 * FRAMES, dtype=torch.float32).reshape(8, 1, 128, FRAMES)
    unmoved, longest = 0, 0
    for number in range(80):
        batch = Batch(waves, torch.zeros(8, dtype=torch.int64), torch.arange(8))
        generator = torch_generator("lecture", number)
        _, change = augmented(
            batch, augment, kind="audio", task="multiclass", classes=4, site=True, generator=generator
        )
        assert change is not None
        blank = (change(clean, site) == -80.0).all(dim=2)[:, 0]  # (items, frames)
        assert bool((blank == (change(clean, site) == -80.0).any(dim=2)[:, 0]).all()), "whole columns or nothing"
        unmoved += int((~blank.any(dim=1)).sum())
        longest = max(longest, int(blank.sum(dim=1).max()))
    assert 5 <= unmoved <= 45, "640 clips, of which 3 % are moved by nothing"
    assert 20 < longest <= 0.2 * FRAMES


def test_augmented_training_begins_anew_and_where_the_plain_one_began(notes: Notes) -> None:
    """The notes went on with the network that they had trained before."""
    learned = notes.train("lecture-convnet", name="before")
    still = [notes.train(key, "schedule.rate=0", name=key) for key in ("lecture-convnet", "lecture-augmented")]
    first, second = (tensors(trained.model.state) for trained in still)
    assert_same_bits(first, second)
    assert not torch.equal(first["model.block1.0.weight"], tensors(learned.model.state)["model.block1.0.weight"])


def test_no_validation_clip_is_augmented_and_every_training_clip_may_be(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[bool]] = {"fit": [], "validation": []}
    where = ["fit"]
    measure, forward = loop._validation.measure, AugmentSite.forward

    def noting(*given: Any) -> Any:
        where[0] = "validation"
        try:
            return measure(*given)
        finally:
            where[0] = "fit"

    def watching(self: AugmentSite, x: torch.Tensor) -> torch.Tensor:
        seen[where[0]].append(augmentsite._CURRENT.get() is not None)
        return forward(self, x)

    monkeypatch.setattr(loop._validation, "measure", noting)
    monkeypatch.setattr(AugmentSite, "forward", watching)
    trained = notes.train("lecture-augmented", "division.validation_fold=2", name="watched")
    assert trained.model.card.data.validation == 4
    assert len(seen["validation"]) == 2
    assert not any(seen["validation"])
    assert sum(seen["fit"]) == trained.fitted.steps == 2


def test_the_new_layer_learns_and_the_transferred_network_stays(transferred: Trained) -> None:
    """The notes stepped the optimiser of another model: their layer kept its first weights."""
    ready = transferred.ready
    before, after = ready.network.head.state_dict(), transferred.model.state.model.state_dict()
    assert not torch.equal(before["1.weight"], after["1.weight"])
    assert not torch.equal(before["1.bias"], after["1.bias"])
    published = network_of(ready.start, 4, Settings())
    assert_same_bits(dict(published.state_dict()), dict(ready.network.state_dict()))
    features = ready.examples["train"]
    inputs = features.inputs.take(torch.arange(len(features)), 0)
    losses = [
        torch.nn.functional.cross_entropy(head(inputs), features.labels)
        for head in (ready.network.head, transferred.model.state.model)
    ]
    assert float(losses[1]) < float(losses[0])


def test_running_statistics_do_not_move_when_it_is_judged(transferred: Trained, notes: Notes) -> None:
    """The notes evaluated in training mode: batch statistics, which the running ones followed."""
    network = transferred.ready.network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert any("running_var" in name for name in before)
    every = transferred.ready.prepared.examples
    first = answers(transferred.model, every)
    keep(transferred, notes.settings)
    second = answers(transferred.model, every)
    assert_same_bits(before, dict(network.state_dict()))
    np.testing.assert_allclose(first.probs, second.probs, atol=2e-3)  # kept in float16 in between
    modules = [part for module in (network, *modules_of(transferred.model.state)) for part in module.modules()]
    assert not any(part.training for part in modules)
