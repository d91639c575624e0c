"""Recipes at their real size, where that takes too long for every run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.data import soundbox_scenes
from core.pipeline.train import train
from core.settings import Settings
from core.training.plan import plan_of
from core.training.recipes import pick
from tests.small_sets import few_scenes, shrink


@pytest.fixture
def scenes(settings: Settings) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, soundbox_scenes, few_scenes)
        yield settings


def test_resnet54_takes_two_steps_on_short_clips(scenes: Settings, full: bool) -> None:
    """All 103 million of its weights, on mixtures of two clips."""
    if not full:
        pytest.skip("a thin twin runs in tests/contract; 'make real' runs the whole network")
    whole = ("backbone=panns", "network.seconds=1", "schedule.batch=4", "schedule.epochs=1")
    plan = plan_of(pick("vi-pann-pretrain"), whole)
    trained = train(plan, "whole", scenes)
    assert trained.fitted.steps == 2
    assert trained.model.card.params > 100e6
