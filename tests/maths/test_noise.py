"""The counter hash is fair, independent between its coordinates, and a function of nothing else."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from core.layers import NoiseContext, _noise, current, key_of, keys_of, layer_id_of, noise
from core.layers._noise import bernoulli, normal, signs, uniform

HASHES = [f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}" + "0" * 48 for i in range(1, 41)]
KEYS = keys_of(HASHES)
LAYER = layer_id_of("stage.conv1")
MASK = (1 << 64) - 1
SAMPLERS = {
    "uniform": uniform,
    "normal": normal,
    "signs": signs,
    "bernoulli": lambda streams, units: bernoulli(streams, units, 0.3),
}


def context(draws: int = 10, seed: int = 7) -> NoiseContext:
    return NoiseContext.fold(seed, range(draws), KEYS)


def streams(draws: int = 10, seed: int = 7) -> Tensor:
    return context(draws, seed).by_item(LAYER, "mask")


def splitmix(state: int, count: int) -> list[int]:
    """SplitMix64 in Python's unbounded integers, as its paper prints it; the first output is of the start itself."""
    found = []
    for _ in range(count):
        z = state & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        found.append(z ^ (z >> 31))
        state += 0x9E3779B97F4A7C15
    return found


def test_hashes_are_splitmix64() -> None:
    starts = streams()[:5]
    made = torch.cat([block.clone() for _, _, block in _noise._blocks(starts, 9)])
    for start, row in zip(starts.tolist(), made.tolist(), strict=True):
        assert [word & MASK for word in row] == splitmix(start, 9)


def test_published_outputs_of_splitmix64() -> None:
    """The generator's well-known first outputs for the seed 1234567 (it adds its increment before it mixes)."""
    start = torch.tensor([1234567 + 0x9E3779B97F4A7C15 - (1 << 64)])
    words = next(_noise._blocks(start, 3))[2][0].tolist()
    assert [word & MASK for word in words] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniforms_fill_their_range_evenly() -> None:
    values = uniform(streams(), 500).flatten().numpy()
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.bincount((values * 1024).astype(int), minlength=1024)
    assert 1e-4 < stats.chisquare(counts).pvalue < 1 - 1e-4


def test_pairs_of_neighbours_fill_the_square_evenly() -> None:
    """Neighbouring units, neighbouring rows, and the same unit of neighbouring draws."""
    values = uniform(streams(), 501).view(10, 40, 501)
    for left, right in (
        (values[..., :-1], values[..., 1:]),
        (values[:, :-1], values[:, 1:]),
        (values[:-1], values[1:]),
    ):
        cells = (left * 32).long() * 32 + (right * 32).long()
        assert 1e-4 < stats.chisquare(torch.bincount(cells.flatten(), minlength=1024).numpy()).pvalue < 1 - 1e-4


def test_normals_are_normal_to_the_tails() -> None:
    values = normal(streams(), 1000).flatten().double().numpy()
    assert stats.kstest(values, "norm").pvalue > 1e-4
    for bound in (3.0, 4.0):
        expected = len(values) * 2 * stats.norm.sf(bound)
        assert abs((np.abs(values) > bound).sum() - expected) < 4.5 * math.sqrt(expected)
    moments = [(values**power).mean() for power in (1, 2, 3, 4)]
    errors = [math.sqrt(v / len(values)) for v in (1, 2, 15, 96)]
    assert all(abs(m - e) < 4.5 * s for m, e, s in zip(moments, (0, 1, 0, 3), errors, strict=True))


