"""The folded runner against a plain loop, and how often it calls what."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import scipy.special
import torch
from torch import Tensor, nn

from core.contracts import Moments
from core.layers import NoiseContext, noise
from core.layers._posterior import FlipoutOptions
from core.layers.masks import MaskedDropout
from core.layers.surgery import to_bayesnorm, to_flipout
from core.methods import _folding
from core.methods._contract import FitContext
from tests.tiny import TinyNetwork, keys_for, pictures, tiny, vectors

CONTEXT = FitContext("multiclass", 3, 100, seed=0)
INPUTS, KEYS = pictures(6)[0], keys_for(6)


def looped(network: nn.Module, draws: int, seed: int, group: int = 5) -> Tensor:
    """The whole network, one draw of one item at a time."""
    answers = []
    for draw in range(draws):
        row = []
        for number in range(len(INPUTS)):
            with torch.no_grad(), noise(NoiseContext.fold(seed, [draw], KEYS[number : number + 1], group)):
                row.append(network(INPUTS[number : number + 1]).softmax(-1)[0])
        answers.append(torch.stack(row))
    return torch.stack(answers)


def flipout(where: str = "all") -> TinyNetwork:
    return to_flipout(tiny(), FlipoutOptions(rho=-1.5), where=where, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", [tiny, flipout, lambda: to_bayesnorm(tiny(), alpha=0.3)], ids=["drop", "flip", "norm"])
@pytest.mark.parametrize("rows", [1, 7, 13, 64, 1000])
def test_folding_is_the_plain_loop(make: Any, rows: int) -> None:
    network = make()
    fold = _folding.fold_of("network", CONTEXT, network, rows=rows, group=3)
    found = _folding.predictive(fold, INPUTS, KEYS, draws=11, seed=4).probs
    torch.testing.assert_close(found, looped(network, 11, 4, group=3), rtol=1e-5, atol=1e-5)
    assert float(found.std(0).max()) > 1e-3  # the draws do differ


def counted(network: nn.Module) -> Counter[str]:
    """Rows that go through each leaf of a network."""
    rows: Counter[str] = Counter()

    def note(name: str) -> Any:
        return lambda module, inputs, output: rows.update({name: len(inputs[0])})

    for name, module in network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(note(name))
    return rows


def test_what_is_not_random_runs_once_an_item() -> None:
    """tiny's first random part is the site in its block, the next stage begins with another."""
    network = tiny(inside=0.0)
    rows = counted(network)
    fold = _folding.fold_of("network", CONTEXT, network, rows=12)
    _folding.predictive(fold, INPUTS, KEYS, draws=9, seed=0)
    assert rows["stem.0"] == rows["block.conv1"] == len(INPUTS)
    assert rows["widen.0"] == rows["widen.1"] == rows["pool"] == rows["head.3"] == 9 * len(INPUTS)


@pytest.mark.parametrize(
    ("where", "once"),
    [("last 1", {"stem.0", "block.conv1", "widen.1", "head.1"}), ("stage head", {"stem.0", "block.conv1", "widen.1"})],
)
def test_the_cut_falls_before_the_first_random_layer(where: str, once: set[str]) -> None:
    """Also inside a stage or a head that is a plain sequence."""
    network = flipout(where)
    for site in network.modules():
        if isinstance(site, MaskedDropout):
            site.p = 0.0
    rows = counted(network)
    _folding.moments(_folding.fold_of("network", CONTEXT, network), INPUTS, KEYS, draws=8, seed=0)
    assert {name for name in ("stem.0", "block.conv1", "widen.1", "head.1", "head.3") if rows[name] == 6} == once
    assert rows["head.3"] == 48


def test_no_pass_is_larger_than_allowed() -> None:
    network, sizes = tiny(), []
    network.pool.register_forward_hook(lambda module, inputs, output: sizes.append(len(inputs[0])))
    _folding.predictive(_folding.fold_of("network", CONTEXT, network, rows=20), INPUTS, KEYS, draws=10, seed=0)
    assert max(sizes) <= 20
    assert sum(sizes) == 60
    sizes.clear()
    _folding.predictive(_folding.fold_of("network", CONTEXT, network, rows=4), INPUTS, KEYS, draws=10, seed=0)
    assert max(sizes) <= 4


def test_members_take_turns_and_share_what_they_have_in_common() -> None:
    members = [tiny(seed=seed) for seed in (1, 2, 3)]
    fold = _folding.fold_of("network", CONTEXT, *members)
    found = _folding.predictive(fold, INPUTS, KEYS, draws=5, seed=2).probs
    for draw in range(5):
        torch.testing.assert_close(found[draw], looped(members[draw % 3], draw + 1, 2)[draw], rtol=1e-5, atol=1e-5)
    first = members[0]
    rows = counted(first)
    twins = (replace(fold.chains[0]), replace(fold.chains[0]))
    _folding.predictive(replace(fold, chains=twins), INPUTS, KEYS, draws=4, seed=2)
    assert rows["stem.0"] == 6
    assert rows["pool"] == 24


