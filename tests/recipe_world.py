"""A world of small data in which every recipe runs in a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from core.checkpoints import weights
from core.checkpoints.answering import answers
from core.checkpoints.card import Start
from core.checkpoints.saved import Model, as_stored, load_model, network_of
from core.data import soundbox, soundbox_scenes
from core.pipeline.train import Trained, save, train
from core.settings import Settings
from core.training.plan import plan_of
from core.training.recipes import pick
from tests.contract.published import cifar, lay
from tests.small_sets import copies, few_scenes, few_sounds, shrink

SHORT = ("schedule.epochs=1", "schedule.batch=8", "settling.epochs=1", "settling.batch=8")
NET = ("network.seconds=0.5", "network.widths=4,8", "network.hidden=8")


@dataclass(frozen=True)
class World:
    """Settings of its own, in which the data are small and the pretrained networks have seen little."""

    settings: Settings
    copies: dict[str, Path]

    def train(self, recipe: str, name: str, *choices: str, data: str | None = None) -> Trained:
        given = (*((f"data={data}",) if data else ()), *SHORT, *choices)
        plan = plan_of(pick(recipe), given)
        return train(plan, name, self.settings, copy=self.copies.get(plan.data))


@contextmanager
def world_in(root: Path, *pretrained: str) -> Iterator[World]:
    """With networks that saw few scenes, fitted by these methods, and one that saw few sounds."""
    settings = Settings(home=root / "home", checkpoints=root / "checkpoints", device="cpu", offline=True)
    found = copies(root) | {"cifar10": lay(root / "cifar10", cifar(24).files)}
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, soundbox, few_sounds)
        patch.setattr(weights, "path_of", lambda key, settings: drawn_sfx(root / "sfx.safetensors"))
        made = World(settings, found)
        if pretrained:
            shrink(patch, soundbox_scenes, few_scenes)
        for method in pretrained:
            name = f"scenes-{method.replace('_', '-')}"
            save(made.train("vi-pann-pretrain", name, f"method={method}", *NET), settings)
        save(made.train("soundbox", "soundbox-deterministic", *NET), settings)
        yield made


def drawn_sfx(path: Path) -> Path:
    """In place of the published weights, which this test cannot fetch: as many numbers, drawn."""
    if not path.is_file():
        drawn = network_of(Start("sfx"), 10, Settings())
        weights.write_tensors(path, drawn.state_dict())
    return path


def assert_answers(trained: Trained, settings: Settings) -> Model:
    """The model as it is loaded says what the trained one says, of items that it never saw."""
    model, side = load_model(trained.model.name, settings), trained.ready.examples["test"]
    rounded = as_stored(trained.model, trained.ready.plan.numbers)
    before, after = (answers(one, side, draws=3, embedded=one.card.scope == "head") for one in (rounded, model))
    np.testing.assert_array_equal(before.probs, after.probs)
    assert bool(np.isfinite(after.probs).all())
    return model