def test_the_extreme_hashes_give_finite_normals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest radius is sqrt(-2 ln 2^-32) = 6.66, the shortest 0; a logarithm of 0 is never taken."""
    halves = torch.tensor([[0, 0], [0, -1], [0, -(2**31)], [0, 2**31 - 1]], dtype=torch.int32)  # (angle, radius)
    hashes = halves.flip(1).contiguous().view(torch.int64).view(1, 4)
    monkeypatch.setattr(_noise, "_blocks", lambda streams, words: [(slice(0, 1), slice(0, 4), hashes)])
    cosines = normal(torch.zeros(1, dtype=torch.int64), 8)[0, 0::2]
    assert cosines.tolist() == pytest.approx([6.6604, 6.6604, 0.0, 0.0], abs=1e-3)


@pytest.mark.parametrize("lag", [1, 2, 3, 32, 64])
def test_no_serial_correlation(lag: int) -> None:
    for values in (normal(streams(), 2000), signs(streams(), 2000)):
        product = (values[:, lag:] * values[:, :-lag]).double()
        assert abs(product.mean()) < 4.5 / math.sqrt(product.numel())


def test_rows_are_uncorrelated() -> None:
    """All pairs of 400 rows, draws and items alike: the correlations are as large as chance makes them."""
    rows = torch.nn.functional.normalize(normal(streams(), 1000).double(), dim=1)
    correlations = (rows @ rows.T)[tuple(torch.triu_indices(400, 400, 1))] * math.sqrt(1000)
    assert float(correlations.std()) == pytest.approx(1.0, abs=0.02)
    assert float(correlations.abs().max()) < 5.5


def test_signs_and_masks_have_their_rates() -> None:
    count = 400 * 1000
    assert abs(signs(streams(), 1000).double().mean()) < 4.5 / math.sqrt(count)
    for p in (0.1, 0.5, 0.875):
        rate = bernoulli(streams(), 1000, p).double().mean()
        assert abs(rate - p) < 4.5 * math.sqrt(p * (1 - p) / count)
    assert bernoulli(streams(), 9, 1.0).all()
    assert not bernoulli(streams(), 9, 0.0).any()


def test_every_bit_of_every_coordinate_flips_half_of_the_bits() -> None:
    """Avalanche: the seed, the draw, the item's key, the layer's id and the purpose."""

    def words(seed: int = 3, draw: int = 5, key: int = 12345, layer: int = LAYER, purpose: str = "a") -> np.ndarray:
        one = NoiseContext(seed, torch.tensor([draw]), torch.tensor([key])).by_item(layer, purpose)
        return next(_noise._blocks(one, 64))[2].numpy().copy().view(np.uint8)

    plain = words()
    changes = [{"purpose": "b"}]
    changes += [{"seed": 3 ^ (1 << bit)} for bit in range(0, 63, 3)]
    changes += [{"draw": 5 ^ (1 << bit)} for bit in range(12)]
    changes += [{"key": key_of(f"{12345 ^ (1 << bit):016x}")} for bit in range(0, 64, 3)]
    changes += [{"layer": LAYER ^ (1 << bit)} for bit in range(0, 62, 3)]
    shares = [float(np.unpackbits(plain ^ words(**change)).mean()) for change in changes]  # of 4096 bits each
    assert max(abs(share - 0.5) for share in shares) < 5 * 0.5 / math.sqrt(4096)
    assert abs(np.mean(shares) - 0.5) < 4.5 * 0.5 / math.sqrt(4096 * len(shares))


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_row_does_not_know_its_batch(name: str) -> None:
    """The same bits alone, in a chunk, among others in another order, and in blocks of any size."""
    sample, whole = SAMPLERS[name], context(draws=3)
    full = sample(whole.by_item(LAYER, "x"), 333)
    for start, stop in ((0, 1), (5, 50), (119, 120)):
        assert torch.equal(sample(whole.chunk(start, stop).by_item(LAYER, "x"), 333), full[start:stop])
    order = torch.arange(119, -1, -1)
    shuffled = NoiseContext(7, whole.draws[order], whole.keys[order])
    assert torch.equal(sample(shuffled.by_item(LAYER, "x"), 333), full[order])
    assert torch.equal(sample(whole.by_item(LAYER, "x"), 100), full[:, :100])


@pytest.mark.parametrize("name", SAMPLERS)
def test_blocks_leave_no_seam(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sample, rows = SAMPLERS[name], streams(draws=1)
    full = sample(rows, 1501)
    monkeypatch.setattr(_noise, "_CPU_BLOCK", 700)
    assert torch.allclose(sample(rows, 1501).float(), full.float(), rtol=0, atol=1e-6)


def test_streams_say_what_they_depend_on() -> None:
    whole = NoiseContext.fold(1, [0, 1, 6], KEYS[:2], group=5)
    assert len(set(whole.by_item(LAYER, "x").tolist())) == 6
    assert whole.by_draw(LAYER, "x").view(3, 2).unique(dim=1).shape == (3, 1)
    assert len(set(whole.by_draw(LAYER, "x").tolist())) == 3
    assert [(s.index, s.rows) for s in whole.segments] == [(0, slice(0, 4)), (1, slice(4, 6))]
    assert [(s.index, s.rows) for s in whole.draw_segments] == [(0, slice(0, 2)), (1, slice(2, 4)), (6, slice(4, 6))]
    part = whole.chunk(3, 6).segments  # a chunk that begins inside a group gets that group's noise
    names = [whole.by_segment(segment, LAYER, "w").item() for segment in whole.segments]
    assert [whole.by_segment(segment, LAYER, "w").item() for segment in part] == names
    assert len(set(names)) == 2


def test_sixteen_threads_get_their_own_noise() -> None:
    def work(seed: int) -> bool:
        mine = context(seed=seed, draws=2)
        with noise(mine):
            for _ in range(20):
                if current() is not mine or not torch.equal(normal(mine.by_item(1, "x"), 50), expected[seed]):
                    return False
        return current() is None

    expected = [normal(context(seed=seed, draws=2).by_item(1, "x"), 50) for seed in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(16)))


def test_noise_ends_with_its_block_even_after_an_error() -> None:
    with noise(context()):
        with pytest.raises(ZeroDivisionError), noise(None):
            print(1 / (current() is not None))  # 1 / 0 when the inner block has no noise
        assert current() is not None
    assert current() is None


def test_the_global_generator_is_untouched() -> None:
    before = torch.get_rng_state()
    for sample in SAMPLERS.values():
        sample(streams(), 10)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_context_with_a_draw_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="one draw and one key"):
        NoiseContext(1, torch.zeros(3, dtype=torch.int64), KEYS[:2])
    with pytest.raises(ValueError, match="7 rows"):
        _noise.rows_like(streams(draws=1)[:2], 7)
