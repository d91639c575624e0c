"""Dropout from the counter hash against its definition, and members whose masks never change."""

from __future__ import annotations

import math

import pytest
import torch

from core.layers import NoiseContext, keys_of, noise
from core.layers.masks import MaskedDropout, MemberMask

KEYS = keys_of([f"{i:x}" * 64 for i in range(1, 9)])


def folded(draws: int, seed: int = 0) -> NoiseContext:
    return NoiseContext.fold(seed, range(draws), KEYS)


def test_without_noise_it_is_the_identity() -> None:
    x = torch.ones(2, 3)
    assert MaskedDropout(0.5, "a").train()(x) is x


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_kept_units_are_scaled_and_the_mean_is_kept(p: float) -> None:
    with noise(folded(50)):
        out = MaskedDropout(p, "a")(torch.ones(400, 300))
    kept = out[out != 0]
    assert torch.allclose(kept, torch.tensor(1 / (1 - p)))
    rate = kept.numel() / out.numel()
    assert abs(rate - (1 - p)) < 4.5 * math.sqrt(p * (1 - p) / out.numel())


def test_dropping_all_gives_zeros_and_dropping_none_the_input() -> None:
    x = torch.ones(8, 3)
    with noise(folded(1)):
        assert not MaskedDropout(1.0, "a")(x).any()
        assert MaskedDropout(0.0, "a")(x) is x


def test_masks_differ_between_draws_items_layers_and_seeds() -> None:
    x = torch.ones(16, 200)
    with noise(folded(2)):
        first, second = MaskedDropout(0.5, "a")(x), MaskedDropout(0.5, "b")(x)
    with noise(folded(2, seed=1)):
        third = MaskedDropout(0.5, "a")(x)
    rows = torch.cat([first, second, third])
    assert len(torch.unique(rows, dim=0)) == 48


def test_the_mask_of_an_item_does_not_depend_on_the_others() -> None:
    x = torch.randn(16, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    layer = MaskedDropout(0.3, "a")
    with noise(folded(2)):
        together = layer(x)
    with noise(folded(2).chunk(11, 12)):
        assert torch.equal(layer(x[11:12]), together[11:12])


@pytest.mark.parametrize(("axis", "shape"), [(1, (16, 40, 3, 3)), (-1, (16, 9, 40))])
def test_channelwise_masks_drop_whole_channels(axis: int, shape: tuple[int, ...]) -> None:
    with noise(folded(2)):
        out = MaskedDropout(0.5, "a", channelwise=True, axis=axis)(torch.ones(shape)).movedim(axis, 1).flatten(2)
    assert torch.equal(out.amin(2), out.amax(2))
    assert 0.2 < float((out.amax(2) == 0).double().mean()) < 0.8
    assert len(torch.unique(out[..., 0], dim=0)) == 16


def test_a_rate_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        MaskedDropout(1.5, "a")


def test_a_member_is_deterministic_and_members_differ() -> None:
    """Two calls under two noises are equal: a mask a call would be MC dropout."""
    site = MaskedDropout(0.4, "site")
    members = [MemberMask.draw(site, (64,), member, seed=3) for member in range(4)]
    x = torch.randn(16, 64, generator=torch.Generator().manual_seed(0))
    with noise(folded(2)):
        noisy = members[0](x)
    with noise(folded(2, seed=9)):
        assert torch.equal(members[0](x), noisy)
    assert torch.equal(members[0](x), noisy)
    assert len({tuple(member.mask.flatten().tolist()) for member in members}) == 4
    torch.testing.assert_close(noisy, torch.where(members[0].mask, x / 0.6, 0.0))


def test_a_members_mask_is_stored_and_shared_by_items_and_places() -> None:
    member = MemberMask.draw(MaskedDropout(0.5, "site", channelwise=True), (32, 1, 1), 1, seed=0)
    out = member(torch.ones(5, 32, 4, 4))
    assert torch.equal(out, out[:1, :, :1, :1].expand_as(out))
    restored = MemberMask.draw(MaskedDropout(0.5, "site"), (32, 1, 1), 2, seed=0)
    assert not torch.equal(restored.mask, member.mask)
    restored.load_state_dict(member.state_dict())
    assert torch.equal(restored.mask, member.mask)


def test_a_members_masks_differ_between_sites_and_seeds() -> None:
    one, other = MaskedDropout(0.5, "one"), MaskedDropout(0.5, "other")
    masks = [MemberMask.draw(site, (64,), 0, seed).mask for site in (one, other) for seed in (1, 2)]
    assert len(torch.unique(torch.cat(masks), dim=0)) == 4


def test_members_keep_units_at_their_rate() -> None:
    site = MaskedDropout(0.3, "site")
    masks = torch.stack([MemberMask.draw(site, (500,), member, seed=0).mask for member in range(40)])
    assert abs(float(masks.double().mean()) - 0.7) < 4.5 * math.sqrt(0.21 / 20000)


def test_gradients_pass_through_what_was_kept() -> None:
    x = torch.ones(8, 50, dtype=torch.float64, requires_grad=True)
    with noise(folded(1)):
        out = MaskedDropout(0.5, "a")(x)
        out.sum().backward()
    assert torch.equal(x.grad, out.detach())
