"""Ensembles against members trained one by one, and their bootstrap against Poisson."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from core.contracts import Task
from core.layers import noise
from core.methods import ensemble
from core.methods._contract import Batch, FitContext, parameters_of
from core.methods._fresh import redraw
from core.methods._losses import item_losses
from core.methods._stacked import StackedHeads, in_blocks
from tests.fitting import Stepper, fit
from tests.tiny import as_labels, keys_for, pictures, tiny, vectors

CONTEXT = FitContext("multiclass", 3, 32, seed=4)


def started(seed: int = 0, task: Task = "multiclass", **options) -> ensemble.State:
    context = FitContext(task, 3, 32, seed=4)
    return ensemble.init(ensemble.Config(**options), tiny(), context, torch.Generator().manual_seed(seed))


def batch_of(scope: str, items: int = 16, task: str = "multiclass") -> Batch:
    inputs, labels = (vectors if scope == "head" else pictures)(items)
    return Batch(inputs, as_labels(labels, 3, task), keys_for(items))


def separate(state: ensemble.State) -> list[nn.Module]:
    """The heads of a stack as modules of their own."""
    assert state.heads is not None
    found = []
    for number in range(state.heads.members):
        head = tiny().head.requires_grad_(True)
        head.load_state_dict({name: value[number] for name, value in state.heads._tensors().items()})
        found.append(head)
    return found


def plain_loss(logits: Tensor, labels: Tensor, task: str) -> Tensor:
    """Item by item, from the definition."""
    losses = []
    for z, y in zip(logits, labels, strict=True):
        if task == "multilabel":
            p = 1 / (1 + torch.exp(-z))
            losses.append(-sum(y[c] * p[c].log() + (1 - y[c]) * (1 - p[c]).log() for c in range(3)) / 3)
        else:
            losses.append(-(z[y] - z.exp().sum().log()))
    return torch.stack(losses)


def test_a_stack_of_heads_answers_like_its_heads() -> None:
    state = started(members=4)
    assert state.heads is not None
    features, _ = vectors(20)
    heads = separate(state)
    one_by_one = torch.stack([head(features) for head in heads])
    torch.testing.assert_close(state.heads(features), one_by_one, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(in_blocks(state.heads, features, 12), one_by_one, rtol=1e-5, atol=1e-6)
    answer = ensemble.predict(state, features, keys_for(20), draws=99, seed=0)
    torch.testing.assert_close(answer.probs, one_by_one.softmax(-1), rtol=1e-5, atol=1e-6)


def test_a_stack_keeps_the_buffers_of_each_head() -> None:
    generator = torch.Generator().manual_seed(0)
    heads = []
    for _ in range(3):
        head = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 2)).eval()
        head[0].running_mean.copy_(torch.randn(5, generator=generator))
        heads.append(head)
    features = torch.randn(7, 5, generator=generator)
    torch.testing.assert_close(StackedHeads(heads)(features), torch.stack([head(features) for head in heads]))


def test_members_draw_their_own_weights_as_torch_would_draw_them() -> None:
    layer = nn.Linear(400, 300)
    redraw(layer, torch.Generator().manual_seed(1))
    bound = 1 / math.sqrt(400)
    assert float(layer.weight.detach().abs().max()) <= bound
    assert abs(float(layer.weight.detach().std()) - bound / math.sqrt(3)) < 0.01 * bound
    assert float(layer.bias.detach().abs().max()) <= bound
    state = started(members=5)
    heads = separate(state)
    firsts = [head[1].weight.detach() for head in heads]
    assert all(float((a - b).abs().max()) > 0.1 for i, a in enumerate(firsts) for b in firsts[:i])
    again = separate(started(members=5))
    assert all(torch.equal(a[1].weight, b[1].weight) for a, b in zip(heads, again, strict=True))
    other = separate(started(seed=1, members=5))
    assert not torch.equal(other[0][1].weight, firsts[0])


def test_redrawing_forgets_statistics_and_leaves_the_global_generator() -> None:
    network, before = tiny(), torch.get_rng_state()
    redraw(network, torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    norm = network.stem[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert torch.equal(norm.running_mean, torch.zeros(8))
    assert torch.equal(norm.weight, torch.ones(8))


def test_fresh_heads_keep_the_network_below_them() -> None:
    source = tiny()
    state = started(scope="network", members=2, fresh="head")
    for member in state.networks:
        assert torch.equal(member.stem[0].weight, source.stem[0].weight)
        assert not torch.equal(member.head[1].weight, source.head[1].weight)
    for member in started(scope="network", members=2).networks:
        assert not torch.equal(member.stem[0].weight, source.stem[0].weight)


def test_one_step_trains_every_head_as_if_it_were_alone() -> None:
    for task in ("multiclass", "multilabel"):
        state = started(members=3, dropout=False, bootstrap=True, task=task)
        batch = batch_of("head", task=task)
        alone = separate(state)
        weights = ensemble.bootstrap_weights(state, batch.keys)
        step = Stepper(state)
        for _ in range(4):
            state = ensemble.update(state, batch, torch.Generator(), step)
        for number, head in enumerate(alone):
            optimiser = torch.optim.Adam(head.parameters(), lr=0.01)
            for _ in range(4):
                optimiser.zero_grad()
                (plain_loss(head(batch.inputs), batch.labels, task) * weights[number]).mean().backward()
                optimiser.step()
        for head, found in zip(alone, separate(state), strict=True):
            for mine, theirs in zip(head.parameters(), found.parameters(), strict=True):
                torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=2e-5)


def test_dropout_drops_otherwise_for_each_head_and_not_when_predicting() -> None:
    batch, step = batch_of("head"), Stepper(started(members=1))
    losses = {}
    for dropout in (False, True):
        state = started(members=3, dropout=dropout)
        step = Stepper(state)
        ensemble.update(state, batch, torch.Generator(), step)
        losses[dropout] = [step.parts[0][f"member {number}"] for number in (1, 2, 3)]
    state = started(members=3)
    expected = []
    for number, head in enumerate(separate(state)):
        drops = ensemble._training.step_noise(CONTEXT, 0, batch.keys, draw=number)
        with noise(drops):
            expected.append(float(plain_loss(head(batch.inputs), batch.labels, "multiclass").mean().detach()))
    torch.testing.assert_close(torch.tensor(losses[True]), torch.tensor(expected), rtol=1e-5, atol=1e-6)
    assert all(abs(a - b) > 1e-4 for a, b in zip(losses[True], losses[False], strict=True))


def test_bootstrap_counts_are_poisson_and_belong_to_their_items() -> None:
    state = started(members=4, bootstrap=True)
    keys = keys_for(4000)
    counts = ensemble.bootstrap_weights(state, keys)
    assert counts.shape == (4, 4000)
    for count in range(5):
        chance = math.exp(-1) / math.factorial(count)
        share = (counts == count).float().mean().item()
        assert abs(share - chance) < 4 * math.sqrt(chance * (1 - chance) / 16000)
    few = ensemble.bootstrap_weights(state, keys[100:110])
    assert torch.equal(few, counts[:, 100:110])
    correlations = torch.corrcoef(counts) - torch.eye(4)
    assert float(correlations.abs().max()) < 4 / math.sqrt(4000)


def test_networks_follow_their_statistics_only_when_asked() -> None:
    for moving in (True, False):
        state = started(scope="network", members=2, fresh="head", statistics=moving)
        kept = [copy.deepcopy(member.stem[1].running_mean) for member in state.networks]
        ensemble.update(state, batch_of("network"), torch.Generator(), Stepper(state))
        for before, member in zip(kept, state.networks, strict=True):
            assert torch.equal(before, member.stem[1].running_mean) != moving
            assert not any(part.training for part in member.modules())


def test_a_network_ensemble_is_the_mean_of_its_members() -> None:
    inputs, labels = pictures(24)
    config = ensemble.Config(scope="network", members=3)
    state, step = fit(ensemble.METHOD, config, tiny(), CONTEXT, (inputs, labels, keys_for(24)), epochs=2)
    answer = ensemble.predict(state, inputs, keys_for(24), draws=1, seed=0)
    assert len(answer.probs) == 3
    for found, member in zip(answer.probs, state.networks, strict=True):
        torch.testing.assert_close(found, member(inputs).softmax(-1), rtol=1e-5, atol=1e-6)
    assert len(parameters_of(ensemble.init(config, tiny(), CONTEXT, torch.Generator()))) == 3 * len(
        list(tiny().parameters())
    )
    assert len(step.losses) == 4


def test_item_losses_are_those_of_the_definition() -> None:
    logits, labels = torch.randn(9, 3, generator=torch.Generator().manual_seed(0)), torch.arange(9) % 3
    for task in ("multiclass", "multilabel"):
        y = as_labels(labels, 3, task)
        torch.testing.assert_close(item_losses(logits, y, task), plain_loss(logits, y, task))
    mixed = torch.full((9, 3), 1 / 3)
    expected = -(logits - logits.exp().sum(1, keepdim=True).log()).mean(dim=1)
    torch.testing.assert_close(item_losses(logits, mixed, "multiclass"), expected)
