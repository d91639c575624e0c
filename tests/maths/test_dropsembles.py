"""Dropsembles: fixed masks, thinned gradients, anchors, frozen prefixes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from core.contracts import Task
from core.errors import UserFacingError
from core.layers.masks import MaskedDropout, MemberMask
from core.methods import _ewc, dropsembles
from core.methods._contract import Batch, FitContext, parameters_of
from tests.fitting import Stepper, fit
from tests.tiny import TinyNetwork, as_labels, keys_for, pictures, tiny, vectors


def started(network: TinyNetwork | None = None, task: Task = "multiclass", **options) -> dropsembles.State:
    context = FitContext(task, 3, 32, seed=4)
    return dropsembles.init(dropsembles.Config(**options), network or tiny(), context, torch.Generator())


def batch_of(scope: str = "network", items: int = 16, seed: int = 1, task: str = "multiclass") -> Batch:
    inputs, labels = (vectors if scope == "head" else pictures)(items, seed=seed)
    return Batch(inputs, as_labels(labels, 3, task), keys_for(items))


def masks_of(member: nn.Module) -> list[MemberMask]:
    return [part for part in member.modules() if isinstance(part, MemberMask)]


def stepped(state: dropsembles.State, batch: Batch, steps: int = 3, rate: float = 0.01) -> dropsembles.State:
    step = Stepper(state, rate)
    for _ in range(steps):
        state = dropsembles.update(state, batch, torch.Generator(), step)
    return state


def test_masks_are_fixed_differ_between_members_and_scale_what_they_keep() -> None:
    state = started(members=3)
    for member in state.members:
        assert [tuple(mask.mask.shape) for mask in masks_of(member)] == [(1, 8, 1, 1), (1, 8, 1, 1), (1, 12)]
        assert not any(isinstance(part, MaskedDropout) for part in member.modules())
    batch = batch_of()
    before = [[mask.mask.clone() for mask in masks_of(member)] for member in state.members]
    done = stepped(state, batch)
    for member, kept in zip(done.members, before, strict=True):
        assert all(torch.equal(mask.mask, old) for mask, old in zip(masks_of(member), kept, strict=True))
        torch.testing.assert_close(member(batch.inputs), member(batch.inputs), rtol=0, atol=0)
    assert len({str([m.flatten().tolist() for m in kept]) for kept in before}) == 3
    mask = masks_of(state.members[0])[0]
    ones = torch.ones(2, 8, 3, 3)
    kept = mask(ones)[0, :, 0, 0]
    torch.testing.assert_close(kept, mask.mask[0, :, 0, 0] / (1 - 0.2))


def test_masks_keep_with_the_rate_of_their_site() -> None:
    network = tiny(rate=0.3, inside=0.0)
    state = started(network, members=100, masks="element")
    kept = torch.stack([torch.cat([mask.mask.flatten() for mask in masks_of(m)]) for m in state.members]).float()
    assert kept.shape == (100, 8 * 36 + 12)  # the site that drops nothing has no mask
    assert abs(float(kept.mean()) - 0.7) < 4 * math.sqrt(0.21 / kept.numel())


def test_a_channel_is_masked_at_every_place_an_element_at_its_own() -> None:
    assert tuple(masks_of(started(masks="element").members[0])[0].mask.shape) == (1, 8, 6, 6)


@pytest.mark.parametrize("scope", ["head", "network"])
def test_masked_weights_get_no_gradient_from_the_data(scope: str) -> None:
    state = started(scope=scope, members=2)
    batch = batch_of(scope)
    member = state.members[1]
    loss = nn.functional.cross_entropy(member(batch.inputs), batch.labels)
    loss.backward()
    found = {"head.1": member[1]} if scope == "head" else {"head.1": member.head[1], "widen.1": member.widen[1]}
    masks = masks_of(member)
    dropped = ~masks[-1].mask[0]
    assert bool(dropped.any())
    assert not bool(dropped.all())
    assert float(found["head.1"].weight.grad[:, dropped].abs().max()) == 0.0
    assert float(found["head.1"].weight.grad[:, ~dropped].abs().max()) > 0.0
    if scope == "network":
        channels = ~masks[1].mask[0, :, 0, 0]
        assert bool(channels.any())
        assert float(found["widen.1"].weight.grad[:, channels].abs().max()) == 0.0


def test_one_step_is_the_step_of_each_member_with_its_penalty() -> None:
    batch, source = batch_of(), batch_of(seed=5)
    state = dropsembles.anchored(started(members=2, ewc=3.0), [source], torch.Generator())
    assert state.anchor is not None
    with torch.no_grad():
        for member in state.members:  # away from the anchor, where the penalty pulls
            member.head[3].weight += 0.3
    expected = []
    for member in state.members:
        loss = nn.functional.cross_entropy(member(batch.inputs), batch.labels)
        now = dict(member.named_parameters())
        for name, centre, fisher in zip(state.anchor.names, state.anchor.centre, state.anchor.fisher, strict=True):
            loss = loss + 1.5 * (fisher * (now[name] - centre) ** 2).sum()
        expected.append(torch.autograd.grad(loss, list(member.parameters())))
    found: list[list[torch.Tensor]] = []

    def step(loss: torch.Tensor, parts: object) -> None:
        loss.backward()
        found.extend([p.grad for p in member.parameters() if p.grad is not None] for member in state.members)

    dropsembles.update(state, batch, torch.Generator(), step)
    for mine, theirs in zip(found, expected, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_anchor_is_the_fisher_of_the_whole_network_without_dropout() -> None:
    batch = batch_of(seed=5)
    for rule in ("exact", "empirical"):
        state = dropsembles.anchored(started(ewc=1.0, fisher=rule), [batch], torch.Generator())
        expected = _ewc.anchor_of(tiny().requires_grad_(True), [batch], "multiclass", rule, torch.Generator())
        assert state.anchor is not None
        assert state.anchor.names == expected.names
        for mine, theirs in zip(state.anchor.fisher, expected.fisher, strict=True):
            torch.testing.assert_close(mine, theirs)


def test_a_stronger_anchor_holds_more() -> None:
    """By plain gradient descent: what is left of the penalty after the same number of steps."""
    batch, source = batch_of(), batch_of(seed=5)
    left = []
    for strength in (0.0, 3.0, 30.0):
        state = dropsembles.anchored(started(members=1, ewc=strength), [source], torch.Generator())
        assert state.anchor is not None
        optimiser = torch.optim.SGD(parameters_of(state), lr=0.003)

        def step(loss: torch.Tensor, parts: object, optimiser: torch.optim.SGD = optimiser) -> None:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        anchor = state.anchor
        for _ in range(60):
            state = dropsembles.update(state, batch, torch.Generator(), step)
        left.append(float(_ewc.penalty(anchor, state.members[0]).detach()))
    assert left[0] > 2 * left[1] > 4 * left[2] > 0


def test_ewc_without_the_first_data_is_refused_in_words() -> None:
    with pytest.raises(UserFacingError, match="trained on") as refused:
        stepped(started(ewc=1.0), batch_of())
    assert refused.value.code == "anchor"


def test_frozen_stages_stay_shared_and_are_not_thinned() -> None:
    state = started(members=2, frozen_stages=2)
    first, second = state.members
    assert first.stem[0].weight is second.stem[0].weight
    assert [tuple(mask.mask.shape) for mask in masks_of(first)] == [(1, 8, 1, 1), (1, 12)]
    trained = {id(p) for p in parameters_of(state)}
    assert id(first.stem[0].weight) not in trained
    assert id(first.widen[1].weight) in trained
    batch = batch_of()
    before = first.stem[0].weight.clone()
    done = stepped(state, batch)
    assert torch.equal(done.members[0].stem[0].weight, before)
    calls = []
    hook = done.members[0].stem.register_forward_hook(lambda *_: calls.append("stem"))
    other = done.members[1].stem.register_forward_hook(lambda *_: calls.append("other"))
    answer = dropsembles.predict(done, batch.inputs, batch.keys, draws=1, seed=0)
    assert calls == ["stem"]  # once for all members
    hook.remove()
    other.remove()
    for probs, member in zip(answer.probs, done.members, strict=True):
        torch.testing.assert_close(probs, member(batch.inputs).softmax(-1), rtol=1e-5, atol=1e-6)
    with pytest.raises(UserFacingError, match="at most 4"):
        started(frozen_stages=5)


def test_every_member_starts_from_the_trained_network() -> None:
    source = tiny()
    for member in started(members=2).members:
        for name, value in member.named_parameters():
            assert torch.equal(value, source.get_parameter(name))


def test_a_network_without_dropout_is_refused_in_words() -> None:
    with pytest.raises(UserFacingError, match="dropout"):
        started(tiny(rate=0.0, inside=0.0))


def test_a_finished_state_lets_the_network_and_the_anchor_go() -> None:
    data = (*pictures(16), keys_for(16))
    config = dropsembles.Config(members=2)
    state, _ = fit(dropsembles.METHOD, config, tiny(), FitContext("multiclass", 3, 16, seed=0), data)
    assert state.source is None
    assert state.anchor is None
    with pytest.raises(ValueError, match="finished"):
        dropsembles.anchored(state, [], torch.Generator())
