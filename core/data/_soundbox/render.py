"""From a spec to samples and to bytes. Pure: the same spec gives the same bits, in any process and any order."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np

from core.data._soundbox.cast import voice_of
from core.data._soundbox.plan import ClipSpec
from core.data._soundbox.scene import Scene, within
from core.data._soundbox.signal import LENGTH, RATE, Voice, band, noise, product, slope
from core.fingerprint import numpy_generator


def render(spec: ClipSpec) -> np.ndarray:
    """(220500,) float32 between -0.95 and 0.95."""
    samples = recording(spec.first, spec.source, spec.take, spec.seed)
    if spec.second is not None:
        samples = mixed(samples, recording(spec.second, spec.source, spec.take, spec.seed), spec.mix)
    if spec.noise:
        samples = noisy(samples, spec.noise, spec.first, spec.source, spec.take, spec.seed)
    return samples


def clip_bytes(spec: ClipSpec) -> bytes:
    """The clip as 16-bit mono FLAC."""
    return encoded(render(spec))


def voice(name: str, source: int, seed: int) -> Voice:
    """The source itself, with the numbers that it was made from."""
    return voice_of(name).draw(numpy_generator("soundbox voice", seed, name, source))


@lru_cache(maxsize=4)
def recording(name: str, source: int, take: int, seed: int) -> np.ndarray:
    """One take of one source in its room."""
    scene = Scene.draw(numpy_generator("soundbox scene", seed, name, source))
    dry = voice(name, source, seed).play(numpy_generator("soundbox take", seed, name, source, take))
    samples = scene.record(dry, numpy_generator("soundbox room", seed, name, source, take))
    samples.flags.writeable = False  # it is remembered: the steps of a knob share their takes
    return samples


def mixed(first: np.ndarray, second: np.ndarray, mix: float) -> np.ndarray:
    """The second holds the share ``mix`` of the energy: 0 is the first alone, 1 the second alone."""
    one, two = _power(first), _power(second)
    level = one ** (1.0 - mix) * two**mix
    parts = first * np.float32(np.sqrt((1.0 - mix) / one)) + second * np.float32(np.sqrt(mix / two))
    return within(parts * np.float32(np.sqrt(level)))


def noisy(samples: np.ndarray, share: float, *key: str | int) -> np.ndarray:
    """Noise holds the share ``share`` of the energy; 10*log10((1-share)/share) dB from sound to noise."""
    rng = numpy_generator("soundbox noise", *key)
    hiss = noise(rng, LENGTH, product(slope(-2.0, low=80.0), band(60, 15_000)))
    return mixed(samples, hiss * np.float32(np.sqrt(_power(samples) / _power(hiss))), share)


def encoded(samples: np.ndarray) -> bytes:
    import soundfile

    whole = np.round(samples * 32767.0).astype(np.int16)
    stream = io.BytesIO()
    soundfile.write(stream, whole, RATE, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def _power(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))
