"""The operations of the decode child: plain values and bytes in, plain values and bytes out."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.contracts import Media
from core.media import audio, recording, spectrogram, thumbnail

Answer = tuple[dict[str, Any], list[Any]]
_DISPLAY_COLUMNS = 1600  # of the envelope and, at most, of the spectrogram


def warm() -> None:
    """Load the libraries before the memory ceiling is set; they never include torch."""
    import av.error  # noqa: F401
    import soundfile  # noqa: F401

    from core.media import _ffmpeg, _libsndfile, image  # noqa: F401

    image.prepare_library()


def decode_operation(params: dict[str, Any], blocks: list[bytes]) -> Answer:
    media = _decoded(params, blocks[0])
    return _header(media), [_bytes(media.samples)]


def view_operation(params: dict[str, Any], blocks: list[bytes]) -> Answer:
    """The samples and what a page draws of them."""
    media = _decoded(params, blocks[0])
    header = _header(media)
    if media.kind == "image" or media.rate is None:
        return {**header, "view": None}, [_bytes(media.samples), thumbnail.of_picture(media.samples)]
    config = display_config(media.rate)
    levels, hop = display_log_mel(media.samples, config)
    shown = {"mels": config.mels, "frames": levels.shape[1], "hop": hop, "f_min": config.f_min, "f_max": config.f_max}
    drawn = envelope(media.samples, _DISPLAY_COLUMNS)
    out = [_bytes(media.samples), thumbnail.of_sound(levels), _bytes(drawn), _bytes(levels.astype(np.float16))]
    return {**header, "view": shown | {"columns": drawn.shape[1]}}, out


def probe_operation(params: dict[str, Any], blocks: list[bytes]) -> Answer:
    return asdict(recording.probe(Path(params["path"]))), []


def window_operation(params: dict[str, Any], blocks: list[bytes]) -> Answer:
    known = recording.Probe(**params["probe"])
    media = recording.read_window(Path(params["path"]), known, params["start"], params["frames"], "")
    return _header(media), [_bytes(media.samples)]


def display_config(rate: int) -> spectrogram.MelConfig:
    """A front end for the eye at the native rate: about 32 ms of window, a fourth of it a step."""
    n_fft = 1 << max(7, round(np.log2(rate * 0.032)))
    mels = min(spectrogram.MELS, n_fft // 8)  # fewer at low rates, so that no band falls between two bins
    return spectrogram.MelConfig(rate, n_fft, n_fft // 4, mels, f_max=min(spectrogram.F_MAX, rate / 2))


def display_log_mel(samples: np.ndarray, config: spectrogram.MelConfig) -> tuple[np.ndarray, int]:
    """(mels, frames) in dB and the samples a frame stands for; long sounds take the loudest of neighbours."""
    pool = -(-config.frames(len(samples)) // _DISPLAY_COLUMNS)
    if pool > 4:  # neighbours are pooled anyway: half the overlap is enough, at half the work
        config = replace(config, hop=2 * config.hop)
        pool = -(-config.frames(len(samples)) // _DISPLAY_COLUMNS)
    step = pool * config.hop
    columns = []
    chunk = 64 * step  # the part transformed at a time, so that the power of a long sound is never whole
    for first in range(0, len(samples), chunk):
        part = samples[max(0, first - config.n_fft) : first + chunk + config.n_fft]
        lead = (first - max(0, first - config.n_fft)) // config.hop
        inside = min(chunk, len(samples) - first)
        count = -(-inside // config.hop)
        power = spectrogram.mel_power(part, config)[lead : lead + count]
        edges = np.arange(0, len(power), pool)
        columns.append(np.maximum.reduceat(power, edges, axis=0))
    return spectrogram.decibels(np.concatenate(columns), config.floor).T, step


def envelope(samples: np.ndarray, columns: int) -> np.ndarray:
    """(2, n) float32: lowest and highest sample of n even stretches."""
    edges = np.linspace(0, len(samples), min(columns, len(samples)), endpoint=False).astype(np.int64)
    return np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)])


def _decoded(params: dict[str, Any], raw: bytes) -> Media:
    if params["kind"] == "audio":
        return audio.decode(raw, params["container"], "")
    from core.media import image

    return image.decode(raw, params["container"], "")


def _header(media: Media) -> dict[str, Any]:
    """All but the samples; the identity is the parent's to say."""
    return {
        "kind": media.kind,
        "shape": list(media.samples.shape),
        "rate": media.rate,
        "receipt": media.receipt.to_json(),
    }


def _bytes(values: np.ndarray) -> memoryview:
    """The array's own memory: no second copy of a long recording."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
