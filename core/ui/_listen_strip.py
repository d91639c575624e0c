"""The spectrogram of a stream as far as it was heard: pure, no streamlit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.media.spectrogram import MelConfig, log_mel, mel_edges

_KEPT = 60.0  # seconds of a microphone
_COLUMNS_A_SECOND, _MELS, _LOWEST, _HIGHEST = 20, 64, 50.0, 14_000.0


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    log_mel: np.ndarray  # (mels, frames) in dB
    centres: np.ndarray  # Hz of the mels
    start: float  # seconds from the beginning of the stream
    ends: float
    top: float  # the loudest value so far, in dB

    def until(self, seconds: float) -> Strip:
        """Without what was not heard yet."""
        frames = self.log_mel.shape[1]
        if seconds >= self.ends or not frames:
            return self
        kept = round(frames * max(0.0, seconds - self.start) / (self.ends - self.start))
        ends = self.start + (self.ends - self.start) * kept / frames
        return replace(self, log_mel=self.log_mel[:, :kept], ends=ends)


class Ribbon:
    """That of a microphone, which grows at its end and is forgotten at its beginning."""

    def __init__(self, rate: int) -> None:
        hop = max(1, rate // _COLUMNS_A_SECOND)
        size = 1 << max(6, (rate // 25).bit_length() - 1)
        self._config = MelConfig(rate, size, hop, _MELS, _LOWEST, min(_HIGHEST, rate / 2))
        self._rest = np.zeros(0, np.float32)
        self._columns = np.zeros((_MELS, 0), np.float32)
        self._given = 0  # columns since the beginning

    def add(self, samples: np.ndarray) -> None:
        hop = self._config.hop
        whole = np.concatenate([self._rest, samples])
        count = len(whole) // hop
        self._rest = whole[count * hop :]
        if count:
            new = log_mel(whole[: count * hop], self._config)[:count].T
            most = round(_KEPT * self._config.rate / hop)
            self._columns = np.concatenate([self._columns, new], axis=1)[:, -most:]
            self._given += count

    def strip(self) -> Strip:
        step = self._config.hop / self._config.rate
        kept = self._columns.shape[1]
        centres = mel_edges(self._config.f_min, self._config.f_max, _MELS)[1:-1]
        top = float(self._columns.max(initial=-60.0))
        return Strip(self._columns, centres, (self._given - kept) * step, self._given * step, top)
