"""Features computed once train a head as the frozen network itself would, view by view, whatever interrupts them."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.fingerprint import torch_generator
from core.methods._contract import Batch
from core.settings import Settings
from core.training import cache
from core.training.augment import Augment, augmented
from core.training.examples import Examples
from core.training.loop import fit
from tests.fits import ITEMS, SCHEDULE, examples, tensors, wanted
from tests.patience import SECONDS
from tests.tiny import TinyNetwork, tiny

AUGMENT = Augment(shift=1, flip=True, cutout=2)
VIEWS, SEED = 3, 11


def made(settings: Settings, network: TinyNetwork, source: Examples, **more: Any) -> tuple[Tensor, cache.Cached]:
    """(views, items, dim), copied out of the file."""
    given: dict[str, Any] = {"identity": "set", "augment": AUGMENT, "views": VIEWS, "seed": SEED, **more}
    mapped, told = cache.features(network, source, settings, **given)  # type: ignore[arg-type]
    rows = torch.arange(len(source))
    return torch.stack([mapped.take(rows, view) for view in range(given["views"])]), told


@dataclass(frozen=True, eq=False)
class Uncached:
    """Features computed when they are asked for, in the batches of whoever asks, from inputs augmented anew."""

    network: TinyNetwork
    source: Examples

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Tensor, epoch: int) -> Tensor:
        view, found = epoch % VIEWS, []
        for some in cache.batches(len(self.source)):
            batch = Batch(self.source.inputs.take(some, 0), self.source.labels[some], self.source.keys[some])
            generator = torch_generator("view", SEED, view, int(some[0]))
            changed, _ = augmented(
                batch, AUGMENT, kind="image", task="multiclass", classes=3, site=False, generator=generator
            )
            found.append(changed.inputs)
        with torch.no_grad():
            return self.network.embed(torch.cat(found)[rows])


def test_a_head_trained_on_cached_features_is_the_one_trained_through_the_network(settings: Settings) -> None:
    network, source = tiny(), examples("network")
    mapped, _ = cache.features(
        network,  # type: ignore[arg-type]
        source,
        settings,
        identity="set",
        augment=AUGMENT,
        views=VIEWS,
        seed=SEED,
    )
    schedule = replace(SCHEDULE, epochs=2 * VIEWS + 1)
    ends = [
        tensors(fit(wanted("deterministic", "head", train=source.with_inputs(inputs), schedule=schedule)).state)
        for inputs in (mapped, Uncached(network, source))
    ]
    for name, tensor in ends[0].items():
        torch.testing.assert_close(ends[1][name], tensor, rtol=1e-4, atol=1e-5, msg=name)
    plain = fit(wanted("deterministic", "head", train=source.with_inputs(_first_view(network, source))))
    assert not all(torch.allclose(tensors(plain.state)[name], ends[0][name], atol=1e-2) for name in ends[0])


def _first_view(network: TinyNetwork, source: Examples) -> Any:
    from core.training.examples import InMemory

    return InMemory(Uncached(network, source).take(torch.arange(len(source)), 0))


def test_views_differ_and_come_again_in_turn(settings: Settings) -> None:
    found, told = made(settings, tiny(), examples("network"))
    assert (told.views, told.found) == (VIEWS, False)
    assert all(not torch.equal(found[one], found[other]) for one, other in ((0, 1), (1, 2), (0, 2)))
    mapped, again = cache.features(
        tiny(),  # type: ignore[arg-type]
        examples("network"),
        settings,
        identity="set",
        augment=AUGMENT,
        views=VIEWS,
        seed=SEED,
    )
    assert again.found
    assert again.seconds == told.seconds > 0
    rows = torch.tensor([5, 2, 40])
    for epoch in range(7):
        assert torch.equal(mapped.take(rows, epoch), found[epoch % VIEWS][rows])


class Counting(TinyNetwork):
    items = 0

    def embed(self, inputs: Tensor) -> Tensor:
        Counting.items += len(inputs)
        return super().embed(inputs)


def counting() -> TinyNetwork:
    network = tiny()
    network.__class__ = Counting
    Counting.items = 0
    return network


def test_a_cache_that_was_cut_short_goes_on_at_its_missing_view(settings: Settings, tmp_path: Path) -> None:
    source = examples("network")

    def cut(done: int, total: int, stage: str) -> None:
        if done == 3:  # in the middle of the second view, which has two batches
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(settings, tiny(), source, progress=cut)
    found, told = made(settings, counting(), source)
    assert Counting.items == 2 * ITEMS, "the first view was there already"
    assert not told.found
    whole, _ = made(replace(settings, home=tmp_path / "other"), tiny(), source)
    assert torch.equal(found, whole)


def test_a_network_that_learned_more_has_features_of_its_own(settings: Settings) -> None:
    """The same name and settings, another weight or another running statistic; a new head changes nothing."""
    source, network = examples("network"), tiny()
    first, _ = made(settings, network, source)
    for change in (network.block.conv1.weight, network.stem[1].running_var):
        with torch.no_grad():
            change.view(-1)[0] += 0.5  # type: ignore[operator, union-attr]
        found, told = made(settings, network, source)
        assert not told.found
        assert not torch.equal(found, first)
    with torch.no_grad():
        network.head[1].weight.zero_()  # type: ignore[index, union-attr]
    assert made(settings, network, source)[1].found


@pytest.mark.parametrize("change", [{"seed": 12}, {"identity": "b"}, {"views": 2}, {"augment": Augment(shift=2)}])
def test_other_questions_have_other_answers(settings: Settings, change: dict[str, Any]) -> None:
    made(settings, tiny(), examples("network"))
    assert not made(settings, tiny(), examples("network"), **change)[1].found


def test_the_seed_is_nothing_to_features_that_draw_nothing(settings: Settings) -> None:
    made(settings, tiny(), examples("network"), augment=None, views=1)
    assert made(settings, tiny(), examples("network"), augment=None, views=1, seed=99)[1].found


@pytest.mark.parametrize("harm", ["short", "empty", "other shape"])
def test_a_damaged_cache_is_made_again(settings: Settings, harm: str) -> None:
    whole, _ = made(settings, tiny(), examples("network"))
    (path,) = settings.home.glob("features/*/features.npy")
    if harm == "other shape":
        np.save(path, np.zeros((1, 2, 3), np.float32))
    else:
        path.write_bytes(path.read_bytes()[: 500 if harm == "short" else 0])
    again, told = made(settings, tiny(), examples("network"))
    assert not told.found
    assert torch.equal(again, whole)


def test_a_missing_note_of_what_is_done_means_that_nothing_is(settings: Settings) -> None:
    whole, _ = made(settings, tiny(), examples("network"))
    (path,) = settings.home.glob("features/*/features.json")
    path.write_text('{"done": ')
    again, told = made(settings, tiny(), examples("network"))
    assert not told.found
    assert torch.equal(again, whole)


def _make(settings: Settings, start: Any, answers: Any) -> None:
    start.wait()
    found, _ = made(settings, tiny(), examples("network"))
    answers.put(found.numpy().tobytes())


def test_processes_that_begin_at_once_fill_one_whole_file(settings: Settings, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, answers = context.Event(), context.Queue()
    workers = [context.Process(target=_make, args=(settings, start, answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    start.set()
    found = [answers.get(timeout=SECONDS) for _ in workers]
    for worker in workers:
        worker.join(timeout=SECONDS)
    whole, _ = made(replace(settings, home=tmp_path / "other"), tiny(), examples("network"))
    after, told = made(settings, tiny(), examples("network"))
    assert {*found, after.numpy().tobytes()} == {whole.numpy().tobytes()}
    assert told.found
    assert {path.name for path in next(settings.home.glob("features/*")).iterdir()} == {"features.npy", "features.json"}
