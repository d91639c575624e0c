"""The world around a voice: distance, a room, a microphone, something in the background, a level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from core.data._soundbox.signal import LENGTH, RATE, Gain, Rng, formants, product, response, slope, unit

_SIZE = 1 << 18  # the clip and the longest tail of a room
_TAIL = _SIZE - LENGTH
_FRAME = RATE // 20
CEILING = 0.95  # largest sample ever written


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a source is heard. Nothing of it depends on the class."""

    tilt: float  # dB an octave
    bells: tuple[tuple[float, float, float], ...]  # centre Hz, width Hz, gain: the colour of the microphone
    air: float  # Hz; above it distance takes its toll
    echo: float  # seconds until the room is 60 dB down
    wet: float  # height of the room against the direct sound
    backdrop: float  # dB an octave of the background
    quiet: float  # dB from the sound down to the background
    level: float  # dB full scale of the active part

    @classmethod
    def draw(cls, rng: Rng) -> Self:
        centres = np.exp(rng.uniform(np.log(120), np.log(9000), 4))
        bells = tuple((float(c), float(c * rng.uniform(0.5, 1.5)), float(rng.uniform(-0.6, 2.0))) for c in centres)
        return cls(
            tilt=rng.uniform(-4.0, 3.5),
            bells=bells,
            air=float(np.exp(rng.uniform(np.log(4500), np.log(18_000)))),
            echo=float(np.exp(rng.uniform(np.log(0.08), np.log(0.9)))),
            wet=rng.uniform(0.0, 0.5),
            backdrop=rng.uniform(-7.0, -1.0),
            quiet=rng.uniform(16.0, 42.0),
            level=rng.uniform(-36.0, -22.0),
        )

    def record(self, dry: np.ndarray, rng: Rng) -> np.ndarray:
        """(LENGTH,) float32, at the level of the scene give or take a few dB."""
        from scipy import fft

        spectrum = np.asarray(fft.rfft(dry / active_level(dry), _SIZE)) * self._room(rng)
        spectrum *= response(self._colour(float(rng.normal(0, 0.7))), _SIZE)
        heard = np.asarray(fft.irfft(spectrum, _SIZE))[:LENGTH]
        heard = heard / active_level(heard) + self._background(rng)
        gain = 10 ** ((self.level + rng.uniform(-4, 4)) / 20)
        return within((heard * gain).astype(np.float32))

    def _colour(self, lean: float) -> Gain:
        centres, widths, gains = zip(*self.bells, strict=True)
        return product(
            slope(self.tilt + lean, low=60.0),
            formants(centres, widths, gains, floor=1.0),
            lambda hertz: 1 / (1 + (hertz / self.air) ** 4) * (hertz / (hertz + 25.0)),
        )

    def _room(self, rng: Rng) -> np.ndarray:
        """Spectrum of the direct sound and its reflections: noise that dies away, a little later."""
        from scipy import fft

        time = np.arange(_TAIL) / RATE
        tail = rng.standard_normal(_TAIL, dtype=np.float32) * np.exp(-6.9 / self.echo * time)
        tail[: int(0.004 * RATE)] = 0
        tail *= self.wet / np.sqrt(np.sum(tail**2))
        tail[0] = 1
        return np.asarray(fft.rfft(tail, _SIZE))

    def _background(self, rng: Rng) -> np.ndarray:
        from scipy import fft

        shape = response(product(slope(self.backdrop, low=80.0), lambda hertz: 1 / (1 + (hertz / 9000.0) ** 2)), _SIZE)
        parts = rng.standard_normal((2, len(shape)), dtype=np.float32) * shape.astype(np.float32)
        backdrop = np.asarray(fft.irfft(parts[0] + np.complex64(1j) * parts[1], _SIZE))[:LENGTH]
        return unit(backdrop) * 10 ** (-self.quiet / 20)


def active_level(samples: np.ndarray) -> float:
    """Root mean square of the loudest tenth of the frames, so that a short sound and a long one compare."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.sort(np.square(frames, dtype=np.float64).mean(1))
    return float(np.sqrt(np.mean(power[-max(1, len(power) // 10) :]))) + 1e-12


def within(samples: np.ndarray) -> np.ndarray:
    """Turned down as a whole where a peak would clip; never bent."""
    peak = float(np.abs(samples).max())
    return samples if peak <= CEILING else samples * np.float32(CEILING / peak)
