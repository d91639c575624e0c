"""Facts about a signal, gathered block by block while it is decoded, and the notes made of them."""

from __future__ import annotations

import math

import numpy as np

from core.contracts import Note
from core.errors import MediaError

SILENT = 10 ** (-90 / 20)  # peak below this (re full scale): nothing to hear
QUIET = 10 ** (-60 / 20)
OFFSET = 0.05  # mean of the signal from which a direct-current offset is told
LOUDEST = 16.0  # times full scale; beyond, float samples are not a recording in -1 .. 1
SHORT_SECONDS = 0.25
_FLAT_RUN = 3  # equal samples in a row at the rail that count as clipped
_CANCEL = 0.05  # mixed power against mean channel power


class Levels:
    """Running peak, mean, clipping and mixing loss of a signal that is never held whole."""

    def __init__(self, bits: int | None) -> None:
        self.frames = 0
        self.peak = 0.0
        self.clipped = 0
        self._rail = 1.0 - 2.0 ** (1 - bits) if bits else 1.0 - 1e-4
        self._sum = 0.0
        self._channel_power = 0.0
        self._mixed_power = 0.0
        self._tail: np.ndarray | None = None  # the last samples of the block before

    def add(self, block: np.ndarray, mono: np.ndarray, rate: int) -> None:
        """Take one block (time, channels) and its mix; refuse what is not a finite signal."""
        peak = float(np.abs(block).max(initial=0.0))
        if not math.isfinite(peak):
            bad = int(np.argmin(np.isfinite(block).all(axis=1)))
            at = (self.frames + bad) / rate
            raise MediaError(
                f"The sound holds samples that are not numbers (the first at {at:.2f} s); export it again.",
                code="non-finite",
            )
        if peak > LOUDEST:
            raise MediaError(
                f"The samples reach {peak:.3g} times full scale; float sound must lie in -1 to 1. Export it again.",
                code="over-range",
            )
        self.peak = max(self.peak, peak)
        self._count_clipped(block)
        self.frames += len(block)
        self._sum += float(mono.sum(dtype=np.float64))
        if block.shape[1] > 1:
            self._channel_power += float(np.square(block, dtype=np.float64).sum()) / block.shape[1]
            self._mixed_power += float(np.square(mono, dtype=np.float64).sum())

    def _count_clipped(self, block: np.ndarray) -> None:
        """Samples in runs of equal values at the rail, per channel, across block borders."""
        if self.peak >= self._rail - 1e-7:
            joined = block if self._tail is None else np.concatenate([self._tail, block])
            high = np.abs(joined) >= self._rail - 1e-7
            equal = high[1:] & high[:-1] & (joined[1:] == joined[:-1])
            runs = equal[1:] & equal[:-1]
            self.clipped += int(runs.sum())
        self._tail = block[-(_FLAT_RUN - 1) :]

    def notes(self, rate: int) -> tuple[Note, ...]:
        seconds, mean = self.frames / rate, self._sum / max(1, self.frames)
        found = []
        if self.peak <= SILENT:
            what = "digital silence" if self.peak == 0 else "nothing louder than -90 dB of full scale"
            found.append(Note("silent", what, alarm=True))
        elif self.peak < QUIET:
            found.append(Note("quiet", f"very quiet: its peak is {20 * math.log10(self.peak):.0f} dB", alarm=True))
        if self.clipped:
            found.append(Note("clipped", f"clipped: {self.clipped:,} samples stuck at full scale", alarm=True))
        if self.peak > 1.0 + 1e-4:
            found.append(Note("over-range", f"peaks at {self.peak:.2f} times full scale, kept as it is"))
        if abs(mean) > OFFSET:
            found.append(Note("dc-offset", f"direct-current offset of {mean:+.2f}", alarm=True))
        if self._channel_power > 0 and self._mixed_power < _CANCEL * self._channel_power:
            found.append(Note("cancelled", "the channels cancel each other in the mono mix", alarm=True))
        if seconds < SHORT_SECONDS:
            found.append(Note("short", f"very short: {seconds * 1000:.3g} ms", alarm=True))
        return tuple(found)
