"""From decoded media to one network input: waveforms of a fixed length, pictures of a fixed size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from core.contracts import Kind, Media, Note, Prepared
from core.errors import UserFacingError
from core.media import audio

_OTHER_KIND: dict[Kind, str] = {
    "audio": "A picture arrived and this model takes sounds; choose a model for pictures.",
    "image": "A sound arrived and this model takes pictures; choose a model for sounds.",
}
_SILENT = 1e-9  # peak below which nothing is scaled


@dataclass(frozen=True, slots=True)
class SoundEntry:
    """A waveform (time,) float32: resampled, then cut or padded with zeros at its end."""

    rate: int  # Hz
    seconds: float
    peak: bool = False  # scale the loudest sample to 1

    @property
    def samples(self) -> int:
        return round(self.seconds * self.rate)

    def prepare(self, media: Media) -> Prepared:
        refuse_other_kind(media, "audio")
        media = audio.fit_length(audio.resample(media, self.rate), self.seconds)
        samples = np.array(media.samples, np.float32)  # a copy: tensors are writable
        receipt = media.receipt
        loudest = float(np.abs(samples).max())
        if self.peak and loudest > _SILENT and loudest != 1.0:
            samples /= loudest
            receipt = receipt.noting(Note("peak", f"scaled so that its peak is 1 ({-20 * np.log10(loudest):+.1f} dB)"))
        return Prepared(torch.from_numpy(samples), receipt)


@dataclass(frozen=True, slots=True)
class PictureEntry:
    """A picture (3, height, width) float32: the largest centred part of the network's shape, resized, normalised."""

    size: tuple[int, int]  # height, width
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    share: float = 1.0  # how much of the centred part's side is kept; papers call it the crop fraction
    resampling: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"

    def prepare(self, media: Media) -> Prepared:
        from PIL import Image

        refuse_other_kind(media, "image")
        height, width = media.samples.shape[:2]
        box = self.box(height, width)
        rows, columns = self.size
        notes = []
        if round(box[2] - box[0]) < width or round(box[3] - box[1]) < height:
            seen = (box[2] - box[0]) * (box[3] - box[1]) / (width * height)
            notes.append(Note("cropped", f"only the centre is used, {seen:.0%} of the picture", alarm=seen < 0.5))
        if (height, width) != (rows, columns):
            small = min(height, width) < min(rows, columns) / 4  # most of what the network sees is interpolated
            text = f"resized from {width} x {height} to {columns} x {rows} pixels"
            notes.append(Note("resized", text, alarm=small))
        picture = Image.fromarray(media.samples)
        method = Image.Resampling[self.resampling.upper()]
        pixels = np.array(picture.resize((columns, rows), method, box=box), np.float32) / 255.0
        pixels = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return Prepared(tensor, media.receipt.noting(*notes))

    def box(self, height: int, width: int) -> tuple[float, float, float, float]:
        """left, upper, right, lower of the part that is used, in pixels of the picture."""
        rows, columns = self.size
        scale = min(height / rows, width / columns) * self.share
        half_width, half_height = columns * scale / 2, rows * scale / 2
        return width / 2 - half_width, height / 2 - half_height, width / 2 + half_width, height / 2 + half_height


def refuse_other_kind(media: Media, kind: Kind) -> None:
    if media.kind != kind:
        raise UserFacingError(_OTHER_KIND[kind], code="kind")
