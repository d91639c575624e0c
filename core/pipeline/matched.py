"""Two sets of sounds brought to one band and one active length, before a network hears either.

Otherwise bandwidth and the silence around short recordings tell the sets apart, and not what is heard in them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from core.backbones._matched import RATE, matched
from core.checkpoints.saved import Model
from core.contracts import Dataset, Progress, no_progress
from core.errors import DataError, UserFacingError
from core.fingerprint import sha256_of
from core.media import active, audio, door

REACHED = 90  # percent of the items of either set whose active part is as long as the common length, or longer
_STEP = 0.05  # seconds to which the common length is rounded down
_LEAST = 0.1


def common_length(datasets: Sequence[Dataset], progress: Progress = no_progress) -> float:
    """Seconds: the longest active part that nine in ten items of each set have."""
    longest = []
    for dataset in datasets:
        lengths = sorted(_lengths(dataset, progress), reverse=True)
        longest.append(lengths[-(-REACHED * len(lengths) // 100) - 1])
    return max(_LEAST, math.floor(min(longest) / _STEP + 1e-9) * _STEP)


def refuse_pictures(model: str, kind: str, datasets: Sequence[Dataset]) -> None:
    for dataset in datasets:
        if dataset.kind != "audio" or kind != "audio":
            raise UserFacingError(
                f"Only sounds are brought to one band and one active length, and {dataset.title} or {model} is "
                "about pictures; leave --matched out.",
                code="kind",
            )


def matched_model(model: Model, datasets: Sequence[Dataset], progress: Progress = no_progress) -> tuple[Model, str]:
    """The model behind the common entry, and what was done, for a note."""
    refuse_pictures(model.name, model.card.kind, datasets)
    seconds = common_length(datasets, progress)
    note = f"{told(seconds, datasets)}; the model was not trained so"
    return replace(model, network=matched(model.network, seconds)), note


def told(seconds: float, datasets: Sequence[Dataset]) -> str:
    return (
        f"all sounds were brought to {RATE // 1000} kHz and to {seconds:.2f} s of their active part (its loudest "
        f"stretch; frames more than {-active.GATE_DB:.0f} dB below the loudest are silence), the longest that "
        f"{REACHED} % of the items of {' and of '.join(dataset.title for dataset in datasets)} have"
    )


def _lengths(dataset: Dataset, progress: Progress) -> list[float]:
    """Active seconds of each item that can be read, in the common band."""
    found = []
    for done, item in enumerate(dataset.items, 1):
        try:
            raw = dataset.read(item)
            media = door.open_media(raw, kind="audio", expected=sha256_of(raw))
        except (UserFacingError, OSError):
            continue  # told when it is prepared
        found.append(active.active_seconds(audio.resample(media, RATE)))
        progress(done, len(dataset.items), "active parts")
    if not found:
        raise DataError(f"None of the {len(dataset.items):,} items of {dataset.title} could be read.", code="no-items")
    return found
