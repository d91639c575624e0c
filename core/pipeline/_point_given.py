"""Fewer training items, or some with wrong labels: what an experiment changes that no training on purpose would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from core.configs import with_settings
from core.errors import UserFacingError
from core.fingerprint import torch_generator
from core.methods._knobs import check, knob
from core.pipeline.ready import Ready

_PREFIX = "given."


@dataclass(frozen=True, slots=True)
class Given:
    kept: float = knob(1.0, "share of each class's training items that is given", least=1e-6, most=1.0)
    wrong: float = knob(0.0, "share of those whose label is another class, drawn by chance", least=0.0, most=1.0)

    def __post_init__(self) -> None:
        check(self)


def parted(settings: Sequence[str]) -> tuple[tuple[str, ...], Given]:
    """Settings of a plan, and those that begin with "given."."""
    ours = [each.removeprefix(_PREFIX) for each in settings if each.startswith(_PREFIX)]
    return tuple(each for each in settings if not each.startswith(_PREFIX)), with_settings(Given(), ours)


def refuse_odd(given: Given, *, settled: bool, task: str) -> None:
    if given != Given() and (settled or task == "multilabel"):
        raise UserFacingError(
            "Training items are left out or labelled wrongly only where they have one label each and nothing is "
            "trained before; set settled to no.",
            code="setting",
        )


def changed(found: Ready, given: Given) -> Ready:
    """The same choice of items for all methods; more items contain fewer."""
    if given == Given():
        return found
    train = found.examples["train"]
    draw = torch_generator("given items", found.plan.seed)
    order = torch.randperm(len(train), generator=draw)
    labels = train.labels[order]
    rows = torch.cat([_first(order[labels == one], given.kept) for one in labels.unique()]).sort().values
    kept = train.part(rows)
    classes = len(found.dataset.classes)
    other = (kept.labels + torch.randint(1, classes, kept.labels.shape, generator=draw)) % classes
    spoilt = torch.rand(len(kept), generator=draw) < given.wrong
    wrong = replace(kept, labels=torch.where(spoilt, other, kept.labels))
    return replace(found, examples={**found.examples, "train": wrong})


def _first(rows: torch.Tensor, share: float) -> torch.Tensor:
    return rows[: max(1, round(share * len(rows)))]
