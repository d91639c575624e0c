"""Noise as a function of who needs it: a counter hash in integer tensor operations.

A *stream* is an int64 hash of (seed, draw, item, layer, purpose); its values are the outputs of SplitMix64 started
there (Steele et al. 2014, https://doi.org/10.1145/2714064.2660195). Nothing is stateful, so an answer depends neither
on the other rows of a batch nor on chunks, threads or devices. The integers, uniforms, signs and masks have the same
bits on every device; normals pass through log and cos and agree to a few units in the last place.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.fingerprint import key_of, seed_of

_GOLDEN = 0x9E3779B97F4A7C15  # the increment of SplitMix64: odd, bits of the golden ratio
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))  # (shift, multiplier) of its finaliser
_WORD = (1 << 64) - 1
_CPU_BLOCK = 1 << 15  # hashes made at a time: their scratch stays in a core's cache
_GPU_BLOCK = 1 << 24  # a bound on memory


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of rows whose draws share one sample of weight noise."""

    index: int  # draw // group
    rows: slice


@dataclass(frozen=True, slots=True, eq=False)
class NoiseContext:
    """Which draw and which item every row of a folded batch is: draw-major, draws x items."""

    seed: int
    draws: Tensor  # (rows,) int64
    keys: Tensor  # (rows,) int64, see key_of
    group: int = 5  # draws that share one sample of Flipout's weight noise; each stays exact by itself
    segments: tuple[Segment, ...] = field(init=False)  # of draw groups
    draw_segments: tuple[Segment, ...] = field(init=False)  # of single draws
    _by_draw: Tensor = field(init=False)
    _by_item: Tensor = field(init=False)

    def __post_init__(self) -> None:
        if self.draws.shape != self.keys.shape or self.draws.dim() != 1 or self.group < 1:
            raise ValueError(f"noise needs one draw and one key a row, got {self.draws.shape} and {self.keys.shape}")
        draws = self.draws.tolist()  # the only wait for a device; layers use the segments
        by_draw = _mix(self.draws * _signed(_GOLDEN) + _signed(_mix_one(self.seed & _WORD)))
        for name, value in (
            ("segments", _runs([draw // self.group for draw in draws])),
            ("draw_segments", _runs(draws)),
            ("_by_draw", by_draw),
            ("_by_item", _mix(_mix(self.keys.clone()) + by_draw)),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def fold(cls, seed: int, draws: Sequence[int], keys: Tensor, group: int = 5) -> NoiseContext:
        """The context of ``inputs.repeat(len(draws), 1, ...)``: every item in every draw."""
        numbers = torch.tensor(list(draws), dtype=torch.int64, device=keys.device)
        return cls(seed, numbers.repeat_interleave(len(keys)), keys.repeat(len(numbers)), group)

    @property
    def rows(self) -> int:
        return self.draws.shape[0]

    def chunk(self, start: int, stop: int) -> NoiseContext:
        """The context of some rows; they get the noise they had in the whole."""
        return NoiseContext(self.seed, self.draws[start:stop], self.keys[start:stop], self.group)

    def by_item(self, layer_id: int, purpose: str) -> Tensor:
        """(rows,) streams that differ between draws and between items."""
        return _mix(self._by_item ^ _salt(layer_id, purpose))

    def by_draw(self, layer_id: int, purpose: str) -> Tensor:
        """(rows,) streams that differ between draws and are shared by items."""
        return _mix(self._by_draw ^ _salt(layer_id, purpose))

    def by_segment(self, segment: Segment, layer_id: int, purpose: str) -> Tensor:
        """(1,) stream of one group of draws (or of one draw, for a segment of ``draw_segments``)."""
        start = _mix_one((self.seed ^ _GOLDEN) & _WORD) + segment.index * _GOLDEN
        number = _mix_one(_mix_one(start & _WORD) ^ (_salt(layer_id, purpose) & _WORD))
        return torch.full((1,), _signed(number), dtype=torch.int64, device=self.draws.device)


_CURRENT: ContextVar[NoiseContext | None] = ContextVar("noise", default=None)


@contextmanager
def noise(context: NoiseContext | None) -> Iterator[None]:
    """Give every stochastic layer called in this block, in this thread, its noise.

    Backward passes need none, except those that recompute activations: run these inside the block too.
    """
    token = _CURRENT.set(context)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> NoiseContext | None:
    """The noise of this call; None: be deterministic."""
    return _CURRENT.get()


def keys_of(hashes: Sequence[str], device: torch.device | str = "cpu") -> Tensor:
    return torch.tensor([key_of(sha256) for sha256 in hashes], dtype=torch.int64, device=device)


def layer_id_of(name: str) -> int:
    """The fixed id of a layer from its dotted name in the whole network."""
    return seed_of("layer", name)


def rows_like(streams: Tensor, rows: int) -> Tensor:
    """Streams for an activation of ``rows`` rows.

    A network that cuts items into windows (batch-major) has a multiple of them: the windows of one share its noise.
    """
    times, rest = divmod(rows, len(streams)) if len(streams) else (1, rows)
    if rest:
        raise ValueError(f"a stochastic layer got {rows} rows, but its noise is for {len(streams)}")
    return streams if times == 1 else streams.repeat_interleave(times)


def uniform(streams: Tensor, units: int) -> Tensor:
    """(streams, units) float32 multiples of 2^-24 in [0, 1)."""
    out = torch.empty(len(streams), (units + 1) // 2, 2, device=streams.device)
    for rows, words, hashes in _blocks(streams, out.shape[1]):
        halves = hashes.view(torch.int32).view(*hashes.shape, 2)
        out[rows, words] = halves.bitwise_right_shift(8).float().mul_(2.0**-24).add_(0.5)
    return out.view(len(streams), -1)[:, :units]


def normal(streams: Tensor, units: int) -> Tensor:
    """(streams, units) float32 standard normals (Box and Muller), to 6.6 standard deviations."""
    out = torch.empty(len(streams), (units + 1) // 2, 2, device=streams.device)
    for rows, words, hashes in _blocks(streams, out.shape[1]):
        halves = hashes.view(torch.int32).view(*hashes.shape, 2)
        # |half + 1/2| / 2^31 is uniform on (0, 1] and keeps its relative precision near 0, where the tails come from
        radius = halves[..., 0].float().add_(0.5).abs_().mul_(2.0**-31).log_().mul_(-2.0).abs_().sqrt_()
        angle = halves[..., 1].float().mul_(math.pi * 2.0**-31)
        block = out[rows, words]
        torch.mul(radius, angle.cos(), out=block[..., 0])
        torch.mul(radius, angle.sin_(), out=block[..., 1])
    return out.view(len(streams), -1)[:, :units]


def signs(streams: Tensor, units: int) -> Tensor:
    """(streams, units) float32 of -1 and +1, 64 a hash."""
    table = _sign_table(streams.device)
    out = torch.empty(len(streams), (units + 63) // 64, 64, device=streams.device)
    for rows, words, hashes in _blocks(streams, out.shape[1], values=64):
        octets = hashes.view(torch.uint8).view(*hashes.shape, 8)
        out[rows, words] = table.index_select(0, octets.flatten().int()).view(*hashes.shape, 64)
    return out.view(len(streams), -1)[:, :units]


def bernoulli(streams: Tensor, units: int, probability: float) -> Tensor:
    """(streams, units) booleans, True with a probability rounded to 2^-32."""
    out = torch.empty(len(streams), (units + 1) // 2, 2, dtype=torch.bool, device=streams.device)
    threshold = round(probability * 2**32) - 2**31
    if not -(2**31) < threshold < 2**31:
        return out.fill_(probability > 0.5).view(len(streams), -1)[:, :units]
    for rows, words, hashes in _blocks(streams, out.shape[1]):
        out[rows, words] = hashes.view(torch.int32).view(*hashes.shape, 2) < threshold
    return out.view(len(streams), -1)[:, :units]


def _blocks(streams: Tensor, words: int, values: int = 2) -> Iterator[tuple[slice, slice, Tensor]]:
    """The hashes of (streams x words) counters, a bounded block at a time; the block is scratch, read it at once."""
    device = streams.device
    block = max(1, (_CPU_BLOCK if device.type == "cpu" else _GPU_BLOCK) * 2 // values)
    width = max(1, min(words, block))
    height = max(1, block // width)
    for left in range(0, words, width):
        counters = torch.arange(left, min(left + width, words), device=device).mul_(_signed(_GOLDEN))
        for top in range(0, len(streams), height):
            hashes = streams[top : top + height, None] + counters
            yield slice(top, top + height), slice(left, left + width), _mix(hashes)


def _mix(words: Tensor) -> Tensor:
    """SplitMix64's finaliser in place: int64 products wrap, and shifts are made logical by a mask."""
    shifted = torch.empty_like(words)
    for shift, multiplier in _STEPS:
        torch.bitwise_right_shift(words, shift, out=shifted)
        words.bitwise_xor_(shifted.bitwise_and_((1 << (64 - shift)) - 1))
        if multiplier != 1:
            words.mul_(_signed(multiplier))
    return words


def _mix_one(word: int) -> int:
    for shift, multiplier in _STEPS:
        word = ((word ^ (word >> shift)) * multiplier) & _WORD
    return word


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


@functools.lru_cache(maxsize=4096)
def _salt(layer_id: int, purpose: str) -> int:
    return _signed(_mix_one((seed_of(layer_id, purpose) * _GOLDEN) & _WORD))


def _sign_table(device: torch.device) -> Tensor:
    """(256, 8): the bits of an octet as signs."""
    octets = torch.arange(256, device=device)[:, None]
    return octets.bitwise_right_shift(torch.arange(8, device=device)).bitwise_and_(1).mul(2.0).sub_(1.0)


def _runs(numbers: list[int]) -> tuple[Segment, ...]:
    """Consecutive rows with equal numbers."""
    found: list[Segment] = []
    start = 0
    for end in range(1, len(numbers) + 1):
        if end == len(numbers) or numbers[end] != numbers[start]:
            found.append(Segment(numbers[start], slice(start, end)))
            start = end
    return tuple(found)
