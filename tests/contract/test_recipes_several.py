"""Several labels an item, from the division to the judged model, and PANNs' networks on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.checkpoints.answering import answers
from core.checkpoints.saved import load_model
from core.contracts import Dataset, Item
from core.data import soundbox_scenes
from core.data._splits import held_out
from core.errors import DataError
from core.methods._contract import Batch
from core.metrics import scoring
from core.pipeline.keep import keep
from core.pipeline.ready import fit_of
from core.pipeline.train import train
from core.settings import Settings
from core.training import loop
from core.training.divide import divided, narrowed
from core.training.plan import Division, plan_of
from core.training.recipes import pick
from tests.small_sets import few_scenes, shrink

NET = ("network.seconds=1", "network.widths=4,8", "network.hidden=8")
NAMES = ("a", "b", "c")


def several(*items: Item, title: str = "Made") -> Dataset:
    return Dataset("made", title, "audio", NAMES, items, lambda _: b"", "CC0", task="multilabel")


def item(name: str, *labels: int, split: str = "train", group: str | None = None) -> Item:
    return Item(name, labels=labels, split=split, group=group)  # type: ignore[arg-type]


GOOD = (item("1", 0), item("2", 0, 1), item("3", 1, 2), item("4", 2), item("5"), item("6", 0, 2, split="test"))


def test_classes_that_no_item_or_every_item_has_cannot_be_learned() -> None:
    assert len(divided(several(*GOOD), Division()).train) == 5
    with pytest.raises(DataError, match="'c' is in 1 of 3 items to train on; a class needs at least two"):
        divided(several(*GOOD[:3]), Division())
    with pytest.raises(DataError, match="'a' is in 4 of 4 items"):
        divided(several(*[item(str(n), 0, 1 + n % 2) for n in range(4)]), Division())


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_a_recording_on_two_sides_is_refused(task: str) -> None:
    shared = [replace(one, group="g") if one.id in ("2", "6") else one for one in GOOD]
    whole = several(*shared)
    if task == "multiclass":
        rows = tuple(replace(one, labels=(), label=number % 3) for number, one in enumerate(shared * 2))
        rows = tuple(replace(one, id=str(number)) for number, one in enumerate(rows))
        whole = replace(whole, items=rows, task="multiclass")
    with pytest.raises(DataError, match="The source recording 'g' of Made is in train and in test") as caught:
        divided(whole, Division())
    assert caught.value.code == "leak"
    loose = tuple(replace(one, group=None) for one in whole.items)
    divided(replace(whole, items=loose), Division())


def test_items_of_some_classes_keep_the_labels_that_are_asked_for() -> None:
    found = narrowed(several(*GOOD), ("c", "a"))
    assert found.classes == ("c", "a")
    assert {one.id: one.labels for one in found.items} == {
        "1": (1,), "2": (1,), "3": (0,), "4": (0,), "5": (), "6": (0, 1)
    }  # fmt: skip
    assert {one.id for one in narrowed(several(*GOOD), ("b",)).items} == {"2", "3", "5"}
    assert all(one.label is None and one.truth is None for one in found.items)


def test_as_many_items_of_every_label_are_held_out() -> None:
    rng = np.random.default_rng(0)
    rows = [item(str(n), *sorted(rng.choice(3, rng.integers(0, 3), replace=False).tolist())) for n in range(200)]
    chosen = held_out(rows, 10, 0)
    counts = Counter(label for one in chosen for label in one.labels)
    assert min(counts.values()) >= 10
    assert len(chosen) <= 30
    assert all(one.labels for one in chosen)
    assert held_out(list(reversed(rows)), 10, 0) == tuple(reversed(chosen)), "whatever the order"
    with pytest.raises(DataError, match="hold out fewer"):
        held_out(rows[:20], 10, 0)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    root = tmp_path_factory.mktemp("several")
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch, soundbox_scenes, few_scenes)
        yield Settings(home=root / "home", checkpoints=root / "checkpoints", device="cpu", offline=True)


def test_pretraining_is_judged_by_average_precision(scenes: Settings) -> None:
    """And its batches are PANNs': of pairs that are mixed with a share from Beta(1, 1), labels and all."""
    plan = plan_of(pick("vi-pann-pretrain"), ("schedule.batch=6", "schedule.epochs=3", *NET))
    batches: list[Tensor] = []
    found = train(plan, "several", scenes)
    update = found.ready.method.update

    def noting(state: Any, batch: Batch, *given: Any) -> Any:
        batches.append(batch.labels)
        return update(state, batch, *given)

    watched = replace(fit_of(found.ready, scenes), method=replace(found.ready.method, update=noting))
    loop.fit(watched)
    labels = torch.cat(batches)
    assert {len(batch) for batch in batches} == {6}
    assert bool(((labels > 0) & (labels < 1)).any())
    assert float(labels.max()) <= 1.0
    card = keep(found, scenes)
    assert (card.task, len(card.classes)) == ("multilabel", 16)
    stored = card.metrics["map"]["value"]
    side = found.ready.examples["test"]
    said = answers(load_model("several", scenes), side)
    assert stored == pytest.approx(scoring.mean_average_precision(said.probs, side.labels.numpy()).value, abs=1e-9)
    assert card.metrics["r_at_1"]["value"] is None


@pytest.mark.parametrize("method", ["deterministic", "flipout"])
def test_panns_residual_network_takes_two_steps_on_two_short_clips(scenes: Settings, method: str) -> None:
    """A thin one of all 54 layers; ``make real`` does it with the whole one."""
    thin = ("backbone=panns", "network.name=resnet54", "network.seconds=1", "network.width=0.0625")
    plan = plan_of(pick("vi-pann-pretrain"), (*thin, f"method={method}", "schedule.batch=8", "schedule.epochs=2"))
    trained = train(plan, f"panns-{method}", scenes)
    assert trained.fitted.steps == 2
    state = trained.model.state.model.state_dict()
    assert sum(name.startswith("resnet.layer") and name.endswith("conv2.weight") for name in state) == 16
    assert all(bool(tensor.isfinite().all()) for tensor in state.values())