def test_a_network_without_randomness_runs_once_and_fills_every_draw() -> None:
    network = tiny(rate=0.0, inside=0.0)
    rows = counted(network)
    found = _folding.predictive(_folding.fold_of("network", CONTEXT, network), INPUTS, KEYS, draws=4, seed=2).probs
    assert rows["head.3"] == 6
    assert found.shape == (4, 6, 3)
    assert torch.equal(found[0], found[3])


def test_scales_without_noise_are_not_random() -> None:
    network = to_bayesnorm(tiny(rate=0.0, inside=0.0), alpha=0.0)
    rows = counted(network)
    _folding.moments(_folding.fold_of("network", CONTEXT, network), INPUTS, KEYS, draws=4, seed=2)
    assert rows["head.3"] == 6


def test_a_still_chain_ignores_noise_from_outside() -> None:
    chain = _folding.still(_folding.chain_of("network", tiny()))
    fold = _folding.Fold((chain,), CONTEXT)
    with noise(NoiseContext.fold(0, [0], KEYS)):
        found = _folding.predictive(fold, INPUTS, KEYS, draws=1, seed=0).probs[0]
    with torch.no_grad():
        torch.testing.assert_close(found, tiny()(INPUTS).softmax(-1))


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
@pytest.mark.parametrize("rows", [1, 9, 500])
def test_streamed_moments_equal_numpy(task: Any, rows: int) -> None:
    context = FitContext(task, 3, 100, seed=0)
    fold = _folding.fold_of("network", context, flipout(), rows=rows)
    kept = _folding.predictive(fold, INPUTS, KEYS, draws=13, seed=1).probs.double().numpy()
    found = _folding.moments(fold, INPUTS, KEYS, draws=13, seed=1)
    assert found.n == 13
    torch.testing.assert_close(found.mean, torch.from_numpy(kept.mean(0)), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.m2, torch.from_numpy(kept.var(0) * 13), rtol=0, atol=1e-6)
    entropy = scipy.special.entr(kept).sum(-1)
    if task == "multilabel":
        entropy = scipy.special.entr(kept) + scipy.special.entr(1 - kept)
    torch.testing.assert_close(found.mean_entropy, torch.from_numpy(entropy.mean(0)), rtol=0, atol=1e-6)


def test_streaming_holds_no_more_than_a_pass() -> None:
    """Numbers in live tensors at the start of the last pass: the same for 300 draws as for 20."""

    def alive_at_the_end(draws: int) -> int:
        network, found = tiny(), [0]
        last = draws * len(INPUTS) // 30 - 1

        def count(module: nn.Module, inputs: Any) -> None:
            found[0] += 1
            if found[0] > last:
                gc.collect()
                found.append(sum(t.numel() for t in gc.get_objects() if issubclass(type(t), Tensor)))

        network.pool.register_forward_pre_hook(count)
        _folding.moments(_folding.fold_of("network", CONTEXT, network, rows=30), INPUTS, KEYS, draws=draws, seed=0)
        return found[-1]

    alive_at_the_end(20)  # what the first call leaves behind
    assert alive_at_the_end(300) - alive_at_the_end(20) < 200


def test_no_items_give_an_empty_answer_and_nonsense_is_refused() -> None:
    fold = _folding.fold_of("network", CONTEXT, tiny())
    assert _folding.predictive(fold, INPUTS[:0], KEYS[:0], draws=3, seed=0).probs.shape == (3, 0, 3)
    empty = _folding.moments(fold, INPUTS[:0], KEYS[:0], draws=3, seed=0)
    assert isinstance(empty, Moments)
    assert empty.mean.shape == (0, 3)
    with pytest.raises(ValueError, match="a draw"):
        _folding.predictive(fold, INPUTS, KEYS, draws=0, seed=0)
    with pytest.raises(ValueError, match="as many keys"):
        _folding.predictive(fold, INPUTS, KEYS[:2], draws=1, seed=0)


def test_a_head_is_folded_alike() -> None:
    head, features = tiny().head, vectors(6)[0]
    found = _folding.predictive(_folding.fold_of("head", CONTEXT, head, rows=8), features, KEYS, draws=5, seed=1).probs
    with torch.no_grad(), noise(NoiseContext.fold(1, range(5), KEYS)):
        expected = head(features.repeat(5, 1)).softmax(-1).view(5, 6, 3)
    torch.testing.assert_close(found, expected)
