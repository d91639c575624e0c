"""What identifies a data set: its classes, what is known of each item, and each item's bytes."""

from __future__ import annotations

import hashlib

from core.contracts import Dataset, Item, Progress, no_progress
from core.errors import UserFacingError
from core.fingerprint import canonical, sha256_of


def dataset_fingerprint(dataset: Dataset, progress: Progress = no_progress) -> str:
    """The same for the same content, in whatever order and from whatever source it was read. Reads every item."""
    task = [] if dataset.task == "multiclass" else [dataset.task]  # so sets of one label keep their fingerprints
    digest = hashlib.sha256(canonical([dataset.kind, dataset.classes, *task]).encode())
    for done, item in enumerate(sorted(dataset.items, key=lambda item: item.id), 1):
        known = [item.id, item.label, item.fold, item.group, item.split, item.truth, _bytes_of(dataset, item)]
        several = [item.labels] if task else []
        digest.update(canonical(known + several).encode())
        progress(done, len(dataset.items), "fingerprint")
    return digest.hexdigest()


def _bytes_of(dataset: Dataset, item: Item) -> str | None:
    """None where they cannot be read: such an item is told later, and another one when its file is back."""
    try:
        return sha256_of(dataset.read(item))
    except (OSError, UserFacingError):
        return None
