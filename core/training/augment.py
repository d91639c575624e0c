"""Augmentation of training batches: everything off unless it is set, everything drawn from one generator.

A batch costs the generator one number. Each setting draws from a stream of its own that follows from it, so that
switching one on leaves what the others do as it was, and a resumed run sees the batches it would have seen.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from torch import Generator, Tensor

from core.contracts import Kind, Task
from core.errors import UserFacingError
from core.fingerprint import numpy_generator
from core.layers.augmentsite import Transform
from core.methods._contract import Batch
from core.training import _pictures, _sounds
from core.training._mixing import Mixing, mixing_of
from core.training.augmenting import LECTURE, PANNS, Augment

__all__ = ["LECTURE", "PANNS", "Augment", "augmented", "refuse_unfit"]
_SOUNDS = ("roll", "gain_db", "snr_least")
_SPECTROGRAMS = ("time_stripes", "mel_stripes")
_PICTURES = ("cutmix", "flip", "shift", "crop", "colour", "cutout")


def refuse_unfit(augment: Augment, kind: Kind, site: bool) -> None:
    """Say before the first batch that a setting would do nothing here. ``site``: see ``has_site``."""
    fields = {field.name: field.default for field in dataclasses.fields(Augment)}
    used = {name for name, default in fields.items() if getattr(augment, name) != default}
    if kind == "image" and (wrong := [name for name in (*_SOUNDS, *_SPECTROGRAMS) if name in used]):
        reason = "is for sounds, and this network takes pictures"
    elif kind == "audio" and (wrong := [name for name in _PICTURES if name in used]):
        reason = "is for pictures, and this network takes sounds"
    elif not site and (wrong := [name for name in _SPECTROGRAMS if name in used]):
        reason = "masks a spectrogram inside the network, and this network has no place for that"
    else:
        return
    raise UserFacingError(
        f"The setting {wrong[0]} {reason}. Leave it at {fields[wrong[0]]}, or choose another network.", code="setting"
    )


def augmented(
    batch: Batch, augment: Augment, *, kind: Kind, task: Task, classes: int, site: bool, generator: Generator
) -> tuple[Batch, Transform | None]:
    """The batch as training sees it, and what remains to be done ``with augmenting(...)`` around the network.

    Where pairs are mixed, labels and keys are those of the mixtures (a mixture has the key of its first item), and so
    are the inputs, unless the network has a site: then the inputs are still all items, and the site mixes them. An
    odd batch is completed by its first item.
    """
    refuse_unfit(augment, kind, site)
    seed = int(torch.randint(2**63 - 1, (), generator=generator, device=generator.device))
    draws = partial(numpy_generator, "augment", seed)
    if augment.halves and len(batch.inputs) % 2:
        batch = Batch(*(torch.cat([part, part[:1]]) for part in (batch.inputs, batch.labels, batch.keys)))
    inputs = batch.inputs
    mixing = None
    if augment.mixes:
        mixing = mixing_of(inputs, augment.mixup, augment.cutmix, augment.mix == "pairs", draws("mix"))
    change = _site_change(len(inputs), augment, draws, mixing) if site else None
    inputs = _pictures_of(inputs, augment, draws) if kind == "image" else _waves_of(inputs, augment, draws, site)
    if mixing is not None and not site:
        inputs = mixing.of(inputs)
    keys = batch.keys if mixing is None else batch.keys[mixing.first]
    if batch.inputs.dim() == 4 and batch.inputs.is_contiguous(memory_format=torch.channels_last):
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    return Batch(inputs, _labels_of(batch.labels, augment, task, classes, mixing), keys), change


def _site_change(items: int, augment: Augment, draws: _sounds.Draws, mixing: Mixing | None) -> Transform | None:
    if mixing is None and not (augment.roll or augment.time_stripes or augment.mel_stripes):
        return None
    return _sounds.SiteChange(
        items,
        draws,
        _sounds.Roll(augment.roll, augment.roll_fill == "wrap"),
        _sounds.Stripes(augment.time_stripes, augment.time_width),
        _sounds.Stripes(augment.mel_stripes, augment.mel_width),
        mixing,
    )


def _waves_of(waves: Tensor, augment: Augment, draws: _sounds.Draws, site: bool) -> Tensor:
    if augment.roll and not site:
        waves = _sounds.rolled(waves, _sounds.Roll(augment.roll, augment.roll_fill == "wrap"), draws("roll"))
    if augment.gain_db:
        waves = waves * torch.from_numpy(_sounds.gains_of(draws("gain"), len(waves), augment.gain_db)).to(waves)
    if augment.snr_least is not None:
        waves = _sounds.with_noise(waves, augment.snr_least, augment.snr_most, draws("noise"))
    return waves


def _pictures_of(pictures: Tensor, augment: Augment, draws: _sounds.Draws) -> Tensor:
    if augment.crop < 1.0:
        pictures = _pictures.cropped(pictures, augment.crop, draws("crop"))
    if augment.shift or augment.flip:
        pictures = _pictures.moved(pictures, augment.shift, augment.shift_fill, augment.flip, draws("move"))
    if augment.colour:
        pictures = _pictures.recoloured(pictures, augment.colour, draws("colour"))
    if augment.cutout:
        pictures = _pictures.cut_out(pictures, augment.cutout, draws("cutout"))
    return pictures


def _labels_of(labels: Tensor, augment: Augment, task: Task, classes: int, mixing: Mixing | None) -> Tensor:
    """As they came, or float32 (items, classes) where they are smoothed or mixed."""
    smoothing = augment.label_smoothing
    if mixing is None and not smoothing:
        return labels
    soft = labels.float() if labels.is_floating_point() else torch.nn.functional.one_hot(labels, classes).float()
    if smoothing:
        soft = (1.0 - smoothing) * soft + smoothing / (classes if task == "multiclass" else 2)
    return soft if mixing is None else mixing.of_labels(soft)
