"""Every st.cache_* of the project. Keys are sha256 and small frozen things, never arrays.

What is cached is frozen and shared by all visitors; who holds a sha256 has held the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from core import settings as environment
from core.contracts import Dataset, Media, Receipt
from core.data import open_dataset
from core.fingerprint import sha256_of
from core.media import preview
from core.media.archive import Archive, open_archive
from core.media.door import View, open_view
from core.media.spectrogram import mel_edges
from core.settings import Settings
from core.ui import findings


@st.cache_resource
def settings() -> Settings:
    return environment.load()


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """What is drawn of a sound."""

    rate: int
    seconds: float
    envelope: np.ndarray  # (2, columns)
    log_mel: np.ndarray  # (mels, frames) in dB
    centres: np.ndarray  # Hz of the mels


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What is drawn of a picture beside itself."""

    levels: np.ndarray  # (3, bins) share of pixels a channel and brightness


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a page keeps of one file: everything it draws and plays, and not the samples themselves."""

    sha256: str
    receipt: Receipt
    thumbnail: bytes
    preview: bytes  # FLAC or PNG: what a browser plays or shows
    finding: str  # one computed sentence
    drawn: Sound | Picture


@st.cache_resource(max_entries=6, show_spinner=False)
def _view(sha256: str, _raw: bytes) -> View:
    return open_view(_raw)


def media(raw: bytes) -> Media:
    """A decoded file with its samples, which are many: only the last few stay. Raises UserFacingError."""
    return _view(sha256_of(raw), raw).media


@st.cache_resource(max_entries=48, show_spinner=False)
def _shown(sha256: str, _raw: bytes) -> Shown:
    view = _view(sha256, _raw)
    media, drawn = view.media, _drawn(view)
    if isinstance(drawn, Sound):
        played, finding = preview.of_sound(media), findings.of_sound(drawn.log_mel, drawn.centres, drawn.seconds)
    else:
        played, finding = preview.of_picture(media), findings.of_picture(media.samples)
    return Shown(sha256, media.receipt, view.thumbnail, played, finding, drawn)


def _drawn(view: View) -> Sound | Picture:
    media = view.media
    if media.rate is None or view.envelope is None or view.log_mel is None or view.band is None:
        counts = [np.histogram(media.samples[..., channel], bins=32, range=(0, 256))[0] for channel in range(3)]
        return Picture(np.stack(counts) / counts[0].sum())
    centres = mel_edges(*view.band, len(view.log_mel))[1:-1]
    return Sound(media.rate, len(media.samples) / media.rate, view.envelope, view.log_mel, centres)


def shown(raw: bytes) -> Shown:
    """A decoded file, ready to draw. Raises UserFacingError; a refusal is not remembered."""
    return _shown(sha256_of(raw), raw)


@st.cache_resource(max_entries=16, show_spinner=False)
def _archive(sha256: str, _raw: bytes) -> Archive:
    return open_archive(_raw, settings())


def archive(raw: bytes) -> Archive:
    return _archive(sha256_of(raw), raw)


@st.cache_resource(max_entries=8, show_spinner=False)
def dataset(key: str) -> Dataset:
    return open_dataset(key, settings())


@st.cache_resource(max_entries=128, show_spinner=False)
def item_bytes(key: str, item_id: str) -> bytes:
    data = dataset(key)
    return data.read(next(item for item in data.items if item.id == item_id))
