"""Mixtures and labels against plain sums, where the randomness comes from, and what settings are refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from core.errors import UserFacingError
from core.fingerprint import torch_generator
from core.layers.augmentsite import AugmentSite
from core.training.augment import PANNS, Augment, augmented, refuse_unfit
from tests.maths.augmenting import noise_like, ramp, seen

PANNS_SITE, LECTURE_SITE = AugmentSite(0.0), AugmentSite(-80.0, time=3, bands=2)
STRIPES = Augment(time_stripes=2, mel_stripes=2)


# labels and mixtures


def test_a_mixture_is_the_convex_combination_of_a_pair_and_of_its_labels() -> None:
    waves, shown = noise_like(10, 40), noise_like(10, 1, 7, 5, seed=2)
    for site in (None, PANNS_SITE):
        batch, out = seen(waves, Augment(mixup=1.0), site=site, spectrograms=shown)
        whole, mixed = (waves, batch.inputs) if out is None else (shown, out)
        assert batch.labels.shape == (5, 10)
        assert len(mixed) == 5
        assert torch.equal(batch.keys, seen(waves, Augment())[0].keys[::2])
        for n in range(5):
            share = float(batch.labels[n, 2 * n])
            expected = torch.zeros(10)
            expected[2 * n], expected[2 * n + 1] = share, 1 - share
            assert torch.allclose(batch.labels[n], expected, atol=1e-6)
            assert torch.allclose(mixed[n], share * whole[2 * n] + (1 - share) * whole[2 * n + 1], atol=1e-6)


def test_a_site_gets_all_waveforms_as_they_are() -> None:
    waves = noise_like(6, 30)
    batch, _ = seen(waves, PANNS, site=PANNS_SITE, spectrograms=noise_like(6, 1, 20, 9))
    assert batch.inputs is waves


def test_masks_come_before_the_mixture() -> None:
    """Of two items of ones, a place shows 1, one of the shares where the other is masked, or 0 where both are."""
    batch, out = seen(noise_like(40, 9), PANNS, site=PANNS_SITE, spectrograms=torch.ones(40, 1, 200, 32))
    assert out is not None
    kinds = set()
    for n in range(20):
        share = batch.labels[n, 2 * n]
        distances = (out[n].flatten()[:, None] - torch.stack([torch.tensor(1.0), share, 1 - share, share * 0])).abs()
        assert float(distances.amin(dim=1).max()) < 1e-6
        kinds |= set(distances.argmin(dim=1).tolist())
    assert kinds == {0, 1, 2, 3}


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    batch, _ = seen(torch.zeros(8000, 1), Augment(mixup=alpha), labels=torch.arange(8000) % 2, classes=2)
    assert stats.kstest(batch.labels[:, 0].double().numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_partners_keep_the_number_of_items() -> None:
    waves = noise_like(9, 12)
    batch, _ = seen(waves, Augment(mixup=0.4, mix="partners"))
    assert batch.inputs.shape == waves.shape
    assert torch.equal(batch.keys, seen(waves, Augment())[0].keys)
    assert torch.allclose(batch.labels.sum(dim=1), torch.ones(9))
    assert torch.allclose(batch.inputs, batch.labels @ waves, atol=1e-5)  # a class an item: labels say who is in it
    others = [set(row.nonzero()[:, 0].tolist()) - {n} for n, row in enumerate(batch.labels)]
    partners = [other.pop() for other in others if other]
    assert len(set(partners)) == len(partners) > 5


def test_an_odd_batch_is_completed_by_its_first_item() -> None:
    batch, _ = seen(noise_like(5, 12), Augment(mixup=1.0))
    assert batch.inputs.shape == (3, 12)
    assert set(batch.labels[2].nonzero()[:, 0].tolist()) == {0, 4}
    alone, _ = seen(noise_like(1, 12), Augment(mixup=1.0))
    assert torch.allclose(alone.inputs, noise_like(1, 12))


def test_several_labels_an_item_mix_as_they_are() -> None:
    labels = (noise_like(6, 4) > 0).float()
    batch, _ = seen(
        ramp(6, 1) * torch.arange(6)[:, None], Augment(mixup=1.0), labels=labels, task="multilabel", classes=4
    )
    for n in range(3):
        share = 1 - (batch.inputs[n] - 2 * n)  # the inputs are 0, 1, 2 ...
        assert torch.allclose(batch.labels[n], share * labels[2 * n] + (1 - share) * labels[2 * n + 1], atol=1e-5)


def test_smoothed_labels_give_the_loss_that_torch_calls_smoothed() -> None:
    logits, labels = noise_like(7, 5), torch.arange(7) % 5
    batch, _ = seen(noise_like(7, 3), Augment(label_smoothing=0.1), labels=labels, classes=5)
    expected = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    assert torch.allclose(nn.functional.cross_entropy(logits, batch.labels), expected)
    several = torch.tensor([[1.0, 0.0, 1.0]])
    batch, _ = seen(noise_like(1, 3), Augment(label_smoothing=0.2), labels=several, task="multilabel", classes=3)
    assert torch.allclose(batch.labels, torch.tensor([[0.9, 0.1, 0.9]]))


# where the randomness comes from


def everything(items: int = 8) -> tuple[Tensor, Augment, Tensor]:
    augment = dataclasses.replace(PANNS, roll=0.2, gain_db=3.0, snr_least=10.0, label_smoothing=0.1)
    return noise_like(items, 500), augment, noise_like(items, 1, 90, 30)


def test_the_same_generator_gives_the_same_batch_and_another_another() -> None:
    waves, augment, shown = everything()
    results = [seen(waves, augment, site=PANNS_SITE, spectrograms=shown, seed=seed) for seed in (0, 0, 1)]
    for name in ("inputs", "labels"):
        same, again, other = (getattr(batch, name) for batch, _ in results)
        assert torch.equal(same, again)
        assert not torch.equal(same, other)
    outs = [out for _, out in results if out is not None]
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


def test_a_batch_costs_its_generator_one_number_and_no_global_state() -> None:
    waves, augment, _ = everything()
    mine, other = torch_generator(3), torch_generator(3)
    before = torch.get_rng_state()
    batch, _ = seen(waves, Augment())
    for wanted in (augment, Augment()):
        augmented(batch, wanted, kind="audio", task="multiclass", classes=8, site=True, generator=mine)
        torch.randint(2**63 - 1, (), generator=other)
        assert torch.equal(mine.get_state(), other.get_state())
    assert torch.equal(torch.get_rng_state(), before)


def test_switching_one_on_leaves_the_others_as_they_were() -> None:
    _, _, shown = everything()
    one = seen(noise_like(8, 5), Augment(time_stripes=2), site=PANNS_SITE, spectrograms=shown)[1]
    two = seen(noise_like(8, 5), dataclasses.replace(STRIPES, gain_db=1.0), site=PANNS_SITE, spectrograms=shown)[1]
    assert one is not None
    assert two is not None
    assert torch.equal(two[two != 0], one[two != 0])
    assert (two[one == 0] == 0).all()
    assert not torch.equal(one, two)


def test_nothing_asked_for_is_nothing_done() -> None:
    waves = noise_like(4, 9)
    batch, change = augmented(
        seen(waves, Augment())[0], Augment(), kind="audio", task="multiclass", classes=4, site=True,
        generator=torch_generator(0),
    )  # fmt: skip
    assert batch.inputs is waves
    assert batch.labels.dtype == torch.int64
    assert change is None


def test_a_change_is_for_its_own_batch() -> None:
    with pytest.raises(ValueError, match="for the 4 items of its batch, and got 3"):
        seen(noise_like(4, 9), PANNS, site=PANNS_SITE, spectrograms=noise_like(3, 1, 90, 30))


# settings


@pytest.mark.parametrize(
    ("options", "kind", "site", "reason"),
    [
        ({"flip": True}, "audio", True, "flip is for pictures, and this network takes sounds"),
        ({"crop": 0.5}, "audio", False, "crop is for pictures"),
        ({"roll": 0.1}, "image", False, "roll is for sounds, and this network takes pictures"),
        ({"mel_stripes": 1}, "image", False, "mel_stripes is for sounds"),
        ({"time_stripes": 1}, "audio", False, "time_stripes masks a spectrogram inside the network"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(options: Any, kind: Any, site: bool, reason: str) -> None:
    with pytest.raises(UserFacingError, match=reason):
        refuse_unfit(Augment(**options), kind, site)


def test_settings_that_fit_are_taken() -> None:
    refuse_unfit(PANNS, "audio", True)
    refuse_unfit(Augment(mixup=1.0, label_smoothing=0.1, roll=0.2, gain_db=1.0), "audio", False)
    refuse_unfit(Augment(flip=True, shift=3, crop=0.5, cutmix=1.0), "image", False)
    assert PANNS.halves
    assert Augment(cutmix=1.0).halves
    assert not Augment(mixup=1.0, mix="partners").halves
    assert not Augment(flip=True).halves


def test_settings_outside_their_bounds_are_refused_by_name() -> None:
    for field in dataclasses.fields(Augment):
        facts = field.metadata
        assert facts["help"]
        assert facts["choices"] or facts["min"] is not None, field.name
        bad: list[Any] = ["no such thing"] if facts["choices"] else [facts["min"] - 1, facts["max"] + 1]
        for value in bad:
            with pytest.raises(UserFacingError, match=field.name):
                Augment(**{field.name: value})
    with pytest.raises(UserFacingError, match="snr_least and snr_most were given as 20 and 10 dB"):
        Augment(snr_least=20.0, snr_most=10.0)
