"""MC dropout: which sites act, and what their mean is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core import registry
from core.errors import UserFacingError
from core.layers import NoiseContext, noise
from core.layers.masks import MaskedDropout
from core.methods import mc_dropout
from core.methods._contract import Batch, FitContext
from tests.fitting import Stepper
from tests.tiny import DIM, keys_for, pictures, tiny, vectors

CONTEXT = FitContext("multiclass", 3, 100, seed=0)


def init(network: Any = None, **options: Any) -> mc_dropout.State:
    return mc_dropout.init(mc_dropout.Config(**options), network or tiny(), CONTEXT, torch.Generator())


def active(model: nn.Module, run: Any) -> set[str]:
    """Names of the sites that change what passes through them."""
    found: set[str] = set()

    def note(site: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(site, MaskedDropout)
        if not torch.equal(inputs[0], output):
            found.add(site.name)

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, MaskedDropout)]
    run()
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.7])
def test_the_mean_over_draws_is_the_expectation_of_a_linear_head(rate: float) -> None:
    """E[W (z x / q)] = W x, and its variance a unit is sum_j W_j^2 x_j^2 p / q."""
    network = tiny()
    network.head = head = nn.Linear(DIM, 3, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        head.weight.copy_(torch.randn(3, DIM, generator=torch.Generator().manual_seed(1)))
        head.bias.fill_(0.3)
    state = init(network, scope="head", rate=rate)
    features, draws = vectors(1)[0], 40_000
    with torch.no_grad(), noise(NoiseContext.fold(5, range(draws), keys_for(1))):
        logits = state.model(features.repeat(draws, 1)).double()
    variance = (head.weight.double() ** 2 * features.double() ** 2).sum(1) * rate / (1 - rate)
    error = (logits.mean(0) - head(features)[0].double()).abs()
    assert bool((error < 4.5 * (variance / draws).sqrt()).all())
    torch.testing.assert_close(logits.var(0), variance.detach(), rtol=0.05, atol=0)


@pytest.mark.parametrize(
    ("blocks", "fitting", "answering"),
    [
        ("fitting", {"block.drop", "drop1", "drop_head"}, {"drop1", "drop_head"}),
        ("off", {"drop1", "drop_head"}, {"drop1", "drop_head"}),
        ("on", {"block.drop", "drop1", "drop_head"}, {"block.drop", "drop1", "drop_head"}),
    ],
)
def test_sites_inside_blocks_follow_the_config(blocks: Any, fitting: set[str], answering: set[str]) -> None:
    state = init(scope="network", blocks=blocks)
    inputs, labels = pictures(12)
    step = Stepper(state)

    def fit() -> None:
        mc_dropout.update(state, Batch(inputs, labels, keys_for(12)), torch.Generator(), step)

    assert active(state.model, fit) == fitting
    assert active(state.model, lambda: mc_dropout.predict(state, inputs, keys_for(12), draws=2, seed=0)) == answering


def test_on_panns_the_sites_are_those_of_vi_panns_mcd() -> None:
    """After the first block, before and after the last one, before fc1 and before the logits; none in the bottlenecks,
    whose dropout the reference uses only while it trains."""
    panns = registry.pick("core.backbones", "BACKBONE", "panns")
    config = panns.Config(name="resnet54", width=0.03, seconds=1.0, bottleneck_dropout=0.1)
    network = panns.build(3, torch.Generator().manual_seed(0), config=config)
    state = init(network, scope="network")
    wave, keys = torch.randn(2, 32_000, generator=torch.Generator().manual_seed(1)) * 0.1, keys_for(2)
    found = active(state.model, lambda: mc_dropout.predict(state, wave, keys, draws=3, seed=0))
    rates = {m.name: m.p for m in state.model.modules() if isinstance(m, MaskedDropout) and m.p > 0}
    assert rates == {"drop1": 0.2, "drop2": 0.2, "drop3": 0.2, "drop_fc1": 0.5, "drop_logits": 0.5}
    assert found == set(rates)
    assert len(state.resting) == 16  # bottlenecks
    assert {rate for _, rate in state.resting} == {0.1}


def test_a_head_keeps_its_own_sites_and_one_without_gets_some() -> None:
    own = init(scope="head", rate=0.6)
    assert {m.name: m.p for m in own.model.modules() if isinstance(m, MaskedDropout)} == {"drop_head": 0.3}
    network = tiny(rate=0.0)
    added = init(network, scope="head", rate=0.6)
    sites = [m for m in added.model.modules() if isinstance(m, MaskedDropout) and m.p > 0]
    assert [site.p for site in sites] == [0.6, 0.6]
    assert len({site.name for site in sites}) == 2
    features = vectors(5)[0]
    torch.testing.assert_close(added.model(features), network.head(features))  # the same head without noise
    assert active(added.model, lambda: mc_dropout.predict(added, features, keys_for(5), draws=2, seed=0)) == {
        site.name for site in sites
    }
    assert not any(m.p == 0.6 for m in network.modules() if isinstance(m, MaskedDropout))  # nor is the source changed


def test_torchs_own_dropout_layers_count_as_sites() -> None:
    network = tiny(rate=0.0, inside=0.0)
    network.pool = nn.Sequential(network.pool, nn.Dropout(0.4))  # type: ignore[assignment]
    network.stages = (*network.stages[:3], ("pool", network.pool))
    state = init(network, scope="network")
    found = mc_dropout.predict(state, pictures(4)[0], keys_for(4), draws=5, seed=0).probs
    assert float(found.std(0).max()) > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0, "inside": 0.0}, "needs dropout layers, and this network has none.*Flipout"),
        ({"rate": 0.0, "inside": 0.2}, "inside its residual blocks.*blocks=on"),
    ],
)
def test_a_network_without_sites_is_told_what_to_use(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserFacingError, match=message):
        init(tiny(**options), scope="network")


def test_masks_differ_between_updates_and_return_when_a_run_is_repeated() -> None:
    inputs, labels = pictures(12)
    runs = []
    for _ in range(2):
        state = init(scope="network", statistics=False)
        step = Stepper(state, rate=0.0)
        for _ in range(3):
            state = mc_dropout.update(state, Batch(inputs, labels, keys_for(12)), torch.Generator(), step)
        runs.append(step.losses)
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3


@pytest.mark.parametrize("statistics", [True, False])
def test_running_statistics_follow_the_data_only_if_asked(statistics: bool) -> None:
    source = tiny()
    state = init(source, scope="network", statistics=statistics)
    inputs, labels = pictures(12)
    mc_dropout.update(state, Batch(inputs, labels, keys_for(12)), torch.Generator(), Stepper(state))
    same = torch.equal(state.model.stem[1].running_mean, source.stem[1].running_mean)  # type: ignore[index]
    assert same is not statistics
    assert not any(m.training for m in state.model.modules())
